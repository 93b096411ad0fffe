//! Checks one image, or reads its platforms.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::gate::GateArguments;
use super::target::ContainerTarget;
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::cli::context::ExitStatus;
use crate::cli::error::CliError;
use crate::cli::image_source::ImageSource;
use crate::consumer::Consumer;
use crate::event::IgnoreReason;
use crate::inspect::Inspector;
use crate::name::{Repository, Tag};
use crate::oci::{self, ImageReadOptions};
use crate::registry::counting::CountingRegistry;
use crate::registry::{self, Lookup, Registry};
use crate::report::{PlatformOverview, Report};
use crate::runtime::Runtime;
use crate::settings::{CheckSettings, InspectionDepth};
use crate::verdict::Verdict;
use crate::waiver::{WaiverList, image_names};

/// Checks images with the same settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checker<'a> {
    /// One inspector for all images, so that layers that they share are read once.
    pub(super) inspector: &'a Inspector,
    pub(super) settings: &'a CheckSettings,
    /// The waivers of the configuration file.
    pub(super) waivers: &'a WaiverList,
}

/// One image of the command line, with its result.
#[derive(Debug)]
pub(super) struct CheckRecord<'a> {
    pub(super) reference: &'a str,
    /// The container that runs the image, with `--task-definition`.
    pub(super) container: Option<&'a ContainerTarget>,
    pub(super) outcome: Result<CheckedImage, CheckFailure>,
}

/// An image that could be read.
#[derive(Debug)]
pub(super) struct CheckedImage {
    pub(super) result: CheckResult,
    /// The bytes that were read: manifests, configs and layers.
    pub(super) bytes_read: u64,
    /// The positions of the waivers of the configuration file that match a fault.
    pub(super) used_waivers: Vec<usize>,
    pub(super) elapsed: Duration,
}

/// Why an image could not be read, with a hint.
#[derive(Debug)]
pub(super) struct CheckFailure {
    pub(super) error: CliError,
    pub(super) hint: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(super) enum CheckResult {
    Report(Report),
    /// With `--platforms`.
    Platforms(PlatformOverview),
}

impl CheckResult {
    /// The verdict that counts: without waived faults.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Report(report) => report.unwaived_verdict(),
            Self::Platforms(platforms) => platforms.verdict,
        }
    }
}

impl CheckRecord<'_> {
    pub(super) fn exit_status(&self, gate: GateArguments) -> ExitStatus {
        match self.outcome.as_ref().map(|checked| &checked.result) {
            // In the second case, the registry refused to return the manifest.
            Err(_) | Ok(CheckResult::Report(Report { image: None, verdict: Verdict::Unknown, .. })) => {
                ExitStatus::Error
            }
            Ok(CheckResult::Report(report)) if gate.stops(report) => ExitStatus::Unknown,
            Ok(result) => result.verdict().into(),
        }
    }
}

impl Checker<'_> {
    /// Checks an image against its runtimes; with `platforms_only`, reads its platforms instead. Fails if its registry
    /// fails, or the image does not exist.
    pub(super) async fn check(
        &self,
        source: &ImageSource,
        runtimes: Option<&[Runtime]>,
        consumer: Option<&Consumer>,
        platforms_only: bool,
    ) -> Result<CheckedImage, CliError> {
        let start = Instant::now();
        let registry = CountingRegistry::new(&source.registry);
        let mut used_waivers = Vec::new();
        let result = if platforms_only {
            self.read_platforms(&registry, source).await?
        } else {
            let mut report = self.judge(&registry, source, runtimes, consumer).await?;
            let repository = source.repository.as_ref().map_or("", Repository::name);
            let tag = source.selector.tag().map_or("", Tag::as_str);
            let names = image_names(&source.reference, repository, tag);
            used_waivers = report.apply_waivers(self.waivers, &names);
            CheckResult::Report(report)
        };
        Ok(CheckedImage { result, bytes_read: registry.bytes_read(), used_waivers, elapsed: start.elapsed() })
    }

    /// Checks an image. `runtimes` replaces its declarations.
    async fn judge(
        &self,
        registry: &impl Registry,
        source: &ImageSource,
        runtimes: Option<&[Runtime]>,
        consumer: Option<&Consumer>,
    ) -> Result<Report, CliError> {
        let context = InspectContext { inspector: self.inspector, time_left: Duration::MAX, is_repeated: false };
        let repository = source.repository.as_ref();
        // Users cannot push to Docker Hub's official images.
        let remote = source.remote_repository().filter(|remote| !remote.is_official()).map(ToString::to_string);
        let remote_repository = remote.as_deref();
        let origin = ImageOrigin {
            repository,
            remote_repository,
            consumer,
            ..ImageOrigin::from_reference(&source.reference, &source.selector)
        };
        let report = check_image(registry, &origin, runtimes, self.settings, context, self.waivers.today).await?.report;
        if matches!(report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded)) {
            return Err(source.not_found_error());
        }
        Ok(report)
    }

    /// Reads the platforms of an image and, within the limits, the program that starts on each.
    async fn read_platforms(&self, registry: &impl Registry, source: &ImageSource) -> Result<CheckResult, CliError> {
        let deadline = Instant::now().checked_add(Duration::from_secs(self.settings.limits.timeout_seconds));
        let mut lookups = registry::fetch_verified_manifests(registry, std::slice::from_ref(&source.selector)).await?;
        let manifest = match lookups.pop() {
            Some(Lookup::Found(manifest)) => manifest,
            Some(Lookup::Unavailable(reason)) => {
                return Err(CliError::ImageUnavailable { reference: source.reference.clone(), reason });
            }
            Some(Lookup::NotFound | Lookup::TagMoved) | None => return Err(source.not_found_error()),
        };
        // Without a list of platforms, every image of an index is read.
        let options =
            ImageReadOptions { compare_children: true, platforms: None, label_key: &self.settings.declaration_key };
        let image = oci::read_image(registry, &manifest, options).await?;
        let inspections = match self.settings.depth {
            InspectionDepth::Program => Some(self.inspector.inspect_programs(registry, &image, deadline).await?),
            InspectionDepth::Manifest | InspectionDepth::Config => None,
        };
        let overview = PlatformOverview::new(&source.reference, &image, inspections.as_deref());
        Ok(CheckResult::Platforms(overview))
    }
}
