//! The arrival of an image in a repository, and the reasons to ignore one.

use serde::{Serialize, Serializer};

use crate::name::{Repository, Selector, Tag};

/// How an image came into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalKind {
    /// The image was pushed.
    Push,
    /// The image was replicated from another region or account.
    Replica,
    /// The image was fetched from an upstream registry by a pull-through cache rule.
    PullThroughCache,
    /// The image was already there and `audit --via-lambda` requests a check. Nobody is notified and no tag is written.
    Audit,
}

/// An image that came into a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// How it came.
    pub how: ArrivalKind,
    /// The repository that contains it now: for a replica, the destination.
    pub repository: Repository,
    /// The image. Its tag is the one that the event names.
    pub selector: Selector,
    /// The ID of the event; empty if it has none.
    pub event_id: String,
    /// For an audit: other tags of the image that declare nothing different, so the result applies to them too.
    pub also_tagged: Vec<Tag>,
    /// For an audit: when the image was pushed, as an RFC 3339 date in UTC.
    pub pushed_at: Option<String>,
}

impl Arrival {
    /// The reference of the image, as a client would pull it.
    #[must_use]
    pub fn reference(&self) -> String {
        match (self.selector.tag(), self.selector.digest()) {
            (None, Some(digest)) => format!("{}@{digest}", self.repository),
            (tag, _) => self.repository.uri_with_tag(tag),
        }
    }
}

/// Why an event, or the image that it announces, is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreReason {
    /// The event announces something else: a deletion, an archival, a failure, another service.
    NotAnArrival,
    /// The image has no tag. Usually it is the child of an index that is tagged a moment later.
    Untagged,
    /// The tag is a verdict tag of this program.
    VerdictTag,
    /// The content is not an image: a Helm chart, a signature, an SBOM, a build cache, …
    Artifact,
    /// The content is an attestation of an image, and is not tagged.
    Attestation,
    /// The tag points at another image by now, which has its own event.
    Superseded,
    /// The image is no longer in the repository.
    Deleted,
}

impl IgnoreReason {
    /// The name, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAnArrival => "not-an-arrival",
            Self::Untagged => "untagged",
            Self::VerdictTag => "verdict-tag",
            Self::Artifact => "artifact",
            Self::Attestation => "attestation",
            Self::Superseded => "superseded",
            Self::Deleted => "deleted",
        }
    }
}

impl Serialize for IgnoreReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
