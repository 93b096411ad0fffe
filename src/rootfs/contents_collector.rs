//! Collects file contents from a stream. For ELF files these include the program headers and the loader's path at any
//! offset, unless they precede the headers that locate them.

use std::sync::Arc;

use super::contents::{BINPRM_BUF_SIZE, FileContents, KeptBytes, RangeContents};
use crate::elf::{ElfHeader, FileRange};
use crate::path::PATH_MAX;
use crate::shell::ScriptScanner;

/// The number of bytes that a collector retains from the beginning of a file. Linkers put the program headers and the
/// loader's path into the first page.
pub const HEAD_SIZE: usize = 4096;

/// The number of bytes up to which `/etc/passwd` and `/etc/group` are retained. In real images they have a few
/// kilobytes, and Go's `bufio.Scanner` refuses longer lines.
const MAX_ACCOUNT_FILE_BYTES: usize = 64 * 1024;

impl FileContents {
    /// Returns the contents of a file whose bytes are all in memory.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut collector = ContentsCollector::default();
        collector.push(bytes);
        collector.finish()
    }
}

/// Collector for the contents of one file.
#[derive(Debug, Default)]
pub struct ContentsCollector {
    size: u64,
    kept_bytes: KeptBytes,
    stage: ElfStage,
    /// The next range after the head to retain.
    wanted_range: Option<FileRange>,
    script_scanner: ScriptScanner,
    /// Whether all bytes are retained, or none if the file is too large.
    is_account_file: bool,
}

/// The part that is read next: the ELF header locates the program headers, and these locate the loader's path.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ElfStage {
    #[default]
    Head,
    ProgramHeaders,
    LoaderPath,
    Done,
}

impl ContentsCollector {
    /// Creates a collector for `/etc/passwd` or `/etc/group`, which retains the whole file.
    pub(crate) fn for_account_file() -> Self {
        Self { is_account_file: true, ..Self::default() }
    }

    /// Processes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if self.is_account_file {
            let missing = MAX_ACCOUNT_FILE_BYTES.saturating_sub(self.kept_bytes.head.len());
            self.kept_bytes.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
            let length = bytes.len();
            return self.advance(&mut bytes, length);
        }
        self.script_scanner.push(bytes);
        let missing = HEAD_SIZE.saturating_sub(self.kept_bytes.head.len());
        let (head, _) = bytes.split_at(bytes.len().min(missing));
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

    /// Processes bytes after the head: up to the wanted range, through it, or to the end if no range is wanted.
    fn process_range(&mut self, bytes: &mut &[u8]) {
        let position = self.size;
        let all = bytes.len();
        let until = |end: u64| usize::try_from(end - position).unwrap_or(usize::MAX).min(all);
        match self.wanted_range {
            None if self.stage == ElfStage::Done => self.advance(bytes, all),
            None => self.update_wanted_range(),
            Some(FileRange { offset, .. }) if offset > position => self.advance(bytes, until(offset)),
            Some(FileRange { offset, size }) if offset.saturating_add(size) <= position => {
                self.wanted_range = None;
                self.update_wanted_range();
            }
            Some(FileRange { offset, size }) => {
                let count = until(offset.saturating_add(size));
                match self.kept_bytes.ranges.last_mut() {
                    Some((start, range)) if *start + range.len() as u64 == position => {
                        range.extend_from_slice(&bytes[..count]);
                    }
                    _ => self.kept_bytes.ranges.push((position, bytes[..count].to_vec())),
                }
                self.advance(bytes, count);
            }
        }
    }

    /// Determines the next wanted range from the bytes retained so far.
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
        header.find_interpreter(&table).filter(|name| name.size <= PATH_MAX as u64)
    }

    /// Returns the contents of the whole file.
    pub fn finish(mut self) -> FileContents {
        if self.is_account_file && self.size > self.kept_bytes.head.len() as u64 {
            return FileContents::with_size(self.size);
        }
        let head_size = if self.is_account_file { MAX_ACCOUNT_FILE_BYTES } else { self.needed_head_size() };
        self.kept_bytes.script_ending = self.script_scanner.finish();
        self.kept_bytes.head.truncate(head_size);
        self.kept_bytes.head.shrink_to_fit();
        self.kept_bytes.ranges.iter_mut().for_each(|(_, range)| range.shrink_to_fit());
        self.kept_bytes.ranges.shrink_to_fit();
        let kept = (!self.kept_bytes.head.is_empty()).then(|| Arc::new(self.kept_bytes));
        FileContents { size: self.size, kept_bytes: kept }
    }

    /// Returns how many bytes of the head are needed to predict and explain the kernel's answer.
    fn needed_head_size(&self) -> usize {
        let head = &self.kept_bytes.head;
        let header = ElfHeader::parse(head);
        let table = header.and_then(|header| header.program_headers());
        let name = header.zip(table).and_then(|(header, table)| self.loader_path_range(&header, table));
        let is_in_head = |range: &FileRange| usize::try_from(range.offset).is_ok_and(|at| at < head.len());
        let end = |range: FileRange| usize::try_from(range.offset.saturating_add(range.size)).unwrap_or(HEAD_SIZE);
        table.into_iter().chain(name).filter(is_in_head).map(end).fold(BINPRM_BUF_SIZE, usize::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{EM_X86_64, ET_EXEC, sample};

    /// Builds a program with its program header and the loader's path at these offsets.
    fn program(table_at: usize, name_at: usize, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let mut set = |at: usize, value: &[u8]| sample::set(&mut bytes, at, value);
        set(0, &sample::header(1, ET_EXEC, EM_X86_64)[..20]);
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
    fn headers_and_loader_path_ahead_are_retained() {
        for (table, name) in [(64, 200), (64, 9000), (4090, 9000), (5000, 9000), (9000, 100), (5000, 5056)] {
            let bytes = program(table, name, 10_000);
            let contents = collect(&bytes, 10_000);
            let loader = contents.read_range(FileRange { offset: name as u64, size: 5 });
            assert_eq!(loader, RangeContents::Complete(b"/ld\0\0".to_vec()), "{table} {name}");
            assert_eq!(contents.size, 10_000);
            for step in [1, 7, 4096, 4097] {
                assert_eq!(collect(&bytes, step), contents, "{table} {name} by {step}");
            }
        }
    }

    #[test]
    fn ranges_behind_are_lost_and_past_the_end_refused() {
        let contents = collect(&program(9000, 5000, 10_000), 512);
        assert_eq!(contents.read_range(FileRange { offset: 5000, size: 5 }), RangeContents::NotKept);
        assert_eq!(contents.read_range(FileRange { offset: 9998, size: 5 }), RangeContents::PastEnd);
        assert_eq!(contents.read_range(FileRange { offset: u64::MAX, size: 5 }), RangeContents::PastEnd);
    }

    #[test]
    fn account_files_are_retained_up_to_their_limit() {
        for (size, is_kept) in [(0, true), (5000, true), (MAX_ACCOUNT_FILE_BYTES, true), (65_537, false)] {
            let bytes = vec![b'a'; size];
            let mut collector = ContentsCollector::for_account_file();
            bytes.chunks(1000).for_each(|chunk| collector.push(chunk));
            let contents = collector.finish();
            assert_eq!((contents.size, contents.whole()), (size as u64, is_kept.then_some(bytes.as_slice())), "{size}");
        }
    }

    #[test]
    fn other_files_retain_256_bytes() {
        for magic in ["aa", "#!", "\x7fELF"] {
            let contents = collect(&[magic.as_bytes(), &vec![b'a'; 100_000]].concat(), 1000);
            assert_eq!(contents.size, 100_000 + magic.len() as u64);
            assert_eq!(contents.heap_size(), size_of::<KeptBytes>() + BINPRM_BUF_SIZE, "{magic}");
        }
        assert_eq!(FileContents::with_size(7).read_range(FileRange { offset: 0, size: 1 }), RangeContents::NotKept);
        assert_eq!(collect(b"", 1), FileContents::default());
    }

    #[test]
    fn program_head_ends_after_headers_and_loader_path() {
        for (table, name, kept) in
            [(64, 200, 256), (64, 1000, 1005), (500, 100, 556), (64, 4094, HEAD_SIZE), (4090, 90, HEAD_SIZE)]
        {
            let contents = collect(&program(table, name, 10_000), 1000);
            assert_eq!(contents.head().len(), kept, "{table} {name}");
        }
    }

    #[test]
    fn script_that_executes_its_arguments_is_detected() {
        let script = format!("#!/bin/sh\n{}exec \"$@\"\n", "# more\n".repeat(1000));
        for step in [1, 4096, 10_000] {
            let contents = collect(script.as_bytes(), step);
            assert!(contents.script_ending().is_some() && contents.head().len() == BINPRM_BUF_SIZE, "{step}");
        }
        assert_eq!(collect(&script.as_bytes()[..7000], 512).script_ending(), None);
    }
}
