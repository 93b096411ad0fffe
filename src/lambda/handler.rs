//! Handles one event: parses it, checks the image, publishes the result and logs it.

use std::time::{Duration, Instant};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::event_case::{EventCase, Notification, RECHECK_DELAY};
use super::event_ledger::EventLedger;
use super::image_table::ImageTable;
use super::log::{EventRecord, metrics_line, milliseconds, unix_time};
use super::notify::Notifier;
use super::recent::RecentMessages;
use super::stopped_task::StoppedTask;
use super::verdict_tag::VerdictTagger;
use crate::aws::service_error::CallError;
use crate::check::{ImageCheck, ImageOrigin, InspectContext, check_image_with};
use crate::date::Date;
use crate::event::{self, Arrival, Event, EventError, IgnoreReason};
use crate::inspect::Inspector;
use crate::name::Repository;
use crate::registry::counting::CountingRegistry;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{Registry, RegistryError};
use crate::report::Report;
use crate::settings::{ConsumerUse, Settings};

/// Handles events. Its fields are its dependencies.
#[derive(Debug)]
pub struct EventHandler<OpenRegistry, N, OpenTagger, Images> {
    /// Opens a repository for reading.
    pub open_registry: OpenRegistry,
    /// Opens a repository for writing verdict tags.
    pub open_tagger: OpenTagger,
    /// Sends messages; `None` if only verdict tags are written.
    pub notifier: Option<N>,
    /// What runs images, and what was reported about their tags; `None` if there is no table.
    pub table: Option<Images>,
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

/// The event failed: it is retried, then sent to the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("the event does not describe the task that stopped")]
    StoppedTask(#[from] serde_json::Error),
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
    /// The settings require it.
    #[error("what runs the image is unknown: {0}")]
    ConsumersUnknown(String),
}

/// The part of an invocation's time that is reserved for writing a verdict tag and sending a message. Both take tens of
/// milliseconds, or up to 14 seconds each if a service does not respond.
const REPORTING_RESERVE: Duration = Duration::from_secs(30);

/// The age of an event from which a missing repository counts as deleted; before that, it may not be readable yet.
/// A failed event stays in the queue for half an hour, so the next attempt is later.
const GRACE_PERIOD: Duration = Duration::from_mins(2);

impl<R, T, N, Images, OpenRegistry, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger, Images>
where
    R: Registry,
    T: VerdictTagger,
    N: Notifier,
    Images: ImageTable,
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

        let stopped = StoppedTask::from_event(event)?;

        let registry = (self.open_registry)(&arrival.repository);
        let registry = CountingRegistry::new(&registry);
        let ledger = self.open_ledger(&arrival, stopped.as_deref(), event);
        let case = EventCase { arrival: &arrival, stopped: stopped.as_deref(), ledger: &ledger };
        let ImageCheck { mut report, manifest, .. } = self.check(&registry, case, event, delivery).await?;
        record.bytes_read = registry.bytes_read();
        let is_required = self.settings.consumers == ConsumerUse::Required && report.ignored.is_none();
        if let Some(reason) = ledger.lookup_error.take().filter(|_| is_required) {
            return Err(HandlerError::ConsumersUnknown(reason));
        }
        ledger.add_previous(&mut report);
        report.stopped = stopped.as_ref().map(|stopped| stopped.report());

        // An audit of thousands of images reads the results from the log.
        let mut notification = Notification::NotNeeded;
        if !record.is_audit {
            notification = self.publish(case, manifest.as_ref(), &mut report).await?;
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

    /// Opens the ledger of an event. An audit judges images by what is declared, and reports nothing.
    fn open_ledger<'a>(
        &'a self,
        arrival: &'a Arrival,
        stopped: Option<&StoppedTask>,
        event: &EventBridgeEvent<Value>,
    ) -> EventLedger<'a, Images> {
        let uses_table = self.settings.consumers != ConsumerUse::Off && !event::is_audit(event);
        let seconds = event.time.and_then(|time| u64::try_from(time.timestamp()).ok());
        let at = seconds.unwrap_or_else(|| unix_time().as_secs());
        let reference = arrival.reference();
        let key = stopped.map_or_else(|| reference.clone(), |stopped| stopped.key(&reference));
        let table = self.table.as_ref().filter(|_| uses_table);
        EventLedger::new(table, arrival, key, stopped.is_none(), at)
    }

    /// Checks the image. If it is missing or incomplete, or has lost its tag, checks it again.
    async fn check(
        &self,
        registry: &impl Registry,
        case: EventCase<'_, Images>,
        event: &EventBridgeEvent<Value>,
        DeliveryContext { time_left, is_repeated }: DeliveryContext,
    ) -> Result<ImageCheck, RegistryError> {
        let time_left = time_left.map_or(Duration::MAX, |left| left.saturating_sub(REPORTING_RESERVE));
        let started = Instant::now();
        let is_new = is_within_grace_period(event);
        let context = InspectContext { inspector: &self.inspector, time_left, is_repeated };
        let check = self.check_once(registry, case, is_new, context).await?;
        let is_gone = matches!(check.report.ignored, Some(IgnoreReason::Deleted | IgnoreReason::Superseded));
        if !is_gone && !check.has_missing_part {
            return Ok(check);
        }
        tokio::time::sleep(RECHECK_DELAY).await;
        let time_left = time_left.saturating_sub(started.elapsed());
        self.check_once(registry, case, is_new, InspectContext { time_left, ..context }).await
    }

    /// Checks the image. If its repository was deleted, the image was deleted too.
    async fn check_once(
        &self,
        registry: &impl Registry,
        case: EventCase<'_, Images>,
        is_new: bool,
        context: InspectContext<'_>,
    ) -> Result<ImageCheck, RegistryError> {
        let EventCase { arrival, stopped, ledger } = case;
        let consumer = stopped.map(|stopped| &stopped.consumer);
        let origin = ImageOrigin { consumer, ..ImageOrigin::from(arrival) };
        match check_image_with(ledger, registry, &origin, None, &self.settings.check, context, (self.today)()).await {
            Err(RegistryError::RepositoryNotFound { action, .. }) if !is_new && action == BATCH_GET_IMAGE => {
                let report = Report::from_ignored_event(Some(arrival), IgnoreReason::Deleted);
                Ok(ImageCheck { report, manifest: None, has_missing_part: false })
            }
            result => result,
        }
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
