//! The type of an ELF file and the processor that it is built for: the magic number, `e_type` and `e_machine`, which
//! have the same offsets in both classes (`include/uapi/linux/elf.h`).
//!
//! Fields are read in the file's own byte order, which the kernel ignores, so that any processor can be named.

/// The first bytes of every ELF file.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";

/// File types. Only executables, position-independent (`ET_DYN`) or not, can be started.
pub(crate) const ET_REL: u16 = 1;
pub(crate) const ET_EXEC: u16 = 2;
pub(crate) const ET_DYN: u16 = 3;
pub(crate) const ET_CORE: u16 = 4;

/// Machines of `include/uapi/linux/elf-em.h` that an amd64 or arm64 host can run.
pub(crate) const EM_386: u16 = 3;
pub(crate) const EM_486: u16 = 6;
pub(crate) const EM_ARM: u16 = 40;
pub(crate) const EM_X86_64: u16 = 62;
pub(crate) const EM_AARCH64: u16 = 183;

const EM_PPC64: u16 = 21;

/// Machines and their architecture names in image platforms.
const MACHINE_NAMES: [(u16, &str); 8] = [
    (EM_386, "386"),
    (EM_ARM, "arm"),
    (EM_X86_64, "amd64"),
    (EM_AARCH64, "arm64"),
    (20, "ppc"),
    (EM_PPC64, "ppc64le"),
    (22, "s390x"),
    (243, "riscv64"),
];

/// The processor that an ELF file is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElfMachine {
    /// A machine with an architecture name in image platforms.
    Named(&'static str),
    /// The number of any other machine.
    Other(u16),
}

/// The type and machine of an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElfIdent {
    pub(crate) file_type: u16,
    pub(crate) machine: ElfMachine,
}

impl ElfIdent {
    /// Parses the first 20 or more bytes of a file. Returns `None` if there are fewer or it is not an ELF file.
    pub(crate) fn parse(head: &[u8]) -> Option<Self> {
        const EI_DATA: usize = 5;
        const ELFDATA2MSB: u8 = 2;
        if !head.starts_with(MAGIC) {
            return None;
        }
        let is_big_endian = head.get(EI_DATA) == Some(&ELFDATA2MSB);
        let field = |at: usize| {
            let bytes = head.get(at..at + 2)?.try_into().ok()?;
            Some(if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let (file_type, number) = (field(16)?, field(18)?);
        let machine = match MACHINE_NAMES.iter().find(|(known, _)| *known == number) {
            Some((EM_PPC64, _)) if is_big_endian => ElfMachine::Named("ppc64"),
            Some((_, name)) => ElfMachine::Named(name),
            None => ElfMachine::Other(number),
        };
        Some(Self { file_type, machine })
    }

    /// Returns whether the file is a program or a shared object.
    pub(crate) fn is_program(self) -> bool {
        matches!(self.file_type, ET_EXEC | ET_DYN)
    }
}

/// Why the architecture of a file cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The file is too short or lacks the magic number.
    #[error("not an ELF file")]
    NotElf,
    /// The file is an object file, a core dump or another type.
    #[error("ELF type {0} is not executable")]
    NotExecutable(u16),
    /// The machine has no name.
    #[error("unknown ELF machine {0}")]
    UnknownMachine(u16),
}

/// Returns the architecture that a program is built for. `bytes` are its first 20 or more bytes.
///
/// # Errors
/// The file is not a program, or its machine has no name.
pub fn detect_architecture(bytes: &[u8]) -> Result<&'static str, ElfError> {
    let ident = ElfIdent::parse(bytes).ok_or(ElfError::NotElf)?;
    match ident.machine {
        _ if !ident.is_program() => Err(ElfError::NotExecutable(ident.file_type)),
        ElfMachine::Named(name) => Ok(name),
        ElfMachine::Other(number) => Err(ElfError::UnknownMachine(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::header;

    #[test]
    fn architecture_is_read_in_the_files_byte_order() {
        for (order, file_type, machine, expected) in [
            (1, ET_EXEC, 62, Ok("amd64")),
            (1, ET_DYN, 183, Ok("arm64")),
            (1, ET_EXEC, 3, Ok("386")),
            (1, ET_DYN, 40, Ok("arm")),
            (2, ET_EXEC, 22, Ok("s390x")),
            (2, ET_EXEC, 21, Ok("ppc64")),
            (1, ET_EXEC, 21, Ok("ppc64le")),
            (1, ET_EXEC, 8, Err(ElfError::UnknownMachine(8))),
            (1, ET_EXEC, 9999, Err(ElfError::UnknownMachine(9999))),
            (1, ET_REL, 62, Err(ElfError::NotExecutable(1))),
            (1, ET_CORE, 62, Err(ElfError::NotExecutable(4))),
        ] {
            assert_eq!(detect_architecture(&header(order, file_type, machine)), expected, "{order} {machine}");
        }
    }

    #[test]
    fn other_and_short_files_are_refused() {
        for bytes in [b"".as_slice(), b"\x7fELF", b"#!/bin/sh\nexec true and so on", &header(1, ET_EXEC, 62)[..19]] {
            assert_eq!(detect_architecture(bytes), Err(ElfError::NotElf));
        }
    }
}
