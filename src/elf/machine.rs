//! The header of an ELF file: which processor it is made for.
//!
//! Does not look further than the kernel does before it refuses a foreign program: `load_elf_binary` in
//! `fs/binfmt_elf.c` compares the magic number, the type and the machine, and neither class nor byte order.

/// Offsets of `e_type` and `e_machine`, in both classes alike: `include/uapi/linux/elf.h`.
const E_TYPE: usize = 16;
const E_MACHINE: usize = 18;

/// The types that can be started: an executable and a position-independent one.
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

/// Machines by their numbers in `include/uapi/linux/elf-em.h`, named as platforms name them.
const MACHINE_NAMES: [(u16, &str); 8] = [
    (3, "386"),
    (40, "arm"),
    (62, "amd64"),
    (183, "arm64"),
    (20, "ppc"),
    (21, "ppc64le"),
    (22, "s390x"),
    (243, "riscv64"),
];

/// Why no processor can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Too short, or without the magic number.
    #[error("it is no ELF file")]
    NotElf,
    /// An object file, a core dump or the like.
    #[error("it is an ELF file of type {0}, which cannot be started")]
    NotExecutable(u16),
    /// A machine that is not in the table.
    #[error("it is made for the machine {0}, which has no name here")]
    UnknownMachine(u16),
}

/// The architecture that a program is made for; `bytes` are its first 20 or more.
///
/// # Errors
/// Where it is no program, or for a machine without a name.
pub fn detect_architecture(bytes: &[u8]) -> Result<&'static str, ElfError> {
    let field = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let (true, Some(kind), Some(machine)) = (bytes.starts_with(b"\x7fELF"), field(E_TYPE), field(E_MACHINE)) else {
        return Err(ElfError::NotElf);
    };
    if kind != ET_EXEC && kind != ET_DYN {
        return Err(ElfError::NotExecutable(kind));
    }
    machine_name(machine).ok_or(ElfError::UnknownMachine(machine))
}

/// The name of a machine, as platforms have it.
pub(crate) fn machine_name(machine: u16) -> Option<&'static str> {
    MACHINE_NAMES.iter().find(|(number, _)| *number == machine).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u16, machine: u16) -> Vec<u8> {
        [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".as_slice(), &kind.to_le_bytes(), &machine.to_le_bytes()].concat()
    }

    #[test]
    fn programs_name_their_processor() {
        for (machine, name) in [(62, "amd64"), (183, "arm64"), (3, "386"), (40, "arm")] {
            assert_eq!(detect_architecture(&header(ET_EXEC, machine)), Ok(name));
            assert_eq!(detect_architecture(&header(ET_DYN, machine)), Ok(name));
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for (bytes, error) in [
            (Vec::new(), ElfError::NotElf),
            (b"#!/bin/sh\nexec true and so on".to_vec(), ElfError::NotElf),
            (header(ET_EXEC, 62)[..19].to_vec(), ElfError::NotElf),
            (header(1, 62), ElfError::NotExecutable(1)),
            (header(4, 62), ElfError::NotExecutable(4)),
            (header(ET_EXEC, 9999), ElfError::UnknownMachine(9999)),
        ] {
            assert_eq!(detect_architecture(&bytes), Err(error));
        }
    }
}
