//! What was asked and is not answered yet.
//!
//! Does not ask, nor read the log; it takes lines of it, and keeps those that answer something.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::log_line::{self, FunctionOutcome};
use crate::cli::audit::progress::AuditProgress;
use crate::cli::audit::results_file::ResultsFile;
use crate::cli::audit::row::StoredReport;
use crate::event::Arrival;
use crate::name::{Digest, Tag};
use crate::text::error_chain;
use crate::text::sanitize;

/// How many events may wait for an answer, some 500 bytes each: beyond that the function is behind, and more would only
/// wait there.
pub(super) const MAX_PENDING: usize = 20_000;

/// As much is shown of what stands in the log, in characters: others may write there too.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Where answers go, and what is shown of them.
pub(super) type SharedOutput<'a, 'b, E> = RefCell<(&'a mut ResultsFile, &'a mut AuditProgress<'b, E>)>;

/// The images, by the ids of their events.
#[derive(Debug)]
pub(super) struct PendingAnswers {
    arrivals: RefCell<HashMap<String, Arrival>>,
    /// When the last event was put, or the last answer came.
    last_activity: Cell<Instant>,
    is_log_readable: Cell<bool>,
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
    /// Waits until more may be asked: not before it is known that answers can be read, nor while too many are missing.
    pub(super) async fn wait_for_capacity(&self) {
        while !self.is_log_readable() || self.len() >= MAX_PENDING {
            self.is_blocked.set(true);
            self.changed.notified().await;
        }
        self.is_blocked.set(false);
    }

    /// The log was read.
    pub(super) fn mark_log_readable(&self) {
        self.is_log_readable.set(true);
        self.changed.notify_one();
    }

    pub(super) fn is_log_readable(&self) -> bool {
        self.is_log_readable.get()
    }

    /// An event was put.
    pub(super) fn insert(&self, id: String, arrival: Arrival) {
        self.arrivals.borrow_mut().insert(id, arrival);
        self.record_activity();
    }

    /// The silence begins anew.
    pub(super) fn record_activity(&self) {
        self.last_activity.set(Instant::now());
    }

    /// Whether nothing has happened for so long, although asking cannot go on before something does.
    pub(super) fn is_stuck(&self, patience: Duration) -> bool {
        self.is_blocked.get() && self.has_timed_out(patience)
    }

    pub(super) fn has_timed_out(&self, patience: Duration) -> bool {
        self.last_activity.get().elapsed() > patience
    }

    pub(super) fn len(&self) -> usize {
        self.arrivals.borrow().len()
    }

    /// Takes a line of the log; most of them answer nothing that is waited for, and are not read further.
    ///
    /// # Errors
    /// Where an answer cannot be written down.
    pub(super) fn process_line<E: Write>(&self, line: &str, shared: &SharedOutput<'_, '_, E>) -> io::Result<()> {
        let Some(id) = log_line::parse_event_id(line) else { return Ok(()) };
        if !self.arrivals.borrow().contains_key(&id) {
            return Ok(());
        }
        let Some(outcome) = log_line::parse_outcome(line) else { return Ok(()) };
        let Some(arrival) = self.arrivals.borrow_mut().remove(&id) else { return Ok(()) };
        self.record_activity();
        self.changed.notify_one();
        let (results, progress) = &mut *shared.borrow_mut();
        let why = match outcome {
            FunctionOutcome::Report(report) => {
                let Some(why) = find_mismatch(&report, &arrival) else {
                    results.append_json(report)?;
                    progress.count_checked();
                    return Ok(());
                };
                why
            }
            FunctionOutcome::Failed(error) => format!("the function failed: {error}"),
            FunctionOutcome::TooLarge => "its report was too large for the function's log".to_owned(),
            FunctionOutcome::Invalid(why) => format!("{INVALID_ANSWER}: {why}"),
        };
        progress.report_unread(&arrival.reference(), &sanitize(&why, MAX_MESSAGE_CHARS));
        Ok(())
    }

    /// Names what was not answered.
    pub(super) fn fail_remaining<E: Write>(&self, shared: &SharedOutput<'_, '_, E>, why: &str) {
        let mut left: Vec<String> =
            self.arrivals.borrow_mut().drain().map(|(_, arrival)| arrival.reference()).collect();
        left.sort_unstable();
        left.iter().for_each(|reference| shared.borrow_mut().1.report_unread(reference, why));
    }
}

const INVALID_ANSWER: &str = "the function's answer cannot be understood (is it of another version?)";

/// Why a report is no answer about this image.
fn find_mismatch(report: &Map<String, Value>, arrival: &Arrival) -> Option<String> {
    let row = serde_json::to_vec(report).map_err(Into::into).and_then(|line| StoredReport::parse(&line));
    let row = match row {
        Ok(row) => row,
        Err(error) => return Some(format!("{INVALID_ANSWER}: {}", error_chain(&error))),
    };
    let (repository, selector) = (&arrival.repository, &arrival.selector);
    let digest = selector.digest().map(Digest::as_str).unwrap_or_default();
    let tag = selector.tag().map(Tag::as_str).unwrap_or_default();
    let asked = [repository.account(), repository.region(), repository.name(), digest, tag];
    let answered = [&row.account, &row.region, &row.repository, &row.digest, &row.tag];
    (asked != answered.map(String::as_str)).then(|| {
        let StoredReport { account, region, repository, digest, tag, .. } = &row;
        format!("the function answered about another image: {repository}:{tag} ({digest}) in {region} of {account}")
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::event::ArrivalKind;
    use crate::name::{Repository, Selector};

    fn arrival(number: usize) -> Arrival {
        Arrival {
            how: ArrivalKind::Audit,
            repository: Repository::new("123456789012", "us-west-2", "team/app").unwrap(),
            selector: Selector::DigestAndTag(Digest::of(&number.to_le_bytes()), "v1".parse().unwrap()),
            event_id: String::new(),
            also_tagged: Vec::new(),
            pushed_at: None,
        }
    }

    #[test]
    fn asking_waits_for_a_log_that_can_be_read_and_for_room_and_silence_then_counts() {
        let open = PendingAnswers::default();
        assert!(!open.is_stuck(Duration::ZERO), "nobody waits yet");
        assert!(
            open.wait_for_capacity().now_or_never().is_none() && open.is_stuck(Duration::ZERO),
            "nothing was read yet"
        );
        open.mark_log_readable();
        assert!(open.wait_for_capacity().now_or_never().is_some() && !open.is_stuck(Duration::ZERO));
        (0..MAX_PENDING).for_each(|number| open.insert(number.to_string(), arrival(0)));
        assert!(open.wait_for_capacity().now_or_never().is_none() && open.is_stuck(Duration::ZERO), "there is no room");
        assert!(!open.is_stuck(Duration::from_mins(1)), "an event was put just now");
        open.arrivals.borrow_mut().remove("7");
        open.changed.notify_one();
        assert!(open.wait_for_capacity().now_or_never().is_some() && !open.is_stuck(Duration::ZERO));
    }

    #[test]
    fn a_report_is_held_against_what_was_asked() {
        let arrival = arrival(1);
        let digest = arrival.selector.digest().unwrap();
        let report = |name: &str, member: &str, value: Value| {
            let mut arrival = serde_json::json!({"account": "123456789012", "region": "us-west-2",
                "repository": "team/app", "digest": digest.as_str(), "tag": "v1"});
            arrival[member] = value;
            let report = serde_json::json!({"schema": "ecr-preflight/1", name: arrival, "verdict": "runs"});
            find_mismatch(report.as_object().unwrap(), &super::tests::arrival(1)).unwrap_or_default()
        };
        assert_eq!(report("arrival", "how", "audit".into()), "");
        for (member, value) in [
            ("account", "210987654321"),
            ("region", "eu-west-1"),
            ("repository", "team/other"),
            ("digest", "sha256:0"),
            ("tag", "v2"),
        ] {
            let said = report("arrival", member, value.into());
            assert!(said.starts_with("the function answered about another image: ") && said.contains(value), "{said}");
        }
        assert!(report("arival", "tag", "v1".into()).starts_with(INVALID_ANSWER));
        assert!(report("arrival", "tag", Value::Null).starts_with(INVALID_ANSWER));
    }
}
