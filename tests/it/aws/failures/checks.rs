//! What holds for every cell, whatever its failure is.
//!
//! Does not know the table.

use ecr_preflight::handler::Error;
use ecr_preflight::report::Report;
use ecr_preflight::verdict::Verdict;

use super::cell::Cell;
use super::faults::Failure;
use super::patience::{KEY, TOKEN};
use super::said::{reasons, said};
use super::stages::Stage;
use crate::support::aws::{Call, SECRET};

/// What was seen of a walk beside its outcome.
pub struct Seen<'a> {
    pub outcome: &'a Result<Report, Error>,
    pub messages: &'a [Call],
    pub log: &'a str,
    /// Requests that went where a redirect leads.
    pub strayed: usize,
}

/// The most requests of one call: the client's four attempts.
const MOST: usize = 4;

/// No cell is silence, and none leaks.
pub fn hold(stage: &Stage, failure: Failure, cell: &Cell, seen: &Seen<'_>) {
    let place = format!("{}: {failure:?}: {cell:?}", stage.title);
    let is_of_reading = !matches!(stage.action, "PutImage" | "Publish") && stage.taken.is_none();
    match seen.outcome {
        Err(error) => assert!(error.to_string().len() > 10, "{place}"),
        Ok(report) => {
            let reasons = reasons(report);
            match report.verdict {
                Verdict::Ignored => assert!(report.ignored.is_some(), "{place}"),
                Verdict::Fails => assert!(report.faults().count() > 0, "{place}"),
                Verdict::Unknown => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs if failure.is_lasting && is_of_reading => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs => {}
                Verdict::Undeclared => assert!(stage.action == "ListTagsForResource" && cell.requests == 1, "{place}"),
            }
            // Who is to hear of it has heard of it, the reasons included.
            if stage.is_told && report.is_news() {
                assert!(cell.messages >= 1, "{place}");
                let text = seen.messages.last().unwrap().body["Message"].as_str().unwrap();
                let plain = |text: &str| text.replace(['\\', '"'], "");
                assert!(reasons.iter().all(|reason| plain(text).contains(&plain(reason))), "{place}: {text}");
            }
        }
    }
    let passes = cell.marks.contains(&"pass");
    assert!(!(passes && is_of_reading && failure.is_lasting), "a failure is no pass: {place}");
    assert!(!passes || stage.runtimes == "ecs/arm64", "{place}");
    assert!((1..=MOST).contains(&cell.requests), "{place}");
    assert_eq!(seen.strayed, 0, "a redirect was followed: {place}");
    assert!(seen.log.contains("attempt"), "the log is looked at: {place}");
    let texts = seen.messages.iter().map(|call| call.body.to_string());
    for text in texts.chain([seen.log.to_owned(), said(seen.outcome)]) {
        for secret in [SECRET, KEY, TOKEN] {
            assert!(!text.contains(secret), "{secret} shows: {place}: {text}");
        }
    }
}
