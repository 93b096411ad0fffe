//! The members of a tar archive and their positions. Links are only followed inside of the archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar::EntryType;

use super::compression::{CompressedArchiveError, MAGIC_LENGTH};
use crate::registry::oci_layout::LayoutFiles;
use crate::registry::{BlobReader, RegistryError, file_error, open_regular_file, read_at_most};
use crate::text::sanitize_quoted;

/// How many members are read: enough for ten images of 500 layers, the maximum of overlayfs, with four members per
/// layer, as Docker wrote them before version 25.
const MAX_MEMBERS: usize = 20_000;

/// How many bytes of headers are read, including long names and pax records: 20,000 members have 10 MiB of headers
/// without those, and 30 MiB with both for each.
const MAX_HEADERS: u64 = 64 * 1024 * 1024;

/// How many links are followed. Docker links a repeated layer to its first copy; skopeo links old names to new ones.
const MAX_LINKS: usize = 2;

/// The members of an archive by their normalized names.
#[derive(Debug)]
pub struct ArchiveMembers {
    path: PathBuf,
    entries: HashMap<String, MemberEntry>,
}

#[derive(Debug)]
enum MemberEntry {
    Content(Member),
    /// A link to this normalized name.
    Link(String),
}

/// The content of a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Member {
    /// A range of bytes of the archive.
    Stored { offset: u64, length: u64 },
    /// A generated document that is not in the archive.
    Generated(Arc<[u8]>),
}

impl Member {
    /// Returns the length of the content, in bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Stored { length, .. } => *length,
            Self::Generated(bytes) => bytes.len() as u64,
        }
    }
}

impl ArchiveMembers {
    /// Reads the headers of an archive. If several members have the same name, the last counts, as in tar.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = open_regular_file(path)?;
        let metadata = file.metadata()?;
        let mut first = Vec::new();
        Read::take(&mut file, MAGIC_LENGTH as u64).read_to_end(&mut first)?;
        if let Some(compressed) = CompressedArchiveError::detect(&first) {
            return Err(io::Error::other(compressed));
        }
        file.rewind()?;
        let mut archive = tar::Archive::new(HeaderReader { file, remaining: MAX_HEADERS });
        let mut entries = HashMap::new();
        for (count, entry) in archive.entries_with_seek()?.enumerate() {
            if count == MAX_MEMBERS {
                return Err(io::Error::other(format!("more than {MAX_MEMBERS} members")));
            }
            let entry = entry.map_err(|error| header_error(&error, count))?;
            let (offset, length) = (entry.raw_file_position(), entry.size());
            let name = normalize_name("", &entry.path_bytes());
            let target = entry.link_name_bytes();
            let target = target.as_deref().unwrap_or_default();
            let member = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    if offset.checked_add(length).is_none_or(|end| end > metadata.len()) {
                        let within = sanitize_quoted(name.as_deref().unwrap_or("a member"));
                        let message = format!("truncated within `{within}`");
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
                    }
                    Some(MemberEntry::Content(Member::Stored { offset, length }))
                }
                EntryType::Link => normalize_name("", target).map(MemberEntry::Link),
                // An absolute target is outside of the archive.
                EntryType::Symlink if target.starts_with(b"/") => None,
                EntryType::Symlink => {
                    let directory = name.as_deref().and_then(|name| name.rsplit_once('/'));
                    normalize_name(directory.map_or("", |(directory, _)| directory), target).map(MemberEntry::Link)
                }
                _ => None,
            };
            entries.extend(name.zip(member));
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Adds or replaces a member; `name` must be normalized.
    pub(super) fn insert(&mut self, name: String, member: Member) {
        self.entries.insert(name, MemberEntry::Content(member));
    }

    /// Finds the member with this name and follows links.
    pub(super) fn find(&self, name: &str) -> Option<Member> {
        let mut name = normalize_name("", name.as_bytes())?;
        for _ in 0..=MAX_LINKS {
            match self.entries.get(&name)? {
                MemberEntry::Content(member) => return Some(member.clone()),
                MemberEntry::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// Opens a member.
    pub(super) fn open_member(&self, member: &Member) -> io::Result<BlobReader> {
        Ok(match member {
            Member::Stored { offset, length } => {
                let mut file = open_regular_file(&self.path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Box::new(file.take(*length))
            }
            Member::Generated(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }

    /// Reads the member with this name; fails if it does not exist or has more than `limit` bytes.
    pub(super) fn read_document(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "not in the archive");
        read_at_most(self.open_member(&self.find(name).ok_or_else(missing)?)?, limit)
    }
}

impl LayoutFiles for ArchiveMembers {
    fn open(&self, name: &str) -> io::Result<Option<BlobReader>> {
        self.find(name).map(|member| self.open_member(&member)).transpose()
    }

    fn error(&self, name: &str, error: io::Error) -> RegistryError {
        // Names in an archive may contain anything.
        let name = sanitize_quoted(name);
        file_error(&self.path.join(name.trim_start_matches('/')), error)
    }
}

/// Describes an error in the header after `count` members. The error may quote the file.
fn header_error(error: &io::Error, count: usize) -> io::Error {
    let message = match (error.kind(), count) {
        (io::ErrorKind::FileTooLarge, _) => error.to_string(),
        (io::ErrorKind::Other, 0) => "not a tar archive".to_owned(),
        _ => format!("damaged after member {count}: {}", sanitize_quoted(&error.to_string())),
    };
    io::Error::new(error.kind(), message)
}

/// Normalizes a name relative to a directory, without a leading slash; `None` if it is outside or not UTF-8.
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

/// Reads the headers of an archive, with a limit in bytes.
struct HeaderReader {
    file: File,
    remaining: u64,
}

impl Read for HeaderReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let remaining = self.remaining.checked_sub(count as u64);
        let message = || format!("more than {MAX_HEADERS} bytes of headers");
        self.remaining = remaining.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, message()))?;
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
    fn names_are_normalized_and_stay_in_the_archive() {
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
