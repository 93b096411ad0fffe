//! Where the fields of an ELF file lie, in its two classes: `include/uapi/linux/elf.h`.
//!
//! Does not look at `e_ident` beyond the magic number: the kernel takes the class from the machine, and so does this.

/// The layout of headers: of 32 or of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Bits32,
    Bits64,
}

/// Machines of `include/uapi/linux/elf-em.h` that one of the two hosts starts.
pub(crate) const EM_386: u16 = 3;
pub(crate) const EM_486: u16 = 6;
pub(crate) const EM_ARM: u16 = 40;
pub(crate) const EM_X86_64: u16 = 62;
pub(crate) const EM_AARCH64: u16 = 183;

/// The type of the program header that names the loader.
const PT_INTERP: u64 = 3;
/// `load_elf_phdrs` takes no more than 64 KiB of program headers.
const MAX_PROGRAM_HEADERS_BYTES: usize = 65536;

/// What the kernel takes from the header of a program. Bytes behind the end of the file count as zeros, as in
/// `bprm->buf`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElfHeader {
    pub(crate) class: Class,
    pub(crate) file_type: u16,
    pub(crate) machine: u16,
    pub(crate) flags: u64,
    program_headers_offset: u64,
    program_header_size: u64,
    program_header_count: u64,
}

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileRange {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Class {
    /// The class that a machine's loader reads, for the machines that some host here starts.
    fn from_machine(machine: u16) -> Option<Self> {
        match machine {
            EM_X86_64 | EM_AARCH64 => Some(Self::Bits64),
            EM_386 | EM_486 | EM_ARM => Some(Self::Bits32),
            _ => None,
        }
    }

    /// The size of the file's header.
    pub(crate) fn header_size(self) -> usize {
        if self == Self::Bits32 { 52 } else { 64 }
    }

    fn program_header_size(self) -> u64 {
        if self == Self::Bits32 { 32 } else { 56 }
    }

    /// The narrow place in one class, the wide one in the other: offset and width of a field.
    fn read_field(self, bytes: &[u8], narrow: (usize, usize), wide: (usize, usize)) -> u64 {
        let (at, width) = if self == Self::Bits32 { narrow } else { wide };
        read_little_endian(bytes, at, width)
    }
}

/// A number, with zeros behind the end.
fn read_little_endian(bytes: &[u8], at: usize, width: usize) -> u64 {
    let byte = |place: usize| u64::from(bytes.get(at + place).copied().unwrap_or(0));
    (0..width).rev().fold(0, |number, place| number << 8 | byte(place))
}

impl ElfHeader {
    /// The header that stands at the beginning of a file, if it has the magic number and a machine that one of the hosts
    /// starts.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at| u16::try_from(read_little_endian(bytes, at, 2)).expect("two bytes");
        let machine = half(18);
        let class = Class::from_machine(machine).filter(|_| bytes.starts_with(b"\x7fELF"))?;
        Some(Self {
            class,
            file_type: half(16),
            machine,
            program_headers_offset: class.read_field(bytes, (28, 4), (32, 8)),
            flags: class.read_field(bytes, (36, 4), (48, 4)),
            program_header_size: class.read_field(bytes, (42, 2), (54, 2)),
            program_header_count: class.read_field(bytes, (44, 2), (56, 2)),
        })
    }

    /// Where the program headers lie, if the kernel takes them: `load_elf_phdrs`.
    pub(crate) fn program_headers(&self) -> Option<FileRange> {
        let size = self.program_header_count * self.class.program_header_size();
        let fits = self.program_header_size == self.class.program_header_size()
            && (1..=MAX_PROGRAM_HEADERS_BYTES as u64).contains(&size);
        fits.then_some(FileRange { offset: self.program_headers_offset, size })
    }

    /// Where the name of the loader lies, by the first program header that says so.
    pub(crate) fn find_interpreter(&self, table: &[u8]) -> Option<FileRange> {
        let class = self.class;
        let size = usize::try_from(class.program_header_size()).expect("a small number");
        let entry = table.chunks_exact(size).find(|entry| read_little_endian(entry, 0, 4) == PT_INTERP)?;
        Some(FileRange {
            offset: class.read_field(entry, (4, 4), (8, 8)),
            size: class.read_field(entry, (16, 4), (32, 8)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(machine: u16, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = [b"\x7fELF".as_slice(), &[0; 60]].concat();
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        fields.iter().for_each(|(at, value)| bytes[*at..at + value.len()].copy_from_slice(value));
        bytes
    }

    #[test]
    fn the_machine_decides_the_layout_of_the_headers() {
        let wide = header(EM_AARCH64, &[(32, &[64]), (54, &[56]), (56, &[2])]);
        assert_eq!(ElfHeader::parse(&wide).unwrap().program_headers(), Some(FileRange { offset: 64, size: 112 }));
        let narrow = header(EM_386, &[(28, &[52]), (42, &[32]), (44, &[3])]);
        assert_eq!(ElfHeader::parse(&narrow).unwrap().program_headers(), Some(FileRange { offset: 52, size: 96 }));
    }

    #[test]
    fn tables_that_the_kernel_does_not_take_are_none() {
        for (entry_size, entries) in [(56, 0_u16), (55, 1), (32, 1), (56, 1171)] {
            let bytes = header(EM_X86_64, &[(54, &[entry_size]), (56, &entries.to_le_bytes())]);
            assert_eq!(ElfHeader::parse(&bytes).unwrap().program_headers(), None);
        }
        let most = header(EM_X86_64, &[(54, &[56]), (56, &1170_u16.to_le_bytes())]);
        assert_eq!(ElfHeader::parse(&most).unwrap().program_headers(), Some(FileRange { offset: 0, size: 65520 }));
    }

    #[test]
    fn what_has_no_header_is_none() {
        for bytes in [b"".as_slice(), b"\x7fELF", b"#!/bin/sh", &header(8, &[])] {
            assert!(ElfHeader::parse(bytes).is_none());
        }
    }
}
