//! The report as a value, and its JSON with schema `ecr-preflight/1`. Members that do not apply are absent.

use serde::{Serialize, Serializer};

use super::circumstances::{PreviousImage, ResolvedReport, StoppedReport};
use super::consumer_report::ConsumerReport;
use super::consumers_report::{ConsumersReport, is_zero};
use super::exec_report::ExecReport;
use super::waiver_report::WaiverReport;
use crate::consumer::Consumer;
use crate::event::{Arrival, ArrivalKind, IgnoreReason};
use crate::intent::DeclaredRuntime;
use crate::name::{Digest, Repository, Tag};
use crate::oci::{Image, ImageContent};
use crate::platform::Platform;
use crate::text::sanitize;
use crate::verdict::{Fault, FaultCode, Finding, FindingSubject, Judgement, Verdict, WrongSide};

/// The schema of the JSON format, with its version.
pub const SCHEMA: &str = "ecr-preflight/1";

/// The report about one image.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub(super) schema: &'static str,
    /// The arrival that caused the check; absent for a check on the command line.
    pub arrival: Option<ArrivalReport>,
    /// Who is responsible for the repository, by its resource tag; sanitized, because anybody who may tag the repository
    /// chooses it.
    pub owner: Option<String>,
    /// What runs the image; absent if the image itself was checked.
    pub consumer: Option<ConsumerReport>,
    /// The image; absent if it was not read.
    pub image: Option<ImageReport>,
    /// The intended runtimes; absent if the image was ignored.
    pub intended: Option<Vec<DeclaredRuntime>>,
    /// The worst verdict of the runtimes.
    pub verdict: Verdict,
    /// Why the image was ignored, if it was.
    pub ignored: Option<IgnoreReason>,
    /// One result for each intended runtime.
    pub runtimes: Option<Vec<RuntimeReport>>,
    /// What the relevant images start; absent if no program was inspected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecReport>,
    /// What is known about the consumers of the image; absent if they were not read.
    pub consumers: Option<ConsumersReport>,
    /// The image that the tag pointed at before; absent if that is not known.
    pub previous: Option<PreviousImage>,
    /// The earlier report about the tag that no longer holds; absent unless this report says so.
    pub resolved: Option<ResolvedReport>,
    /// The task that stopped; absent if the check has another cause.
    pub stopped: Option<StoppedReport>,
    /// What was left out, because a message would be larger than SNS accepts; absent if nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<&'static str>,
    /// Remarks that are not about the image, for example about a verdict tag that was not set. Not in the JSON.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// The key under which runtimes are declared. Not in the JSON.
    #[serde(skip)]
    pub declaration_key: String,
    /// The URL of the page with the fault table, if it is known. Not in the JSON.
    #[serde(skip)]
    pub docs_url: Option<String>,
    /// The URL of the image in the Amazon ECR console, if it is known. Not in the JSON.
    #[serde(skip)]
    pub console_url: Option<String>,
}

/// The context of a report: how people and commands name the image, and how it was checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportContext<'a> {
    /// The arrival, if there was one.
    pub arrival: Option<&'a Arrival>,
    /// The reference as the user knows it.
    pub reference: &'a str,
    /// The repository, if it is in Amazon ECR.
    pub repository: Option<&'a Repository>,
    /// The repository in another registry, if the user may push to it.
    pub remote_repository: Option<&'a str>,
    /// The tag, if the image has one.
    pub tag: Option<&'a Tag>,
    /// The value of the repository's resource tag that names who is responsible for it.
    pub owner: Option<&'a str>,
    /// What runs the image, if that is known.
    pub consumer: Option<&'a Consumer>,
    /// Whether the image suits what is declared for it, if a consumer runs it and anything is declared.
    pub suits_declaration: Option<bool>,
    /// The key under which runtimes are declared.
    pub declaration_key: &'a str,
    /// The URL of the page with the fault table, if it is known.
    pub docs_url: Option<&'a str>,
    /// Whether the inspection of programs is disabled.
    pub is_platform_only: bool,
}

/// The longest owner, in characters: no resource tag is longer ("Tag naming limits" in the guide to tagging AWS
/// resources).
const MAX_OWNER: usize = 256;

impl ReportContext<'_> {
    /// Returns the owner without control characters; `None` if it is missing or blank.
    pub(super) fn sanitize_owner(&self) -> Option<String> {
        self.owner.map(|owner| sanitize(owner.trim(), MAX_OWNER)).filter(|owner| !owner.is_empty())
    }

    /// Returns the repository for commands, or a placeholder.
    pub(super) fn repository_uri(&self) -> String {
        let remote = self.remote_repository.unwrap_or("REGISTRY/IMAGE");
        self.repository.map_or_else(|| remote.to_owned(), ToString::to_string)
    }

    /// Returns the image for commands, always with a tag, because a name without one means `latest`.
    pub(super) fn image_uri(&self) -> String {
        format!("{}:{}", self.repository_uri(), self.tag.map_or("TAG".to_owned(), ToString::to_string))
    }
}

/// A fault, and what its symptom and its remedies depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultCase<'a> {
    pub(super) fault: &'a Fault,
    pub(super) case: FindingCase<'a>,
}

impl FaultCase<'_> {
    /// Returns which side the fault is on; `None` if it is unknown what runs the image on this runtime.
    pub(super) fn wrong_side(&self) -> Option<WrongSide> {
        let ReportContext { consumer, suits_declaration, .. } = self.case.context;
        let consumer = consumer.filter(|consumer| consumer.runtime().is_some())?;
        Some(WrongSide::of(self.fault.code, suits_declaration, consumer.start.is_none()))
    }
}

/// A finding, and what remedies depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct FindingCase<'a> {
    pub(super) finding: &'a Finding,
    pub(super) judgement: &'a Judgement,
    /// `None` if the image could not be read.
    pub(super) image: Option<&'a Image>,
    pub(super) context: ReportContext<'a>,
}

/// Where the image is, and how it arrived.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct ArrivalReport {
    pub how: ArrivalKind,
    pub account: String,
    pub region: String,
    pub repository: String,
    pub digest: Option<Digest>,
    pub tag: Option<Tag>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// In an audit, the other tags of the same image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_tagged: Vec<Tag>,
    /// In an audit, the time of the push in RFC 3339 format.
    pub pushed_at: Option<String>,
}

impl ArrivalReport {
    pub(super) fn new(arrival: &Arrival) -> Self {
        let Arrival { how, repository, selector, event_id, also_tagged, pushed_at, .. } = arrival;
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

/// The image, as described by its manifest and config.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct ImageReport {
    pub reference: String,
    pub digest: Digest,
    pub media_type: String,
    pub kind: ReportedImageKind,
    pub platforms: Vec<Platform>,
    /// When the image was created, according to the first config that was read: an RFC 3339 date.
    pub created: Option<String>,
}

/// The kind of content that a manifest describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum ReportedImageKind {
    Image,
    Index,
    Artifact,
}

impl ImageReport {
    pub(super) fn new(reference: &str, image: &Image) -> Self {
        // The kind of unreadable content is that of its media type.
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
            created: image.created().map(str::to_owned),
        }
    }
}

/// The result for one intended runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct RuntimeReport {
    /// The subject of the result, by name in the JSON.
    #[serde(rename = "runtime", serialize_with = "serialize_subject_name")]
    pub subject: FindingSubject,
    pub verdict: Verdict,
    /// Whether the program was followed to an answer. Otherwise the verdict is that of the platform alone.
    pub verified: bool,
    /// Why the image, which has a suitable platform, may nevertheless not start; absent unless it runs and is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_verified: Option<String>,
    /// Why the result is unknown.
    pub unknown: Vec<String>,
    pub faults: Vec<FaultReport>,
    /// What is wrong but does not stop the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<WarningReport>,
    /// What to do about an unknown result, the most likely step first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next_steps: Vec<Remedy>,
    /// What runs the image there, as far as that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<ConsumerReport>,
    /// How many more consumers there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_consumers: usize,
}

impl RuntimeReport {
    /// Returns whether the image has a suitable platform, but its start is not verified.
    pub fn is_unverified_pass(&self) -> bool {
        self.verdict == Verdict::Runs && !self.verified
    }
}

fn serialize_subject_name<S: Serializer>(subject: &FindingSubject, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&subject.name())
}

/// Wrong metadata of a program that certainly starts.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct WarningReport {
    pub code: FaultCode,
    pub platform: Option<Platform>,
    pub evidence: String,
}

/// One fault, and what fixes it.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultReport {
    /// The kind of the fault.
    pub code: FaultCode,
    /// The declared platform of the faulty image.
    pub platform: Option<Platform>,
    /// What was found.
    pub evidence: String,
    /// What has to change: the image or what runs it; absent if what runs it is unknown.
    pub wrong: Option<WrongSide>,
    /// The error that the user sees on the runtime, if it is known.
    pub symptom: Option<String>,
    /// What to do, the most likely remedy first.
    pub remedy: Vec<Remedy>,
    /// What each remedy does, in words. The same text as the remedy if that has no command.
    pub advice: Vec<String>,
    /// The waiver that accepts the fault, if one does. The fault then does not count.
    pub waived: Option<WaiverReport>,
    /// The waiver that accepted the fault until it expired.
    pub expired_waiver: Option<WaiverReport>,
    /// The names in `evidence` that come from the image. Not in the JSON.
    #[serde(skip)]
    pub names: Vec<String>,
    /// Whether the fault is about a program that the command names rather than the entrypoint. Not in the JSON.
    #[serde(skip)]
    pub depends_on_command: bool,
}

/// One way to fix a fault. Its JSON is the command, or the advice if there is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What the remedy does, without a period.
    pub advice: String,
    /// The command.
    pub command: Option<String>,
}

impl Remedy {
    pub(super) fn with_command(advice: impl Into<String>, command: impl Into<String>) -> Self {
        Self { advice: advice.into(), command: Some(command.into()) }
    }

    pub(super) fn advice_only(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), command: None }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.command.as_ref().unwrap_or(&self.advice))
    }
}
