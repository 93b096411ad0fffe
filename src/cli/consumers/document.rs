//! The JSON document of `consumers`: schema `ecr-preflight/consumers/1`.

use serde::Serialize;

use super::image_check::{ImageChecks, ImageResult};
use super::running_image::RunningImage;
use crate::census::NotRead;
use crate::cli::consumer_reader::{describe_not_read, describe_reason};
use crate::consumer::{Consumer, ConsumerPlatform, ConsumerService, PlatformSource, StartOverride};
use crate::name::{Digest, Tag};
use crate::report::{FaultReport, Report};
use crate::runtime::Runtime;
use crate::verdict::{FaultCode, Verdict, WrongSide};

/// What runs images in a region.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumersDocument<'a> {
    schema: &'static str,
    pub(super) region: &'a str,
    consumers: Vec<ConsumerEntry<'a>>,
    /// How many consumers run images that are not in Amazon ECR.
    pub(super) elsewhere: usize,
    pub(super) not_read: Vec<NotReadEntry<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerEntry<'a> {
    service: ConsumerService,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: &'a str,
    definition: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    container: &'a str,
    image: &'a str,
    /// The URI of the repository.
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    platform: PlatformEntry<'a>,
    #[serde(skip_serializing_if = "StartEntry::is_empty")]
    start: StartEntry<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CheckEntry<'a>>,
}

/// Where a consumer runs: the runtime and what says so, or why it is unknown.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum PlatformEntry<'a> {
    Known { runtime: Runtime, from: PlatformSource },
    Unknown { unknown: &'a str },
}

/// What a consumer starts instead of what its image declares.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StartEntry<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    command: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mounts: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
    #[serde(skip)]
    is_empty: bool,
}

impl StartEntry<'_> {
    fn is_empty(&self) -> bool {
        self.is_empty
    }
}

/// The result of `--check`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckEntry<'a> {
    verdict: Verdict,
    /// Whether the program was followed to an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    /// Those that are not waived.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultEntry<'a>>,
    /// Why the image could not be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FaultEntry<'a> {
    code: FaultCode,
    evidence: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<WrongSide>,
}

/// A call that failed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotReadEntry<'a> {
    service: ConsumerService,
    action: &'a str,
    count: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource: &'a str,
    reason: String,
    /// All of it in a line.
    #[serde(skip)]
    pub(super) line: String,
}

impl<'a> ConsumersDocument<'a> {
    pub(super) fn new(
        region: &'a str,
        images: &'a [RunningImage],
        checks: Option<&'a ImageChecks>,
        elsewhere: usize,
        not_read: &'a [NotRead],
    ) -> Self {
        let consumers = images
            .iter()
            .enumerate()
            .map(|(position, image)| ConsumerEntry::new(image, checks.map(|checks| checks.result(position))))
            .collect();
        let not_read = not_read
            .iter()
            .map(|failure| NotReadEntry {
                service: failure.service,
                action: failure.action,
                count: failure.count,
                resource: &failure.resource,
                reason: describe_reason(failure, region),
                line: describe_not_read(failure, region),
            })
            .collect();
        Self { schema: "ecr-preflight/consumers/1", region, consumers, elsewhere, not_read }
    }
}

impl<'a> ConsumerEntry<'a> {
    fn new(running: &'a RunningImage, result: Option<&'a ImageResult>) -> Self {
        let RunningImage { consumer, image } = running;
        let Consumer { service, name, arn, definition, container, start, .. } = consumer;
        let StartOverride { entrypoint, command, working_directory, user, path, mounts, unknown, .. } = start;
        Self {
            service: *service,
            name,
            arn,
            definition,
            container,
            image: &consumer.image,
            repository: image.repository.to_string(),
            tag: image.tag.as_ref().map(Tag::as_str),
            digest: consumer.digest.as_ref().or(image.digest.as_ref()).map(Digest::as_str),
            platform: match &consumer.platform {
                ConsumerPlatform::Known(runtime, from) => PlatformEntry::Known { runtime: *runtime, from: *from },
                ConsumerPlatform::Unknown(unknown) => PlatformEntry::Unknown { unknown },
                ConsumerPlatform::Windows => PlatformEntry::Unknown { unknown: "it runs Windows" },
            },
            start: StartEntry {
                entrypoint,
                command,
                working_directory: working_directory.as_deref(),
                user: user.as_deref(),
                path: path.as_deref(),
                mounts,
                unknown: unknown.as_deref(),
                is_empty: start.is_none(),
            },
            check: result.map(CheckEntry::new),
        }
    }
}

impl<'a> CheckEntry<'a> {
    fn new(result: &'a ImageResult) -> Self {
        let (report, error) = match result {
            ImageResult::Report(report) => (Some(report), None),
            ImageResult::Deleted => (None, Some("the image does not exist any more")),
            ImageResult::Windows => (None, Some("Windows is not checked")),
            ImageResult::Error(error) => (None, Some(error.as_str())),
        };
        let verdict = result.verdict();
        Self {
            verdict,
            verified: report.filter(|_| verdict == Verdict::Runs).map(|report| !report.has_unverified_pass()),
            faults: report
                .into_iter()
                .flat_map(Report::faults)
                .filter(|fault| fault.waived.is_none())
                .map(FaultEntry::new)
                .collect(),
            error,
        }
    }
}

impl<'a> FaultEntry<'a> {
    fn new(fault: &'a FaultReport) -> Self {
        Self { code: fault.code, evidence: &fault.evidence, wrong: fault.wrong }
    }
}
