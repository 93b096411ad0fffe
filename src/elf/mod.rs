//! Parses ELF headers: the processor that a program is built for, and the loader that it requests.

mod ident;
mod header;
#[cfg(test)]
pub(crate) mod sample;

pub(crate) use header::{ElfHeader, FileRange};
pub(crate) use ident::{
    EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL, ElfIdent, MAGIC,
};
pub use ident::{ElfError, ElfMachine, detect_architecture};
