//! A repository that is asked at the audit's pace, and for its resource tags only once.
//!
//! Does not remember anything of its images.

use std::rc::Rc;

use tokio::sync::OnceCell;

use super::pace::Pace;
use crate::name::{Digest, Selector};
use crate::registry::ecr::EcrRepository;
use crate::registry::{Answer, Manifest, Registry, RegistryError, Stream};

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
        pace: &Pace,
        key: &str,
    ) -> Result<Option<&str>, RegistryError> {
        let tags = self.0.get_or_try_init(|| pace.ask(async || repository.resource_tags().await)).await?;
        Ok(tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()))
    }
}

/// One repository.
pub(super) struct Patient<'a> {
    pub(super) repository: EcrRepository,
    pub(super) tags: Rc<ResourceTags>,
    pub(super) pace: &'a Pace,
}

impl Registry for Patient<'_> {
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        self.pace.ask(async || self.repository.manifests(which).await).await
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        self.pace.ask(async || self.repository.blob(digest, limit).await).await
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        self.pace.ask(async || self.repository.stream(digest).await).await
    }

    async fn resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        let value = self.tags.value(&self.repository, self.pace, key).await?;
        Ok(value.map(str::to_owned))
    }
}
