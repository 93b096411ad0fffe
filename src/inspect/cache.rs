//! What was learnt of layers, kept between images: a base layer that many pushes share is read once.
//!
//! Does not outlive the process, and never grows beyond its bound.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::layers::LayerNames;
use crate::name::Digest;

/// Layers by their digests; those that were used least lately go first.
#[derive(Debug)]
pub struct Cache {
    /// How many bytes may be kept.
    most: usize,
    /// The latest used last.
    layers: Mutex<Vec<(Digest, Arc<LayerNames>)>>,
    /// Those that are being read now.
    reading: Mutex<Vec<(Digest, Weak<Turn<()>>)>>,
}

impl Cache {
    /// An empty cache for at most so many bytes; for none, it keeps nothing.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, layers: Mutex::default(), reading: Mutex::default() }
    }

    /// What is known of a layer.
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<LayerNames>> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = layers.iter().position(|(known, _)| known == digest)?;
        let found = layers.remove(at);
        let names = Arc::clone(&found.1);
        layers.push(found);
        Some(names)
    }

    /// Waits until nobody else reads the layer, and keeps others from it until the guard is dropped: of images that are
    /// looked at beside each other, one reads the base that they share.
    pub(super) async fn alone(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
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
    pub(super) fn put(&self, digest: &Digest, names: &Arc<LayerNames>) {
        if names.kept > self.most {
            return;
        }
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|(known, _)| known != digest);
        layers.push((digest.clone(), Arc::clone(names)));
        let mut kept: usize = layers.iter().map(|(_, names)| names.kept).sum();
        while kept > self.most {
            kept -= layers.remove(0).1.kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers;
    use crate::settings::Limits;

    /// A layer of one empty directory, whose name has so many bytes.
    fn layer(name: usize) -> (Digest, Arc<LayerNames>) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        archive.append_data(&mut header, "n".repeat(name), std::io::empty()).unwrap();
        let bytes = archive.into_inner().unwrap();
        let digest = Digest::of(&bytes);
        let names = layers::read(bytes.as_slice(), &digest, &Limits::default()).unwrap();
        (digest, Arc::new(names))
    }

    #[test]
    fn what_was_used_least_lately_goes_first() {
        let [(a, one), (b, two), (c, three)] = [10, 11, 12].map(layer);
        let cache = Cache::new(two.kept + three.kept);
        cache.put(&a, &one);
        cache.put(&b, &two);
        assert!(cache.get(&a).is_some());
        cache.put(&c, &three);
        assert_eq!([&a, &b, &c].map(|digest| cache.get(digest).is_some()), [true, false, true]);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_drives_nothing_out() {
        let [(a, one), (b, two)] = [10, 20].map(layer);
        let cache = Cache::new(one.kept);
        cache.put(&a, &one);
        cache.put(&b, &two);
        assert_eq!([&a, &b].map(|digest| cache.get(digest).is_some()), [true, false]);
    }
}
