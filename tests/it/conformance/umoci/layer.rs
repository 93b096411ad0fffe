//! Layers of an image: their entries, as archives of mixed dialects with any compression.

use ecr_preflight::name::Digest;
use ecr_preflight::rootfs::Permissions;

use super::{Stored, gzip};
use crate::conformance::kernel::tree::{OPEN, swap_machine};
use crate::support::archive::{Archive, Fields, GNU, OLD};
use crate::support::layout::OCI_GZIP;
use crate::support::random::Random;

const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// What an entry does to its path.
#[derive(Debug, Clone)]
pub enum EntryKind {
    Directory,
    File(Vec<u8>),
    Link(String),
    HardLink(String),
    Pipe,
    /// The character device 0/0, which overlayfs takes for a whiteout.
    Device,
    Whiteout,
    Opaque,
}

/// Entries in order.
#[derive(Debug, Clone, Default)]
pub struct Layer(pub Vec<(String, Permissions, EntryKind)>);

impl Layer {
    pub fn with(mut self, path: &str, owner: Permissions, what: EntryKind) -> Self {
        self.0.push((path.to_owned(), owner, what));
        self
    }

    pub fn directory(self, path: &str) -> Self {
        self.with(path, OPEN, EntryKind::Directory)
    }

    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.with(path, OPEN, EntryKind::File(bytes.as_ref().to_vec()))
    }

    /// A file without execute permission.
    pub fn closed(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.with(path, Permissions { mode: 0o644, ..OPEN }, EntryKind::File(bytes.as_ref().to_vec()))
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        self.with(path, OPEN, EntryKind::Link(target.to_owned()))
    }

    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.with(path, OPEN, EntryKind::HardLink(target.to_owned()))
    }

    pub fn whiteout(self, path: &str) -> Self {
        self.with(path, OPEN, EntryKind::Whiteout)
    }

    pub fn opaque(self, path: &str) -> Self {
        self.with(path, OPEN, EntryKind::Opaque)
    }

    /// The same layer for the other architecture.
    pub fn mirrored(&self) -> Self {
        let mut layer = self.clone();
        for (.., what) in &mut layer.0 {
            if let EntryKind::File(bytes) = what {
                swap_machine(bytes);
            }
        }
        layer
    }

    /// The layer as a tar archive.
    pub fn archive(&self, random: &mut Random) -> Vec<u8> {
        let mut archive = Archive::default();
        for (path, owner, what) in &self.0 {
            let (above, name) = path
                .rsplit_once('/')
                .map_or((String::new(), path.as_str()), |(above, name)| (format!("{above}/"), name));
            let (kind, path, target, data) = match what {
                EntryKind::Directory => (b'5', format!("{path}/"), "", b"".as_slice()),
                EntryKind::File(bytes) => (b'0', path.clone(), "", bytes.as_slice()),
                EntryKind::Link(target) => (b'2', path.clone(), target.as_str(), b"".as_slice()),
                EntryKind::HardLink(target) => (b'1', path.clone(), target.as_str(), b"".as_slice()),
                EntryKind::Pipe => (b'6', path.clone(), "", b"".as_slice()),
                EntryKind::Device => (b'3', path.clone(), "", b"".as_slice()),
                EntryKind::Whiteout => (b'0', format!("{above}.wh.{name}"), "", b"".as_slice()),
                EntryKind::Opaque => (b'0', format!("{path}/.wh..wh..opq"), "", b"".as_slice()),
            };
            let Permissions { mode, uid: user, gid: group } = *owner;
            let fields = Fields { kind, mode, user, group, ..Fields::default() };
            archive = append(archive, random, fields, &path, target, data);
        }
        archive.end()
    }

    /// The layer as a registry stores it, and for umoci, which does not support zstd before 0.5: then the same archive
    /// in gzip.
    pub fn stored(&self, random: &mut Random) -> (Vec<u8>, Stored) {
        let tar = self.archive(random);
        let sum = Digest::of(&tar);
        let (one, rest) = tar.split_at(random.below(tar.len()));
        let (two, three) = rest.split_at(random.below(rest.len()));
        let skipped = b"\x53\x2a\x4d\x18\x05\0\0\0hello".to_vec();
        let (kind, bytes) = match random.below(5) {
            0 => (PLAIN, tar.clone()),
            1 => (OCI_GZIP, [gzip(one), gzip(two), gzip(b""), gzip(three)].concat()),
            2 => return (zstd(&tar), (OCI_GZIP, gzip(&tar), sum)),
            3 => {
                let frames = [skipped.clone(), zstd(one), skipped.clone(), zstd(two), zstd(three), skipped];
                return (frames.concat(), (OCI_GZIP, gzip(&tar), sum));
            }
            _ => (OCI_GZIP, gzip(&tar)),
        };
        (bytes.clone(), (kind, bytes, sum))
    }
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Appends an entry in a random dialect.
fn append(archive: Archive, random: &mut Random, fields: Fields<'_>, path: &str, link: &str, data: &[u8]) -> Archive {
    let is_long = path.len().max(link.len()) > 99;
    let target = link.as_bytes();
    match random.below(if is_long { 2 } else { 6 }) {
        0 => archive.pax(&[("path", path.as_bytes()), ("linkpath", target)]).entry(b"cut", fields, data),
        1 => {
            let gnu = |kind| Fields { kind, magic: GNU, ..Fields::default() };
            let archive = archive.entry(b"././@LongLink", gnu(b'L'), format!("{path}\0").as_bytes());
            let archive = archive.entry(b"././@LongLink", gnu(b'K'), format!("{link}\0").as_bytes());
            archive.entry(b"cut", Fields { magic: GNU, ..fields }, data)
        }
        2 => archive.entry(path.as_bytes(), Fields { target, magic: OLD, ..fields }, data),
        3 => archive.entry(format!("./{path}").as_bytes(), Fields { target, ..fields }, data),
        4 if path.trim_end_matches('/').contains('/') => {
            let (prefix, name) = path.split_once('/').unwrap();
            let size = data.len() as u64;
            let put = |block: &mut [u8; 512]| block[345..345 + prefix.len()].copy_from_slice(prefix.as_bytes());
            archive.block(name.as_bytes(), Fields { target, ..fields }, size, put).data(data)
        }
        _ => archive.entry(path.as_bytes(), Fields { target, ..fields }, data),
    }
}
