//! Parses ELF headers: the processor that a program is built for, and the loader that it requests.
//!
//! [`ElfHeader`] has the fields as the kernel reads them (`include/uapi/linux/elf.h`, `load_elf_binary` in
//! `fs/binfmt_elf.c`): little endian, and in the class that the machine implies, whatever `e_ident` declares.

mod ident;
mod truncation;
#[cfg(test)]
pub(crate) mod sample;

pub(crate) use ident::{
    EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL, ElfIdent, MAGIC,
};
pub use ident::{ElfError, ElfMachine, detect_architecture};

/// The width of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Bits32,
    Bits64,
}

/// The type of the program header that names the loader.
const PT_INTERP: u64 = 3;
/// `load_elf_phdrs` accepts at most 64 KiB of program headers.
const MAX_PROGRAM_HEADERS_BYTES: u64 = 65536;

/// The fields that the kernel reads from an ELF header. Bytes past the end of the file are zero, as in `bprm->buf`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElfHeader {
    pub(crate) class: Class,
    pub(crate) file_type: u16,
    pub(crate) machine: u16,
    pub(crate) flags: u64,
    /// The address of the first instruction, before the program is relocated.
    entry: u64,
    program_headers_offset: u64,
    program_header_size: u64,
    program_header_count: u64,
}

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileRange {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Class {
    /// Returns the class that the kernel reads for a machine, if an amd64 or arm64 host can run it.
    fn from_machine(machine: u16) -> Option<Self> {
        match machine {
            EM_X86_64 | EM_AARCH64 => Some(Self::Bits64),
            EM_386 | EM_486 | EM_ARM => Some(Self::Bits32),
            _ => None,
        }
    }

    pub(crate) fn header_size(self) -> usize {
        if self == Self::Bits32 { 52 } else { 64 }
    }

    fn program_header_size(self) -> u64 {
        if self == Self::Bits32 { 32 } else { 56 }
    }

    /// Reads the field with this offset and width in the 32-bit (`narrow`) or 64-bit (`wide`) layout.
    fn read_field(self, bytes: &[u8], narrow: (usize, usize), wide: (usize, usize)) -> u64 {
        let (at, width) = if self == Self::Bits32 { narrow } else { wide };
        read_little_endian(bytes, at, width)
    }
}

fn read_little_endian(bytes: &[u8], at: usize, width: usize) -> u64 {
    let byte = |index: usize| u64::from(bytes.get(at + index).copied().unwrap_or(0));
    (0..width).rev().fold(0, |number, index| number << 8 | byte(index))
}

impl ElfHeader {
    /// Parses the beginning of an ELF file. Returns `None` for others, and if no amd64 or arm64 host runs the machine.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let read_u16 = |at| u16::try_from(read_little_endian(bytes, at, 2)).expect("two bytes fit into u16");
        let machine = read_u16(18);
        let class = Class::from_machine(machine).filter(|_| bytes.starts_with(MAGIC))?;
        Some(Self {
            class,
            file_type: read_u16(16),
            machine,
            program_headers_offset: class.read_field(bytes, (28, 4), (32, 8)),
            entry: class.read_field(bytes, (24, 4), (24, 8)),
            flags: class.read_field(bytes, (36, 4), (48, 4)),
            program_header_size: class.read_field(bytes, (42, 2), (54, 2)),
            program_header_count: class.read_field(bytes, (44, 2), (56, 2)),
        })
    }

    /// Returns the range of the program headers if the kernel accepts them: `load_elf_phdrs`.
    pub(crate) fn program_headers(&self) -> Option<FileRange> {
        let size = self.program_header_count * self.class.program_header_size();
        let is_accepted = self.program_header_size == self.class.program_header_size()
            && (1..=MAX_PROGRAM_HEADERS_BYTES).contains(&size);
        is_accepted.then_some(FileRange { offset: self.program_headers_offset, size })
    }

    /// Returns the range of the loader's path from the first program header of type `PT_INTERP`.
    pub(crate) fn find_interpreter(&self, program_headers: &[u8]) -> Option<FileRange> {
        let class = self.class;
        let size = usize::try_from(class.program_header_size()).expect("32 or 56");
        let entry = program_headers.chunks_exact(size).find(|entry| read_little_endian(entry, 0, 4) == PT_INTERP)?;
        Some(FileRange {
            offset: class.read_field(entry, (4, 4), (8, 8)),
            size: class.read_field(entry, (16, 4), (32, 8)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program_headers(machine: u16, fields: &[(usize, &[u8])]) -> Option<FileRange> {
        let mut bytes = sample::header(1, 2, machine);
        fields.iter().for_each(|(at, value)| sample::set(&mut bytes, *at, value));
        ElfHeader::parse(&bytes).unwrap().program_headers()
    }

    #[test]
    fn machine_determines_the_layout() {
        let wide = program_headers(EM_AARCH64, &[(32, &[64]), (54, &[56]), (56, &[2])]);
        assert_eq!(wide, Some(FileRange { offset: 64, size: 112 }));
        let narrow = program_headers(EM_386, &[(28, &[52]), (42, &[32]), (44, &[3])]);
        assert_eq!(narrow, Some(FileRange { offset: 52, size: 96 }));
    }

    #[test]
    fn program_header_tables_are_checked_as_by_the_kernel() {
        for (entry_size, entries, size) in
            [(56, 0_u16, None), (55, 1, None), (32, 1, None), (56, 1171, None), (56, 1170, Some(65520))]
        {
            let table = program_headers(EM_X86_64, &[(54, &[entry_size]), (56, &entries.to_le_bytes())]);
            assert_eq!(table, size.map(|size| FileRange { offset: 0, size }), "{entry_size} {entries}");
        }
    }

    #[test]
    fn other_files_have_no_header() {
        for bytes in [b"" as &[u8], b"\x7fELF", b"#!/bin/sh", &sample::header(1, 2, 8)] {
            assert!(ElfHeader::parse(bytes).is_none());
        }
    }
}
