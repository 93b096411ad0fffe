//! Reads manifests, indexes and configs, in the formats of the OCI image specification and Docker. Whether their
//! contents are true and suit the intended runtimes is checked elsewhere.

mod refusal;
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
mod ambiguity;
mod read_options;
mod index;
mod read_image;

pub use image::{Image, ImageContent, IndexChild, IndexEntry, PlatformImage};
pub use layer::{Compression, Layer, LayerAccess};
pub use media_type::MediaTypeFamily;
pub use process_config::{BuildHint, EnvironmentDefect, ProcessConfig};
pub(crate) use process_config::{is_node_hook, is_nvidia_variable, is_preload_variable, is_startup_variable};
pub use read_image::read_image;
pub use read_options::ImageReadOptions;
pub use refusal::{ImageRefusal, RefusedBy};
