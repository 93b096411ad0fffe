//! What one layer does to a root filesystem: its entries as changes, in their order.
//!
//! Does not know the layers below it, so that what was learnt of a layer holds for every image that has it.

use std::io::{self, ErrorKind, Read};

use super::changes::{LayerChange, PackedChanges};
use super::decompress::DecompressReader;
use super::hashing_reader::HashingReader;
use super::tar::{TarEntry, TarEntryKind, TarReader, archive_error};
use crate::name::Digest;
use crate::path;
use crate::rootfs::FileContents;
use crate::rootfs::Node;
use crate::settings::{LayerLimits, LimitExceeded};

/// The changes that a layer makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerChangeset {
    pub(super) changes: PackedChanges,
    /// The size of the layer's tar stream, in bytes.
    pub decompressed_bytes: u64,
    /// The bytes that the names, targets and heads take.
    pub memory_size: usize,
}

/// Why a layer's names are not known. A failed transfer and a wrong digest may be mended by reading it again, the others
/// not.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The bytes did not arrive.
    #[error("the layer did not arrive whole")]
    Transfer(#[source] io::Error),
    /// Other bytes arrived.
    #[error("the layer arrived as {0}")]
    DigestMismatch(Digest),
    /// Too much of something.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// It ends too early, or its compression is damaged.
    #[error("the layer cannot be decompressed: {0}")]
    Compression(String),
    /// It is no archive that a runtime could unpack.
    #[error("the layer's archive is damaged: {0}")]
    Archive(&'static str),
}

impl LayerError {
    /// What a failed read of the tar stream means.
    pub(super) fn from_read_error(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof {
            return Self::Compression("it ends too early".into());
        }
        match error.downcast::<LimitExceeded>() {
            Ok(bound) => Self::LimitExceeded(bound),
            Err(error) => Self::Compression(error.to_string()),
        }
    }
}

/// The bits that let anyone start a file. Without one of them not even root may, neither a program nor its loader
/// (`do_open_execat` in `fs/exec.c`), so nothing is kept of such a file but its size.
const EXECUTE_BITS: u32 = 0o111;

/// The prefixes and the name that stand for a removal: OCI image specification, "Representing Changes". What else begins
/// with the longer prefix is AUFS's own and means nothing.
const WHITEOUT_PREFIX: &[u8] = b".wh.";
const AUFS_PREFIX: &[u8] = b".wh..wh.";
const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";

/// Reads a layer to its end.
///
/// # Errors
/// Where it does not arrive as what its digest names, cannot be read, or exceeds a limit; then it is not read further.
pub fn read_layer(layer: impl Read, digest: &Digest, limits: &LayerLimits) -> Result<LayerChangeset, LayerError> {
    let tar = DecompressReader::new(HashingReader::new(layer), limits).map_err(LayerError::Transfer)?;
    let mut archive = TarReader::new(tar, limits);
    let read = read_changes(&mut archive, limits);
    let tar = archive.into_inner();
    let decompressed = tar.decompressed_bytes();
    let source = tar.into_inner();
    if let Err(error @ LayerError::LimitExceeded(_)) = read {
        return Err(error);
    }
    // Bytes that are damaged on the way are no news about the image.
    match source.finish(limits.bytes).map_err(LayerError::Transfer)? {
        None => return Err(LimitExceeded::Bytes(limits.bytes).into()),
        Some(arrived) if arrived != *digest => return Err(LayerError::DigestMismatch(arrived)),
        Some(_) => {}
    }
    let changes = read?.finish();
    let kept = changes.memory_size();
    Ok(LayerChangeset { changes, decompressed_bytes: decompressed, memory_size: kept })
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

/// Takes what an entry changes, if anything.
fn push_entry<R: Read>(
    archive: &mut TarReader<R>,
    entry: &TarEntry,
    limits: &LayerLimits,
    changes: &mut PackedChanges,
) -> Result<(), LayerError> {
    let path = path::clean_archive_path(&entry.name, limits)?;
    let (directory, name) = path::split_parent(&path);
    if name == OPAQUE_WHITEOUT {
        return Ok(changes.push(LayerChange::Opaque(directory), limits)?);
    }
    // The root's own entry: containerd leaves the root as it made it ("file ignored: resolved to root").
    if name.is_empty() || name.starts_with(AUFS_PREFIX) {
        return Ok(());
    }
    if let Some(removed) = name.strip_prefix(WHITEOUT_PREFIX) {
        if matches!(removed, b"" | b"." | b"..") {
            return Err(archive_error("a whiteout names nothing"));
        }
        let mut path = directory.to_vec();
        path::push_component(&mut path, removed);
        return Ok(changes.push(LayerChange::Whiteout(&path), limits)?);
    }
    if entry.link_target.len() > limits.path {
        return Err(LimitExceeded::Path(limits.path).into());
    }
    let node = match entry.kind {
        TarEntryKind::HardLink => {
            let target = path::clean_archive_path(&entry.link_target, limits)?;
            return Ok(changes.push(LayerChange::HardLink { path: &path, target: &target }, limits)?);
        }
        TarEntryKind::Symlink => Node::Symlink(entry.link_target.clone()),
        TarEntryKind::Directory => Node::Directory(entry.permissions),
        TarEntryKind::Special => Node::Special(entry.permissions),
        TarEntryKind::File if entry.permissions.mode & EXECUTE_BITS == 0 => {
            Node::File(entry.permissions, FileContents::with_size(entry.size))
        }
        TarEntryKind::File => Node::File(entry.permissions, archive.read_contents(entry)?),
    };
    Ok(changes.push(LayerChange::Insert(&path, &node), limits)?)
}
