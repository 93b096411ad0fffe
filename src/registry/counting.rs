//! Counts the bytes that a registry returns.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BlobReader, Lookup, Manifest, Registry, RegistryError};
use crate::name::{Digest, Selector};

/// A registry that counts the bytes that another registry returns.
#[derive(Debug)]
pub struct CountingRegistry<'a, R> {
    registry: &'a R,
    bytes: Arc<AtomicU64>,
}

impl<'a, R> CountingRegistry<'a, R> {
    /// Starts to count at zero.
    pub fn new(registry: &'a R) -> Self {
        Self { registry, bytes: Arc::default() }
    }

    /// Returns the bytes of manifests, configs and layers (as stored) so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl<R: Registry> Registry for CountingRegistry<'_, R> {
    async fn fetch_manifests(&self, selectors: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let replies = self.registry.fetch_manifests(selectors).await?;
        for reply in &replies {
            if let Lookup::Found(manifest) = reply {
                self.bytes.fetch_add(manifest.bytes.len() as u64, Ordering::Relaxed);
            }
        }
        Ok(replies)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let reply = self.registry.fetch_blob(digest, limit).await?;
        if let Lookup::Found(bytes) = &reply {
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(reply)
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let reply = self.registry.open_blob(digest).await?;
        Ok(reply.map(|inner| -> BlobReader { Box::new(CountingReader { inner, bytes: self.bytes.clone() }) }))
    }

    fn is_blob_file_missing(&self, digest: &Digest) -> bool {
        self.registry.is_blob_file_missing(digest)
    }

    async fn fetch_resource_tags(&self, declaration_key: &str) -> Result<Vec<(String, String)>, RegistryError> {
        self.registry.fetch_resource_tags(declaration_key).await
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
