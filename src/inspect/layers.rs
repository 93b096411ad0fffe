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

use super::{Inspector, Seen};
use crate::layers;
use crate::layers::{LayerError, LayerNames};
use crate::name::Digest;
use crate::oci::{Access, Layer};
use crate::registry::{Answer, Registry, RegistryError, Stream};
use crate::settings::Limits;

/// How often a layer is fetched before its transfer counts as failed; what fails twice is left to the retry of the
/// whole event.
const ATTEMPTS: usize = 2;

/// A lower layer is fetched beside the highest one only where this has more bytes: most small ones hold the program that
/// is asked for, and what lies below need not be read at all.
const LARGE: u64 = 8 * 1024 * 1024;

/// So many times as many layers may be begun as are read at a time, so that a slow one does not leave its neighbour's
/// place empty.
const AHEAD: usize = 2;

/// A layer's names, or what that means for the image that they are not known.
pub(super) type Names = Result<Arc<LayerNames>, Seen>;

/// The layers that are still to be looked at.
pub(super) struct Layers<'a, R> {
    registry: &'a R,
    inspector: &'a Inspector,
    deadline: Option<Instant>,
    below: std::iter::Rev<std::slice::Iter<'a, Layer>>,
    reading: FuturesOrdered<LocalBoxFuture<'a, Result<Names, RegistryError>>>,
    /// Whether one was not enough.
    is_deep: bool,
}

impl<'a, R: Registry> Layers<'a, R> {
    pub(super) fn new(
        registry: &'a R,
        inspector: &'a Inspector,
        layers: &'a [Layer],
        deadline: Option<Instant>,
    ) -> Self {
        let is_deep = layers.last().is_some_and(|layer| layer.size > LARGE);
        Self { registry, inspector, deadline, below: layers.iter().rev(), reading: FuturesOrdered::new(), is_deep }
    }

    /// The next lower layer; `None` below the lowest.
    ///
    /// # Errors
    /// Where the registry fails, as a retry may mend.
    pub(super) async fn next(&mut self) -> Result<Option<Names>, RegistryError> {
        let width = if self.is_deep { AHEAD * self.inspector.width } else { 1 };
        while self.reading.len() < width {
            let Some(layer) = self.below.next() else { break };
            let (registry, inspector, deadline) = (self.registry, self.inspector, self.deadline);
            self.reading.push_back(Box::pin(names(registry, inspector, layer, deadline)));
        }
        self.is_deep = true;
        self.reading.next().await.transpose()
    }
}

/// Reads one layer, unless it is known.
async fn names<R: Registry>(
    registry: &R,
    inspector: &Inspector,
    layer: &Layer,
    deadline: Option<Instant>,
) -> Result<Names, RegistryError> {
    match layer.access {
        Access::Open => {}
        Access::Encrypted => return Ok(Err(Seen::Unread("one of its layers is encrypted".to_owned()))),
        Access::Foreign => {
            return Ok(Err(Seen::Unread("one of its layers lies outside of the registry".to_owned())));
        }
    }
    let digest = &layer.digest;
    if let Some(known) = inspector.cache.get(digest) {
        return Ok(Ok(known));
    }
    // First, so that nobody who waits for another reader has a turn meanwhile.
    let _reading = inspector.cache.alone(digest).await;
    // In the order of the layers, which is that of their asking.
    let _turn = inspector.turns.acquire().await.expect("it is never closed");
    // One that came before may have read the same.
    if let Some(known) = inspector.cache.get(digest) {
        return Ok(Ok(known));
    }
    let mut failed = None;
    for _ in 0..ATTEMPTS {
        let stream = match registry.stream(digest).await {
            Ok(Answer::Found(stream)) => stream,
            Ok(Answer::Refused(reason)) => {
                return Ok(Err(Seen::Lost(format!("layer {} cannot be had: {reason}", digest.short()))));
            }
            Ok(Answer::Absent | Answer::Moved) => {
                return Ok(Err(Seen::Lost(format!("layer {} is not in the repository", digest.short()))));
            }
            Err(error @ RegistryError::Transfer { .. }) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let broken = |reason| RegistryError::Transfer { digest: digest.clone(), reason };
        match read(stream, digest, inspector.limits, deadline).await {
            Ok(names) => {
                let names = Arc::new(names);
                inspector.cache.put(digest, &names);
                return Ok(Ok(names));
            }
            Err(LayerError::Transfer(_)) if is_over(deadline) => return Ok(Err(Seen::Late)),
            Err(LayerError::Transfer(error)) => failed = Some(broken(error.to_string())),
            Err(LayerError::Digest(arrived)) => failed = Some(broken(format!("it has the digest {arrived}"))),
            Err(fact) => return Ok(Err(Seen::Unread(format!("layer {}: {fact}", digest.short())))),
        }
    }
    Err(failed.expect("at least one attempt was made"))
}

/// Why a transfer ends that takes too long; what is made of it, says [`Seen::Late`].
const LATE: &str = "its layers could not be read in the time there is";

/// Whether there is no more time.
pub(super) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Reads a layer on a thread of its own, since it waits for bytes and reckons long between them.
async fn read(
    stream: Stream,
    digest: &Digest,
    limits: Limits,
    deadline: Option<Instant>,
) -> Result<LayerNames, LayerError> {
    let wanted = Arc::new(AtomicBool::new(true));
    let leave = Leave(Arc::clone(&wanted));
    let digest = digest.clone();
    let guarded = Guarded { stream, wanted, deadline };
    let reading = tokio::task::spawn_blocking(move || layers::read(guarded, &digest, &limits));
    let read = reading.await.unwrap_or_else(|error| Err(LayerError::Transfer(io::Error::other(error))));
    drop(leave);
    read
}

/// Tells the thread, when it goes, that nobody waits for the layer any more.
struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A stream that ends with an error when its time is over or nobody waits for it.
struct Guarded {
    stream: Stream,
    wanted: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if is_over(self.deadline) || !self.wanted.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, LATE));
        }
        self.stream.read(buffer)
    }
}
