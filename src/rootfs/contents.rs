//! File contents, reduced to the bytes that the kernel reads before it starts a program.

use std::sync::Arc;

use crate::elf::{FileRange, MAGIC};
use crate::shell::ScriptEnding;

/// The size of a file and the retained part of its bytes. The part is allocated separately because most files have
/// none, and hard links share it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileContents {
    /// The file's size in bytes.
    pub size: u64,
    pub(super) kept_bytes: Option<Arc<KeptBytes>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeptBytes {
    /// The first bytes, at most [`super::HEAD_SIZE`], or all bytes of an account file.
    pub(super) head: Vec<u8>,
    /// Later ranges by offset: at most the program headers (64 KiB) and the path of the loader (4 KiB).
    pub(super) ranges: Vec<(u64, Vec<u8>)>,
    pub(super) script_ending: Option<ScriptEnding>,
}

/// The number of bytes that the kernel first reads of any file (`include/uapi/linux/binfmts.h`). For files other than
/// ELF, no more are retained.
pub(crate) const BINPRM_BUF_SIZE: usize = 256;

/// The result of reading a range of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RangeContents {
    /// All bytes of the range.
    Complete(Vec<u8>),
    /// The file ends before the range does.
    PastEnd,
    /// The file has these bytes, but they were not retained.
    NotKept,
}

impl FileContents {
    /// Returns the contents of a file whose bytes are unknown.
    pub fn with_size(size: u64) -> Self {
        Self { size, kept_bytes: None }
    }

    /// Returns how the file, if it is a shell script, certainly ends by running its arguments or a program.
    pub(crate) fn script_ending(&self) -> Option<&ScriptEnding> {
        self.kept_bytes.as_ref()?.script_ending.as_ref()
    }

    /// Returns the retained first bytes.
    pub fn head(&self) -> &[u8] {
        self.kept_bytes.as_ref().map_or(&[], |kept| &kept.head)
    }

    /// Returns all bytes of the file, if they were retained.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        Some(self.head()).filter(|head| head.len() as u64 == self.size)
    }

    /// Returns whether the file begins with the ELF magic number.
    pub(crate) fn is_elf(&self) -> bool {
        self.head().starts_with(MAGIC)
    }

    /// Returns whether the file begins with `#!`.
    pub(crate) fn is_script(&self) -> bool {
        self.head().starts_with(b"#!")
    }

    pub(crate) fn heap_size(&self) -> usize {
        let range_size = |(_, bytes): &(u64, Vec<u8>)| size_of::<(u64, Vec<u8>)>() + bytes.len();
        let ranges = |kept: &KeptBytes| kept.ranges.iter().map(range_size).sum::<usize>();
        let ending = |kept: &KeptBytes| kept.script_ending.as_ref().map_or(0, ScriptEnding::heap_size);
        self.kept_bytes
            .as_ref()
            .map_or(0, |kept| size_of::<KeptBytes>() + kept.head.len() + ranges(kept) + ending(kept))
    }

    pub(crate) fn read_range(&self, range: FileRange) -> RangeContents {
        self.kept_bytes.as_deref().unwrap_or(&KeptBytes::default()).read_range(self.size, range)
    }
}

impl KeptBytes {
    pub(super) fn read_range(&self, file_size: u64, FileRange { offset, size }: FileRange) -> RangeContents {
        if offset.checked_add(size).is_none_or(|end| end > file_size) {
            return RangeContents::PastEnd;
        }
        let bytes: Option<Vec<u8>> = (offset..offset + size).map(|at| self.byte_at(at)).collect();
        bytes.map_or(RangeContents::NotKept, RangeContents::Complete)
    }

    fn byte_at(&self, at: u64) -> Option<u8> {
        let find = |(start, bytes): (u64, &[u8])| bytes.get(usize::try_from(at.checked_sub(start)?).ok()?).copied();
        let ranges = self.ranges.iter().map(|(start, bytes)| (*start, bytes.as_slice()));
        std::iter::once((0, self.head.as_slice())).chain(ranges).find_map(find)
    }
}
