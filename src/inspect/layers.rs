//! The layers of one image, from the highest to the lowest: fetched beside each other, each read while it arrives.
//!
//! Does not read further than it is asked to; dropped, its transfers end.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;

use super::{InspectionOutcome, Inspector};
use crate::layers;
use crate::layers::{LayerChangeset, LayerError};
use crate::name::Digest;
use crate::oci::{Layer, LayerAccess};
use crate::registry::{BlobReader, Lookup, Registry, RegistryError};
use crate::settings::LayerLimits;

/// How often a layer is fetched before its transfer counts as failed; what fails twice is left to the retry of the
/// whole event.
const MAX_FETCH_ATTEMPTS: usize = 2;

/// A lower layer is fetched beside the highest one only where this has more bytes: most small ones hold the program that
/// is asked for, and what lies below need not be read at all.
const PREFETCH_THRESHOLD: u64 = 8 * 1024 * 1024;

/// So many times as many layers may be begun as are read at a time, so that a slow one does not leave its neighbour's
/// place empty.
const PREFETCH_FACTOR: usize = 2;

/// A layer's names, or what that means for the image that they are not known.
pub(super) type LayerResult = Result<Arc<LayerChangeset>, InspectionOutcome>;

/// The layers that are still to be looked at.
pub(super) struct LayerFetcher<'a, R> {
    registry: &'a R,
    inspector: &'a Inspector,
    deadline: Option<Instant>,
    remaining: std::iter::Rev<std::slice::Iter<'a, Layer>>,
    in_flight: FuturesOrdered<LocalBoxFuture<'a, Result<LayerResult, RegistryError>>>,
    /// Whether one was not enough.
    is_prefetching: bool,
}

impl<'a, R: Registry> LayerFetcher<'a, R> {
    pub(super) fn new(
        registry: &'a R,
        inspector: &'a Inspector,
        layers: &'a [Layer],
        deadline: Option<Instant>,
    ) -> Self {
        let is_deep = layers.last().is_some_and(|layer| layer.size > PREFETCH_THRESHOLD);
        Self {
            registry,
            inspector,
            deadline,
            remaining: layers.iter().rev(),
            in_flight: FuturesOrdered::new(),
            is_prefetching: is_deep,
        }
    }

    /// The next lower layer; `None` below the lowest.
    ///
    /// # Errors
    /// Where the registry fails, as a retry may mend.
    pub(super) async fn next(&mut self) -> Result<Option<LayerResult>, RegistryError> {
        let width = if self.is_prefetching { PREFETCH_FACTOR * self.inspector.concurrency } else { 1 };
        while self.in_flight.len() < width {
            let Some(layer) = self.remaining.next() else { break };
            let (registry, inspector, deadline) = (self.registry, self.inspector, self.deadline);
            self.in_flight.push_back(Box::pin(load_layer(registry, inspector, layer, deadline)));
        }
        self.is_prefetching = true;
        self.in_flight.next().await.transpose()
    }
}

/// Reads one layer, unless it is known.
async fn load_layer<R: Registry>(
    registry: &R,
    inspector: &Inspector,
    layer: &Layer,
    deadline: Option<Instant>,
) -> Result<LayerResult, RegistryError> {
    match layer.access {
        LayerAccess::Readable => {}
        LayerAccess::Encrypted => {
            return Ok(Err(InspectionOutcome::Unreadable("one of its layers is encrypted".to_owned())));
        }
        LayerAccess::Foreign => {
            return Ok(Err(InspectionOutcome::Unreadable("one of its layers lies outside of the registry".to_owned())));
        }
    }
    let digest = &layer.digest;
    if let Some(known) = inspector.cache.get(digest) {
        return Ok(Ok(known));
    }
    // First, so that nobody who waits for another reader has a turn meanwhile.
    let _reading = inspector.cache.lock_layer(digest).await;
    // In the order of the layers, which is that of their asking.
    let _turn = inspector.permits.acquire().await.expect("it is never closed");
    // One that came before may have read the same.
    if let Some(known) = inspector.cache.get(digest) {
        return Ok(Ok(known));
    }
    let mut failed = None;
    for _ in 0..MAX_FETCH_ATTEMPTS {
        let stream = match registry.open_blob(digest).await {
            Ok(Lookup::Found(stream)) => stream,
            Ok(Lookup::Unavailable(reason)) => {
                return Ok(Err(InspectionOutcome::Unavailable(format!(
                    "layer {} cannot be had: {reason}",
                    digest.short()
                ))));
            }
            Ok(Lookup::NotFound | Lookup::TagMoved) => {
                return Ok(Err(InspectionOutcome::Unavailable(format!(
                    "layer {} is not in the repository",
                    digest.short()
                ))));
            }
            Err(error @ RegistryError::Transfer { .. }) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let broken = |reason| RegistryError::Transfer { digest: digest.clone(), reason };
        match read_layer(stream, digest, inspector.limits, deadline).await {
            Ok(names) => {
                let names = Arc::new(names);
                inspector.cache.insert(digest, &names);
                return Ok(Ok(names));
            }
            Err(LayerError::Transfer(_)) if is_past_deadline(deadline) => return Ok(Err(InspectionOutcome::TimedOut)),
            Err(LayerError::Transfer(error)) => failed = Some(broken(error.to_string())),
            Err(LayerError::DigestMismatch(arrived)) => failed = Some(broken(format!("it has the digest {arrived}"))),
            Err(fact) => return Ok(Err(InspectionOutcome::Unreadable(format!("layer {}: {fact}", digest.short())))),
        }
    }
    Err(failed.expect("at least one attempt was made"))
}

/// Why a transfer ends that takes too long; what is made of it, says [`Seen::Late`].
const DEADLINE_PASSED: &str = "its layers could not be read in the time there is";

/// Whether there is no more time.
pub(super) fn is_past_deadline(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Reads a layer on a thread of its own, since it waits for bytes and reckons long between them.
async fn read_layer(
    stream: BlobReader,
    digest: &Digest,
    limits: LayerLimits,
    deadline: Option<Instant>,
) -> Result<LayerChangeset, LayerError> {
    let wanted = Arc::new(AtomicBool::new(true));
    let leave = CancelOnDrop(Arc::clone(&wanted));
    let digest = digest.clone();
    let guarded = CancellableStream { stream, is_needed: wanted, deadline };
    let reading = tokio::task::spawn_blocking(move || layers::read_layer(guarded, &digest, &limits));
    let read = reading.await.unwrap_or_else(|error| Err(LayerError::Transfer(io::Error::other(error))));
    drop(leave);
    read
}

/// Tells the thread, when it goes, that nobody waits for the layer any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A stream that ends with an error when its time is over or nobody waits for it.
struct CancellableStream {
    stream: BlobReader,
    is_needed: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Read for CancellableStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if is_past_deadline(self.deadline) || !self.is_needed.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, DEADLINE_PASSED));
        }
        self.stream.read(buffer)
    }
}
