//! The kernel's answers, of which execve(2) can give these.
//!
//! Does not know when which one is given.

use std::fmt;

/// Why a program was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errno {
    /// No such file, or a link that leads nowhere.
    NoEntry,
    /// A loader that is shorter than the header of a program.
    InputOutput,
    /// Nothing that the kernel can start.
    ExecFormat,
    /// Not executable, no regular file, or a directory that may not be searched.
    Access,
    /// A file in the place of a directory.
    NotDirectory,
    /// An offset beyond what a file can have.
    Invalid,
    /// A name of more than 255 bytes, or a path of more than 4095.
    NameTooLong,
    /// More than forty links, or scripts that are interpreted by scripts more than five deep.
    Loop,
    /// A loader that is none, or one for another processor.
    LibraryBad,
}

/// Names and numbers as in `include/uapi/asm-generic/errno-base.h` and `errno.h`, which amd64 and arm64 share; words as
/// Go has them, in which container runtimes are written.
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
    fn table_entry(self) -> (&'static str, i32, &'static str) {
        let row = TABLE.iter().find(|(errno, ..)| *errno == self);
        row.map(|(_, name, number, words)| (*name, *number, *words))
            .expect("the table has every variant; a test counts")
    }

    /// Its name in C, such as `ENOENT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.table_entry().0
    }

    /// Its number on Linux.
    #[must_use]
    pub fn number(self) -> i32 {
        self.table_entry().1
    }

    /// What programs print for it.
    #[must_use]
    pub fn message(self) -> &'static str {
        self.table_entry().2
    }

    /// The one with this number.
    #[must_use]
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
    fn every_number_leads_back_to_its_row_and_the_system_knows_it_by_the_same_words() {
        for (place, (errno, name, number, words)) in TABLE.into_iter().enumerate() {
            assert_eq!(errno as usize, place, "the table stands in the order of the variants");
            assert_eq!((errno.name(), errno.number(), errno.message()), (name, number, words));
            assert_eq!(Errno::from_number(number), Some(errno));
            let system = std::io::Error::from_raw_os_error(number).to_string().to_lowercase();
            assert!(system.starts_with(words), "{system}");
        }
        assert_eq!(Errno::LibraryBad as usize, TABLE.len() - 1, "the last variant has the last row");
        assert_eq!(Errno::from_number(0), None);
    }
}
