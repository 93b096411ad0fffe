//! What one layer does to a root filesystem: its entries as changes, in their order.
//!
//! Does not know the layers below it, so that what was learnt of a layer holds for every image that has it.

use std::io::{self, ErrorKind, Read};

use super::archive::{Archive, Entry, Kind, damaged};
use super::changes::{Change, Changes};
use super::decompress::Decompressed;
use super::source::Source;
use crate::name::Digest;
use crate::path;
use crate::rootfs::Contents;
use crate::rootfs::Node;
use crate::settings::{Bound, Limits};

/// The changes that a layer makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerNames {
    pub(super) changes: Changes,
    /// The size of the layer's tar stream, in bytes.
    pub decompressed: u64,
    /// The bytes that the names, targets and heads take.
    pub kept: usize,
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
    Digest(Digest),
    /// Too much of something.
    #[error(transparent)]
    Bound(#[from] Bound),
    /// It ends too early, or its compression is damaged.
    #[error("the layer cannot be decompressed: {0}")]
    Compression(String),
    /// It is no archive that a runtime could unpack.
    #[error("the layer's archive is damaged: {0}")]
    Archive(&'static str),
}

impl LayerError {
    /// What a failed read of the tar stream means.
    pub(super) fn reading(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof {
            return Self::Compression("it ends too early".into());
        }
        match error.downcast::<Bound>() {
            Ok(bound) => Self::Bound(bound),
            Err(error) => Self::Compression(error.to_string()),
        }
    }
}

/// The bits that let anyone start a file. Without one of them not even root may, neither a program nor its loader
/// (`do_open_execat` in `fs/exec.c`), so nothing is kept of such a file but its size.
const EXECUTE: u32 = 0o111;

/// The prefixes and the name that stand for a removal: OCI image specification, "Representing Changes". What else begins
/// with the longer prefix is AUFS's own and means nothing.
const WHITEOUT: &[u8] = b".wh.";
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Reads a layer to its end.
///
/// # Errors
/// Where it does not arrive as what its digest names, cannot be read, or exceeds a limit; then it is not read further.
pub fn read(layer: impl Read, digest: &Digest, limits: &Limits) -> Result<LayerNames, LayerError> {
    let tar = Decompressed::new(Source::new(layer), limits).map_err(LayerError::Transfer)?;
    let mut archive = Archive::new(tar, limits);
    let read = changes(&mut archive, limits);
    let tar = archive.into_input();
    let decompressed = tar.count();
    let source = tar.into_source();
    if let Err(error @ LayerError::Bound(_)) = read {
        return Err(error);
    }
    // Bytes that are damaged on the way are no news about the image.
    match source.finish(limits.bytes).map_err(LayerError::Transfer)? {
        None => return Err(Bound::Bytes(limits.bytes).into()),
        Some(arrived) if arrived != *digest => return Err(LayerError::Digest(arrived)),
        Some(_) => {}
    }
    let changes = read?.finish();
    let kept = changes.kept();
    Ok(LayerNames { changes, decompressed, kept })
}

fn changes<R: Read>(archive: &mut Archive<R>, limits: &Limits) -> Result<Changes, LayerError> {
    let mut changes = Changes::default();
    let mut count = 0;
    while let Some(entry) = archive.next()? {
        count += 1;
        if count > limits.entries {
            return Err(Bound::Entries(limits.entries).into());
        }
        change(archive, &entry, limits, &mut changes)?;
    }
    archive.finish()?;
    Ok(changes)
}

/// Takes what an entry changes, if anything.
fn change<R: Read>(
    archive: &mut Archive<R>,
    entry: &Entry,
    limits: &Limits,
    changes: &mut Changes,
) -> Result<(), LayerError> {
    let path = path::clean(&entry.name, limits)?;
    let (directory, name) = path::split(&path);
    if name == OPAQUE {
        return Ok(changes.push(Change::Opaque(directory), limits)?);
    }
    // The root's own entry: containerd leaves the root as it made it ("file ignored: resolved to root").
    if name.is_empty() || name.starts_with(AUFS) {
        return Ok(());
    }
    if let Some(removed) = name.strip_prefix(WHITEOUT) {
        if matches!(removed, b"" | b"." | b"..") {
            return Err(damaged("a whiteout names nothing"));
        }
        let mut path = directory.to_vec();
        path::down(&mut path, removed);
        return Ok(changes.push(Change::Whiteout(&path), limits)?);
    }
    if entry.target.len() > limits.path {
        return Err(Bound::Path(limits.path).into());
    }
    let node = match entry.kind {
        Kind::HardLink => {
            let target = path::clean(&entry.target, limits)?;
            return Ok(changes.push(Change::HardLink { path: &path, target: &target }, limits)?);
        }
        Kind::Link => Node::Link(entry.target.clone()),
        Kind::Directory => Node::Directory(entry.owner),
        Kind::Special => Node::Special(entry.owner),
        Kind::File if entry.owner.mode & EXECUTE == 0 => Node::File(entry.owner, Contents::sized(entry.size)),
        Kind::File => Node::File(entry.owner, archive.contents(entry)?),
    };
    Ok(changes.push(Change::Put(&path, &node), limits)?)
}
