//! What was learnt of layers, kept between images: a base layer that many pushes share is read once.
//!
//! Does not outlive the process, and never grows beyond its bound.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::layers::LayerChangeset;
use crate::name::Digest;

/// Layers by their digests; those that were used least lately go first.
#[derive(Debug)]
pub struct LayerCache {
    /// How many bytes may be kept.
    max_bytes: usize,
    /// The latest used last.
    layers: Mutex<Vec<(Digest, Arc<LayerChangeset>)>>,
    /// Those that are being read now.
    in_progress: Mutex<Vec<(Digest, Weak<Turn<()>>)>>,
}

impl LayerCache {
    /// An empty cache for at most so many bytes; for none, it keeps nothing.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { max_bytes: most, layers: Mutex::default(), in_progress: Mutex::default() }
    }

    /// What is known of a layer.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<LayerChangeset>> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = layers.iter().position(|(known, _)| known == digest)?;
        let found = layers.remove(at);
        let names = Arc::clone(&found.1);
        layers.push(found);
        Some(names)
    }

    /// Waits until nobody else reads the layer, and keeps others from it until the guard is dropped: of images that are
    /// looked at beside each other, one reads the base that they share.
    pub(super) async fn lock_layer(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut reading = self.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
            reading.retain(|(_, turn)| turn.strong_count() > 0);
            let known = reading.iter().find(|(known, _)| known == digest).and_then(|(_, turn)| turn.upgrade());
            known.unwrap_or_else(|| {
                let turn = Arc::new(Turn::new(()));
                reading.push((digest.clone(), Arc::downgrade(&turn)));
                turn
            })
        };
        turn.lock_owned().await
    }

    /// Keeps what was learnt of a layer, unless it alone is more than may be kept.
    pub(super) fn insert(&self, digest: &Digest, names: &Arc<LayerChangeset>) {
        if names.memory_size > self.max_bytes {
            return;
        }
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|(known, _)| known != digest);
        layers.push((digest.clone(), Arc::clone(names)));
        let mut kept: usize = layers.iter().map(|(_, names)| names.memory_size).sum();
        while kept > self.max_bytes {
            kept -= layers.remove(0).1.memory_size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers;
    use crate::settings::LayerLimits;

    /// A layer of one empty directory, whose name has so many bytes.
    fn layer(name: usize) -> (Digest, Arc<LayerChangeset>) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        archive.append_data(&mut header, "n".repeat(name), std::io::empty()).unwrap();
        let bytes = archive.into_inner().unwrap();
        let digest = Digest::of(&bytes);
        let names = layers::read_layer(bytes.as_slice(), &digest, &LayerLimits::default()).unwrap();
        (digest, Arc::new(names))
    }

    #[test]
    fn what_was_used_least_lately_goes_first() {
        let [(a, one), (b, two), (c, three)] = [10, 11, 12].map(layer);
        let cache = LayerCache::new(two.memory_size + three.memory_size);
        cache.insert(&a, &one);
        cache.insert(&b, &two);
        assert!(cache.get(&a).is_some());
        cache.insert(&c, &three);
        assert_eq!([&a, &b, &c].map(|digest| cache.get(digest).is_some()), [true, false, true]);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_drives_nothing_out() {
        let [(a, one), (b, two)] = [10, 20].map(layer);
        let cache = LayerCache::new(one.memory_size);
        cache.insert(&a, &one);
        cache.insert(&b, &two);
        assert_eq!([&a, &b].map(|digest| cache.get(digest).is_some()), [true, false]);
    }
}
