//! A repository that is asked at the audit's pace, and for its resource tags only once.
//!
//! Does not remember anything of its images.

use std::rc::Rc;

use tokio::sync::OnceCell;

use super::throttle::AdaptiveLimiter;
use crate::name::{Digest, Selector};
use crate::registry::ecr::EcrRepository;
use crate::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

/// The resource tags of one repository, for all its images; read when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct ResourceTags(OnceCell<Vec<(String, String)>>);

impl ResourceTags {
    /// The value of one of them.
    ///
    /// # Errors
    /// Where they cannot be read; then they are read again for the next who asks.
    pub(super) async fn value(
        &self,
        repository: &EcrRepository,
        pace: &AdaptiveLimiter,
        key: &str,
    ) -> Result<Option<&str>, RegistryError> {
        let tags = self.0.get_or_try_init(|| pace.call(async || repository.fetch_resource_tags().await)).await?;
        Ok(tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()))
    }
}

/// One repository.
pub(super) struct ThrottledRegistry<'a> {
    pub(super) repository: EcrRepository,
    pub(super) tags: Rc<ResourceTags>,
    pub(super) limiter: &'a AdaptiveLimiter,
}

impl Registry for ThrottledRegistry<'_> {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        self.limiter.call(async || self.repository.fetch_manifests(which).await).await
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        self.limiter.call(async || self.repository.fetch_blob(digest, limit).await).await
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        self.limiter.call(async || self.repository.open_blob(digest).await).await
    }

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        let value = self.tags.value(&self.repository, self.limiter, key).await?;
        Ok(value.map(str::to_owned))
    }
}
