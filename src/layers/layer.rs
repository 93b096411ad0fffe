//! Reads one layer into the changes that it makes to a root filesystem. Lower layers have no influence, so the result
//! is the same for every image that contains the layer.

use std::io::Read;

use super::changes::{LayerChange, PackedChanges};
use super::decompress::DecompressReader;
use super::error::LayerError;
use super::hashing_reader::HashingReader;
use super::tar::{TarEntry, TarEntryKind, TarReader};
use crate::name::Digest;
use crate::path::{clean_archive_path, push_component, split_parent};
use crate::rootfs::{ContentsCollector, FileContents, Node};
use crate::settings::{LayerLimits, LimitExceeded};

/// The changes that a layer makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerChangeset {
    pub(super) changes: PackedChanges,
    /// The size of the layer's tar stream in bytes.
    pub decompressed_bytes: u64,
    /// The size of paths, link targets and file contents in memory, in bytes.
    pub memory_size: usize,
}

/// The execute bits. Without any of them, not even root may execute a program or its loader (`do_open_execat` in
/// `fs/exec.c`), so only the size of such a file is kept.
const EXECUTE_BITS: u32 = 0o111;

/// The names of whiteouts: OCI image specification, "Representing Changes". Other names with the longer prefix belong
/// to AUFS and are ignored.
const WHITEOUT_PREFIX: &[u8] = b".wh.";
const AUFS_PREFIX: &[u8] = b".wh..wh.";
const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";

/// The files in which container runtimes look up the image's user. They are kept although they are not executable.
const ACCOUNT_FILES: [&[u8]; 2] = [b"etc/passwd", b"etc/group"];

/// Reads a layer to its end.
///
/// # Errors
/// The transfer failed, the content has another digest, the layer is damaged, or it exceeds a limit.
pub fn read_layer(layer: impl Read, digest: &Digest, limits: &LayerLimits) -> Result<LayerChangeset, LayerError> {
    let tar = DecompressReader::new(HashingReader::new(layer), limits).map_err(LayerError::Transfer)?;
    let mut archive = TarReader::new(tar, limits);
    let changes = read_changes(&mut archive, limits);
    let tar = archive.into_inner();
    let decompressed_bytes = tar.decompressed_bytes();
    if let Err(error @ LayerError::LimitExceeded(_)) = changes {
        return Err(error);
    }
    // Damage during transfer is reported as such, not as a damaged layer.
    match tar.into_inner().finish(limits.bytes).map_err(LayerError::Transfer)? {
        None => return Err(LimitExceeded::Bytes(limits.bytes).into()),
        Some(actual) if actual != *digest => return Err(LayerError::DigestMismatch(actual)),
        Some(_) => {}
    }
    let changes = changes?.finish();
    let memory_size = changes.memory_size;
    Ok(LayerChangeset { changes, decompressed_bytes, memory_size })
}

fn read_changes<R: Read>(archive: &mut TarReader<R>, limits: &LayerLimits) -> Result<PackedChanges, LayerError> {
    let mut changes = PackedChanges::default();
    let mut count = 0;
    while let Some(entry) = archive.next_entry()? {
        count += 1;
        if count > limits.entries {
            return Err(LimitExceeded::Entries(limits.entries).into());
        }
        push_entry(archive, &entry, limits, &mut changes)?;
    }
    archive.drain()?;
    Ok(changes)
}

/// Adds the change that an entry makes, if any.
fn push_entry<R: Read>(
    archive: &mut TarReader<R>,
    entry: &TarEntry,
    limits: &LayerLimits,
    changes: &mut PackedChanges,
) -> Result<(), LayerError> {
    let path = clean_archive_path(&entry.name, limits)?;
    let (directory, name) = split_parent(&path);
    if name == OPAQUE_WHITEOUT {
        return Ok(changes.push(LayerChange::Opaque(directory), limits)?);
    }
    // containerd ignores an entry for the root itself ("file ignored: resolved to root").
    if name.is_empty() || name.starts_with(AUFS_PREFIX) {
        return Ok(());
    }
    if let Some(removed) = name.strip_prefix(WHITEOUT_PREFIX) {
        if matches!(removed, b"" | b"." | b"..") {
            return Err(LayerError::Archive("a whiteout without a name"));
        }
        let mut path = directory.to_vec();
        push_component(&mut path, removed);
        return Ok(changes.push(LayerChange::Whiteout(&path), limits)?);
    }
    if entry.link_target.len() > limits.path {
        return Err(LimitExceeded::Path(limits.path).into());
    }
    let node = match entry.kind {
        TarEntryKind::HardLink => {
            let target = clean_archive_path(&entry.link_target, limits)?;
            return Ok(changes.push(LayerChange::HardLink { path: &path, target: &target }, limits)?);
        }
        TarEntryKind::Symlink => Node::Symlink(entry.link_target.clone()),
        TarEntryKind::Directory => Node::Directory(entry.permissions),
        TarEntryKind::Special => Node::Special(entry.permissions),
        TarEntryKind::File if ACCOUNT_FILES.contains(&path.as_slice()) => {
            Node::File(entry.permissions, archive.read_contents(entry, ContentsCollector::for_account_file())?)
        }
        TarEntryKind::File if entry.permissions.mode & EXECUTE_BITS == 0 => {
            Node::File(entry.permissions, FileContents::with_size(entry.size))
        }
        TarEntryKind::File => {
            Node::File(entry.permissions, archive.read_contents(entry, ContentsCollector::default())?)
        }
    };
    Ok(changes.push(LayerChange::Insert(&path, &node), limits)?)
}
