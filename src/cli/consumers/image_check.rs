//! `consumers --check`: checks each image that runs, once for all consumers that run it alike.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::running_image::RunningImage;
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::cli::consumer_reader::ReadProgress;
use crate::cli::context::{ExitStatus, build_inspector};
use crate::cli::error::CliError;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::image_ref::ImageArgument;
use crate::cli::image_source::ImageOpener;
use crate::cli::terminal::StyledOutput;
use crate::event::IgnoreReason;
use crate::inspect::Inspector;
use crate::lambda::log::today;
use crate::report::Report;
use crate::settings::CheckSettings;
use crate::verdict::Verdict;

/// How many images are checked at the same time, as `check` does.
const MAX_CONCURRENT_IMAGES: usize = 4;

/// The result of one check.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each image that runs")]
pub(super) enum ImageResult {
    /// The image could be read.
    Report(Report),
    /// The registry does not have the image any more.
    Deleted,
    /// It runs Windows.
    Windows,
    /// The image could not be read.
    Error(String),
}

impl ImageResult {
    /// The verdict that counts: without waived faults.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Report(report) => report.unwaived_verdict(),
            Self::Deleted | Self::Error(_) => Verdict::Unknown,
            Self::Windows => Verdict::Ignored,
        }
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Error(_) => ExitStatus::Error,
            result => result.verdict().into(),
        }
    }
}

/// The results of all images.
#[derive(Debug)]
pub(super) struct ImageChecks {
    results: Vec<ImageResult>,
    /// For each image, the position of its result.
    positions: Vec<usize>,
}

impl ImageChecks {
    /// Checks the images.
    pub(super) async fn run<E: Write>(
        images: &[RunningImage],
        settings: &CheckSettings,
        err: &mut StyledOutput<E>,
    ) -> Result<Self, CliError> {
        let (distinct, positions) = find_distinct(images);
        let (opener, inspector) = (ImageOpener::new(err.is_quiet()), build_inspector(settings));
        let count = distinct.len();
        let progress = ReadProgress::new(err);
        // The future that reads an image is large.
        let checks = distinct.into_iter().map(|image| Box::pin(check(image, &opener, &inspector, settings)));
        let mut checks = stream::iter(checks).buffered(MAX_CONCURRENT_IMAGES);
        let mut results = Vec::with_capacity(count);
        while let Some(result) = checks.next().await {
            results.push(result);
            progress.show(&format!("checking images: {} of {count}", results.len()));
        }
        progress.finish();
        Ok(Self { results, positions })
    }

    /// The result of the image at this position.
    pub(super) fn result(&self, position: usize) -> &ImageResult {
        &self.results[self.positions[position]]
    }

    /// The worst result.
    pub(super) fn exit_status(&self) -> ExitStatus {
        self.results.iter().map(ImageResult::exit_status).max().unwrap_or(ExitStatus::Success)
    }
}

/// Returns the images to check, and for each image the position of the one that is checked for it.
fn find_distinct(images: &[RunningImage]) -> (Vec<&RunningImage>, Vec<usize>) {
    let mut distinct: Vec<&RunningImage> = Vec::new();
    // Only images with the same digest or tag are compared.
    let mut by_image: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let positions = images
        .iter()
        .map(|image| {
            let known = by_image.entry(format!("{}{:?}", image.image.repository, image.selector())).or_default();
            known.iter().copied().find(|position| distinct[*position].has_same_result(image)).unwrap_or_else(|| {
                distinct.push(image);
                known.push(distinct.len() - 1);
                distinct.len() - 1
            })
        })
        .collect();
    (distinct, positions)
}

async fn check(
    image: &RunningImage,
    opener: &ImageOpener,
    inspector: &Inspector,
    settings: &CheckSettings,
) -> ImageResult {
    if image.is_windows() {
        return ImageResult::Windows;
    }
    let repository = image.image.repository.clone();
    let argument = ImageArgument::Ecr { repository: repository.clone(), selector: image.selector() };
    let source = match opener.open(&image.consumer.image, argument).await {
        Ok(source) => source,
        Err(error) => return ImageResult::Error(describe_error_in_line(&error)),
    };
    let selector = image.selector();
    let origin = ImageOrigin {
        repository: Some(&repository),
        consumer: Some(&image.consumer),
        ..ImageOrigin::from_reference(&image.consumer.image, &selector)
    };
    let context = InspectContext { inspector, time_left: Duration::MAX, is_repeated: false };
    match check_image(&source.registry, &origin, None, settings, context, today()).await {
        Ok(checked) if matches!(checked.report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded)) => {
            ImageResult::Deleted
        }
        // As in `check`, the registry refused to return the manifest.
        Ok(checked) if checked.report.image.is_none() && checked.report.verdict == Verdict::Unknown => {
            ImageResult::Error("the registry did not return its manifest".to_owned())
        }
        Ok(checked) => ImageResult::Report(checked.report),
        Err(error) => ImageResult::Error(describe_error_in_line(&error)),
    }
}
