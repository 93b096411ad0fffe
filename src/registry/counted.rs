//! A registry that counts the bytes which it hands out.
//!
//! Does not count what a backend reads past: only what is handed out was of use.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Answer, Manifest, Registry, RegistryError, Stream};
use crate::name::{Digest, Selector};

/// Counts what another registry hands out.
#[derive(Debug)]
pub struct Counted<R> {
    registry: R,
    bytes: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Counts from zero.
    pub fn new(registry: R) -> Self {
        Self { registry, bytes: Arc::default() }
    }

    /// The bytes of manifests, configs and layers so far, the latter as stored.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<R: Registry> Registry for Counted<R> {
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        let answers = self.registry.manifests(which).await?;
        for answer in &answers {
            if let Answer::Found(manifest) = answer {
                self.count(manifest.bytes.len());
            }
        }
        Ok(answers)
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        let answer = self.registry.blob(digest, limit).await?;
        if let Answer::Found(bytes) = &answer {
            self.count(bytes.len());
        }
        Ok(answer)
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        let bytes = Arc::clone(&self.bytes);
        let answer = self.registry.stream(digest).await?;
        Ok(answer.map(|stream| -> Stream { Box::new(CountedStream { stream, bytes }) }))
    }

    async fn resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        self.registry.resource_tag(key).await
    }
}

struct CountedStream {
    stream: Stream,
    bytes: Arc<AtomicU64>,
}

impl Read for CountedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
