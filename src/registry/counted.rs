//! A registry that counts the bytes which it hands out.
//!
//! Does not count what a backend reads past: only what is kept costs memory.

use std::cell::Cell;

use super::{Answer, Manifest, Registry, RegistryError};
use crate::reference::{Digest, Selector};

/// Counts what another registry hands out.
#[derive(Debug)]
pub struct Counted<R> {
    registry: R,
    bytes: Cell<usize>,
}

impl<R> Counted<R> {
    /// Counts from zero.
    pub fn new(registry: R) -> Self {
        Self { registry, bytes: Cell::new(0) }
    }

    /// The bytes of manifests and blobs so far.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    fn count(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
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

    async fn resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        self.registry.resource_tag(key).await
    }
}
