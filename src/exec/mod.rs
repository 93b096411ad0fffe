//! What a program really is, whatever a label says.
//!
//! Does not run anything. So far it reads the header of one file; it does not yet follow an image's entrypoint.

mod elf;

pub use elf::{ElfError, architecture};
