//! ELF headers: the processor that a program is built for, and the loader that it asks for.

mod header;
mod machine;

pub(crate) use header::{EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, ElfHeader, FileRange};
pub(crate) use machine::machine_name;
pub use machine::{ElfError, detect_architecture};
