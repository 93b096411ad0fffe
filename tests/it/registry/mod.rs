//! Where images are read from: archives and registries that speak the distribution API.

mod archives;
mod distribution;
