//! What arrived: an `EventBridge` event becomes an [`Arrival`] or a reason to ignore it.
//!
//! Does not read the registry. Unknown fields, action types and detail types are tolerated.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{DigestError, Repository, RepositoryError, Selector, Tag, TagError};

/// How an image came into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalKind {
    /// Somebody pushed it.
    Push,
    /// It was replicated from another region or account.
    Replica,
    /// It was fetched from an upstream registry by a pull-through cache rule.
    PullThroughCache,
    /// It was there before: the command line's `audit` asks about it. Nobody is told, and nothing is marked.
    Audit,
}

/// The source of the command line's own events; AWS keeps those that begin with `aws.` for itself.
pub const AUDIT_SOURCE: &str = "ecr-preflight";

/// Their type.
pub const AUDIT_DETAIL_TYPE: &str = "ECR Preflight Audit";

/// An image that came into a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// How it came.
    pub how: ArrivalKind,
    /// Where it is now: for a replica, the destination.
    pub repository: Repository,
    /// Which image; the tag is the one that the event named.
    pub selector: Selector,
    /// The event's own id; empty where it had none.
    pub event_id: String,
    /// Of an audit: the other tags of the image that declare no more than this one, and share its answer.
    pub also_tagged: Vec<Tag>,
    /// Of an audit: when the image was pushed, as an RFC 3339 date in UTC.
    pub pushed_at: Option<String>,
}

/// Why an event, or the image that it announces, is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreReason {
    /// The event tells of something else: a deletion, an archival, a failure, another service.
    NotAnArrival,
    /// The image has no tag: most often the child of an index that is tagged a moment later.
    Untagged,
    /// The tag is one that this program wrote.
    VerdictTag,
    /// It is not an image: a Helm chart, a signature, an SBOM, a build cache, …
    Artifact,
    /// It is an attestation that belongs to an image, and no runtime is declared for it.
    Attestation,
    /// The tag points at another image by now, which has an event of its own.
    Superseded,
    /// The image is no longer in the repository.
    Deleted,
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

impl IgnoreReason {
    /// Its stable spelling.
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

/// What an event turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An image to judge.
    Arrival(Arrival),
    /// Nothing to judge: why, the particulars for the log, and what arrived where that can be said.
    Ignored(IgnoreReason, String, Option<Arrival>),
}

/// The event announces an arrival but cannot be read; it is worth a place in the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum EventError {
    #[error("the detail of the `{detail_type}` event cannot be read")]
    Detail { detail_type: String, source: serde_json::Error },
    #[error("the event does not say its {0}")]
    Missing(&'static str),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// The `detail` of the kinds of arrival; the fields that any of them may leave out are optional.
/// From "Amazon ECR events and EventBridge" in the ECR user guide.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Detail {
    action_type: Option<String>,
    result: Option<String>,
    sync_status: Option<String>,
    repository_name: Option<String>,
    image_digest: Option<String>,
    image_tag: Option<String>,
    manifest_media_type: Option<String>,
    artifact_media_type: Option<String>,
    /// Of an audit.
    also_tagged: Option<Vec<String>>,
    /// Of an audit.
    pushed_at: Option<String>,
}

/// Whether it is an event of the command line's `audit`, whatever else it says.
#[must_use]
pub fn is_audit(event: &EventBridgeEvent<Value>) -> bool {
    event.source == AUDIT_SOURCE && event.detail_type == AUDIT_DETAIL_TYPE
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// Where it announces an arrival without saying what arrived where.
    pub fn parse(event: &EventBridgeEvent<Value>) -> Result<Self, EventError> {
        let how = match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecr", "ECR Image Action") => ArrivalKind::Push,
            ("aws.ecr", "ECR Replication Action") => ArrivalKind::Replica,
            ("aws.ecr", "ECR Pull Through Cache Action") => ArrivalKind::PullThroughCache,
            (AUDIT_SOURCE, AUDIT_DETAIL_TYPE) => ArrivalKind::Audit,
            ("aws.ecr", "ECR Referrer Action") => {
                return Ok(Self::Ignored(IgnoreReason::Artifact, "a referrer".to_owned(), None));
            }
            (source, kind) => {
                return Ok(Self::Ignored(IgnoreReason::NotAnArrival, format!("`{kind}` from `{source}`"), None));
            }
        };
        let detail = Detail::deserialize(&event.detail).map_err(|source| {
            let detail_type = event.detail_type.clone();
            EventError::Detail { detail_type, source }
        })?;
        if let Some(said) = detail.describe_other_event(how) {
            return Ok(Self::Ignored(IgnoreReason::NotAnArrival, said, None));
        }
        let arrival = detail.to_arrival(event, how);
        match detail.ignore_reason()? {
            Some((why, said)) => Ok(Self::Ignored(why, said, arrival.ok())),
            None => arrival.map(Self::Arrival),
        }
    }
}

impl Detail {
    /// What arrived where.
    fn to_arrival(&self, event: &EventBridgeEvent<Value>, how: ArrivalKind) -> Result<Arrival, EventError> {
        let account = non_empty(event.account.as_ref()).ok_or(EventError::Missing("account"))?;
        let region = non_empty(event.region.as_ref()).ok_or(EventError::Missing("region"))?;
        let name = non_empty(self.repository_name.as_ref()).ok_or(EventError::Missing("repository-name"))?;
        let repository = Repository::new(account, region, name)?;
        let digest = non_empty(self.image_digest.as_ref()).map(str::parse).transpose()?;
        let tag = non_empty(self.image_tag.as_ref()).map(str::parse).transpose()?;
        let selector = Selector::new(digest, tag).ok_or(EventError::Missing("image-digest"))?;
        let also_tagged = self.also_tagged.iter().flatten().map(|tag| tag.parse()).collect::<Result<_, TagError>>()?;
        let pushed_at = non_empty(self.pushed_at.as_ref()).filter(|date| has_date_characters(date)).map(str::to_owned);
        let event_id = event.id.clone().unwrap_or_default();
        Ok(Arrival { how, repository, selector, event_id, also_tagged, pushed_at })
    }

    /// Why the arrival is not to be judged, as far as the event itself tells.
    fn ignore_reason(&self) -> Result<Option<(IgnoreReason, String)>, TagError> {
        let Some(tag) = non_empty(self.image_tag.as_ref()) else {
            return Ok(Some((IgnoreReason::Untagged, self.image_digest.clone().unwrap_or_default())));
        };
        let tag: Tag = tag.parse()?;
        Ok(if tag.is_verdict_tag() {
            Some((IgnoreReason::VerdictTag, tag.to_string()))
        } else if tag.is_referrer_tag() {
            Some((IgnoreReason::Artifact, tag.to_string()))
        } else {
            let (manifest, config) = (self.manifest_media_type.as_deref(), self.artifact_media_type.as_deref());
            let kind = detect_artifact(manifest.unwrap_or_default(), config.unwrap_or_default());
            kind.map(|kind| (IgnoreReason::Artifact, kind.to_owned()))
        })
    }

    /// What the event tells of instead of an arrival.
    fn describe_other_event(&self, how: ArrivalKind) -> Option<String> {
        let (action, result, status) = (&self.action_type, &self.result, &self.sync_status);
        let expected: &[_] = match how {
            ArrivalKind::Push => &[("action-type", action, "PUSH"), ("result", result, "SUCCESS")],
            ArrivalKind::Replica => &[("action-type", action, "REPLICATE"), ("result", result, "SUCCESS")],
            ArrivalKind::PullThroughCache => &[("sync-status", status, "SUCCESS")],
            ArrivalKind::Audit => &[],
        };
        let other = expected.iter().find(|(_, value, good)| value.as_deref() != Some(*good));
        other.map(|(name, value, _)| format!("{name} is `{}`", value.as_deref().unwrap_or_default()))
    }
}

/// The media type of an artifact, where it is known by the types of its manifest and of its config to be no image: a
/// single manifest whose config is no image's. Saves the read; where the two say nothing certain, the manifest decides.
#[must_use]
pub fn detect_artifact<'a>(manifest: &str, config: &'a str) -> Option<&'a str> {
    const MANIFESTS: [&str; 2] =
        ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
    const ELSE: [&str; 5] = [
        "application/vnd.cncf.helm.",
        "application/vnd.buildkit.cacheconfig.",
        "application/vnd.cncf.notary.",
        "application/vnd.amazon.soci.",
        "application/vnd.wasm.config.",
    ];
    let is_known = MANIFESTS.contains(&manifest) && ELSE.iter().any(|prefix| config.starts_with(prefix));
    is_known.then_some(config)
}

/// A field that says something; ECR writes `"image-tag":""` for a push by digest.
fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether a text is made of what RFC 3339 dates are made of; it is shown as it is, and never counted with.
fn has_date_characters(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";

    /// An event with this detail; what is given replaces what a plain push has.
    fn read(detail_type: &str, changes: &Value) -> Result<Event, EventError> {
        let mut detail = json!({"result": "SUCCESS", "repository-name": "team/app", "image-digest": DIGEST,
            "action-type": "PUSH", "image-tag": "v1"});
        for (key, value) in changes.as_object().unwrap() {
            detail[key] = value.clone();
        }
        let source = if detail_type == AUDIT_DETAIL_TYPE { AUDIT_SOURCE } else { "aws.ecr" };
        let event = json!({"id": "1", "source": source, "detail-type": detail_type, "account": "123456789012",
            "region": "us-west-2", "detail": detail});
        Event::parse(&serde_json::from_value(event).unwrap())
    }

    #[test]
    fn arrivals_of_every_kind() {
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
        for (detail_type, how, changes) in [
            ("ECR Image Action", ArrivalKind::Push, json!({})),
            ("ECR Image Action", ArrivalKind::Push, json!({"image-digest": "", "new-field": {"a": [1]}})),
            (
                "ECR Image Action",
                ArrivalKind::Push,
                json!({"artifact-media-type": "application/vnd.cncf.helm.config.v1+json"}),
            ),
            ("ECR Replication Action", ArrivalKind::Replica, json!({"action-type": "REPLICATE", "source-region": "x"})),
            (
                "ECR Pull Through Cache Action",
                ArrivalKind::PullThroughCache,
                json!({"sync-status": "SUCCESS", "result": null}),
            ),
            ("ECR Preflight Audit", ArrivalKind::Audit, json!({"result": null, "action-type": null})),
        ] {
            let Ok(Event::Arrival(arrival)) = read(detail_type, &changes) else { panic!("{changes}") };
            assert_eq!((arrival.how, arrival.reference().as_str()), (how, uri), "{changes}");
        }
    }

    #[test]
    fn everything_else_is_ignored_with_a_reason() {
        let helm = json!({"artifact-media-type": "application/vnd.cncf.helm.config.v1+json",
            "manifest-media-type": "application/vnd.oci.image.manifest.v1+json"});
        let signature = json!({"image-tag": format!("{}.sig", DIGEST.replace(':', "-"))});
        for (detail_type, why, changes) in [
            ("ECR Image Action", "not-an-arrival", json!({"action-type": "DELETE"})),
            ("ECR Image Action", "not-an-arrival", json!({"action-type": "UPDATE_STORAGE_CLASS"})),
            ("ECR Image Action", "not-an-arrival", json!({"result": "FAILURE"})),
            ("ECR Image Action", "not-an-arrival", json!({"action-type": null})),
            ("ECR Image Scan", "not-an-arrival", json!({})),
            ("ECR Replication Action", "not-an-arrival", json!({})),
            ("ECR Pull Through Cache Action", "not-an-arrival", json!({"sync-status": "FAILURE"})),
            ("ECR Image Action", "untagged", json!({"image-tag": ""})),
            ("ECR Image Action", "untagged", json!({"image-tag": null})),
            ("ECR Image Action", "verdict-tag", json!({"image-tag": "preflight-fail-apprunner-3c949327e325"})),
            ("ECR Image Action", "verdict-tag", json!({"image-tag": "preflight-pass-ecs-arm64-3c949327e325"})),
            ("ECR Image Action", "artifact", signature),
            ("ECR Image Action", "artifact", helm.clone()),
            ("ECR Preflight Audit", "artifact", helm),
            ("ECR Preflight Audit", "untagged", json!({"image-tag": null})),
            ("ECR Referrer Action", "artifact", json!({})),
        ] {
            let Ok(Event::Ignored(found, ..)) = read(detail_type, &changes) else { panic!("{changes}") };
            assert_eq!(found.as_str(), why, "{changes}");
        }
    }

    #[test]
    fn an_audit_says_what_else_it_speaks_of() {
        for (changes, tags, pushed_at) in [
            (
                json!({"also-tagged": ["1.4", "latest"], "pushed-at": "2026-11-21T15:21:21Z"}),
                2,
                Some("2026-11-21T15:21:21Z"),
            ),
            (json!({"pushed-at": "<script>"}), 0, None),
            (json!({"pushed-at": "", "also-tagged": null}), 0, None),
        ] {
            let Ok(Event::Arrival(arrival)) = read(AUDIT_DETAIL_TYPE, &changes) else { panic!("{changes}") };
            assert_eq!((arrival.also_tagged.len(), arrival.pushed_at.as_deref()), (tags, pushed_at), "{changes}");
        }
        assert!(read(AUDIT_DETAIL_TYPE, &json!({"also-tagged": ["a b"]})).is_err());
    }

    #[test]
    fn an_arrival_that_cannot_be_read_is_an_error() {
        for (message, changes) in [
            ("the event does not say its repository-name", json!({"repository-name": null})),
            ("the detail of the `ECR Image Action` event cannot be read", json!({"image-tag": 7})),
            ("`Team` is not a repository name", json!({"repository-name": "Team"})),
            ("`sha256:x` is not a digest", json!({"image-digest": "sha256:x"})),
            ("`a b` is not a tag", json!({"image-tag": "a b"})),
        ] {
            let error = read("ECR Image Action", &changes).unwrap_err().to_string();
            assert!(error.starts_with(message), "{changes}: {error}");
        }
    }
}
