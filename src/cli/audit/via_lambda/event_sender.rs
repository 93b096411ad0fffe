//! Puts events on a bus: ten at a time, at a pace that it takes, each until it is taken.
//!
//! Does not know what becomes of them.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::event_entry::build_entry;
use super::rate::EventRate;
use super::transient::is_transient;
use crate::aws::service_error::{BoxError, convert_sdk_error};
use crate::event::Arrival;
use crate::text::sanitize;

/// How many events one request may hold: `EventBridge` API reference, `PutEvents`.
pub(super) const BATCH_SIZE: usize = 10;

/// How long the pause is after a first refusal for the time being; it doubles with each further one, up to the longest. A
/// bus that is busy for longer is not asked sooner by waiting longer.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// As much is shown of what the bus says, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Where the bus does not even say that it refuses.
const NO_ENTRY_RESULT: &str = "it says nothing of the event";

/// An event was not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(in crate::cli) enum EventSendError {
    #[error("events:PutEvents failed: allow the caller this action on the event bus, in the function's region")]
    Denied(#[source] BoxError),
    #[error("events:PutEvents failed")]
    Failed(#[source] BoxError),
    #[error("the event bus refused an event again and again: {0}")]
    Rejected(String),
}

/// One way to the function.
#[derive(Debug)]
pub(super) struct EventSender {
    client: Client,
    rate: EventRate,
    timeout: Duration,
    started_at: Instant,
}

impl EventSender {
    /// At most so many events a second; patience is for a bus that takes none.
    pub(super) fn new(client: Client, rate: f64, patience: Duration) -> Self {
        Self { client, rate: EventRate::new(rate), timeout: patience, started_at: Instant::now() }
    }

    /// Asks about these images, at most [`BATCH`]. Each that is taken is handed over at once, with its event's id, whatever
    /// becomes of the others: its answer may come while they are still refused.
    ///
    /// # Errors
    /// Where some are not taken in time, or never will be.
    pub(super) async fn send(
        &mut self,
        arrivals: Vec<Arrival>,
        mut taken: impl FnMut(String, Arrival),
    ) -> Result<(), EventSendError> {
        let (mut open, mut pause, mut last) = (arrivals, MIN_PAUSE, Instant::now());
        while !open.is_empty() {
            tokio::time::sleep(self.rate.reserve(open.len(), self.started_at.elapsed())).await;
            let (before, mut refusal) = (open.len(), None);
            match self.put_events(open.iter().map(build_entry).collect()).await? {
                // It may have taken them all the same. Then they are answered twice, and the first answers are nobody's.
                PutOutcome::Retry(error) => refusal = Some(error),
                PutOutcome::PerEvent(results) => {
                    let mut results = results.into_iter();
                    let mut left = Vec::new();
                    for arrival in open {
                        match results.next() {
                            Some(PutEventsResultEntry { event_id: Some(id), .. }) => taken(id, arrival),
                            result => {
                                let said = result
                                    .map_or_else(|| NO_ENTRY_RESULT.to_owned(), |result| describe_rejection(&result));
                                refusal = Some(EventSendError::Rejected(said));
                                left.push(arrival);
                            }
                        }
                    }
                    open = left;
                }
            }
            self.rate.increase(before - open.len());
            if open.len() < before {
                (pause, last) = (MIN_PAUSE, Instant::now());
            }
            if let Some(error) = refusal {
                self.rate.decrease();
                if last.elapsed() + pause > self.timeout {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
        Ok(())
    }

    async fn put_events(&self, entries: Vec<PutEventsRequestEntry>) -> Result<PutOutcome, EventSendError> {
        let error = match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(reply) => return Ok(PutOutcome::PerEvent(reply.entries.unwrap_or_default())),
            Err(error) => error,
        };
        if is_transient(&error) {
            return Ok(PutOutcome::Retry(EventSendError::Failed(convert_sdk_error(error))));
        }
        match error.code() {
            Some("AccessDeniedException") => Err(EventSendError::Denied(convert_sdk_error(error))),
            _ => Err(EventSendError::Failed(convert_sdk_error(error))),
        }
    }
}

/// What came of one request.
enum PutOutcome {
    /// Each event has an answer of its own.
    PerEvent(Vec<PutEventsResultEntry>),
    /// None of them was taken for the time being.
    Retry(EventSendError),
}

/// What the bus says of one event.
fn describe_rejection(result: &PutEventsResultEntry) -> String {
    let said: Vec<&str> = [result.error_code(), result.error_message()].into_iter().flatten().collect();
    sanitize(&said.join(": "), MAX_MESSAGE_CHARS)
}
