//! A registry that counts the bytes which it hands out.
//!
//! Does not count what a backend reads past: only what is handed out was of use.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BlobReader, Lookup, Manifest, Registry, RegistryError};
use crate::name::{Digest, Selector};

/// Counts what another registry hands out.
#[derive(Debug)]
pub struct CountingRegistry<R> {
    registry: R,
    bytes: Arc<AtomicU64>,
}

impl<R> CountingRegistry<R> {
    /// Counts from zero.
    pub fn new(registry: R) -> Self {
        Self { registry, bytes: Arc::default() }
    }

    /// The bytes of manifests, configs and layers so far, the latter as stored.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<R: Registry> Registry for CountingRegistry<R> {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let answers = self.registry.fetch_manifests(which).await?;
        for answer in &answers {
            if let Lookup::Found(manifest) = answer {
                self.add_bytes(manifest.bytes.len());
            }
        }
        Ok(answers)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let answer = self.registry.fetch_blob(digest, limit).await?;
        if let Lookup::Found(bytes) = &answer {
            self.add_bytes(bytes.len());
        }
        Ok(answer)
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let bytes = Arc::clone(&self.bytes);
        let answer = self.registry.open_blob(digest).await?;
        Ok(answer.map(|stream| -> BlobReader { Box::new(CountingReader { inner: stream, bytes }) }))
    }

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        self.registry.fetch_resource_tag(key).await
    }
}

struct CountingReader {
    inner: BlobReader,
    bytes: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
