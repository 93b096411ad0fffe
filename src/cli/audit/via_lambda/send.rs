//! Puts events on a bus: ten at a time, at a pace that it takes, each until it is taken.
//!
//! Does not know what becomes of them.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::entry::entry;
use super::rate::Rate;
use crate::event::Arrival;
use crate::service_error::{Cause, cause};

/// How many events one request may hold: `EventBridge` API reference, `PutEvents`.
pub(super) const BATCH: usize = 10;

/// How often an event is put that the bus refuses for the time being, and how long the first pause is; it doubles.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// An event was not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(in crate::cli) enum SendError {
    #[error("events:PutEvents failed: allow the caller this action on the event bus, in the function's region")]
    Denied(#[source] Cause),
    #[error("events:PutEvents failed")]
    Failed(#[source] Cause),
    #[error("the event bus refused an event {ATTEMPTS} times: {0}")]
    Refused(String),
}

/// One way to the function.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    rate: Rate,
    began: Instant,
}

impl Sender {
    /// At most so many events a second.
    pub(super) fn new(client: Client, rate: f64) -> Self {
        Self { client, rate: Rate::new(rate), began: Instant::now() }
    }

    /// Asks about these images, at most [`BATCH`]: the events' ids, in their order.
    pub(super) async fn send(&mut self, arrivals: &[Arrival]) -> Result<Vec<String>, SendError> {
        let entries: Vec<_> = arrivals.iter().map(entry).collect();
        let mut ids = vec![None; entries.len()];
        let (mut pause, mut refusal) = (PAUSE, String::new());
        for _ in 0..ATTEMPTS {
            let open: Vec<usize> = (0..entries.len()).filter(|at| ids[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            tokio::time::sleep(self.rate.wait(open.len(), self.began.elapsed())).await;
            match self.put(open.iter().map(|at| entries[*at].clone()).collect()).await? {
                Put::Throttled(said) => refusal = said,
                Put::Answered(results) => {
                    for (at, result) in open.iter().zip(results) {
                        match result.event_id {
                            Some(id) => ids[*at] = Some(id),
                            None => refusal = said(result.error_code(), result.error_message()),
                        }
                    }
                }
            }
            let left = ids.iter().filter(|id| id.is_none()).count();
            self.rate.taken(open.len() - left);
            if left > 0 {
                self.rate.refused();
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        ids.into_iter().collect::<Option<_>>().ok_or(SendError::Refused(refusal))
    }

    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Put, SendError> {
        let error = match self.client.put_events().set_entries(Some(entries)).send().await {
            Ok(reply) => return Ok(Put::Answered(reply.entries.unwrap_or_default())),
            Err(error) => error,
        };
        match error.code() {
            Some(code) if code.starts_with("Throttling") || code == "TooManyRequestsException" => {
                Ok(Put::Throttled(said(error.code(), error.message())))
            }
            Some("AccessDeniedException") => Err(SendError::Denied(cause(error))),
            _ => Err(SendError::Failed(cause(error))),
        }
    }
}

/// What came of one request.
enum Put {
    /// Each event has an answer of its own.
    Answered(Vec<PutEventsResultEntry>),
    /// All of them are too many.
    Throttled(String),
}

fn said(code: Option<&str>, message: Option<&str>) -> String {
    [code, message].into_iter().flatten().collect::<Vec<_>>().join(": ")
}
