//! One image, checked.
//!
//! Does not print anything.

use std::time::{Duration, Instant};

use super::super::image_source::ImageSource;
use super::platforms;
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::cli::error::CliError;
use crate::event::IgnoreReason;
use crate::inspect::Inspector;
use crate::registry::counting::CountingRegistry;
use crate::report::{PlatformOverview, Report};
use crate::runtime::Runtime;
use crate::settings::CheckSettings;
use crate::verdict::Verdict;

/// What images are checked with, and against.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Checker<'a> {
    /// One for all images: layers that they share are read once.
    pub(in crate::cli) inspector: &'a Inspector,
    pub(in crate::cli) rules: &'a CheckSettings,
    /// The runtimes that were named; without them, what is declared counts.
    pub(in crate::cli) runtimes: Option<&'a [Runtime]>,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::cli) struct CheckedImage {
    pub(in crate::cli) result: CheckResult,
    /// How many bytes were read of manifests, configs and layers.
    pub(in crate::cli) bytes_read: u64,
    pub(in crate::cli) elapsed: Duration,
}

/// Why nothing came of it, and what may help.
#[derive(Debug)]
pub(in crate::cli) struct CheckFailure {
    pub(in crate::cli) error: CliError,
    pub(in crate::cli) hint: Option<String>,
}

/// The answer to one of the two questions.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image")]
pub(in crate::cli) enum CheckResult {
    Report(Report),
    Platforms(PlatformOverview),
}

impl CheckResult {
    pub(in crate::cli) fn verdict(&self) -> Verdict {
        match self {
            Self::Report(report) => report.verdict,
            Self::Platforms(platforms) => platforms.verdict,
        }
    }
}

impl Checker<'_> {
    /// Holds an image against its runtimes.
    ///
    /// # Errors
    /// Where its registry fails, or it is not there.
    pub(in crate::cli) async fn check(&self, source: &ImageSource) -> Result<CheckedImage, CliError> {
        let began = Instant::now();
        let registry = CountingRegistry::new(&source.registry);
        let by = InspectContext { inspector: self.inspector, time_left: Duration::MAX };
        let repository = source.repository.as_ref();
        let origin = ImageOrigin { repository, ..ImageOrigin::from_reference(&source.reference, &source.selector) };
        let report = check_image(&registry, &origin, self.runtimes, self.rules, by).await?.report;
        if matches!(report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded)) {
            return Err(source.not_found_error());
        }
        Ok(CheckedImage {
            result: CheckResult::Report(report),
            bytes_read: registry.bytes_read(),
            elapsed: began.elapsed(),
        })
    }

    /// Looks at what there is in an image.
    ///
    /// # Errors
    /// As above.
    pub(in crate::cli) async fn check_platforms(&self, source: &ImageSource) -> Result<CheckedImage, CliError> {
        let began = Instant::now();
        let registry = CountingRegistry::new(&source.registry);
        let found = platforms::read_platforms(&registry, source, self.inspector, self.rules).await?;
        Ok(CheckedImage {
            result: CheckResult::Platforms(found),
            bytes_read: registry.bytes_read(),
            elapsed: began.elapsed(),
        })
    }
}
