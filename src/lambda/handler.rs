//! Handles one event: parses it, checks the image, writes verdict tags, sends the message and logs the result.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::log::{EventRecord, metrics_line};
use super::notify::{Notifier, build_message};
use super::verdict_tag::{TagOutcome, VerdictTagger, verdict_tags};
use crate::aws::service_error::CallError;
use crate::check::{ImageCheck, ImageOrigin, InspectContext, check_image};
use crate::event::{self, Arrival, Event, EventError, IgnoreReason};
use crate::inspect::Inspector;
use crate::name::Repository;
use crate::registry::counting::CountingRegistry;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{Manifest, Registry, RegistryError};
use crate::report::Report;
use crate::settings::Settings;

/// Handles events. Its fields are everything that it needs from outside.
#[derive(Debug)]
pub struct EventHandler<OpenRegistry, N, OpenTagger> {
    /// Opens a repository for reading.
    pub open_registry: OpenRegistry,
    /// Opens a repository for writing verdict tags.
    pub open_tagger: OpenTagger,
    /// Sends messages; `None` if only verdict tags are written.
    pub notifier: Option<N>,
    /// Inspects programs, and keeps layers from one event to the next.
    pub inspector: Inspector,
    /// The settings.
    pub settings: Settings,
    /// The only region whose repositories are read; `None` if any region is.
    pub region: Option<String>,
    /// Writes the log line with the result and the metrics of an event.
    pub write_metrics: fn(&Value),
}

/// The event failed: it is retried, and after the last attempt it is sent to the failure queue.
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
    /// A repository with the same name in the function's own region is a different one.
    #[error(
        "the image is in {image_region}, but this function reads repositories in {function_region}: deploy it there too"
    )]
    WrongRegion { image_region: String, function_region: String },
    /// No message is sent either, so nobody would learn of the verdict.
    #[error("the verdict tag was not written: {0}")]
    VerdictTagRefused(String),
}

/// How long to wait before the second check of an image that was missing, incomplete, or no longer under its tag: an event
/// may arrive before its image can be read, and an image may be deleted while it is read.
const RECHECK_DELAY: Duration = Duration::from_millis(500);

/// The part of an invocation's time that inspections must leave for writing the verdict tag and sending the message. Each
/// takes some tens of milliseconds, and at most 14 seconds if a service does not respond.
const REPORTING_RESERVE: Duration = Duration::from_secs(30);

/// The age from which a missing repository counts as deleted; before, it may not be readable yet. Lambda retries one and
/// three minutes after an error, so the event is older than this at the last attempt.
const GRACE_PERIOD: Duration = Duration::from_mins(2);

impl<R, T, N, OpenRegistry, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger>
where
    R: Registry,
    T: VerdictTagger,
    N: Notifier,
    OpenRegistry: Fn(&Repository) -> R,
    OpenTagger: Fn(&Repository) -> T,
{
    /// Handles one event. `time_left` is the rest of the invocation's time, if it is limited.
    ///
    /// # Errors
    /// If a retry may find out more, or if a result may not have been written.
    pub async fn handle(
        &self,
        event: &EventBridgeEvent<Value>,
        time_left: Option<Duration>,
    ) -> Result<Report, HandlerError> {
        let started = Instant::now();
        let event_id = event.id.as_deref().unwrap_or_default();
        let mut record = EventRecord { event_id, is_audit: event::is_audit(event), ..EventRecord::default() };

        let arrival = match Event::parse(event)? {
            Event::Arrival(arrival) => arrival,
            Event::Ignored(reason, detail, arrival) => {
                let report = Report::from_ignored_event(arrival.as_ref(), reason);
                self.log(&report, started, EventRecord { ignored_detail: &detail, ..record });
                return Ok(report);
            }
        };
        self.require_own_region(&arrival.repository)?;

        let registry = CountingRegistry::new((self.open_registry)(&arrival.repository));
        let ImageCheck { mut report, manifest, .. } = self.check(&registry, &arrival, event, time_left).await?;
        record.bytes_read = registry.bytes_read();

        // An audit reads the result from the log; it may send thousands of events.
        if !record.is_audit {
            record.notified = self.publish(&arrival, manifest.as_ref(), &mut report).await?;
        }
        self.log(&report, started, record);
        Ok(report)
    }

    fn require_own_region(&self, repository: &Repository) -> Result<(), HandlerError> {
        match &self.region {
            Some(function_region) if function_region != repository.region() => Err(HandlerError::WrongRegion {
                image_region: repository.region().to_owned(),
                function_region: function_region.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Checks the image, and once more if it was missing, incomplete or no longer under its tag.
    async fn check(
        &self,
        registry: &impl Registry,
        arrival: &Arrival,
        event: &EventBridgeEvent<Value>,
        time_left: Option<Duration>,
    ) -> Result<ImageCheck, RegistryError> {
        let inspection_time = time_left.map_or(Duration::MAX, |left| left.saturating_sub(REPORTING_RESERVE));
        let started = Instant::now();
        let is_new = is_within_grace_period(event);
        let check = self.check_once(registry, arrival, is_new, inspection_time).await?;
        let is_gone = matches!(check.report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded));
        if !is_gone && !check.has_missing_part {
            return Ok(check);
        }
        tokio::time::sleep(RECHECK_DELAY).await;
        self.check_once(registry, arrival, is_new, inspection_time.saturating_sub(started.elapsed())).await
    }

    /// Checks the image. If its repository was deleted, so was the image.
    async fn check_once(
        &self,
        registry: &impl Registry,
        arrival: &Arrival,
        is_new: bool,
        time_left: Duration,
    ) -> Result<ImageCheck, RegistryError> {
        let context = InspectContext { inspector: &self.inspector, time_left };
        match check_image(registry, &ImageOrigin::from(arrival), None, &self.settings.check, context).await {
            Err(RegistryError::RepositoryNotFound { action, .. }) if !is_new && action == BATCH_GET_IMAGE => {
                let report = Report::from_ignored_event(Some(arrival), IgnoreReason::Deleted);
                Ok(ImageCheck { report, manifest: None, has_missing_part: false })
            }
            result => result,
        }
    }

    /// Writes the verdict tags, then sends the message if the report calls for one. Returns whether a message was sent.
    ///
    /// The tags come first: if they have to be retried, no message has been sent yet that would be sent twice.
    async fn publish(
        &self,
        arrival: &Arrival,
        manifest: Option<&Manifest>,
        report: &mut Report,
    ) -> Result<bool, HandlerError> {
        let notifier = self.notifier.as_ref().filter(|_| report.needs_notification());
        if let Some(reason) = self.write_verdict_tags(arrival, manifest, report).await? {
            tracing::error!(event_id = arrival.event_id, reason, "verdict tag refused");
            if notifier.is_none() {
                return Err(HandlerError::VerdictTagRefused(reason));
            }
            report.remarks.push(format!("The verdict tag could not be written: {reason}"));
        }
        let Some(notifier) = notifier else { return Ok(false) };
        notifier.send(&build_message(report)).await?;
        Ok(true)
    }

    /// Writes the verdict tags that the report calls for. Returns the reason if one was refused.
    async fn write_verdict_tags(
        &self,
        arrival: &Arrival,
        manifest: Option<&Manifest>,
        report: &Report,
    ) -> Result<Option<String>, CallError> {
        let Some(manifest) = manifest else { return Ok(None) };
        let tagger = (self.open_tagger)(&arrival.repository);
        for tag in verdict_tags(report, self.settings.verdict_tags) {
            if let TagOutcome::Refused(reason) = tagger.write_tag(manifest, &tag).await? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }
}

impl<OpenRegistry, N, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger> {
    fn log(&self, report: &Report, started: Instant, record: EventRecord<'_>) {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (duration_ms, ended_at_ms) = (milliseconds(started.elapsed()), milliseconds(unix_time()));
        (self.write_metrics)(&metrics_line(report, EventRecord { duration_ms, ended_at_ms, ..record }));
    }
}

/// Whether the event is younger than [`GRACE_PERIOD`]. An event without a time is not.
fn is_within_grace_period(event: &EventBridgeEvent<Value>) -> bool {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    event.time.is_some_and(|time| seconds(unix_time()).saturating_sub(time.timestamp()) < seconds(GRACE_PERIOD))
}

/// The time since 1970.
#[must_use]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
