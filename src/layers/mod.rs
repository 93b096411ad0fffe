//! The layers of an image. [`read_layer`] reads one layer from a stream and unpacks it in memory as containerd does, into
//! a directory of its own. [`LayerStack`] answers path lookups as overlayfs merges these directories, from the top and as
//! soon as no lower layer can change the answer.
//!
//! Where unpackers differ, this follows containerd, which Amazon ECS and AWS Fargate use, with its overlayfs snapshotter.
//! Docker's overlay2 driver unpacks layers in the same way, but gives directories without entries mode 755.
//!
//! The tar reader is this project's own, because layers may be malicious and must be read as containerd and Docker read
//! them, with Go's `archive/tar`. The crate `tar` reads long names and pax records of any size into memory, refuses pax
//! values with a newline, and rejects blank numbers.

mod error;
mod budget;
mod hashing_reader;
mod zstd;
mod decompress;
mod tar;
mod tree;
mod root_path;
mod unpack;
mod layer;
mod stack;

pub use budget::{MemoryBudget, MemoryCharge};
pub use error::{ApplyError, LayerError, PullRefusal};
pub use layer::{LayerChangeset, read_layer, read_layer_within};
pub use stack::LayerStack;
