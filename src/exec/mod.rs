//! What a program really is, whatever a label says.
//!
//! Does not run anything, and does not follow an image's entrypoint yet: so far it knows the header of a program, and
//! what stands where in a root filesystem.

mod contents;
mod elf;
mod rootfs;

pub use contents::{Collector, Contents, HEAD};
pub use elf::{ElfError, architecture};
pub use rootfs::{Node, Owner, Rootfs};
