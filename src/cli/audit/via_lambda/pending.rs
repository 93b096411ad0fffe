//! The images whose reports are awaited.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::log_follower::{self, FunctionOutcome};
use crate::cli::audit::results_index::arrival_identity;
use crate::cli::audit::runner::SharedOutput;
use crate::cli::stored_report::StoredReport;
use crate::event::Arrival;
use crate::text::{error_chain, sanitize};

/// How many events may be pending, some 500 bytes each. If there are more, the function is behind, and further events
/// would only wait there.
pub(super) const MAX_PENDING: usize = 20_000;

/// How much of a log line is shown, in characters: other programs may write to the log too.
const MAX_MESSAGE_CHARS: usize = 1000;

const INVALID_ANSWER: &str = "the function's report cannot be parsed (does the function have another version?)";

/// The images, by the ids of their events.
#[derive(Debug)]
pub(super) struct PendingAnswers {
    arrivals: RefCell<HashMap<String, Arrival>>,
    /// When the last event was accepted, or the last report arrived.
    last_activity: Cell<Instant>,
    pub(super) is_log_readable: Cell<bool>,
    /// Whether sending waits for capacity.
    is_blocked: Cell<bool>,
    changed: Notify,
}

impl Default for PendingAnswers {
    fn default() -> Self {
        Self {
            arrivals: RefCell::default(),
            last_activity: Cell::new(Instant::now()),
            is_log_readable: Cell::default(),
            is_blocked: Cell::default(),
            changed: Notify::new(),
        }
    }
}

impl PendingAnswers {
    /// Waits until the log is readable and there is capacity for more events.
    pub(super) async fn wait_for_capacity(&self) {
        while !self.is_log_readable.get() || self.len() >= MAX_PENDING {
            self.is_blocked.set(true);
            self.changed.notified().await;
        }
        self.is_blocked.set(false);
    }

    /// Records that the log was read.
    pub(super) fn mark_log_readable(&self) {
        self.is_log_readable.set(true);
        self.changed.notify_one();
    }

    /// Adds the image of an accepted event.
    pub(super) fn insert(&self, id: String, arrival: Arrival) {
        self.arrivals.borrow_mut().insert(id, arrival);
        self.record_activity();
    }

    /// Restarts the timeout.
    pub(super) fn record_activity(&self) {
        self.last_activity.set(Instant::now());
    }

    /// Whether sending waits for capacity and nothing has happened for the timeout.
    pub(super) fn is_stuck(&self, timeout: Duration) -> bool {
        self.is_blocked.get() && self.has_timed_out(timeout)
    }

    pub(super) fn has_timed_out(&self, timeout: Duration) -> bool {
        self.last_activity.get().elapsed() > timeout
    }

    pub(super) fn len(&self) -> usize {
        self.arrivals.borrow().len()
    }

    /// Processes a line of the log. Most lines are about no pending event, and are not parsed further.
    ///
    /// # Errors
    /// A result cannot be written.
    pub(super) fn process_line<E: Write>(&self, line: &str, shared: &SharedOutput<'_, '_, E>) -> io::Result<()> {
        let Some(id) = log_follower::parse_event_id(line) else { return Ok(()) };
        if !self.arrivals.borrow().contains_key(&id) {
            return Ok(());
        }
        let Some(outcome) = log_follower::parse_outcome(line) else { return Ok(()) };
        let Some(arrival) = self.arrivals.borrow_mut().remove(&id) else { return Ok(()) };
        self.record_activity();
        self.changed.notify_one();
        let (results, progress) = &mut *shared.borrow_mut();
        let error = match outcome {
            FunctionOutcome::Report(report) => {
                let Some(mismatch) = find_mismatch(&report, &arrival) else {
                    results.append_json(report)?;
                    progress.count_checked();
                    return Ok(());
                };
                mismatch
            }
            FunctionOutcome::Failed(error) => format!("the function failed: {error}"),
            FunctionOutcome::TooLarge => "its report was too large for the function's log".to_owned(),
            FunctionOutcome::Invalid(reason) => format!("{INVALID_ANSWER}: {reason}"),
        };
        progress.report_unread(&arrival.reference(), &sanitize(&error, MAX_MESSAGE_CHARS));
        Ok(())
    }

    /// Reports all images that are still pending as unreadable.
    pub(super) fn fail_remaining<E: Write>(&self, shared: &SharedOutput<'_, '_, E>, reason: &str) {
        let mut left: Vec<String> =
            self.arrivals.borrow_mut().drain().map(|(_, arrival)| arrival.reference()).collect();
        left.sort_unstable();
        left.iter().for_each(|reference| shared.borrow_mut().1.report_unread(reference, reason));
    }
}

/// Says why a report is not about this image; `None` if it is.
fn find_mismatch(report: &Map<String, Value>, arrival: &Arrival) -> Option<String> {
    let parsed = serde_json::to_vec(report).map_err(Into::into).and_then(|line| StoredReport::parse_audited(&line));
    let report = match parsed {
        Ok(report) => report,
        Err(error) => return Some(format!("{INVALID_ANSWER}: {}", error_chain(&error))),
    };
    let [account, region, repository, digest, tag] = report.identity();
    (report.identity() != arrival_identity(arrival)).then(|| {
        format!("the function reported about another image: {repository}:{tag} ({digest}) in {region} of {account}")
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::cli::audit::via_lambda::event_sender::sample_arrival;

    #[test]
    fn sending_waits_for_the_log_and_for_capacity() {
        let pending = PendingAnswers::default();
        // Whether sending waits, and whether it is stuck.
        let state = || (pending.wait_for_capacity().now_or_never().is_none(), pending.is_stuck(Duration::ZERO));
        assert!(!pending.is_stuck(Duration::ZERO), "nothing waits yet");
        assert_eq!(state(), (true, true), "the log was not read yet");
        pending.mark_log_readable();
        assert_eq!(state(), (false, false));
        (0..MAX_PENDING).for_each(|number| pending.insert(number.to_string(), sample_arrival()));
        assert_eq!(state(), (true, true), "there is no capacity");
        assert!(!pending.is_stuck(Duration::from_mins(1)), "an event was accepted just now");
        pending.arrivals.borrow_mut().remove("7");
        pending.changed.notify_one();
        assert_eq!(state(), (false, false));
    }

    #[test]
    fn report_about_another_image_is_refused() {
        let arrival = sample_arrival();
        let digest = arrival.selector.digest().unwrap();
        let mismatch = |name: &str, member: &str, value: Value| {
            let mut members = serde_json::json!({"account": "123456789012", "region": "us-west-2",
                "repository": "team/app", "digest": digest.as_str(), "tag": "v1"});
            members[member] = value;
            let report = serde_json::json!({"schema": "ecr-preflight/1", name: members, "verdict": "runs"});
            find_mismatch(report.as_object().unwrap(), &arrival).unwrap_or_default()
        };
        assert_eq!(mismatch("arrival", "how", "audit".into()), "");
        let others = [
            ("account", "210987654321"),
            ("region", "eu-west-1"),
            ("repository", "team/other"),
            ("digest", "sha256:0"),
            ("tag", "v2"),
        ];
        for (member, value) in others {
            let error = mismatch("arrival", member, value.into());
            assert!(error.starts_with("the function reported about another image: "), "{error}");
            assert!(error.contains(value), "{error}");
        }
        assert!(mismatch("arival", "tag", "v1".into()).starts_with(INVALID_ANSWER));
        assert!(mismatch("arrival", "tag", Value::Null).starts_with(INVALID_ANSWER));
    }
}
