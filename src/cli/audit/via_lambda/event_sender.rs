//! Sends events to the event bus: ten at a time, at a rate that the bus accepts, each until it is accepted.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use serde_json::json;

use crate::aws::service_error::convert_sdk_error;
use crate::backoff::{Aimd, Backoff};
use crate::cli::audit::error::{ViaLambdaError, is_transient};
use crate::event::{AUDIT_DETAIL_TYPE, Arrival, OWN_SOURCE};
use crate::name::{Digest, Tag};
use crate::text::sanitize;

/// How many events one request may contain: `EventBridge` API reference, `PutEvents`.
pub(super) const BATCH_SIZE: usize = 10;

/// The shortest pause, after a first refusal.
const MIN_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: a bus that is busy for longer does not accept events sooner after longer ones.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The lowest rate, in events a second: one request of ten.
const MIN_RATE: f64 = 10.0;
/// How much the rate grows with each accepted event: by a hundred events a second within some seconds.
const INCREASE_PER_EVENT: f64 = 0.2;

/// How much of an error of the bus is shown, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Sends events to the account's default bus.
#[derive(Debug)]
pub(super) struct EventSender {
    client: Client,
    rate: EventRate,
    timeout: Duration,
    started_at: Instant,
}

impl EventSender {
    /// Creates a sender with a highest rate, in events a second. After the timeout without an accepted event it gives up.
    pub(super) fn new(client: Client, max_rate: f64, timeout: Duration) -> Self {
        Self { client, rate: EventRate::new(max_rate), timeout, started_at: Instant::now() }
    }

    /// Sends events for at most [`BATCH_SIZE`] arrivals. Calls `accepted` with the id of each event as soon as it is
    /// accepted, because its report may arrive while others are still refused.
    ///
    /// # Errors
    /// An event is not accepted within the timeout, or never will be.
    pub(super) async fn send(
        &mut self,
        arrivals: Vec<Arrival>,
        mut accepted: impl FnMut(String, Arrival),
    ) -> Result<(), ViaLambdaError> {
        let (mut open, mut last_accepted) = (arrivals, Instant::now());
        let mut backoff = Backoff::new(MIN_PAUSE, MAX_PAUSE);
        while !open.is_empty() {
            tokio::time::sleep(self.rate.reserve(open.len(), self.started_at.elapsed())).await;
            let (before, mut refusal) = (open.len(), None);
            let entries = open.iter().map(build_entry).collect();
            match self.client.put_events().set_entries(Some(entries)).send().await {
                Ok(reply) => {
                    let mut results = reply.entries.unwrap_or_default().into_iter();
                    for arrival in std::mem::take(&mut open) {
                        match results.next() {
                            Some(PutEventsResultEntry { event_id: Some(id), .. }) => accepted(id, arrival),
                            result => {
                                refusal = Some(ViaLambdaError::EventRejected(describe_rejection(result.as_ref())));
                                open.push(arrival);
                            }
                        }
                    }
                }
                // The bus may have accepted them nevertheless. Then the function reports twice, and the first reports,
                // whose event ids are unknown, are ignored.
                Err(error) if is_transient(&error) => {
                    refusal = Some(ViaLambdaError::SendFailed(convert_sdk_error(error)));
                }
                Err(error) if error.code() == Some("AccessDeniedException") => {
                    return Err(ViaLambdaError::SendDenied(convert_sdk_error(error)));
                }
                Err(error) => return Err(ViaLambdaError::SendFailed(convert_sdk_error(error))),
            }
            self.rate.increase(before - open.len());
            if open.len() < before {
                last_accepted = Instant::now();
                backoff.reset();
            }
            if let Some(error) = refusal {
                self.rate.per_second.halve();
                let pause = backoff.next_pause();
                if last_accepted.elapsed() + pause > self.timeout {
                    return Err(error);
                }
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }
}

fn describe_rejection(result: Option<&PutEventsResultEntry>) -> String {
    let Some(result) = result else { return "the response has no result for it".to_owned() };
    let parts: Vec<&str> = [result.error_code(), result.error_message()].into_iter().flatten().collect();
    sanitize(&parts.join(": "), MAX_MESSAGE_CHARS)
}

/// Builds the event for one image, which [`Event::parse`](crate::event::Event::parse) reads in the function. Account and
/// region are those of the bus.
fn build_entry(arrival: &Arrival) -> PutEventsRequestEntry {
    let also_tagged: Vec<&str> = arrival.also_tagged.iter().map(Tag::as_str).collect();
    let detail = json!({
        "repository-name": arrival.repository.name(),
        "image-digest": arrival.selector.digest().map(Digest::as_str),
        "image-tag": arrival.selector.tag().map(Tag::as_str),
        "also-tagged": also_tagged,
        "pushed-at": arrival.pushed_at,
    });
    PutEventsRequestEntry::builder()
        .source(OWN_SOURCE)
        .detail_type(AUDIT_DETAIL_TYPE)
        .resources(arrival.repository.arn())
        .detail(detail.to_string())
        .build()
}

/// The rate of events, which follows what the bus accepts. Times are durations since the beginning.
#[derive(Debug)]
struct EventRate {
    per_second: Aimd,
    next_send: Duration,
}

impl EventRate {
    fn new(max: f64) -> Self {
        Self { per_second: Aimd::new(MIN_RATE, max), next_send: Duration::ZERO }
    }

    /// Returns how long to wait before so many events are sent.
    fn reserve(&mut self, events: usize, now: Duration) -> Duration {
        let start = self.next_send.max(now);
        self.next_send = start + Duration::from_secs_f64(to_f64(events) / self.per_second.value);
        start.saturating_sub(now)
    }

    fn increase(&mut self, accepted: usize) {
        self.per_second.increase(INCREASE_PER_EVENT * to_f64(accepted));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a request has ten events")]
fn to_f64(events: usize) -> f64 {
    events as f64
}

#[cfg(test)]
pub(super) fn sample_arrival() -> Arrival {
    Arrival {
        how: crate::event::ArrivalKind::Audit,
        repository: crate::name::Repository::new("123456789012", "us-west-2", "team/app").unwrap(),
        selector: crate::name::Selector::DigestAndTag(Digest::of(b"image"), "v1".parse().unwrap()),
        event_id: String::new(),
        also_tagged: Vec::new(),
        pushed_at: None,
        sent_at: None,
        source: None,
        upstream: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::event::Event;

    /// How many events are sent within ten seconds to a bus that accepts so many a second.
    fn sent_within_ten_seconds(max: f64, accepted: Option<f64>) -> usize {
        let (mut rate, mut now, mut sent, mut refused) = (EventRate::new(max), Duration::ZERO, 0, 0);
        while now < Duration::from_secs(10) {
            now += rate.reserve(10, now);
            match accepted {
                Some(accepted) if rate.per_second.value > accepted => {
                    refused += 1;
                    rate.per_second.halve();
                }
                _ => {
                    rate.increase(10);
                    sent += 10;
                }
            }
        }
        assert!(refused * 10 <= sent.max(100), "{refused} refusals for {sent} events");
        sent
    }

    #[test]
    fn rate_follows_what_the_bus_accepts() {
        for (max, accepted, at_least, at_most) in [
            (100.0, None, 990, 1010),
            (1.0, None, 90, 110),
            (400.0, Some(200.0), 1000, 2100),
            (400.0, Some(40.0), 200, 500),
        ] {
            let sent = sent_within_ten_seconds(max, accepted);
            assert!((at_least..=at_most).contains(&sent), "{max} {accepted:?}: {sent}");
        }
    }

    #[test]
    fn function_parses_the_event() {
        for (also_tagged, pushed_at) in [
            (vec!["latest".parse().unwrap(), "1.4".parse().unwrap()], Some("2026-11-21T15:21:21Z".to_owned())),
            (Vec::new(), None),
        ] {
            let arrival = Arrival { event_id: "1".to_owned(), also_tagged, pushed_at, ..sample_arrival() };
            let entry = build_entry(&arrival);
            assert_eq!(entry.resources(), &[arrival.repository.arn()]);
            // As EventBridge delivers it.
            let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
            let event = json!({"id": "1", "source": entry.source(), "detail-type": entry.detail_type(),
                "account": "123456789012", "region": "us-west-2", "detail": detail});
            assert_eq!(Event::parse(&serde_json::from_value(event).unwrap()).unwrap(), Event::Arrival(arrival));
        }
    }
}
