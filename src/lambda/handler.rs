//! The walk of one event, from arrival to message and mark.
//!
//! Does not know which registry, topic or terminal it walks on.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::metrics_log;
use super::metrics_log::EventRecord;
use super::notify;
use super::notify::{Notifier, NotifyError};
use super::verdict_tag as mark;
use super::verdict_tag::{TagOutcome, VerdictTagError, VerdictTagger};
use crate::check::{ImageCheck, ImageOrigin, InspectContext, check_image};
use crate::event::{self, Arrival, Event, EventError, IgnoreReason};
use crate::inspect::Inspector;
use crate::name::Repository;
use crate::registry::counting::CountingRegistry;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{Manifest, Registry, RegistryError};
use crate::report::Report;
use crate::settings::Settings;

/// Everything that the walk needs of the world.
#[derive(Debug)]
pub struct EventHandler<O, N, M> {
    /// Opens the repository of an arrival.
    pub open_registry: O,
    /// Opens it for marking.
    pub open_tagger: M,
    /// Tells people; none where only marks are set.
    pub notifier: Option<N>,
    /// Looks at programs, and remembers layers from one event to the next.
    pub inspector: Inspector,
    /// How it is set.
    pub settings: Settings,
    /// The region whose repositories are read; none where any is.
    pub region: Option<String>,
    /// Writes down one line for each event.
    pub write_metrics: fn(&Value),
}

/// The event is to be retried, and in the end to land in the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is the error of one room")]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error(transparent)]
    VerdictTag(#[from] VerdictTagError),
    /// A repository of the same name in the function's own region would be another one.
    #[error(
        "the image is in {image_region}, but this function reads repositories in {function_region}: deploy it there too"
    )]
    #[allow(missing_docs, reason = "the message says it")]
    WrongRegion { image_region: String, function_region: String },
    /// Nobody else would hear of it, so it must not pass for done.
    #[error("the mark was not set: {0}")]
    VerdictTagRefused(String),
}

/// How long to wait before a missing image, one that its tag does not point at, or one of which a part is missing is asked
/// for a second time: an event may overtake what it tells of, and an image be deleted while it is read.
const RECHECK_DELAY: Duration = Duration::from_millis(500);

/// What of an invocation's time is kept back from inspections, so that what is known without them still goes out: a mark
/// and a message take some tens of milliseconds, and at most 14 seconds each when a service stalls.
const REPORTING_RESERVE: Duration = Duration::from_secs(30);

impl<R: Registry, N: Notifier, M: VerdictTagger, O: Fn(&Repository) -> R, P: Fn(&Repository) -> M>
    EventHandler<O, N, P>
{
    /// Handles one event; `left` is the time that there is for it, where that is known.
    ///
    /// # Errors
    /// Where something is not known that a retry may find out, or may not have been said that was to be said.
    pub async fn handle(
        &self,
        event: &EventBridgeEvent<Value>,
        left: Option<Duration>,
    ) -> Result<Report, HandlerError> {
        let began = Instant::now();
        let event_id = event.id.as_deref().unwrap_or_default();
        // Thousands are asked about at once, by somebody who reads the answers: the log holds them.
        let is_audit = event::is_audit(event);
        let arrival = match Event::parse(event)? {
            Event::Arrival(arrival) => arrival,
            Event::Ignored(why, said, arrival) => {
                let report = Report::from_ignored_event(arrival.as_ref(), why);
                self.write_down(
                    &report,
                    began,
                    EventRecord { event_id, is_audit, ignored_detail: &said, ..EventRecord::default() },
                );
                return Ok(report);
            }
        };
        if let Some(own) = self.region.clone().filter(|own| own != arrival.repository.region()) {
            return Err(HandlerError::WrongRegion {
                image_region: arrival.repository.region().to_owned(),
                function_region: own,
            });
        }
        let registry = CountingRegistry::new((self.open_registry)(&arrival.repository));
        let left = left.map_or(Duration::MAX, |left| left.saturating_sub(REPORTING_RESERVE));
        let is_old = is_past_grace_period(event);
        let mut check = self.check(&registry, &arrival, left, is_old).await?;
        if check.has_missing_part
            || matches!(check.report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded))
        {
            tokio::time::sleep(RECHECK_DELAY).await;
            check = self.check(&registry, &arrival, left.saturating_sub(began.elapsed()), is_old).await?;
        }
        let ImageCheck { mut report, manifest, .. } = check;
        let marked =
            if is_audit { TagOutcome::Written } else { self.mark(&arrival, manifest.as_ref(), &report).await? };
        let told = report.needs_notification() && !is_audit && self.notifier.is_some();
        if let TagOutcome::Refused(reason) = marked {
            tracing::error!(event_id, reason, "mark refused");
            if !told {
                return Err(HandlerError::VerdictTagRefused(reason));
            }
            report.remarks.push(format!("The image could not be marked: {reason}"));
        }
        if let (true, Some(notifier)) = (told, &self.notifier) {
            notifier.send(&notify::build_message(&report)).await?;
        }
        let bytes = registry.bytes_read();
        self.write_down(
            &report,
            began,
            EventRecord { event_id, is_audit, notified: told, bytes_read: bytes, ..EventRecord::default() },
        );
        Ok(report)
    }

    fn write_down(&self, report: &Report, began: Instant, walked: EventRecord<'_>) {
        let whole = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let walked = EventRecord { duration_ms: whole(began.elapsed()), ended_at_ms: whole(now), ..walked };
        (self.write_metrics)(&metrics_log::metrics_line(report, walked));
    }

    /// Checks the image of an arrival. An image is deleted with its repository, if the call that reads images reports so.
    async fn check(
        &self,
        registry: &impl Registry,
        arrival: &Arrival,
        time_left: Duration,
        is_old: bool,
    ) -> Result<ImageCheck, RegistryError> {
        let by = InspectContext { inspector: &self.inspector, time_left };
        match check_image(registry, &ImageOrigin::from(arrival), None, &self.settings.check, by).await {
            Err(RegistryError::RepositoryNotFound { action, .. }) if is_old && action == BATCH_GET_IMAGE => {
                let report = Report::from_ignored_event(Some(arrival), IgnoreReason::Deleted);
                Ok(ImageCheck { report, manifest: None, has_missing_part: false })
            }
            result => result,
        }
    }

    /// Before anything is said, so that a mark that must be retried does not have people told twice.
    async fn mark(
        &self,
        arrival: &Arrival,
        manifest: Option<&Manifest>,
        report: &Report,
    ) -> Result<TagOutcome, VerdictTagError> {
        let Some(manifest) = manifest else { return Ok(TagOutcome::Written) };
        let marker = (self.open_tagger)(&arrival.repository);
        for mark in mark::verdict_tags(report, self.settings.verdict_tags) {
            if let refused @ TagOutcome::Refused(_) = marker.write_tag(manifest, &mark).await? {
                return Ok(refused);
            }
        }
        Ok(TagOutcome::Written)
    }
}

/// From which age on an event's repository counts as deleted where it is not there, and not as one that cannot be seen yet.
/// Lambda tries again one and three minutes after an error, so that the last attempt finds it older.
const GRACE_PERIOD_SECONDS: i64 = 120;

/// Whether an event is so old; one without a time is.
fn is_past_grace_period(event: &EventBridgeEvent<Value>) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    event.time.is_none_or(|time| now.saturating_sub(time.timestamp()) >= GRACE_PERIOD_SECONDS)
}
