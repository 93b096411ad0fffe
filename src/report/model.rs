//! The parts of a report, as its JSON has them: schema `ecr-preflight/1`.
//!
//! Does not word them for people.

use serde::{Serialize, Serializer};

use super::Remedy;
use crate::event::{Arrival, ArrivalKind};
use crate::name::{Digest, Tag};
use crate::oci::{Image, ImageContent};
use crate::platform::Platform;
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// Where and how the image came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct ArrivalReport {
    pub how: ArrivalKind,
    pub account: String,
    pub region: String,
    pub repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// Of an audit: the image's other tags that share the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_tagged: Vec<Tag>,
    /// Of an audit: when the image was pushed, as an RFC 3339 date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<String>,
}

/// The image as it says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct ImageReport {
    pub reference: String,
    pub digest: Digest,
    pub media_type: String,
    pub kind: ReportedImageKind,
    pub platforms: Vec<Platform>,
}

/// What a manifest describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ReportedImageKind {
    Image,
    Index,
    Artifact,
}

/// The answer for one intended runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeReport {
    /// What it is about; serialised as its name.
    #[serde(rename = "runtime", serialize_with = "name")]
    pub subject: FindingSubject,
    /// The answer.
    pub verdict: Verdict,
    /// Why it could not be told.
    pub unknown: Vec<String>,
    /// What is wrong.
    pub faults: Vec<FaultReport>,
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultReport {
    /// What.
    pub code: FaultCode,
    /// The platform that the image claims where the fault lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What was seen.
    pub evidence: String,
    /// The words that the runtime would have shown, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symptom: Option<String>,
    /// What to do, the likeliest first.
    pub remedy: Vec<Remedy>,
    /// What each of these does, in words: the same text where there is no command.
    pub advice: Vec<String>,
}

impl ArrivalReport {
    pub(super) fn new(arrival: &Arrival) -> Self {
        let Arrival { how, repository, selector, event_id, also_tagged, pushed_at } = arrival;
        Self {
            how: *how,
            account: repository.account().to_owned(),
            region: repository.region().to_owned(),
            repository: repository.name().to_owned(),
            digest: selector.digest().cloned(),
            tag: selector.tag().cloned(),
            event_id: event_id.clone(),
            also_tagged: also_tagged.clone(),
            pushed_at: pushed_at.clone(),
        }
    }
}

impl ImageReport {
    pub(super) fn new(reference: &str, image: &Image) -> Self {
        // What could not be read is what its type calls it.
        let is_list = image.media_type.contains(".index.") || image.media_type.contains(".manifest.list.");
        let kind = match image.content {
            ImageContent::Index(_) => ReportedImageKind::Index,
            ImageContent::Unreadable(_) if is_list => ReportedImageKind::Index,
            ImageContent::Single(_) | ImageContent::Unreadable(_) => ReportedImageKind::Image,
            ImageContent::Artifact(_) | ImageContent::Attestation => ReportedImageKind::Artifact,
        };
        Self {
            reference: reference.to_owned(),
            digest: image.digest.clone(),
            media_type: image.media_type.clone(),
            kind,
            platforms: image.platforms().into_iter().cloned().collect(),
        }
    }
}

fn name<S: Serializer>(subject: &FindingSubject, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&subject.name())
}
