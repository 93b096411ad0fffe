//! The layers of an image: read as streams, kept as names, looked at as a stack.
//!
//! Does not know what starts. [`read`] takes one layer from a stream, [`Stack`] answers from the top as soon as it can,
//! and [`apply`] lays one layer over another where nothing less will do.

mod source;
mod zstd;
mod decompress;
mod archive;
mod changes;
mod tidy;
mod layer;
mod work;
mod apply;
mod stack;

pub use apply::{ApplyError, apply};
pub use layer::{LayerError, LayerNames, read};
pub use stack::Stack;
