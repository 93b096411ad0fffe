//! Reads one layer and unpacks it in memory. Lower layers have no influence, so the result is the same for every image
//! that contains the layer.

use std::io::Read;
use std::sync::Arc;

use super::budget::{MemoryBudget, MemoryCharge};
use super::decompress::DecompressReader;
use super::error::{ApplyError, LayerError};
use super::hashing_reader::HashingReader;
use super::tar::{TarEntry, TarEntryKind, TarReader};
use super::unpack::{EXECUTE_BITS, EntryContent, UnpackedLayer, Unpacker};
use crate::name::Digest;
use crate::path::clean_archive_path;
use crate::rootfs::{ContentsCollector, FileContents, Node};
use crate::settings::{LayerLimits, LimitExceeded};

/// A layer, unpacked in memory.
#[derive(Debug, Clone)]
pub struct LayerChangeset {
    pub(super) unpacked: UnpackedLayer,
    /// The size of the blob in bytes.
    pub stored_bytes: u64,
    /// The size of the layer's tar stream in bytes.
    pub decompressed_bytes: u64,
    /// The digest of the tar stream; `None` if the blob is not compressed and has the same digest.
    pub decompressed_digest: Option<Digest>,
    /// The size of names, link targets and file contents in memory, in bytes.
    pub memory_size: usize,
    /// The memory that is charged to the budget as long as the layer exists.
    _charge: Arc<MemoryCharge>,
}

impl LayerChangeset {
    /// Returns a path that two entries have, so that Docker Engine refuses the layer: `ErrDuplicatePath` in tar-split's
    /// `tar/storage/packer.go`. The path of the root is empty.
    pub fn duplicate_path(&self) -> Option<&[u8]> {
        self.unpacked.duplicate.as_deref()
    }
}

/// Compares layers, but not where their memory is charged.
impl PartialEq for LayerChangeset {
    fn eq(&self, other: &Self) -> bool {
        let Self { unpacked, stored_bytes, decompressed_bytes, decompressed_digest, memory_size, _charge: _ } = self;
        *unpacked == other.unpacked
            && *stored_bytes == other.stored_bytes
            && *decompressed_bytes == other.decompressed_bytes
            && *decompressed_digest == other.decompressed_digest
            && *memory_size == other.memory_size
    }
}

impl Eq for LayerChangeset {}

/// The files in which container runtimes look up the image's user. They are kept although they are not executable.
const ACCOUNT_FILES: [&[u8]; 2] = [b"etc/passwd", b"etc/group"];

/// Reads a layer to its end, with a memory budget of its own. For tests and fuzzing; inspection uses
/// [`read_layer_within`].
///
/// # Errors
/// The transfer failed, the content has another digest, the layer is damaged, or it exceeds a limit.
pub fn read_layer(layer: impl Read, digest: &Digest, limits: &LayerLimits) -> Result<LayerChangeset, LayerError> {
    read_layer_within(layer, digest, limits, &MemoryBudget::unlimited())
}

/// Reads a layer to its end, with the memory for its names and for the decoder's window from a budget. The caller
/// charges the buffers of the transfer.
///
/// # Errors
/// Same as [`read_layer`]; [`LimitExceeded::TotalMemory`] if the budget is used up.
pub fn read_layer_within(
    layer: impl Read,
    digest: &Digest,
    limits: &LayerLimits,
    budget: &MemoryBudget,
) -> Result<LayerChangeset, LayerError> {
    let tar = DecompressReader::new(HashingReader::new(layer), limits, budget).map_err(LayerError::Transfer)?;
    let mut archive = TarReader::new(tar, limits);
    let mut charge = budget.start_charge();
    let unpacked = unpack_entries(&mut archive, limits, &mut charge);
    let tar = archive.into_inner();
    let (decompressed_bytes, decompressed_digest) = (tar.decompressed_bytes(), tar.decompressed_digest());
    if let Err(error @ LayerError::LimitExceeded(_)) = unpacked {
        return Err(error);
    }
    // Damage during transfer is reported as such, not as a damaged layer.
    let stored_bytes = match tar.into_inner().finish(limits.bytes).map_err(LayerError::Transfer)? {
        None => return Err(LimitExceeded::Bytes(limits.bytes).into()),
        Some((actual, _)) if actual != *digest => return Err(LayerError::DigestMismatch(actual)),
        Some((_, stored_bytes)) => stored_bytes,
    };
    let unpacked = unpacked?;
    let memory_size = unpacked.tree.memory_size();
    charge.set(unpacked.tree.resident_size())?;
    Ok(LayerChangeset {
        unpacked,
        stored_bytes,
        decompressed_bytes,
        decompressed_digest,
        memory_size,
        _charge: Arc::new(charge),
    })
}

/// Unpacks all entries up to the first that cannot be unpacked, and reads the others.
fn unpack_entries<R: Read>(
    archive: &mut TarReader<R>,
    limits: &LayerLimits,
    charge: &mut MemoryCharge,
) -> Result<UnpackedLayer, LayerError> {
    let mut unpacker = Unpacker::new(limits);
    let mut result = Ok(());
    let mut count = 0;
    while let Some(entry) = archive.next_entry()? {
        count += 1;
        if count > limits.entries {
            return Err(LimitExceeded::Entries(limits.entries).into());
        }
        if result.is_ok() {
            let path = clean_archive_path(&entry.name, limits)?;
            unpacker.note_name(&entry.name);
            result = unpacker.apply_entry(&path, read_content(archive, &entry, &path, limits)?);
        }
        if let Err(ApplyError::LimitExceeded(limit)) = result {
            return Err(limit.into());
        }
        charge.grow_to(unpacker.resident_size())?;
    }
    archive.drain()?;
    let layer = unpacker.finish(result);
    if let Some(ApplyError::LimitExceeded(limit)) = layer.error { Err(limit.into()) } else { Ok(layer) }
}

/// Reads what an entry with this normalized name creates.
fn read_content<'a, R: Read>(
    archive: &mut TarReader<R>,
    entry: &'a TarEntry,
    path: &[u8],
    limits: &LayerLimits,
) -> Result<EntryContent<'a>, LayerError> {
    if entry.link_target.len() > limits.path {
        return Err(LimitExceeded::Path(limits.path).into());
    }
    Ok(EntryContent::Node(match entry.kind {
        TarEntryKind::Unhandled => {
            return Err(LayerError::Archive("an entry of a type that no container runtime creates"));
        }
        TarEntryKind::HardLink => {
            return Ok(EntryContent::HardLink { target: &entry.link_target, permissions: entry.permissions });
        }
        TarEntryKind::NullDevice => return Ok(EntryContent::NullDevice),
        TarEntryKind::Symlink => Node::Symlink(entry.link_target.clone()),
        TarEntryKind::Directory => Node::Directory(entry.permissions),
        TarEntryKind::Special => Node::Special(entry.permissions),
        TarEntryKind::File if ACCOUNT_FILES.contains(&path) => {
            Node::File(entry.permissions, archive.read_contents(entry, ContentsCollector::for_account_file())?)
        }
        TarEntryKind::File if entry.permissions.mode & EXECUTE_BITS == 0 => {
            Node::File(entry.permissions, FileContents::with_size(entry.size))
        }
        TarEntryKind::File => {
            Node::File(entry.permissions, archive.read_contents(entry, ContentsCollector::default())?)
        }
    }))
}
