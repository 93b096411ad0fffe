//! The layers of an image: each is read from a stream into the changes that it makes, and a stack of them answers path
//! lookups from the top before the lower layers are read.
//!
//! [`read_layer`] reads one layer, [`LayerStack`] answers as soon as no lower layer can change the answer, and
//! [`apply_layer`] merges layers if nothing less determines it.
//!
//! The tar reader is this project's own. The crate `tar` reads long names and pax records of any size into memory, refuses
//! pax values with a newline and rejects blank numbers. Layers are malicious until proven otherwise, and what counts is
//! what containerd and Docker make of them: they read layers with Go's `archive/tar`, so this reader follows its rules.

mod error;
mod hashing_reader;
mod zstd;
mod decompress;
mod tar;
mod changes;
mod self_contained;
mod layer;
mod budget;
mod apply;
mod stack;

pub use apply::apply_layer;
pub use error::{ApplyError, LayerError};
pub use layer::{LayerChangeset, read_layer};
pub use stack::LayerStack;
