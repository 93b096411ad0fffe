//! The layers of an image. [`read_layer`] reads the changes of one layer from a stream, [`LayerStack`] answers path
//! lookups from the top as soon as no lower layer can change the answer, and [`apply_layer`] merges layers.
//!
//! The tar reader is this project's own, because layers may be malicious and must be read as containerd and Docker read
//! them, with Go's `archive/tar`. The crate `tar` reads long names and pax records of any size into memory, refuses pax
//! values with a newline, and rejects blank numbers.

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
