//! The layers of an image: read as streams, kept as names, looked at as a stack.
//!
//! Does not know what starts. [`read`] takes one layer from a stream, [`Stack`] answers from the top as soon as it can,
//! and [`apply`] lays one layer over another where nothing less will do.

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

pub use apply::{ApplyError, apply_layer};
pub use layer::{LayerChangeset, LayerError, read_layer};
pub use stack::LayerStack;
