//! The errors that execve(2) returns for a program that it does not start.

use std::fmt;

/// A kernel error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errno {
    /// A file does not exist, or a symbolic link is dangling.
    NoEntry,
    /// The loader is shorter than an ELF header.
    InputOutput,
    /// The kernel has no handler for this file format.
    ExecFormat,
    /// The file is not executable or not a regular file, or a directory may not be searched.
    Access,
    /// A component of the path is not a directory.
    NotDirectory,
    /// An offset is larger than any file can be.
    Invalid,
    /// A path component is longer than 255 bytes, or the path is longer than 4,095.
    NameTooLong,
    /// More than 40 symbolic links, or more than five nested script interpreters.
    Loop,
    /// The loader is not an ELF file, or is built for another processor.
    LibraryBad,
}

/// Names and numbers from `include/uapi/asm-generic/errno-base.h` and `errno.h`, which are the same on amd64 and arm64,
/// and messages from Go's package `syscall`, because container runtimes are written in Go. glibc and musl capitalize
/// them.
const TABLE: [(Errno, &str, i32, &str); 9] = [
    (Errno::NoEntry, "ENOENT", 2, "no such file or directory"),
    (Errno::InputOutput, "EIO", 5, "input/output error"),
    (Errno::ExecFormat, "ENOEXEC", 8, "exec format error"),
    (Errno::Access, "EACCES", 13, "permission denied"),
    (Errno::NotDirectory, "ENOTDIR", 20, "not a directory"),
    (Errno::Invalid, "EINVAL", 22, "invalid argument"),
    (Errno::NameTooLong, "ENAMETOOLONG", 36, "file name too long"),
    (Errno::Loop, "ELOOP", 40, "too many levels of symbolic links"),
    (Errno::LibraryBad, "ELIBBAD", 80, "accessing a corrupted shared library"),
];

impl Errno {
    /// Returns the C name, for example `ENOENT`.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Returns the message that Go programs print.
    pub fn message(self) -> &'static str {
        TABLE[self as usize].3
    }

    /// Returns the error with this number on Linux, if execve(2) can return it.
    pub fn from_number(number: i32) -> Option<Self> {
        TABLE.iter().find(|(_, _, known, _)| *known == number).map(|(errno, ..)| *errno)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_agrees_with_variants_and_system_messages() {
        for (index, (errno, name, number, message)) in TABLE.into_iter().enumerate() {
            assert_eq!(errno as usize, index, "table and variants have the same order");
            assert_eq!((errno.name(), errno.message()), (name, message));
            assert_eq!(Errno::from_number(number), Some(errno));
            let system = std::io::Error::from_raw_os_error(number).to_string().to_lowercase();
            assert!(system.starts_with(message), "{system}");
        }
        assert_eq!(Errno::LibraryBad as usize, TABLE.len() - 1, "every variant has a row");
        assert_eq!(Errno::from_number(0), None);
    }
}
