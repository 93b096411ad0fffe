//! The contents of one file, of which only what the kernel would look at before it starts a program is kept.
//!
//! Does not judge them.

use std::sync::Arc;

use crate::elf::{ElfHeader, FileRange};
use crate::shell::ScriptScanner;

/// What is kept of a file. Of most files that is the size alone, so the rest lies elsewhere; names that share a file share
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileContents {
    /// Its size in bytes.
    pub size: u64,
    kept_bytes: Option<Arc<KeptBytes>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct KeptBytes {
    /// The first bytes, at most [`HEAD`] of them.
    head: Vec<u8>,
    /// Pieces that lie further back, with their offsets: at most program headers (64 KiB) and a loader's name (4 KiB).
    ranges: Vec<(u64, Vec<u8>)>,
    /// Whether it is a shell's script that certainly ends in executing its arguments.
    execs_arguments: bool,
}

/// How many of a file's first bytes are kept. The kernel reads 256 (`BINPRM_BUF_SIZE`); program headers and the name of
/// the interpreter lie behind the ELF header, in what linkers make within the first page.
pub const HEAD_SIZE: usize = 4096;

/// The magic number of programs. Of other files no more than the first bytes are kept, as the kernel itself looks no
/// further (`BINPRM_BUF_SIZE` in `include/uapi/linux/binfmts.h`).
const ELF_MAGIC: &[u8] = b"\x7fELF";
const BINPRM_BUF_SIZE: usize = 256;

/// A loader's name takes no more, with its final NUL: `PATH_MAX`.
pub(crate) const MAX_LOADER_PATH: u64 = 4096;

/// What there is at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RangeContents {
    /// All that was asked for.
    Complete(Vec<u8>),
    /// The file ends before.
    PastEnd,
    /// It is there, but was not kept.
    NotKept,
}

impl FileContents {
    /// A file of which nothing but its size is known.
    #[must_use]
    pub fn with_size(size: u64) -> Self {
        Self { size, kept_bytes: None }
    }

    /// Whether it is a shell's script that certainly ends in executing its arguments.
    #[must_use]
    pub fn execs_arguments(&self) -> bool {
        self.kept_bytes.as_ref().is_some_and(|kept| kept.execs_arguments)
    }

    /// Its first bytes, as far as they are kept.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.kept_bytes.as_ref().map_or(&[], |kept| &kept.head)
    }

    /// How much memory is taken by what is kept.
    pub(crate) fn heap_size(&self) -> usize {
        let piece = |(_, bytes): &(u64, Vec<u8>)| size_of::<(u64, Vec<u8>)>() + bytes.len();
        let pieces = |kept: &KeptBytes| kept.ranges.iter().map(piece).sum::<usize>();
        self.kept_bytes.as_ref().map_or(0, |kept| size_of::<KeptBytes>() + kept.head.len() + pieces(kept))
    }

    /// The bytes of one stretch.
    pub(crate) fn read_range(&self, stretch: FileRange) -> RangeContents {
        match &self.kept_bytes {
            Some(kept) => kept.read_range(self.size, stretch),
            None => KeptBytes::default().read_range(self.size, stretch),
        }
    }
}

impl KeptBytes {
    fn read_range(&self, file: u64, FileRange { offset: at, size }: FileRange) -> RangeContents {
        if at.checked_add(size).is_none_or(|end| end > file) {
            return RangeContents::PastEnd;
        }
        let bytes: Option<Vec<u8>> = (at..at + size).map(|place| self.byte_at(place)).collect();
        bytes.map_or(RangeContents::NotKept, RangeContents::Complete)
    }

    fn byte_at(&self, at: u64) -> Option<u8> {
        let within = |(begin, bytes): (u64, &[u8])| bytes.get(usize::try_from(at.checked_sub(begin)?).ok()?).copied();
        let further = self.ranges.iter().map(|(begin, bytes)| (*begin, bytes.as_slice()));
        std::iter::once((0, self.head.as_slice())).chain(further).find_map(within)
    }
}

/// Takes a file's contents as they stream by.
#[derive(Debug, Default)]
pub struct ContentsCollector {
    size: u64,
    kept_bytes: KeptBytes,
    /// How much has been learnt of what is wanted, and the stretch that is waited for.
    stage: ElfStage,
    wanted_range: Option<FileRange>,
    script_scanner: ScriptScanner,
}

/// An ELF file names the place of its program headers, and these the place of the loader's name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ElfStage {
    #[default]
    Head,
    ProgramHeaders,
    LoaderPath,
    Done,
}

impl ContentsCollector {
    /// The next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.script_scanner.push(bytes);
        let room = HEAD_SIZE.saturating_sub(self.kept_bytes.head.len());
        let (head, _) = bytes.split_at(bytes.len().min(room));
        self.kept_bytes.head.extend_from_slice(head);
        self.advance(&mut bytes, head.len());
        while !bytes.is_empty() && self.kept_bytes.head.len() == HEAD_SIZE {
            self.process_range(&mut bytes);
        }
    }

    fn advance(&mut self, bytes: &mut &[u8], count: usize) {
        *bytes = &bytes[count..];
        self.size = self.size.saturating_add(count as u64);
    }

    /// One step behind the head: up to the stretch that is wanted, through it, or through all when none is.
    fn process_range(&mut self, bytes: &mut &[u8]) {
        let position = self.size;
        let all = bytes.len();
        let until = |place: u64| usize::try_from(place - position).unwrap_or(usize::MAX).min(all);
        match self.wanted_range {
            None if self.stage == ElfStage::Done => self.advance(bytes, all),
            None => self.update_wanted_range(),
            Some(FileRange { offset: at, .. }) if at > position => self.advance(bytes, until(at)),
            Some(FileRange { offset: at, size }) if at.saturating_add(size) <= position => {
                self.wanted_range = None;
                self.update_wanted_range();
            }
            Some(FileRange { offset: at, size }) => {
                let count = until(at.saturating_add(size));
                match self.kept_bytes.ranges.last_mut() {
                    Some((begin, piece)) if *begin + piece.len() as u64 == position => {
                        piece.extend_from_slice(&bytes[..count]);
                    }
                    _ => self.kept_bytes.ranges.push((position, bytes[..count].to_vec())),
                }
                self.advance(bytes, count);
            }
        }
    }

    /// What is wanted next, by what is kept so far.
    fn update_wanted_range(&mut self) {
        let header = ElfHeader::parse(&self.kept_bytes.head);
        let table = header.and_then(|header| header.program_headers());
        (self.stage, self.wanted_range) = match (self.stage, header, table) {
            (ElfStage::Head, Some(_), Some(table)) => (ElfStage::ProgramHeaders, Some(table)),
            (ElfStage::ProgramHeaders, Some(header), Some(table)) => {
                (ElfStage::LoaderPath, self.loader_path_range(&header, table))
            }
            _ => (ElfStage::Done, None),
        };
    }

    fn loader_path_range(&self, header: &ElfHeader, table: FileRange) -> Option<FileRange> {
        let RangeContents::Complete(table) = self.kept_bytes.read_range(self.size, table) else { return None };
        header.find_interpreter(&table).filter(|name| name.size <= MAX_LOADER_PATH)
    }

    /// What is kept of them.
    #[must_use]
    pub fn finish(mut self) -> FileContents {
        let enough = self.needed_head_size();
        self.kept_bytes.execs_arguments = self.script_scanner.finish();
        self.kept_bytes.head.truncate(enough);
        self.kept_bytes.head.shrink_to_fit();
        self.kept_bytes.ranges.iter_mut().for_each(|(_, piece)| piece.shrink_to_fit());
        self.kept_bytes.ranges.shrink_to_fit();
        let kept = (!self.kept_bytes.head.is_empty()).then(|| Arc::new(self.kept_bytes));
        FileContents { size: self.size, kept_bytes: kept }
    }

    /// How many of the first bytes the kernel would look at, or something does that explains its answer.
    fn needed_head_size(&self) -> usize {
        let head = &self.kept_bytes.head;
        if !head.starts_with(ELF_MAGIC) {
            return BINPRM_BUF_SIZE;
        }
        let header = ElfHeader::parse(head);
        let table = header.and_then(|header| header.program_headers());
        let name = header.zip(table).and_then(|(header, table)| self.loader_path_range(&header, table));
        let within = |stretch: &FileRange| usize::try_from(stretch.offset).is_ok_and(|at| at < head.len());
        let end =
            |FileRange { offset: at, size }: FileRange| usize::try_from(at.saturating_add(size)).unwrap_or(HEAD_SIZE);
        table.into_iter().chain(name).filter(within).map(end).fold(BINPRM_BUF_SIZE, usize::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::EM_X86_64;

    /// A program whose headers and loader's name lie where they are told to.
    fn program(table_at: usize, name_at: usize, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        bytes[..4].copy_from_slice(b"\x7fELF");
        let mut set = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        set(18, &EM_X86_64.to_le_bytes());
        set(32, &(table_at as u64).to_le_bytes());
        set(54, &[56, 0, 1, 0]);
        set(table_at, &[3, 0, 0, 0]);
        set(table_at + 8, &(name_at as u64).to_le_bytes());
        set(table_at + 32, &5_u64.to_le_bytes());
        set(name_at, b"/ld\0\0");
        bytes
    }

    fn collect(bytes: &[u8], step: usize) -> FileContents {
        let mut collector = ContentsCollector::default();
        bytes.chunks(step).for_each(|chunk| collector.push(chunk));
        collector.finish()
    }

    #[test]
    fn headers_and_name_are_kept_wherever_they_lie_ahead() {
        for (table, name) in [(64, 200), (64, 9000), (4090, 9000), (5000, 9000), (9000, 100), (5000, 5056)] {
            let bytes = program(table, name, 10_000);
            let contents = collect(&bytes, 10_000);
            let piece = contents.read_range(FileRange { offset: name as u64, size: 5 });
            assert_eq!(piece, RangeContents::Complete(b"/ld\0\0".to_vec()), "{table} {name}");
            assert_eq!(contents.size, 10_000);
            for step in [1, 7, 4096, 4097] {
                assert_eq!(collect(&bytes, step), contents, "{table} {name} by {step}");
            }
        }
    }

    #[test]
    fn what_lies_behind_is_lost_and_what_is_not_there_is_short() {
        let contents = collect(&program(9000, 5000, 10_000), 512);
        assert_eq!(contents.read_range(FileRange { offset: 5000, size: 5 }), RangeContents::NotKept);
        assert_eq!(contents.read_range(FileRange { offset: 9998, size: 5 }), RangeContents::PastEnd);
        assert_eq!(contents.read_range(FileRange { offset: u64::MAX, size: 5 }), RangeContents::PastEnd);
    }

    #[test]
    fn of_what_is_no_program_only_the_head_is_kept() {
        for begins in ["aa", "#!", "\x7fELF"] {
            let contents = collect(&[begins.as_bytes(), &vec![b'a'; 100_000]].concat(), 1000);
            assert_eq!(contents.size, 100_000 + begins.len() as u64);
            assert_eq!(contents.heap_size(), size_of::<KeptBytes>() + BINPRM_BUF_SIZE, "{begins}");
        }
        assert_eq!(FileContents::with_size(7).read_range(FileRange { offset: 0, size: 1 }), RangeContents::NotKept);
        assert_eq!(collect(b"", 1), FileContents::default());
    }

    #[test]
    fn of_a_program_no_more_of_the_head_is_kept_than_headers_and_name_take() {
        for (table, name, kept) in
            [(64, 200, 256), (64, 1000, 1005), (500, 100, 556), (64, 4094, HEAD_SIZE), (4090, 90, HEAD_SIZE)]
        {
            let contents = collect(&program(table, name, 10_000), 1000);
            assert_eq!(contents.head().len(), kept, "{table} {name}");
        }
    }

    #[test]
    fn a_script_that_hands_over_behind_the_head_is_told_and_not_kept() {
        let script = format!("#!/bin/sh\n{}exec \"$@\"\n", "# more\n".repeat(1000));
        for step in [1, 4096, 10_000] {
            let contents = collect(script.as_bytes(), step);
            assert!(contents.execs_arguments() && contents.head().len() == BINPRM_BUF_SIZE, "{step}");
        }
        assert!(!collect(&script.as_bytes()[..7000], 512).execs_arguments());
    }
}
