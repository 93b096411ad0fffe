//! Images of Amazon ECR, and what runs them.

use crate::cli::declare::repository_argument::parse_repository;
use crate::consumer::{Consumer, ConsumerPlatform};
use crate::name::{EcrImage, Repository, RepositoryError, Selector};

/// A consumer of an image in Amazon ECR.
#[derive(Debug)]
pub(super) struct RunningImage {
    pub(super) consumer: Consumer,
    pub(super) image: EcrImage,
}

impl RunningImage {
    /// Selects the consumers of images in Amazon ECR, by repository. Others run images from elsewhere.
    pub(super) fn collect(consumers: Vec<Consumer>) -> Vec<Self> {
        let mut images: Vec<Self> = consumers
            .into_iter()
            .filter_map(|consumer| Some(Self { image: EcrImage::parse(&consumer.image)?, consumer }))
            .collect();
        images.sort_by_cached_key(|one| (one.image.repository.name().to_owned(), one.image.repository.to_string()));
        images
    }

    /// Returns what selects the image that runs: what the tag pointed at when the consumer started, if that is known.
    pub(super) fn selector(&self) -> Selector {
        self.consumer.digest.clone().map_or_else(|| self.image.selector(), Selector::Digest)
    }

    /// Names the consumer: `prod/web#app`.
    pub(super) fn consumer_name(&self) -> String {
        let Consumer { name, container, .. } = &self.consumer;
        if container.is_empty() { name.clone() } else { format!("{name}#{container}") }
    }

    /// Whether the same image, platform and start were checked for another consumer.
    pub(super) fn has_same_result(&self, other: &Self) -> bool {
        self.image.repository == other.image.repository
            && self.selector() == other.selector()
            && self.consumer.service == other.consumer.service
            && self.consumer.runtime() == other.consumer.runtime()
            && self.consumer.start == other.consumer.start
    }

    /// Whether it runs Windows, which is not checked.
    pub(super) fn is_windows(&self) -> bool {
        self.consumer.platform == ConsumerPlatform::Windows
    }
}

/// Which repositories are listed.
#[derive(Debug)]
pub(super) enum RepositoryFilter {
    All,
    /// Those with this name, in any registry.
    Named(String),
    /// This one.
    Exactly(Repository),
}

impl RepositoryFilter {
    /// Parses the argument REPOSITORY.
    ///
    /// # Errors
    /// It is not a valid name, URI or ARN.
    pub(super) fn new(argument: Option<&str>) -> Result<Self, RepositoryError> {
        let Some(text) = argument else { return Ok(Self::All) };
        Ok(parse_repository(text)?.map_or_else(|| Self::Named(text.to_owned()), Self::Exactly))
    }

    /// The region of the repository, if the argument names it.
    pub(super) fn region(&self) -> Option<&str> {
        match self {
            Self::Exactly(repository) => Some(repository.region()),
            Self::All | Self::Named(_) => None,
        }
    }

    pub(super) fn matches(&self, repository: &Repository) -> bool {
        match self {
            Self::All => true,
            Self::Named(name) => repository.name() == name,
            Self::Exactly(one) => one == repository,
        }
    }
}
