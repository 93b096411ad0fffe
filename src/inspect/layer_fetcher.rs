//! Fetches the layers of one image from the top down, several at once. When a [`LayerFetcher`] is dropped, its transfers
//! end.

use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesOrdered;

use super::layer_reader::{LayerReader, LayerResult, describe_missing, load_layer};
use crate::oci::{ImageRefusal, Layer, LayerAccess, RefusedBy};
use crate::registry::{Registry, RegistryError};

/// The size of the top layer in bytes above which lower layers are fetched at the same time. Most small top layers
/// contain the program, so that the lower layers need not be read.
const PREFETCH_THRESHOLD: u64 = 8 * 1024 * 1024;

/// The number of requested layers per layer that is read at a time, so that a slow layer does not delay the others.
const PREFETCH_FACTOR: usize = 2;

/// How the layers of an image share the memory budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    /// Several layers are read at the same time, also of other images.
    Concurrent,
    /// One layer is read at a time, and none of another image.
    Alone,
}

/// Fetcher of the layers of one image.
pub(super) struct LayerFetcher<'a, R> {
    registry: &'a R,
    reader: &'a LayerReader,
    deadline: Option<Instant>,
    remaining: std::iter::Rev<std::slice::Iter<'a, Layer>>,
    in_flight: FuturesOrdered<LocalBoxFuture<'a, Result<LayerResult, RegistryError>>>,
    /// The number of layers that are requested at the same time if more than one is expected to be needed.
    max_in_flight: usize,
    /// Whether more than one layer is expected to be needed.
    is_prefetching: bool,
}

impl<'a, R: Registry> LayerFetcher<'a, R> {
    pub(super) fn new(
        registry: &'a R,
        reader: &'a LayerReader,
        layers: &'a [Layer],
        mode: ReadMode,
        deadline: Option<Instant>,
    ) -> Self {
        let is_prefetching = layers.last().is_some_and(|layer| layer.size > PREFETCH_THRESHOLD);
        let max_in_flight = if mode == ReadMode::Alone { 1 } else { PREFETCH_FACTOR * reader.concurrency };
        let (remaining, in_flight) = (layers.iter().rev(), FuturesOrdered::new());
        Self { registry, reader, deadline, remaining, in_flight, max_in_flight, is_prefetching }
    }

    /// Returns the next lower layer, or `None` after the lowest. Fails if the registry fails and a retry may succeed.
    pub(super) async fn next(&mut self) -> Result<Option<LayerResult>, RegistryError> {
        let width = if self.is_prefetching { self.max_in_flight } else { 1 };
        while self.in_flight.len() < width {
            let Some(layer) = self.remaining.next() else { break };
            self.in_flight.push_back(Box::pin(load_layer(self.registry, self.reader, layer, self.deadline)));
        }
        self.is_prefetching = true;
        self.in_flight.next().await.transpose()
    }
}

/// Finds a layer whose file is missing, although it may not be needed to know what starts: nothing can pull the image.
pub(super) fn find_missing_layer(registry: &impl Registry, layers: &[Layer]) -> Option<ImageRefusal> {
    let is_missing =
        |layer: &&Layer| layer.access == LayerAccess::Readable && registry.is_blob_file_missing(&layer.digest);
    let missing = layers.iter().find(is_missing)?;
    Some(ImageRefusal::new(RefusedBy::Everyone, describe_missing(missing)))
}
