//! The walk of one event, from arrival to message and mark.
//!
//! Does not know which registry, topic or terminal it walks on.

use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::journal;
use super::journal::Walked;
use super::notify;
use super::notify::{Notifier, NotifyError};
use super::verdict_tag as mark;
use super::verdict_tag::{MarkError, Marker, Outcome};
use crate::check::{Inspect, Look, check_image};
use crate::event::{self, Arrival, Event, EventError, Ignored};
use crate::inspect::Inspector;
use crate::name::Repository;
use crate::registry::counted::Counted;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::registry::{Registry, RegistryError};
use crate::report::{Place, Report};
use crate::settings::Depth;
use crate::settings::Settings;

/// Everything that the walk needs of the world.
#[derive(Debug)]
pub struct Walk<O, N, M> {
    /// Opens the repository of an arrival.
    pub registry: O,
    /// Opens it for marking.
    pub marker: M,
    /// Tells people; none where only marks are set.
    pub notifier: Option<N>,
    /// Looks at programs, and remembers layers from one event to the next.
    pub inspector: Inspector,
    /// How it is set.
    pub settings: Settings,
    /// The region whose repositories are read; none where any is.
    pub region: Option<String>,
    /// Writes down one line for each event.
    pub journal: fn(&Value),
}

/// The event is to be retried, and in the end to land in the failure queue.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is the error of one room")]
pub enum Error {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// A repository of the same name in the function's own region would be another one.
    #[error("the image is in {theirs}, and this function reads the repositories of {own}: deploy it there too")]
    #[allow(missing_docs, reason = "the message says it")]
    Elsewhere { theirs: String, own: String },
    /// Nobody else would hear of it, so it must not pass for done.
    #[error("the mark was not set: {0}")]
    Unmarked(String),
}

/// How long to wait before a missing image, one that its tag does not point at, or one of which a part is missing is asked
/// for a second time: an event may overtake what it tells of, and an image be deleted while it is read.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// What of an invocation's time is kept back from inspections, so that what is known without them still goes out: a mark
/// and a message take some tens of milliseconds, and at most 14 seconds each when a service stalls.
const MARGIN: Duration = Duration::from_secs(30);

impl<R: Registry, N: Notifier, M: Marker, O: Fn(&Repository) -> R, P: Fn(&Repository) -> M> Walk<O, N, P> {
    /// Handles one event; `left` is the time that there is for it, where that is known.
    ///
    /// # Errors
    /// Where something is not known that a retry may find out, or may not have been said that was to be said.
    pub async fn handle(&self, event: &EventBridgeEvent<Value>, left: Option<Duration>) -> Result<Report, Error> {
        let began = Instant::now();
        let event_id = event.id.as_deref().unwrap_or_default();
        // Thousands are asked about at once, by somebody who reads the answers: the log holds them.
        let is_audit = event::is_audit(event);
        let arrival = match Event::read(event)? {
            Event::Arrival(arrival) => arrival,
            Event::Ignored(why, said, arrival) => {
                let report = Report::ignored(Place { arrival: arrival.as_ref(), ..Place::default() }, None, why);
                self.write_down(&report, began, Walked { event_id, is_audit, said: &said, ..Walked::default() });
                return Ok(report);
            }
        };
        if let Some(own) = self.region.clone().filter(|own| own != arrival.repository.region()) {
            return Err(Error::Elsewhere { theirs: arrival.repository.region().to_owned(), own });
        }
        let registry = Counted::new((self.registry)(&arrival.repository));
        let rules = &self.settings.rules;
        let left = left.map_or(Duration::MAX, |left| left.saturating_sub(MARGIN));
        let by = Inspect { inspector: &self.inspector, left };
        let is_old = is_old(event);
        let mut found = gone(check_image(&registry, &arrival.selector, None, rules, by).await, is_old)?;
        if matches!(found, Look::Ignored(Ignored::Deleted | Ignored::Superseded, _)) || found.lacks_a_part() {
            tokio::time::sleep(SECOND_LOOK).await;
            let by = Inspect { left: left.saturating_sub(began.elapsed()), ..by };
            found = gone(check_image(&registry, &arrival.selector, None, rules, by).await, is_old)?;
        }
        let mut report = found.report(Place {
            arrival: Some(&arrival),
            reference: &arrival.reference(),
            repository: Some(&arrival.repository),
            tag: arrival.selector.tag(),
            key: &rules.key,
            labels_only: rules.depth < Depth::Binaries,
        });
        let marked = if is_audit { Outcome::Set } else { self.mark(&arrival, &found, &report).await? };
        let told = report.is_news() && !is_audit && self.notifier.is_some();
        if let Outcome::Refused(reason) = marked {
            tracing::error!(event_id, reason, "mark refused");
            if !told {
                return Err(Error::Unmarked(reason));
            }
            report.remarks.push(format!("The image could not be marked: {reason}"));
        }
        if let (true, Some(notifier)) = (told, &self.notifier) {
            notifier.send(&notify::message(&report)).await?;
        }
        let bytes = registry.bytes();
        self.write_down(&report, began, Walked { event_id, is_audit, told, bytes, ..Walked::default() });
        Ok(report)
    }

    fn write_down(&self, report: &Report, began: Instant, walked: Walked<'_>) {
        let whole = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let walked = Walked { milliseconds: whole(began.elapsed()), now: whole(now), ..walked };
        (self.journal)(&journal::line(report, walked));
    }

    /// Before anything is said, so that a mark that must be retried does not have people told twice.
    async fn mark(&self, arrival: &Arrival, look: &Look, report: &Report) -> Result<Outcome, MarkError> {
        let Look::Judged { manifest: Some(manifest), .. } = look else { return Ok(Outcome::Set) };
        let marker = (self.marker)(&arrival.repository);
        for mark in mark::marks(report, self.settings.mark) {
            if let refused @ Outcome::Refused(_) = marker.set(manifest, &mark).await? {
                return Ok(refused);
            }
        }
        Ok(Outcome::Set)
    }
}

/// From which age on an event's repository counts as deleted where it is not there, and not as one that cannot be seen yet.
/// Lambda tries again one and three minutes after an error, so that the last attempt finds it older.
const OLD: i64 = 120;

/// Whether an event is so old; one without a time is.
fn is_old(event: &EventBridgeEvent<Value>) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    event.time.is_none_or(|time| now.saturating_sub(time.timestamp()) >= OLD)
}

/// An image goes with its repository, where the call that reads images says so.
fn gone(looked: Result<Look, RegistryError>, is_old: bool) -> Result<Look, RegistryError> {
    match looked {
        Err(RegistryError::NoRepository { action, .. }) if is_old && action == BATCH_GET_IMAGE => {
            Ok(Look::Ignored(Ignored::Deleted, None))
        }
        looked => looked,
    }
}
