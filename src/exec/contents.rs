//! The contents of one file, of which only what the kernel would look at before it starts a program is kept.
//!
//! Does not judge them.

/// What is kept of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Its size in bytes.
    pub size: u64,
    /// Its first bytes, at most [`HEAD`] of them.
    pub head: Vec<u8>,
}

/// How many of a file's first bytes are kept. The kernel reads 256 (`BINPRM_BUF_SIZE`); program headers and the name of
/// the interpreter lie behind the ELF header, in what linkers make within the first page.
pub const HEAD: usize = 4096;

/// Takes a file's contents as they stream by.
#[derive(Debug, Default)]
pub struct Collector {
    contents: Contents,
}

impl Collector {
    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.contents.head.len());
        self.contents.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.contents.size = self.contents.size.saturating_add(bytes.len() as u64);
    }

    /// What is kept of them.
    #[must_use]
    pub fn finish(self) -> Contents {
        self.contents
    }
}
