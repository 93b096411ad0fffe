//! Selects one image in a repository.

use super::digest::Digest;
use super::tag::Tag;

/// Selects an image by digest, by tag, or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The image that the tag points at now.
    Tag(Tag),
    /// The image with this digest, whatever points at it.
    Digest(Digest),
    /// The image with this digest, if the tag still points at it.
    DigestAndTag(Digest, Tag),
}

impl Selector {
    /// Creates the selector for a digest and a tag; `None` if both are missing.
    pub fn new(digest: Option<Digest>, tag: Option<Tag>) -> Option<Self> {
        match (digest, tag) {
            (Some(digest), Some(tag)) => Some(Self::DigestAndTag(digest, tag)),
            (Some(digest), None) => Some(Self::Digest(digest)),
            (None, Some(tag)) => Some(Self::Tag(tag)),
            (None, None) => None,
        }
    }

    /// Returns the digest, if there is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) | Self::DigestAndTag(digest, _) => Some(digest),
        }
    }

    /// Returns the tag, if there is one.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Digest(_) => None,
            Self::Tag(tag) | Self::DigestAndTag(_, tag) => Some(tag),
        }
    }
}
