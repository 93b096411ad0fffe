//! The arrival of an image in a repository, and the reasons to ignore it.

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
    /// `audit --via-lambda` requests a check of an existing image. No message is sent and no tag is written.
    Audit,
    /// What runs the image has changed.
    Consumer,
    /// A task that ran the image has stopped.
    StoppedTask,
}

/// An image that came into a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// How it came.
    pub how: ArrivalKind,
    /// The repository; for a replica, the destination.
    pub repository: Repository,
    /// The image, by the digest and tag in the event.
    pub selector: Selector,
    /// The ID of the event; empty if it has none.
    pub event_id: String,
    /// Only for an audit: other tags of the image, which declare the same runtimes and therefore have the same result.
    pub also_tagged: Vec<Tag>,
    /// Only for an audit: when the image was pushed, as an RFC 3339 date in UTC.
    pub pushed_at: Option<String>,
    /// When the event was sent, as an RFC 3339 date in UTC.
    pub sent_at: Option<String>,
    /// Only for a replica: the repository that it was replicated from, if the event names it.
    pub source: Option<Repository>,
    /// Only for a pull-through cache: the host of the upstream registry, if the event names it.
    pub upstream: Option<String>,
}

impl Arrival {
    /// Returns the reference by which a client can pull the image.
    pub fn reference(&self) -> String {
        match (self.selector.tag(), self.selector.digest()) {
            (None, Some(digest)) => format!("{}@{digest}", self.repository),
            (tag, _) => self.repository.uri_with_tag(tag),
        }
    }
}

/// Why an event or its image is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreReason {
    /// The event announces something else, for example a deletion or a failure.
    NotAnArrival,
    /// The image has no tag. Usually it is the child of an index that is pushed next.
    Untagged,
    /// The tag is a verdict tag of this program.
    VerdictTag,
    /// The content is not an image: a Helm chart, a signature, an SBOM, a build cache, …
    Artifact,
    /// The content is an untagged attestation of an image.
    Attestation,
    /// The tag now points at another image, which has its own event.
    Superseded,
    /// The image is no longer in the repository.
    Deleted,
    /// The image is in another account than the function.
    OtherAccount,
    /// The setting `PREFLIGHT_EXCLUDED_REPOSITORIES` excludes its repository.
    ExcludedRepository,
}

impl IgnoreReason {
    /// Returns the name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAnArrival => "not-an-arrival",
            Self::Untagged => "untagged",
            Self::VerdictTag => "verdict-tag",
            Self::Artifact => "artifact",
            Self::Attestation => "attestation",
            Self::Superseded => "superseded",
            Self::Deleted => "deleted",
            Self::OtherAccount => "other-account",
            Self::ExcludedRepository => "excluded-repository",
        }
    }
}

impl Serialize for IgnoreReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
