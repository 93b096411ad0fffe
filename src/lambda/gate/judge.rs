//! Judges the images of consumers, each as a check with `consumer` does.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, stream};

use super::finding::{GateFinding, GateOutcome};
use crate::check::{ImageOrigin, InspectContext, check_image};
use crate::consumer::{Consumer, ConsumerPlatform};
use crate::date::Date;
use crate::event::IgnoreReason;
use crate::inspect::Inspector;
use crate::lambda::certainty::{describe_doubt, is_certain};
use crate::name::{EcrImage, Repository};
use crate::registry::counting::CountingRegistry;
use crate::registry::{Registry, RegistryError};
use crate::report::Report;
use crate::settings::{InspectionDepth, Settings};
use crate::text::{error_chain, sanitize_quoted};
use crate::verdict::Verdict;

/// The most images that are judged for one deployment. A task definition has at most ten containers ("Amazon ECS service
/// quotas"); a job definition of AWS Batch may have more.
const MAX_IMAGES: usize = 16;

/// How much longer than a judgement an inspection may take. A judgement drops its inspection when its own time is over, unless
/// the inspection computes without a pause; then this ends it.
const INSPECTION_GRACE: Duration = Duration::from_secs(2);

/// The number of images that are judged at the same time. The memory for their layers is shared.
const CONCURRENT_IMAGES: usize = 4;

/// Judge of consumers' images. Its fields are its dependencies.
#[derive(Debug)]
pub struct GateJudge<'a, OpenRegistry> {
    /// Opens a repository for reading.
    pub open_registry: &'a OpenRegistry,
    /// Inspects programs, and caches layers for later invocations.
    pub inspector: &'a Inspector,
    /// The settings.
    pub settings: &'a Settings,
    /// The region whose repositories are read; `None` for any region.
    pub region: Option<&'a str>,
    /// The present day in UTC, by which waivers expire.
    pub today: Date,
}

/// Consumers that run one image in the same way, and the image, unless it is not judged for a reason.
struct GateCase {
    consumers: Vec<Consumer>,
    image: Result<EcrImage, String>,
}

impl<R: Registry, OpenRegistry: Fn(&Repository) -> R> GateJudge<'_, OpenRegistry> {
    /// Judges the images of all consumers until the deadline, each distinct one once. The findings are in the order of the
    /// consumers. A registry that fails, or a panic, becomes [`GateOutcome::Skipped`].
    pub async fn judge(&self, consumers: Vec<Consumer>, deadline: Instant) -> Vec<GateFinding> {
        let judged = self.group(consumers).into_iter().map(async |GateCase { consumers, image }| {
            let outcome = match (image, consumers.first()) {
                (Ok(image), Some(consumer)) => self.judge_until(&image, consumer, deadline).await,
                (Err(reason), _) => GateOutcome::Skipped(reason),
                (Ok(_), None) => GateOutcome::Skipped("nothing runs it".to_owned()),
            };
            GateFinding { consumers, outcome }
        });
        stream::iter(judged).buffered(CONCURRENT_IMAGES).collect().await
    }

    /// Groups consumers with the same image, platform and start. Those that are not judged are grouped by image and reason.
    fn group(&self, consumers: Vec<Consumer>) -> Vec<GateCase> {
        let mut cases: Vec<GateCase> = Vec::new();
        let mut judged = 0;
        for consumer in consumers {
            let mut image = self.select(&consumer);
            let is_same = |case: &&mut GateCase| match (&case.image, &image, case.consumers.first()) {
                (Ok(_), Ok(_), Some(first)) => {
                    (&first.image, &first.platform, &first.start)
                        == (&consumer.image, &consumer.platform, &consumer.start)
                }
                (Err(known), Err(reason), _) => known == reason,
                _ => false,
            };
            if let Some(case) = cases.iter_mut().find(is_same) {
                case.consumers.push(consumer);
                continue;
            }
            if image.is_ok() && judged == MAX_IMAGES {
                image = Err(format!("only {MAX_IMAGES} images of a deployment are judged"));
            }
            let with_reason = cases.iter_mut().find(|case| image.is_err() && case.image == image);
            if let Some(case) = with_reason {
                case.consumers.push(consumer);
            } else {
                judged += usize::from(image.is_ok());
                cases.push(GateCase { consumers: vec![consumer], image });
            }
        }
        cases
    }

    /// Returns the image that decides about a consumer, or why none does.
    fn select(&self, consumer: &Consumer) -> Result<EcrImage, String> {
        match &consumer.platform {
            ConsumerPlatform::Known(..) => {}
            ConsumerPlatform::Unknown(reason) => return Err(format!("its architecture is unknown: {reason}")),
            ConsumerPlatform::Windows => return Err("it runs Windows, which is not checked".to_owned()),
        }
        let image = EcrImage::parse(&consumer.image)
            .ok_or_else(|| format!("`{}` is not an image in Amazon ECR", sanitize_quoted(&consumer.image)))?;
        let repository = &image.repository;
        if let Some(region) = self.region.filter(|region| *region != repository.region()) {
            return Err(format!("the image is in {}, but the gate reads {region}", repository.region()));
        }
        if self.settings.excludes(repository) {
            return Err("the setting PREFLIGHT_EXCLUDED_REPOSITORIES excludes its repository".to_owned());
        }
        Ok(image)
    }

    /// Judges an image, and gives up at the deadline, at the latest [`INSPECTION_GRACE`] after it. The inspection is dropped
    /// then rather than ended by its own time limit, because that result would be remembered, and given to the next attempt.
    async fn judge_until(&self, image: &EcrImage, consumer: &Consumer, deadline: Instant) -> GateOutcome {
        let check = AssertUnwindSafe(Box::pin(self.check(image, consumer, deadline + INSPECTION_GRACE))).catch_unwind();
        match tokio::time::timeout_at(deadline.into(), check).await {
            Ok(Ok(Ok(report))) => interpret(report, consumer, self.settings.check.depth),
            Ok(Ok(Err(RegistryError::RepositoryNotFound { .. }))) => {
                GateOutcome::Skipped("its repository does not exist yet".to_owned())
            }
            Ok(Ok(Err(error))) => {
                tracing::warn!(image = consumer.image, error = error_chain(&error), "not judged");
                GateOutcome::Skipped(format!("it could not be read: {error}"))
            }
            Ok(Err(_panic)) => {
                tracing::error!(image = consumer.image, "the check panicked");
                GateOutcome::Skipped("the check ended with an internal error; see its log".to_owned())
            }
            Err(_elapsed) => GateOutcome::OutOfTime,
        }
    }

    async fn check(&self, image: &EcrImage, consumer: &Consumer, latest: Instant) -> Result<Report, RegistryError> {
        let registry = (self.open_registry)(&image.repository);
        // Of the same type as for pushes, so that the function contains the code of checks once.
        let registry = CountingRegistry::new(&registry);
        let selector = image.selector();
        let origin = ImageOrigin {
            repository: Some(&image.repository),
            consumer: Some(consumer),
            ..ImageOrigin::from_reference(&consumer.image, &selector)
        };
        let time_left = latest.saturating_duration_since(Instant::now());
        let context = InspectContext { inspector: self.inspector, time_left, is_repeated: false };
        let check = check_image(&registry, &origin, None, &self.settings.check, context, self.today).await?;
        Ok(check.report)
    }
}

/// Decides what a report means for a gate.
fn interpret(report: Report, consumer: &Consumer, depth: InspectionDepth) -> GateOutcome {
    match (report.unwaived_verdict(), report.ignored) {
        (Verdict::Fails, _) if is_certain(&report, consumer, depth) => GateOutcome::Fails(Box::new(report)),
        (Verdict::Fails, _) => GateOutcome::Skipped(describe_doubt(&report, consumer)),
        (Verdict::Runs, _) => GateOutcome::Passes(Box::new(report)),
        (_, Some(IgnoreReason::Deleted)) => GateOutcome::Skipped("the image does not exist yet".to_owned()),
        (Verdict::Unknown | Verdict::Undeclared | Verdict::Ignored, _) => {
            let reasons: Vec<&str> =
                report.runtimes().flat_map(|runtime| &runtime.unknown).map(String::as_str).collect();
            let reasons = if reasons.is_empty() { "nothing is known about it".to_owned() } else { reasons.join("; ") };
            GateOutcome::Skipped(format!("whether it starts is unknown: {reasons}"))
        }
    }
}
