//! What was asked and is not answered yet.
//!
//! Does not ask, nor read the log; it takes lines of it, and keeps those that answer something.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::answer::{self, Outcome};
use crate::cli::audit::progress::Progress;
use crate::cli::audit::results::Results;
use crate::cli::audit::row::Row;
use crate::event::Arrival;
use crate::name::{Digest, Tag};
use crate::text::error_chain;
use crate::text::printable;

/// How many events may wait for an answer, some 500 bytes each: beyond that the function is behind, and more would only
/// wait there.
pub(super) const MOST_OPEN: usize = 20_000;

/// As much is shown of what stands in the log, in characters: others may write there too.
const MAX_SAID: usize = 1000;

/// Where answers go, and what is shown of them.
pub(super) type Shared<'a, 'b, E> = RefCell<(&'a mut Results, &'a mut Progress<'b, E>)>;

/// The images, by the ids of their events.
#[derive(Debug)]
pub(super) struct Open {
    asked: RefCell<HashMap<String, Arrival>>,
    /// When the last event was put, or the last answer came.
    heard: Cell<Instant>,
    is_readable: Cell<bool>,
    is_blocked: Cell<bool>,
    changed: Notify,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            asked: RefCell::default(),
            heard: Cell::new(Instant::now()),
            is_readable: Cell::default(),
            is_blocked: Cell::default(),
            changed: Notify::new(),
        }
    }
}

impl Open {
    /// Waits until more may be asked: not before it is known that answers can be read, nor while too many are missing.
    pub(super) async fn room(&self) {
        while !self.is_readable() || self.len() >= MOST_OPEN {
            self.is_blocked.set(true);
            self.changed.notified().await;
        }
        self.is_blocked.set(false);
    }

    /// The log was read.
    pub(super) fn readable(&self) {
        self.is_readable.set(true);
        self.changed.notify_one();
    }

    pub(super) fn is_readable(&self) -> bool {
        self.is_readable.get()
    }

    /// An event was put.
    pub(super) fn put(&self, id: String, arrival: Arrival) {
        self.asked.borrow_mut().insert(id, arrival);
        self.hear();
    }

    /// The silence begins anew.
    pub(super) fn hear(&self) {
        self.heard.set(Instant::now());
    }

    /// Whether nothing has happened for so long, although asking cannot go on before something does.
    pub(super) fn is_stuck(&self, patience: Duration) -> bool {
        self.is_blocked.get() && self.is_silent(patience)
    }

    pub(super) fn is_silent(&self, patience: Duration) -> bool {
        self.heard.get().elapsed() > patience
    }

    pub(super) fn len(&self) -> usize {
        self.asked.borrow().len()
    }

    /// Takes a line of the log; most of them answer nothing that is waited for, and are not read further.
    ///
    /// # Errors
    /// Where an answer cannot be written down.
    pub(super) fn settle<E: Write>(&self, line: &str, shared: &Shared<'_, '_, E>) -> io::Result<()> {
        let Some(id) = answer::event_id(line) else { return Ok(()) };
        if !self.asked.borrow().contains_key(&id) {
            return Ok(());
        }
        let Some(outcome) = answer::outcome(line) else { return Ok(()) };
        let Some(arrival) = self.asked.borrow_mut().remove(&id) else { return Ok(()) };
        self.hear();
        self.changed.notify_one();
        let (results, progress) = &mut *shared.borrow_mut();
        let why = match outcome {
            Outcome::Report(report) => {
                let Some(why) = differs(&report, &arrival) else {
                    results.append_members(report)?;
                    progress.answered();
                    return Ok(());
                };
                why
            }
            Outcome::Failed(error) => format!("the function failed: {error}"),
            Outcome::TooLarge => "its report was too large for the function's log".to_owned(),
            Outcome::Odd(why) => format!("{UNREADABLE}: {why}"),
        };
        progress.unread(&arrival.reference(), &printable(&why, MAX_SAID));
        Ok(())
    }

    /// Names what was not answered.
    pub(super) fn give_up<E: Write>(&self, shared: &Shared<'_, '_, E>, why: &str) {
        let mut left: Vec<String> = self.asked.borrow_mut().drain().map(|(_, arrival)| arrival.reference()).collect();
        left.sort_unstable();
        left.iter().for_each(|reference| shared.borrow_mut().1.unread(reference, why));
    }
}

const UNREADABLE: &str = "the function's answer cannot be understood (is it of another version?)";

/// Why a report is no answer about this image.
fn differs(report: &Map<String, Value>, arrival: &Arrival) -> Option<String> {
    let row = serde_json::to_vec(report).map_err(Into::into).and_then(|line| Row::read(&line));
    let row = match row {
        Ok(row) => row,
        Err(error) => return Some(format!("{UNREADABLE}: {}", error_chain(&error))),
    };
    let (repository, selector) = (&arrival.repository, &arrival.selector);
    let digest = selector.digest().map(Digest::as_str).unwrap_or_default();
    let tag = selector.tag().map(Tag::as_str).unwrap_or_default();
    let asked = [repository.account(), repository.region(), repository.name(), digest, tag];
    let answered = [&row.account, &row.region, &row.repository, &row.digest, &row.tag];
    (asked != answered.map(String::as_str)).then(|| {
        let Row { account, region, repository, digest, tag, .. } = &row;
        format!("the function answered about another image: {repository}:{tag} ({digest}) in {region} of {account}")
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::event::How;
    use crate::name::{Repository, Selector};

    fn arrival(number: usize) -> Arrival {
        Arrival {
            how: How::Audit,
            repository: Repository::new("123456789012", "us-west-2", "team/app").unwrap(),
            selector: Selector::Both(Digest::of(&number.to_le_bytes()), "v1".parse().unwrap()),
            event_id: String::new(),
            also_tagged: Vec::new(),
            pushed_at: None,
        }
    }

    #[test]
    fn asking_waits_for_a_log_that_can_be_read_and_for_room_and_silence_then_counts() {
        let open = Open::default();
        assert!(!open.is_stuck(Duration::ZERO), "nobody waits yet");
        assert!(open.room().now_or_never().is_none() && open.is_stuck(Duration::ZERO), "nothing was read yet");
        open.readable();
        assert!(open.room().now_or_never().is_some() && !open.is_stuck(Duration::ZERO));
        (0..MOST_OPEN).for_each(|number| open.put(number.to_string(), arrival(0)));
        assert!(open.room().now_or_never().is_none() && open.is_stuck(Duration::ZERO), "there is no room");
        assert!(!open.is_stuck(Duration::from_mins(1)), "an event was put just now");
        open.asked.borrow_mut().remove("7");
        open.changed.notify_one();
        assert!(open.room().now_or_never().is_some() && !open.is_stuck(Duration::ZERO));
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
            differs(report.as_object().unwrap(), &super::tests::arrival(1)).unwrap_or_default()
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
        assert!(report("arival", "tag", "v1".into()).starts_with(UNREADABLE));
        assert!(report("arrival", "tag", Value::Null).starts_with(UNREADABLE));
    }
}
