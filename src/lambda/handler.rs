//! Handles one event: parses it, checks the image, writes verdict tags, sends the message and logs the result.

use std::time::{Duration, Instant};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::log::{EventRecord, metrics_line, milliseconds, unix_time};
use super::notify::{Notifier, build_message};
use super::recent::RecentMessages;
use super::verdict_tag::{TagOutcome, VerdictTagger, verdict_tags};
use crate::aws::service_error::CallError;
use crate::check::{ImageCheck, ImageOrigin, InspectContext, check_image};
use crate::date::Date;
use crate::event::{self, Arrival, Event, EventError, IgnoreReason};
use crate::inspect::Inspector;
use crate::name::Repository;
use crate::registry::counting::CountingRegistry;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{Manifest, Registry, RegistryError};
use crate::report::Report;
use crate::settings::Settings;
use crate::verdict::Verdict;

/// Handles events. Its fields are its dependencies.
#[derive(Debug)]
pub struct EventHandler<OpenRegistry, N, OpenTagger> {
    /// Opens a repository for reading.
    pub open_registry: OpenRegistry,
    /// Opens a repository for writing verdict tags.
    pub open_tagger: OpenTagger,
    /// Sends messages; `None` if only verdict tags are written.
    pub notifier: Option<N>,
    /// Inspects programs, and caches layers for later events.
    pub inspector: Inspector,
    /// The settings.
    pub settings: Settings,
    /// The region whose repositories are read; `None` for any region.
    pub region: Option<String>,
    /// The account whose events are handled; `None` for any account.
    pub account: Option<String>,
    /// The messages that were sent last.
    pub recent_messages: RecentMessages,
    /// Returns the present day in UTC, by which waivers expire.
    pub today: fn() -> Date,
    /// Writes the log line with the result and the metrics of an event.
    pub write_metrics: fn(&Value),
}

/// How an event is delivered.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct DeliveryContext {
    /// The rest of the invocation's time, if it is limited.
    pub time_left: Option<Duration>,
    /// Whether the event was delivered before. Then it failed, or Lambda killed the function because of its time or
    /// memory.
    pub is_repeated: bool,
}

/// What became of the message about an image.
enum Notification {
    NotNeeded,
    Sent,
    /// The same message was sent a short time ago because of the event with this ID.
    DuplicateOf(String),
}

/// The event failed: it is retried, then sent to the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A verdict tag or the message may not have been written.
    #[error(transparent)]
    Write(#[from] CallError),
    /// A repository with the same name in the function's region would be another repository.
    #[error(
        "the image is in {image_region}, but this function reads {function_region}: deploy it in {image_region} too"
    )]
    WrongRegion { image_region: String, function_region: String },
    /// No message is sent either, so the verdict would be lost.
    #[error("the verdict tag was not written: {0}")]
    VerdictTagRefused(String),
}

/// The delay before the second check of an image that is missing or incomplete, or has lost its tag: an event may
/// arrive before its image can be read, and an image may be deleted while it is read.
const RECHECK_DELAY: Duration = Duration::from_millis(500);

/// The part of an invocation's time that is reserved for writing a verdict tag and sending a message. Both take tens of
/// milliseconds, or up to 14 seconds each if a service does not respond.
const REPORTING_RESERVE: Duration = Duration::from_secs(30);

/// The age of an event from which a missing repository counts as deleted; before that, it may not be readable yet.
/// A failed event stays in the queue for half an hour, so the next attempt is later.
const GRACE_PERIOD: Duration = Duration::from_mins(2);

impl<R, T, N, OpenRegistry, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger>
where
    R: Registry,
    T: VerdictTagger,
    N: Notifier,
    OpenRegistry: Fn(&Repository) -> R,
    OpenTagger: Fn(&Repository) -> T,
{
    /// Handles an event.
    ///
    /// # Errors
    /// Returns an error if a retry may succeed.
    pub async fn handle(
        &self,
        event: &EventBridgeEvent<Value>,
        delivery: DeliveryContext,
    ) -> Result<Report, HandlerError> {
        let started = Instant::now();
        let event_id = event.id.as_deref().unwrap_or_default();
        let stack = self.settings.stack.as_deref();
        let mut record = EventRecord { event_id, stack, is_audit: event::is_audit(event), ..EventRecord::default() };

        let arrival = match self.parse(event)? {
            Event::Arrival(arrival) => arrival,
            Event::Ignored(reason, detail, arrival) => {
                let report = Report::from_ignored_event(arrival.as_ref(), reason);
                self.log(&report, started, EventRecord { ignored_detail: &detail, ..record });
                return Ok(report);
            }
        };
        self.require_own_region(&arrival.repository)?;

        let registry = (self.open_registry)(&arrival.repository);
        let registry = CountingRegistry::new(&registry);
        let ImageCheck { mut report, manifest, .. } = self.check(&registry, &arrival, event, delivery).await?;
        record.bytes_read = registry.bytes_read();

        // An audit of thousands of images reads the results from the log.
        let mut notification = Notification::NotNeeded;
        if !record.is_audit {
            notification = self.publish(&arrival, manifest.as_ref(), &mut report).await?;
        }
        match &notification {
            Notification::NotNeeded => {}
            Notification::Sent => record.notified = true,
            Notification::DuplicateOf(event_id) => record.duplicate_of = Some(event_id),
        }
        self.log(&report, started, record);
        Ok(report)
    }

    /// Parses the event, and ignores one of another account or an excluded repository. The function may read only
    /// repositories of its own account. The event of a replica has the account of the destination ("Amazon ECR events and EventBridge" in the Amazon ECR user
    /// guide), so an event of another account is here only because an event bus forwarded it.
    fn parse(&self, event: &EventBridgeEvent<Value>) -> Result<Event, EventError> {
        let parsed = Event::parse(event)?;
        match (parsed, &self.account) {
            (Event::Arrival(arrival), Some(own)) if arrival.repository.account() != own => {
                let detail = format!("the image is in the account {}", arrival.repository.account());
                Ok(Event::Ignored(IgnoreReason::OtherAccount, detail, Some(arrival)))
            }
            (Event::Arrival(arrival), _) if self.settings.excludes(&arrival.repository) => {
                let detail = "the setting PREFLIGHT_EXCLUDED_REPOSITORIES excludes its repository".to_owned();
                Ok(Event::Ignored(IgnoreReason::ExcludedRepository, detail, Some(arrival)))
            }
            (parsed, _) => Ok(parsed),
        }
    }

    fn require_own_region(&self, repository: &Repository) -> Result<(), HandlerError> {
        let (image_region, function_region) = (repository.region().to_owned(), self.region.clone());
        match function_region.filter(|function_region| *function_region != image_region) {
            Some(function_region) => Err(HandlerError::WrongRegion { image_region, function_region }),
            None => Ok(()),
        }
    }

    /// Checks the image. If it is missing or incomplete, or has lost its tag, checks it again.
    async fn check(
        &self,
        registry: &impl Registry,
        arrival: &Arrival,
        event: &EventBridgeEvent<Value>,
        DeliveryContext { time_left, is_repeated }: DeliveryContext,
    ) -> Result<ImageCheck, RegistryError> {
        let time_left = time_left.map_or(Duration::MAX, |left| left.saturating_sub(REPORTING_RESERVE));
        let started = Instant::now();
        let is_new = is_within_grace_period(event);
        let context = InspectContext { inspector: &self.inspector, time_left, is_repeated };
        let check = self.check_once(registry, arrival, is_new, context).await?;
        let is_gone = matches!(check.report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded));
        if !is_gone && !check.has_missing_part {
            return Ok(check);
        }
        tokio::time::sleep(RECHECK_DELAY).await;
        let time_left = time_left.saturating_sub(started.elapsed());
        self.check_once(registry, arrival, is_new, InspectContext { time_left, ..context }).await
    }

    /// Checks the image. If its repository was deleted, the image was deleted too.
    async fn check_once(
        &self,
        registry: &impl Registry,
        arrival: &Arrival,
        is_new: bool,
        context: InspectContext<'_>,
    ) -> Result<ImageCheck, RegistryError> {
        match check_image(registry, &ImageOrigin::from(arrival), None, &self.settings.check, context, (self.today)())
            .await
        {
            Err(RegistryError::RepositoryNotFound { action, .. }) if !is_new && action == BATCH_GET_IMAGE => {
                let report = Report::from_ignored_event(Some(arrival), IgnoreReason::Deleted);
                Ok(ImageCheck { report, manifest: None, has_missing_part: false })
            }
            result => result,
        }
    }

    /// Writes the verdict tags, then sends the message if the report needs one. In this order, a retry because of a tag
    /// does not send the message twice. If the image is gone by now, the report says so instead.
    async fn publish(
        &self,
        arrival: &Arrival,
        manifest: Option<&Manifest>,
        report: &mut Report,
    ) -> Result<Notification, HandlerError> {
        let notifier = self.notifier.as_ref().filter(|_| report.needs_notification());
        let mut outcome = self.write_verdict_tags(arrival, manifest, report).await?;
        if matches!(outcome, TagOutcome::ImageGone(_)) {
            tokio::time::sleep(RECHECK_DELAY).await;
            outcome = self.write_verdict_tags(arrival, manifest, report).await?;
        }
        match outcome {
            TagOutcome::Written => {}
            TagOutcome::ImageGone(reason) => {
                *report = Report::from_ignored_event(Some(arrival), reason);
                return Ok(Notification::NotNeeded);
            }
            TagOutcome::Refused(reason) => {
                tracing::error!(event_id = arrival.event_id, reason, "verdict tag refused");
                if notifier.is_none() {
                    return Err(HandlerError::VerdictTagRefused(reason));
                }
                report.remarks.push(format!("The verdict tag could not be written: {reason}"));
            }
        }
        if report.verdict == Verdict::Ignored {
            return Ok(Notification::NotNeeded);
        }
        let duplicate_of = self.recent_messages.find_duplicate(arrival, report);
        let Some(notifier) = notifier else { return Ok(Notification::NotNeeded) };
        if let Some(event_id) = duplicate_of {
            return Ok(Notification::DuplicateOf(event_id));
        }
        notifier.send(&build_message(report)).await?;
        self.recent_messages.record(arrival, report);
        Ok(Notification::Sent)
    }

    /// Writes the verdict tags of the report, if there are any, until one is not written.
    async fn write_verdict_tags(
        &self,
        arrival: &Arrival,
        manifest: Option<&Manifest>,
        report: &Report,
    ) -> Result<TagOutcome, CallError> {
        let Some(manifest) = manifest else { return Ok(TagOutcome::Written) };
        let tagger = (self.open_tagger)(&arrival.repository);
        for tag in verdict_tags(report, self.settings.verdict_tags) {
            match tagger.write_tag(manifest, arrival.selector.tag(), &tag).await? {
                TagOutcome::Written => {}
                outcome => return Ok(outcome),
            }
        }
        Ok(TagOutcome::Written)
    }

    fn log(&self, report: &Report, started: Instant, record: EventRecord<'_>) {
        let (duration_ms, ended_at_ms) = (milliseconds(started.elapsed()), milliseconds(unix_time()));
        (self.write_metrics)(&metrics_line(report, EventRecord { duration_ms, ended_at_ms, ..record }));
    }
}

/// Returns whether the event is younger than [`GRACE_PERIOD`]; false if it has no time.
fn is_within_grace_period(event: &EventBridgeEvent<Value>) -> bool {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    event.time.is_some_and(|time| seconds(unix_time()).saturating_sub(time.timestamp()) < seconds(GRACE_PERIOD))
}
