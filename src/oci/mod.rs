//! What an image declares about itself: a single image, an index of platforms, an artifact or an attestation.
//!
//! Reads manifests, indexes and configs as the OCI image specification and Docker's manifest formats define them. Whether
//! the declarations are true, and where the image is meant to run, is decided further down.

mod layer;
mod media_type;
mod process_config;
mod image;
mod lenient_json;
mod config_fields;
mod config;
mod platform_image;
mod schema1;
mod manifest;
mod read_options;
mod index;
mod read_image;

pub use image::{Image, ImageContent, IndexChild, IndexEntry, PlatformImage};
pub use layer::{Compression, Layer, LayerAccess};
pub use media_type::MediaTypeFamily;
pub use process_config::{BuildHint, ProcessConfig};
pub use read_image::read_image;
pub use read_options::ImageReadOptions;
