//! What a program really is, whatever a label says.
//!
//! Does not run anything, and does not follow an image's entrypoint yet: so far it knows the header of a program,
//! and what stands where in the root filesystem that an image's layers make.

mod contents;
mod elf;
mod rootfs;
mod limits;
mod source;
mod zstd;
mod decompress;
mod archive;
mod path;
mod layer;
mod apply;

pub use apply::{ApplyError, apply};
pub use contents::{Collector, Contents, HEAD};
pub use elf::{ElfError, architecture};
pub use layer::{LayerError, LayerNames, read};
pub use limits::{Bound, Limits};
pub use rootfs::{Node, Owner, Rootfs};
