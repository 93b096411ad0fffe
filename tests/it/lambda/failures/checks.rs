//! What holds for every cell, whatever its failure is.
//!
//! Does not know the table.

use ecr_preflight::lambda::handler::HandlerError;
use ecr_preflight::report::Report;
use ecr_preflight::verdict::Verdict;

use super::cell::Cell;
use super::faults::Failure;
use super::object::Object;
use super::patience::{KEY, TOKEN};
use super::said::{reasons, said};
use super::stages::Stage;
use crate::support::aws::{Call, Fault, SECRET};

/// What was seen of a walk beside its outcome.
pub struct Seen<'a> {
    pub outcome: &'a Result<Report, HandlerError>,
    pub messages: &'a [Call],
    pub log: &'a str,
    /// Requests that went where a redirect leads.
    pub strayed: usize,
    /// Requests that failed on purpose.
    pub failed: usize,
}

/// The most requests of one call: the client's four attempts.
const MOST: usize = 4;

/// The actions that may say of a repository that it is gone, and with it the image.
const OF_REPOSITORIES: [&str; 1] = ["BatchGetImage"];

/// Whether a failure may say that there is nothing to tell of any more. No other is ignored.
fn may_be_ignored(stage: &Stage, failure: Failure) -> bool {
    let is_gone = matches!(failure.fault, Fault::Failure("ImageNotFound" | "ImageTagDoesNotMatchDigest"));
    let is_all_gone = matches!(failure.fault, Fault::Error(400, "RepositoryNotFoundException"));
    let is_of_image = stage.action == "BatchGetImage" && stage.object == Object::Image;
    failure.is_lasting && (is_of_image && is_gone || OF_REPOSITORIES.contains(&stage.action) && is_all_gone)
}

/// What the reasons say where a part of an image is missing that is there itself, each time that it is asked for;
/// nothing for other failures.
fn missing(stage: &Stage, failure: Failure) -> Option<&'static str> {
    let word = match (stage.object, failure.fault) {
        (Object::Child, Fault::Failure("ImageNotFound" | "ImageTagDoesNotMatchDigest")) => "DIGEST is not in",
        (Object::Config, Fault::Error(_, "LayersNotFoundException" | "LayerInaccessibleException")) => "config",
        (Object::Layer, Fault::Error(_, "LayersNotFoundException" | "LayerInaccessibleException")) => "layer",
        _ => return None,
    };
    failure.is_lasting.then_some(word)
}

/// No cell is silence, and none leaks.
pub fn hold(stage: &Stage, failure: Failure, cell: &Cell, seen: &Seen<'_>) {
    let place = format!("{}: {failure:?}: {cell:?}", stage.title);
    let is_of_reading = !matches!(stage.action, "PutImage" | "Publish") && stage.taken.is_none();
    match seen.outcome {
        Err(error) => assert!(error.to_string().len() > 10, "{place}"),
        Ok(report) => {
            let reasons = reasons(report);
            match report.verdict {
                Verdict::Ignored => assert!(report.ignored.is_some() && may_be_ignored(stage, failure), "{place}"),
                Verdict::Fails => assert!(report.faults().count() > 0, "{place}"),
                Verdict::Unknown => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs if failure.is_lasting && is_of_reading => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs => {}
                Verdict::Undeclared => assert!(stage.action == "ListTagsForResource" && cell.requests == 1, "{place}"),
            }
            // Who is to hear of it has heard of it, the reasons included.
            if stage.is_told && report.needs_notification() {
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
    if let Some(word) = missing(stage, failure) {
        let is_by_label = stage.object == Object::Layer && stage.runtimes == "apprunner";
        let verdict = if is_by_label { "fails: " } else { "unknown: " };
        assert!(cell.answer.starts_with(verdict) && cell.answer.contains(word), "{place}");
        assert!(cell.messages == 1 && !passes, "{place}");
    }
    // The failure was met, and each time; without credentials, nothing is sent.
    if matches!(failure.fault, Fault::Unsigned) {
        assert_eq!(cell.requests, 0, "{place}");
    } else {
        assert!((1..=MOST).contains(&cell.requests), "{place}");
        assert_eq!(seen.failed, if failure.is_lasting { cell.requests } else { 1 }, "{place}");
    }
    assert_eq!(seen.strayed, 0, "a redirect was followed: {place}");
    assert!(seen.log.contains("attempt"), "the log is looked at: {place}");
    let texts = seen.messages.iter().map(|call| call.body.to_string());
    for text in texts.chain([seen.log.to_owned(), said(seen.outcome)]) {
        for secret in [SECRET, KEY, TOKEN] {
            assert!(!text.contains(secret), "{secret} shows: {place}: {text}");
        }
    }
}
