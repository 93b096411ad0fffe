//! What lies in a tar archive, and where: read once, by its headers, and sought ever after.
//!
//! Does not unpack anything, and never looks outside of the archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::compression::{CompressedArchiveError, MAGIC_LENGTH};
use crate::registry::{RegistryError, file_error, read_at_most};
use crate::text::sanitize_quoted;

/// Ten images of the 500 layers that overlayfs takes, with the four members for each that Docker wrote before 25.
const MAX_MEMBERS: usize = 20_000;

/// How many bytes of headers are read, long names and pax records included: so many members take 10 MiB without those,
/// and 30 MiB with both for each.
const MAX_HEADERS: u64 = 64 * 1024 * 1024;

/// How many links are followed, one leading to the next: Docker links a repeated layer to where it stands first, and
/// skopeo an old name to the new one.
const MAX_LINKS: usize = 2;

/// The names of an archive, and where what they name lies.
#[derive(Debug)]
pub(super) struct ArchiveMembers {
    file: PathBuf,
    entries: HashMap<String, MemberEntry>,
}

#[derive(Debug)]
enum MemberEntry {
    File(MemberLocation),
    /// To this cleaned name.
    Link(String),
}

/// Where the bytes of a member lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MemberLocation {
    offset: u64,
    pub(super) length: u64,
}

impl ArchiveMembers {
    /// Reads the headers of an archive. Of several members of one name the last one counts, as it does on disk.
    ///
    /// # Errors
    /// Where the file is no plain tar archive, has no end, or holds more than is read.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::other("it is no file that can be sought in"));
        }
        let mut first = Vec::new();
        Read::take(&mut file, MAGIC_LENGTH as u64).read_to_end(&mut first)?;
        if let Some(compressed) = CompressedArchiveError::detect(&first) {
            return Err(io::Error::other(compressed));
        }
        file.rewind()?;
        let mut archive = tar::Archive::new(HeaderReader { file, remaining: MAX_HEADERS });
        let mut names = HashMap::new();
        for (count, entry) in archive.entries_with_seek()?.enumerate() {
            if count == MAX_MEMBERS {
                return Err(io::Error::other(format!("it has more than {MAX_MEMBERS} members")));
            }
            let entry = entry.map_err(|error| header_error(&error, count))?;
            let member = MemberLocation { offset: entry.raw_file_position(), length: entry.size() };
            let name = normalize_name("", &entry.path_bytes());
            let link = entry.link_name_bytes();
            let link = link.as_deref().unwrap_or_default();
            let held = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    if member.offset.checked_add(member.length).is_none_or(|end| end > facts.len()) {
                        let within = sanitize_quoted(name.as_deref().unwrap_or("a member"));
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends within {within}")));
                    }
                    Some(MemberEntry::File(member))
                }
                EntryType::Link => normalize_name("", link).map(MemberEntry::Link),
                // What is absolute leads out of the archive.
                EntryType::Symlink if link.starts_with(b"/") => None,
                EntryType::Symlink => {
                    let directory =
                        name.as_deref().and_then(|name| name.rsplit_once('/')).map_or("", |(above, _)| above);
                    normalize_name(directory, link).map(MemberEntry::Link)
                }
                _ => None,
            };
            if let (Some(name), Some(held)) = (name, held) {
                names.insert(name, held);
            }
        }
        Ok(Self { file: path.to_owned(), entries: names })
    }

    /// The error of a member that cannot be read.
    pub(super) fn member_error(&self, name: &str, error: io::Error) -> RegistryError {
        // Names in an archive may be anything.
        let name = sanitize_quoted(name);
        file_error(&self.file.join(name.trim_start_matches('/')), error)
    }

    /// The member of this name, through links.
    pub(super) fn find(&self, name: &str) -> Option<MemberLocation> {
        let mut name = normalize_name("", name.as_bytes())?;
        for _ in 0..=MAX_LINKS {
            match self.entries.get(&name)? {
                MemberEntry::File(member) => return Some(*member),
                MemberEntry::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// A member's bytes as they are read.
    ///
    /// # Errors
    /// Where the archive cannot be opened any more.
    pub(super) fn open_member(&self, member: MemberLocation) -> io::Result<Take<File>> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(member.offset))?;
        Ok(file.take(member.length))
    }

    /// The bytes of a document.
    ///
    /// # Errors
    /// Where it is not there, holds more than `limit` bytes, or cannot be read.
    pub(super) fn read_document(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let absent = || io::Error::new(io::ErrorKind::NotFound, "it is not in the archive");
        let member = self.find(name).ok_or_else(absent)?;
        self.read_bytes(member, limit)
    }

    /// A member's bytes, where it holds at most `limit`.
    ///
    /// # Errors
    /// Where it holds more, or cannot be read.
    pub(super) fn read_bytes(&self, member: MemberLocation, limit: usize) -> io::Result<Vec<u8>> {
        read_at_most(self.open_member(member)?, limit)
    }
}

/// What the reader of headers complains of behind so many members; it may repeat what stands in the file.
fn header_error(error: &io::Error, count: usize) -> io::Error {
    let what = match (error.kind(), count) {
        (io::ErrorKind::FileTooLarge, _) => error.to_string(),
        (io::ErrorKind::Other, 0) => "it is no tar archive".to_owned(),
        _ => format!("it is broken behind {count} members: {}", sanitize_quoted(&error.to_string())),
    };
    io::Error::new(error.kind(), what)
}

/// A name below a directory without what stands for nothing in it; `None` where it leads out of the archive, or is no
/// text. A slash before all is left out, as those who unpack do it.
fn normalize_name(directory: &str, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The archive as its headers are read: no more of it than so many bytes.
struct HeaderReader {
    file: File,
    remaining: u64,
}

impl Read for HeaderReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let left = self.remaining.checked_sub(count as u64);
        let much =
            || io::Error::new(io::ErrorKind::FileTooLarge, format!("its headers take more than {MAX_HEADERS} bytes"));
        self.remaining = left.ok_or_else(much)?;
        Ok(count)
    }
}

impl Seek for HeaderReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_never_lead_out() {
        for (directory, name, expected) in [
            ("", "a/b", Some("a/b")),
            ("", "./a//b/", Some("a/b")),
            ("", "/a", Some("a")),
            ("a/b", "../c", Some("a/c")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "../a", None),
            ("", "a/../../b", None),
        ] {
            assert_eq!(normalize_name(directory, name.as_bytes()).as_deref(), expected, "{directory} {name}");
        }
        assert_eq!(normalize_name("", b"\xff"), None);
    }
}
