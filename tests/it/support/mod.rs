//! Builders of images and archives, and a fake AWS and registry to serve them.

pub mod aws;
pub mod registry;
pub mod elf;
pub mod random_layers;
pub mod layer_text;
pub mod layout;
pub mod sample_images;
pub mod archive;
pub mod cases;
pub mod random;
