//! A cache of layers, so that a base layer that many images share is read once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::layers::LayerChangeset;
use crate::name::Digest;

/// Cache of layers by digest. The least recently used layers are evicted first.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// The maximum size of all cached layers in bytes.
    max_bytes: usize,
    /// The most recently used layer is last.
    layers: Mutex<Vec<(Digest, Arc<LayerChangeset>)>>,
    /// The layers that are being read, each with a lock.
    in_progress: Mutex<Vec<(Digest, Weak<AsyncMutex<()>>)>>,
}

impl LayerCache {
    /// Creates an empty cache of at most `max_bytes`; 0 disables it.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, layers: Mutex::default(), in_progress: Mutex::default() }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<LayerChangeset>> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let index = layers.iter().position(|(known, _)| known == digest)?;
        let used = layers.remove(index);
        let layer = Arc::clone(&used.1);
        layers.push(used);
        Some(layer)
    }

    /// Waits until no other task reads the layer, and locks it until the guard is dropped, so that concurrent
    /// inspections read a shared base layer only once.
    pub(super) async fn lock_layer(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let lock = {
            let mut in_progress = self.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
            in_progress.retain(|(_, lock)| lock.strong_count() > 0);
            let known = in_progress.iter().find(|(known, _)| known == digest).and_then(|(_, lock)| lock.upgrade());
            known.unwrap_or_else(|| {
                let lock = Arc::new(AsyncMutex::new(()));
                in_progress.push((digest.clone(), Arc::downgrade(&lock)));
                lock
            })
        };
        lock.lock_owned().await
    }

    /// Removes the least recently used layer, and returns whether there was one. Its memory is free when no image uses it.
    pub(super) fn evict_oldest(&self) -> bool {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (!layers.is_empty()).then(|| layers.remove(0));
        // Dropped without the lock, because that takes long.
        drop(layers);
        oldest.is_some()
    }

    /// Inserts a layer, unless it alone exceeds the size of the cache.
    pub(super) fn insert(&self, digest: &Digest, layer: &Arc<LayerChangeset>) {
        if layer.memory_size > self.max_bytes {
            return;
        }
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|(known, _)| known != digest);
        layers.push((digest.clone(), Arc::clone(layer)));
        let mut size: usize = layers.iter().map(|(_, layer)| layer.memory_size).sum();
        while size > self.max_bytes {
            size -= layers.remove(0).1.memory_size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers;
    use crate::settings::LayerLimits;

    /// A layer of one empty directory whose name has this many bytes.
    fn layer(name_length: usize) -> (Digest, Arc<LayerChangeset>) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        archive.append_data(&mut header, "n".repeat(name_length), std::io::empty()).unwrap();
        let bytes = archive.into_inner().unwrap();
        let digest = Digest::of(&bytes);
        let layer = layers::read_layer(bytes.as_slice(), &digest, &LayerLimits::default()).unwrap();
        (digest, Arc::new(layer))
    }

    #[test]
    fn least_recently_used_layer_is_evicted_first() {
        let [(a, one), (b, two), (c, three)] = [10, 11, 12].map(layer);
        let cache = LayerCache::new(two.memory_size + three.memory_size);
        cache.insert(&a, &one);
        cache.insert(&b, &two);
        assert!(cache.get(&a).is_some());
        cache.insert(&c, &three);
        assert_eq!([&a, &b, &c].map(|digest| cache.get(digest).is_some()), [true, false, true]);
    }

    #[test]
    fn layer_larger_than_the_cache_evicts_nothing() {
        let [(a, one), (b, two)] = [10, 20].map(layer);
        let cache = LayerCache::new(one.memory_size);
        cache.insert(&a, &one);
        cache.insert(&b, &two);
        assert_eq!([&a, &b].map(|digest| cache.get(digest).is_some()), [true, false]);
    }
}
