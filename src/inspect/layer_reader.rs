//! Reads one layer within the memory budget, or takes it from the cache. It is parsed while it arrives.

use std::io::{self, Read};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::cache::LayerCache;
use super::deadline;
use super::inspection::InspectionOutcome;
use crate::layers;
use crate::layers::{LayerChangeset, LayerError, MemoryBudget, MemoryCharge};
use crate::name::Digest;
use crate::oci::{ImageRefusal, Layer, LayerAccess, RefusedBy};
use crate::path::display_path;
use crate::registry::{BlobReader, Lookup, Registry, RegistryError};
use crate::settings::{InspectionLimits, LayerLimits, LimitExceeded};
use crate::text::sanitize_quoted;

/// The number of attempts to fetch a layer. Then only a retry of the whole event helps.
const MAX_FETCH_ATTEMPTS: usize = 2;

/// The memory that the transfer of a layer takes at most, in bytes: eight queued chunks of 400 KiB
/// (`MAX_QUEUED_CHUNKS` in `registry::transfer`), and the buffers of the connection, the decoder and the archive reader.
const TRANSFER_BYTES: usize = 4 * 1024 * 1024;

/// The limits, memory budget, cache and concurrency of layer reads, shared by all images.
#[derive(Debug)]
pub(super) struct LayerReader {
    pub(super) limits: LayerLimits,
    pub(super) budget: MemoryBudget,
    cache: Arc<LayerCache>,
    /// The number of layers that are read at the same time.
    pub(super) concurrency: usize,
    /// One permit for each.
    permits: Semaphore,
}

impl LayerReader {
    pub(super) fn new(limits: &InspectionLimits) -> Self {
        // Decompression takes most of the time, with one thread per layer. More than four would need too much memory
        // for network buffers and decoder windows.
        let concurrency = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).clamp(1, 4);
        let cache = Arc::new(LayerCache::new(limits.cache_bytes));
        let evictable = Arc::downgrade(&cache);
        let evict = move || evictable.upgrade().is_some_and(|cache| cache.evict_oldest());
        let budget = MemoryBudget::new(limits.total_memory, evict);
        Self { limits: limits.layers, budget, cache, concurrency, permits: Semaphore::new(concurrency) }
    }
}

/// A layer, or the outcome of the inspection if the layer is unknown, each with the reason why programs refuse the layer.
pub(super) struct LayerResult {
    pub(super) layer: Result<Arc<LayerChangeset>, InspectionOutcome>,
    pub(super) refusal: Option<ImageRefusal>,
    /// Whether the layer is unknown because the memory budget was used up. It may be known if nothing else is read.
    pub(super) is_out_of_memory: bool,
}

impl LayerResult {
    pub(super) fn unknown(outcome: InspectionOutcome) -> Self {
        Self { layer: Err(outcome), refusal: None, is_out_of_memory: false }
    }

    /// Creates the result for a layer that exceeds the memory budget.
    fn out_of_memory(limit: LimitExceeded) -> Self {
        Self { is_out_of_memory: true, ..Self::unknown(InspectionOutcome::Unreadable(limit.to_string())) }
    }

    /// Creates the result for a layer that was read, which may contradict the image's documents.
    fn read(layer: Arc<LayerChangeset>, described: &Layer) -> Self {
        let refusal = detect_contradiction(&layer, described);
        Self { layer: Ok(layer), refusal, is_out_of_memory: false }
    }

    /// Creates the result for a layer that cannot be read, also not by some programs.
    fn refused(outcome: fn(String) -> InspectionOutcome, refused_by: RefusedBy, reason: String) -> Self {
        let refusal = Some(ImageRefusal::new(refused_by, reason.clone()));
        Self { refusal, ..Self::unknown(outcome(reason)) }
    }
}

/// Compares a layer with what manifest and config claim about it.
fn detect_contradiction(layer: &LayerChangeset, described: &Layer) -> Option<ImageRefusal> {
    let name = described.digest.short();
    let own_digest = layer.decompressed_digest.as_ref().unwrap_or(&described.digest);
    if described.diff_id.as_ref().is_some_and(|diff_id| diff_id != own_digest.as_str()) {
        // `Apply` in containerd's `rootfs/apply.go`: "wrong diff id calculated on extraction".
        let reason = format!("layer {name} has another content than its config lists under `diff_ids`");
        return Some(ImageRefusal::new(RefusedBy::ContainerdAndDocker, reason));
    }
    if described.is_plain_in_containerd && layer.decompressed_digest.is_some() {
        let reason = format!("layer {name} is compressed, but its media type says that it is not");
        return Some(ImageRefusal::new(RefusedBy::Containerd, reason));
    }
    if described.size != 0 && described.size != layer.stored_bytes {
        // `commit` in containerd's `content/local/writer.go`: "failed size validation".
        let (size, actual) = (described.size, layer.stored_bytes);
        let reason = format!("layer {name} has {actual} bytes, but its descriptor says {size}");
        return Some(ImageRefusal::new(RefusedBy::Containerd, reason));
    }
    let duplicate = layer.duplicate_path()?;
    let path = sanitize_quoted(&format!("/{}", display_path(duplicate)));
    Some(ImageRefusal::new(RefusedBy::Docker, format!("layer {name} has two entries for {path}")))
}

pub(super) fn describe_missing(layer: &Layer) -> String {
    format!("layer {} is not in the repository", layer.digest.short())
}

/// Reads one layer, unless it is in the cache.
pub(super) async fn load_layer<R: Registry>(
    registry: &R,
    reader: &LayerReader,
    layer: &Layer,
    deadline: Option<Instant>,
) -> Result<LayerResult, RegistryError> {
    let digest = &layer.digest;
    let unreadable = |reason: String| Ok(LayerResult::unknown(InspectionOutcome::Unreadable(reason)));
    let unavailable =
        |reason| Ok(LayerResult::unknown(InspectionOutcome::Unavailable(format!("layer {} {reason}", digest.short()))));
    match layer.access {
        LayerAccess::Readable => {}
        LayerAccess::Encrypted => return unreadable("one of the layers is encrypted".to_owned()),
        LayerAccess::Foreign => return unreadable("one of the layers is stored outside the registry".to_owned()),
    }
    // The cache may have the layer from another source.
    if registry.is_blob_file_missing(digest) {
        return Ok(LayerResult::refused(InspectionOutcome::Unavailable, RefusedBy::Everyone, describe_missing(layer)));
    }
    if let Some(known) = reader.cache.get(digest) {
        return Ok(LayerResult::read(known, layer));
    }
    // The lock is taken before the permit, so that a task that waits for another reader holds no permit.
    let _lock = reader.cache.lock_layer(digest).await;
    // Permits are granted in the order of requests, which is that of the layers.
    let _permit = reader.permits.acquire().await.expect("the semaphore is never closed");
    // Another task may have read the layer in the meantime.
    if let Some(known) = reader.cache.get(digest) {
        return Ok(LayerResult::read(known, layer));
    }
    let mut failure = None;
    for _ in 0..MAX_FETCH_ATTEMPTS {
        let charge = match reader.budget.charge(TRANSFER_BYTES) {
            Ok(charge) => charge,
            Err(limit) => return Ok(LayerResult::out_of_memory(limit)),
        };
        let stream = match registry.open_blob(digest).await {
            Ok(Lookup::Found(stream)) => stream,
            Ok(Lookup::Unavailable(reason)) => return unavailable(format!("is unavailable: {reason}")),
            Ok(Lookup::NotFound | Lookup::TagMoved) => return unavailable("is not in the repository".to_owned()),
            Err(error @ RegistryError::Transfer { .. }) => {
                failure = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let transfer_error = |reason| RegistryError::Transfer { digest: digest.clone(), reason };
        match read_layer(stream, digest, reader, charge, deadline).await {
            Ok(read) => {
                let read = Arc::new(read);
                reader.cache.insert(digest, &read);
                return Ok(LayerResult::read(read, layer));
            }
            Err(LayerError::Transfer(_)) if deadline::is_past(deadline) => {
                return Ok(LayerResult::unknown(InspectionOutcome::TimedOut));
            }
            Err(LayerError::Transfer(error)) => failure = Some(transfer_error(error.to_string())),
            Err(LayerError::DigestMismatch(actual)) => {
                failure = Some(transfer_error(format!("the received bytes have the digest {actual}")));
            }
            Err(LayerError::LimitExceeded(limit @ LimitExceeded::TotalMemory(_))) => {
                return Ok(LayerResult::out_of_memory(limit));
            }
            Err(error) => {
                let reason = format!("layer {}: {error}", digest.short());
                let refused_by = match error {
                    LayerError::Damaged(_) => RefusedBy::Everyone,
                    LayerError::Archive(_) => RefusedBy::ContainerRuntimes,
                    LayerError::Compression(_) => RefusedBy::SomeDecoders,
                    _ => return unreadable(reason),
                };
                return Ok(LayerResult::refused(InspectionOutcome::Unreadable, refused_by, reason));
            }
        }
    }
    Err(failure.expect("at least one attempt was made"))
}

/// Reads a layer on a thread of its own, because reads block and decompression takes long.
async fn read_layer(
    stream: BlobReader,
    digest: &Digest,
    reader: &LayerReader,
    charge: MemoryCharge,
    deadline: Option<Instant>,
) -> Result<LayerChangeset, LayerError> {
    // Dropped with this future, which cancels the thread.
    let owner = Arc::new(());
    let (digest, limits, budget) = (digest.clone(), reader.limits, reader.budget.clone());
    let stream = CancellableStream { stream, owner: Arc::downgrade(&owner), deadline };
    let thread = tokio::task::spawn_blocking(move || {
        let layer = layers::read_layer_within(stream, &digest, &limits, &budget);
        // A canceled thread still uses its memory.
        drop(charge);
        layer
    });
    let layer = thread.await.unwrap_or_else(|error| {
        // A decoder that panics does so every time. The event must not fail, so that the declared platform is reported.
        let defect = "ecr-preflight failed on it; please report this defect";
        Err(if error.is_panic() {
            LayerError::Unsupported(defect)
        } else {
            LayerError::Transfer(io::Error::other(error))
        })
    });
    drop(owner);
    layer
}

/// Stream that fails when its deadline has passed or its owner was dropped.
struct CancellableStream {
    stream: BlobReader,
    owner: Weak<()>,
    deadline: Option<Instant>,
}

impl Read for CancellableStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if deadline::is_past(self.deadline) || self.owner.strong_count() == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.read(buffer)
    }
}
