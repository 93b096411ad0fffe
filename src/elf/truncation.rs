//! Finds programs whose segments lie beyond the end of their file. The kernel maps such a segment, and answers access to
//! a page that is entirely beyond the end with SIGBUS: mmap(2).

use super::{Class, EM_386, EM_486, EM_X86_64, ElfHeader, read_little_endian};

/// The type of the program headers of segments that the kernel maps.
const PT_LOAD: u64 = 1;
/// The smallest page size of amd64 and arm64 hosts in bytes, and the only one of amd64. The rest of the last page of a
/// file reads as zeros.
const MIN_PAGE_SIZE: u64 = 4096;
/// The largest page size of arm64 hosts.
const MAX_PAGE_SIZE: u64 = 65536;

/// A segment that the kernel maps: the fields of its program header.
#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

impl Segment {
    fn read(class: Class, header: &[u8]) -> Option<Self> {
        let read = |narrow, wide| class.read_field(header, (narrow, 4), (wide, 8));
        let segment =
            Self { offset: read(4, 8), address: read(8, 16), file_size: read(16, 32), memory_size: read(20, 40) };
        (read_little_endian(header, 0, 4) == PT_LOAD).then_some(segment)
    }

    /// Returns whether it occupies a part of the page with this number.
    fn occupies(&self, page: u64, page_size: u64) -> bool {
        let end = self.address.saturating_add(self.file_size.max(self.memory_size));
        (self.address / page_size..end.div_ceil(page_size)).contains(&page)
    }
}

impl ElfHeader {
    fn segments(&self, program_headers: &[u8]) -> impl Iterator<Item = Segment> {
        let class = self.class;
        let size = usize::try_from(class.program_header_size()).expect("32 or 56");
        program_headers.chunks_exact(size).filter_map(move |header| Segment::read(class, header))
    }

    /// Returns whether a mapped segment ends in a page beyond a file of this size.
    pub(crate) fn is_truncated(&self, program_headers: &[u8], file_size: u64) -> bool {
        let mapped = file_size.div_ceil(MIN_PAGE_SIZE).saturating_mul(MIN_PAGE_SIZE);
        let is_beyond =
            |segment: Segment| segment.file_size > 0 && segment.offset.saturating_add(segment.file_size) > mapped;
        self.segments(program_headers).any(is_beyond)
    }

    /// Returns whether the first instruction is certainly in a page beyond a file of this size, whatever the host's page
    /// size is. Then the kernel kills the process: with SIGBUS at this instruction, or before that with SIGSEGV, because
    /// it cannot clear the rest of a page beyond the end (`padzero` in `fs/binfmt_elf.c`).
    pub(crate) fn begins_past_end(&self, program_headers: &[u8], file_size: u64) -> bool {
        let page_size = match self.machine {
            EM_X86_64 | EM_386 | EM_486 => MIN_PAGE_SIZE,
            _ => MAX_PAGE_SIZE,
        };
        let page = self.entry / page_size;
        // A later segment replaces what an earlier one maps into the same page.
        let mut segments = self.segments(program_headers).filter(|segment| segment.occupies(page, page_size));
        let (Some(segment), None) = (segments.next(), segments.next()) else { return false };
        let Segment { offset, address, file_size: size, .. } = segment;
        let Some(distance) = self.entry.checked_sub(address).filter(|distance| *distance < size) else { return false };
        let is_congruent = address % page_size == offset % page_size;
        let first = offset.checked_add(distance).map(|at| at / page_size * page_size);
        is_congruent && first.is_some_and(|page_at| page_at >= file_size)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EM_AARCH64, sample};
    use super::*;

    #[test]
    fn segments_must_end_within_the_last_page() {
        let header = ElfHeader::parse(&sample::header(1, 2, EM_X86_64)).unwrap();
        for (kind, offset, size, file_size, expected) in [
            (1, 0, 4096, 4096, false),
            (1, 0, 4096, 1, false),
            (1, 0, 4097, 4096, true),
            (1, 8192, 1, 8192, true),
            (1, 8192, 0, 4096, false),
            (1, u64::MAX, 2, 4096, true),
            (4, 0, 9000, 4096, false),
        ] {
            let mut entry = vec![0; 56];
            sample::set(&mut entry, 0, &[kind]);
            sample::set(&mut entry, 8, &u64::to_le_bytes(offset));
            sample::set(&mut entry, 32, &u64::to_le_bytes(size));
            assert_eq!(header.is_truncated(&entry, file_size), expected, "{kind} {offset} {size} {file_size}");
        }
    }

    #[test]
    fn first_instruction_may_be_past_the_end() {
        /// An offset, an address and a size of a segment.
        type Fields = (u64, u64, u64);
        let (first, code) = ((0, 0x40_0000, 0x500), (0x1000, 0x40_1000, 0x2_0000));
        let (wide, far) = ((0, 0x40_0000, 0x500), (0x1_0000, 0x41_0000, 0x2_0000));
        let cases: [(u16, u64, &[Fields], u64, bool); 14] = [
            (EM_X86_64, 0x40_1530, &[first, code], 0x1000, true),
            (EM_X86_64, 0x40_1530, &[first, code], 0xfff, true),
            (EM_X86_64, 0x40_1530, &[first, code], 0x1001, false),
            (EM_X86_64, 0x40_2000, &[first, code], 0x1fff, true),
            (EM_X86_64, 0x40_1fff, &[first, code], 0x1fff, false),
            (EM_X86_64, 0x40_1530, &[code, (0, 0x40_1ff0, 0x100)], 0x1000, false),
            (EM_X86_64, 0x40_1530, &[(0x1010, 0x40_1000, 0x2_0000)], 0x1000, false),
            (EM_X86_64, 0x42_1000, &[first, code], 0x1000, false),
            (EM_X86_64, 0x50_0000, &[first, code], 0x1000, false),
            (EM_X86_64, 0, &[], 0x1000, false),
            (EM_X86_64, u64::MAX, &[(u64::MAX - 0xfff, u64::MAX - 0xfff, u64::MAX)], 0x1000, true),
            (EM_AARCH64, 0x40_1530, &[first, code], 0x1000, false),
            (EM_AARCH64, 0x41_1530, &[wide, far], 0x1_0000, true),
            (EM_AARCH64, 0x41_1530, &[wide, far], 0x1_0001, false),
        ];
        for (machine, entry, segments, file_size, expected) in cases {
            let mut bytes = sample::header(1, 2, machine);
            sample::set(&mut bytes, 24, &entry.to_le_bytes());
            let mut table = Vec::new();
            for (offset, address, size) in segments {
                let mut header = vec![0; 56];
                sample::set(&mut header, 0, &[1]);
                for (at, value) in [(8, offset), (16, address), (32, size), (40, size)] {
                    sample::set(&mut header, at, &value.to_le_bytes());
                }
                table.extend(header);
            }
            let header = ElfHeader::parse(&bytes).unwrap();
            assert_eq!(header.begins_past_end(&table, file_size), expected, "{machine} {entry:#x} {file_size:#x}");
        }
    }
}
