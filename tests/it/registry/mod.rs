//! Where images are read from: archives, registries with the distribution API, and Amazon ECR.

pub mod archives;
mod image_names;
mod distribution;
mod ecr_listing;
