//! Parses the `detail` of an event that announces an arrival.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Deserialize;
use serde_json::Value;

use super::arrival::{Arrival, ArrivalKind, IgnoreReason};
use crate::name::{DigestError, Repository, RepositoryError, Selector, Tag, TagError};

/// The event announces an arrival but is malformed. It is retried, then sent to the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum EventError {
    #[error("the detail of the `{detail_type}` event is malformed")]
    Detail { detail_type: String, source: serde_json::Error },
    #[error("the event has no `{0}`")]
    Missing(&'static str),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// The fields of all kinds of arrival: "Amazon ECR events and EventBridge" in the Amazon ECR user guide.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct EventDetail {
    action_type: Option<String>,
    result: Option<String>,
    sync_status: Option<String>,
    repository_name: Option<String>,
    image_digest: Option<String>,
    image_tag: Option<String>,
    manifest_media_type: Option<String>,
    artifact_media_type: Option<String>,
    // Only in replication events:
    source_account: Option<String>,
    source_region: Option<String>,
    // Only in events of pull-through caches:
    upstream_registry_url: Option<String>,
    // Only in audit events:
    also_tagged: Option<Vec<String>>,
    pushed_at: Option<String>,
}

impl EventDetail {
    pub(super) fn parse(event: &EventBridgeEvent<Value>) -> Result<Self, EventError> {
        Self::deserialize(&event.detail)
            .map_err(|source| EventError::Detail { detail_type: event.detail_type.clone(), source })
    }

    /// Returns the arrival that the event announces.
    pub(super) fn to_arrival(&self, event: &EventBridgeEvent<Value>, how: ArrivalKind) -> Result<Arrival, EventError> {
        let account = non_empty(event.account.as_ref()).ok_or(EventError::Missing("account"))?;
        let region = non_empty(event.region.as_ref()).ok_or(EventError::Missing("region"))?;
        let name = non_empty(self.repository_name.as_ref()).ok_or(EventError::Missing("repository-name"))?;
        let digest = non_empty(self.image_digest.as_ref()).map(str::parse).transpose()?;
        let tag = non_empty(self.image_tag.as_ref()).map(str::parse).transpose()?;
        let pushed_at = non_empty(self.pushed_at.as_ref()).filter(|date| has_date_characters(date));
        // Only remedies name the source: without it, or if it is malformed, they are less specific.
        let source = || {
            let (account, region) = (non_empty(self.source_account.as_ref())?, non_empty(self.source_region.as_ref())?);
            Repository::new(account, region, name).ok()
        };
        let upstream =
            || non_empty(self.upstream_registry_url.as_ref()).filter(|host| is_host(host)).map(str::to_owned);
        Ok(Arrival {
            how,
            repository: Repository::new(account, region, name)?,
            selector: Selector::new(digest, tag).ok_or(EventError::Missing("image-digest"))?,
            event_id: event.id.clone().unwrap_or_default(),
            also_tagged: self.also_tagged.iter().flatten().map(|tag| tag.parse()).collect::<Result<_, TagError>>()?,
            pushed_at: pushed_at.map(str::to_owned),
            sent_at: event.time.map(|time| time.to_rfc3339()),
            source: if how == ArrivalKind::Replica { source() } else { None },
            upstream: if how == ArrivalKind::PullThroughCache { upstream() } else { None },
        })
    }

    /// Returns the reason to ignore the arrival and the text that shows it; `None` if the event alone gives no reason.
    pub(super) fn ignore_reason(&self, how: ArrivalKind) -> Result<Option<(IgnoreReason, String)>, TagError> {
        let Some(tag) = non_empty(self.image_tag.as_ref()) else {
            // What runs an image may name it by its digest.
            if matches!(how, ArrivalKind::Consumer | ArrivalKind::StoppedTask) {
                return Ok(None);
            }
            return Ok(Some((IgnoreReason::Untagged, self.image_digest.clone().unwrap_or_default())));
        };
        let tag: Tag = tag.parse()?;
        Ok(if tag.is_verdict_tag() {
            Some((IgnoreReason::VerdictTag, tag.to_string()))
        } else if tag.is_referrer_tag() {
            Some((IgnoreReason::Artifact, tag.to_string()))
        } else {
            let manifest_type = self.manifest_media_type.as_deref().unwrap_or_default();
            let artifact_type = self.artifact_media_type.as_deref().unwrap_or_default();
            detect_artifact(manifest_type, artifact_type).map(|kind| (IgnoreReason::Artifact, kind.to_owned()))
        })
    }

    /// Describes the field that shows that the event does not announce a successful arrival; `None` if there is none.
    pub(super) fn describe_other_event(&self, how: ArrivalKind) -> Option<String> {
        let (action, result, status) = (&self.action_type, &self.result, &self.sync_status);
        let expected: &[_] = match how {
            ArrivalKind::Push => &[("action-type", action, "PUSH"), ("result", result, "SUCCESS")],
            ArrivalKind::Replica => &[("action-type", action, "REPLICATE"), ("result", result, "SUCCESS")],
            ArrivalKind::PullThroughCache => &[("sync-status", status, "SUCCESS")],
            ArrivalKind::Audit | ArrivalKind::Consumer | ArrivalKind::StoppedTask => &[],
        };
        let other = expected.iter().find(|(_, value, expected)| value.as_deref() != Some(*expected));
        other.map(|(name, value, _)| format!("{name} is `{}`", value.as_deref().unwrap_or_default()))
    }
}

/// Returns the type of the config if the media types alone show that the content is an artifact.
pub fn detect_artifact<'a>(manifest_type: &str, config_type: &'a str) -> Option<&'a str> {
    const SINGLE_MANIFESTS: [&str; 2] =
        ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
    const ARTIFACT_CONFIGS: [&str; 5] = [
        "application/vnd.cncf.helm.", "application/vnd.buildkit.cacheconfig.", "application/vnd.cncf.notary.",
        "application/vnd.amazon.soci.", "application/vnd.wasm.config.",
    ];
    let is_artifact = SINGLE_MANIFESTS.contains(&manifest_type)
        && ARTIFACT_CONFIGS.iter().any(|prefix| config_type.starts_with(prefix));
    is_artifact.then_some(config_type)
}

/// Returns the text, unless it is empty: ECR writes `"image-tag":""` for a push by digest.
fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Returns whether the text consists of characters of RFC 3339 dates. It is printed unchanged and never parsed.
pub(crate) fn has_date_characters(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(&byte))
}

/// Returns whether the text consists of characters of a host and a path. Commands contain it.
fn is_host(text: &str) -> bool {
    /// The longest host name: RFC 1035, section 2.3.4.
    const MAX_HOST_BYTES: usize = 253;
    text.len() <= MAX_HOST_BYTES
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/:".contains(&byte))
}
