//! The names of things: digests, tags, repositories. Pure; every name is checked once, here.
//!
//! Does not know what an image is, nor where it is read.

mod digest;
mod tag;
mod verdict_tag;
mod repository;
#[cfg(feature = "cli")]
mod image_reference;

pub use digest::{Digest, DigestError};
#[cfg(feature = "cli")]
pub use image_reference::{RemoteRepository, RemoteRepositoryError};
pub use repository::{Repository, RepositoryError, repository_arn};
pub use tag::{Tag, TagError};
pub use verdict_tag::VERDICT_TAG_PREFIX;

/// Which image of a repository is meant: by digest, by tag, or by both, where the registry is to confirm that they
/// still belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Whatever the tag points at now.
    Tag(Tag),
    /// These bytes, whatever points at them.
    Digest(Digest),
    /// These bytes, as long as the tag still points at them.
    DigestAndTag(Digest, Tag),
}

impl Selector {
    /// The selector for what an event or a user gave; `None` where neither is known.
    #[must_use]
    pub fn new(digest: Option<Digest>, tag: Option<Tag>) -> Option<Self> {
        match (digest, tag) {
            (Some(digest), Some(tag)) => Some(Self::DigestAndTag(digest, tag)),
            (Some(digest), None) => Some(Self::Digest(digest)),
            (None, Some(tag)) => Some(Self::Tag(tag)),
            (None, None) => None,
        }
    }

    /// The digest that the answer must have, where one is known beforehand.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) | Self::DigestAndTag(digest, _) => Some(digest),
        }
    }

    /// The tag, where one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Digest(_) => None,
            Self::Tag(tag) | Self::DigestAndTag(_, tag) => Some(tag),
        }
    }
}
