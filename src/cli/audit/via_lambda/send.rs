//! Puts events on a bus: ten at a time, at a pace that it takes, each until it is taken.
//!
//! Does not know what becomes of them.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::entry::entry;
use super::passing::is_passing;
use super::rate::Rate;
use crate::aws::service_error::{Cause, cause};
use crate::event::Arrival;
use crate::text::printable;

/// How many events one request may hold: `EventBridge` API reference, `PutEvents`.
pub(super) const BATCH: usize = 10;

/// How long the pause is after a first refusal for the time being; it doubles with each further one, up to the longest. A
/// bus that is busy for longer is not asked sooner by waiting longer.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// As much is shown of what the bus says, in characters.
const MAX_SAID: usize = 300;

/// Where the bus does not even say that it refuses.
const NOTHING: &str = "it says nothing of the event";

/// An event was not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(in crate::cli) enum SendError {
    #[error("events:PutEvents failed: allow the caller this action on the event bus, in the function's region")]
    Denied(#[source] Cause),
    #[error("events:PutEvents failed")]
    Failed(#[source] Cause),
    #[error("the event bus refused an event again and again: {0}")]
    Refused(String),
}

/// One way to the function.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    rate: Rate,
    patience: Duration,
    began: Instant,
}

impl Sender {
    /// At most so many events a second; patience is for a bus that takes none.
    pub(super) fn new(client: Client, rate: f64, patience: Duration) -> Self {
        Self { client, rate: Rate::new(rate), patience, began: Instant::now() }
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
    ) -> Result<(), SendError> {
        let (mut open, mut pause, mut last) = (arrivals, PAUSE, Instant::now());
        while !open.is_empty() {
            tokio::time::sleep(self.rate.wait(open.len(), self.began.elapsed())).await;
            let (before, mut refusal) = (open.len(), None);
            match self.put(open.iter().map(entry).collect()).await? {
                // It may have taken them all the same. Then they are answered twice, and the first answers are nobody's.
                Put::Later(error) => refusal = Some(error),
                Put::Answered(results) => {
                    let mut results = results.into_iter();
                    let mut left = Vec::new();
                    for arrival in open {
                        match results.next() {
                            Some(PutEventsResultEntry { event_id: Some(id), .. }) => taken(id, arrival),
                            result => {
                                let said = result.map_or_else(|| NOTHING.to_owned(), |result| said(&result));
                                refusal = Some(SendError::Refused(said));
                                left.push(arrival);
                            }
                        }
                    }
                    open = left;
                }
            }
            self.rate.taken(before - open.len());
            if open.len() < before {
                (pause, last) = (PAUSE, Instant::now());
            }
            if let Some(error) = refusal {
                self.rate.refused();
                if last.elapsed() + pause > self.patience {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
        }
        Ok(())
    }

    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Put, SendError> {
        let error = match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(reply) => return Ok(Put::Answered(reply.entries.unwrap_or_default())),
            Err(error) => error,
        };
        if is_passing(&error) {
            return Ok(Put::Later(SendError::Failed(cause(error))));
        }
        match error.code() {
            Some("AccessDeniedException") => Err(SendError::Denied(cause(error))),
            _ => Err(SendError::Failed(cause(error))),
        }
    }
}

/// What came of one request.
enum Put {
    /// Each event has an answer of its own.
    Answered(Vec<PutEventsResultEntry>),
    /// None of them was taken for the time being.
    Later(SendError),
}

/// What the bus says of one event.
fn said(result: &PutEventsResultEntry) -> String {
    let said: Vec<&str> = [result.error_code(), result.error_message()].into_iter().flatten().collect();
    printable(&said.join(": "), MAX_SAID)
}
