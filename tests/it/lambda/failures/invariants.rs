//! What must hold for every failure, whatever the page states.

use ecr_preflight::lambda::handler::HandlerError;
use ecr_preflight::report::Report;
use ecr_preflight::verdict::Verdict;

use super::answer_text::{answer_text, reasons};
use super::faults::Failure;
use super::invocation::Answer;
use super::sections::Section;
use super::target::Target;
use super::timeouts::{KEY, TOKEN};
use crate::support::aws::{Call, Fault, SECRET};

/// What was observed of an invocation, in addition to its outcome.
pub struct Observed<'a> {
    pub outcome: &'a Result<Report, HandlerError>,
    pub messages: &'a [Call],
    pub log: &'a str,
    /// Requests that followed a redirect.
    pub redirected: usize,
    /// Requests that failed on demand.
    pub failed: usize,
}

/// The most requests of one call: the client's four attempts.
const MAX_REQUESTS: usize = 4;

/// The actions that may report a deleted repository, and with it a deleted image.
const OF_REPOSITORIES: [&str; 1] = ["BatchGetImage"];

/// Whether this failure may end in `ignored`.
fn may_be_ignored(section: &Section, failure: Failure) -> bool {
    let is_gone = matches!(failure.fault, Fault::Failure("ImageNotFound" | "ImageTagDoesNotMatchDigest"));
    let is_all_gone = matches!(failure.fault, Fault::Error(400, "RepositoryNotFoundException"));
    let is_of_image = section.action == "BatchGetImage" && section.target == Target::Image;
    failure.is_lasting && (is_of_image && is_gone || OF_REPOSITORIES.contains(&section.action) && is_all_gone)
}

/// A word that the reasons must contain if a part of an existing image stays missing; `None` for other failures.
fn missing(section: &Section, failure: Failure) -> Option<&'static str> {
    let word = match (section.target, failure.fault) {
        (Target::Child, Fault::Failure("ImageNotFound" | "ImageTagDoesNotMatchDigest")) => "DIGEST",
        (Target::Config, Fault::Error(_, "LayersNotFoundException" | "LayerInaccessibleException")) => "config",
        (Target::Layer, Fault::Error(_, "LayersNotFoundException" | "LayerInaccessibleException")) => "layer",
        _ => return None,
    };
    failure.is_lasting.then_some(word)
}

/// Checks that no failure goes unnoticed, and that none leaks a secret.
pub fn check(section: &Section, failure: Failure, answer: &Answer, observed: &Observed<'_>) {
    let place = format!("{}: {failure:?}: {answer:?}", section.title);
    let is_of_reading = !matches!(section.action, "PutImage" | "Publish") && section.taken_tag.is_none();
    match observed.outcome {
        Err(error) => assert!(error.to_string().len() > 10, "{place}"),
        Ok(report) => {
            let reasons = reasons(report);
            match report.verdict {
                Verdict::Ignored => assert!(report.ignored.is_some() && may_be_ignored(section, failure), "{place}"),
                Verdict::Fails => assert!(report.faults().count() > 0, "{place}"),
                Verdict::Unknown => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs if failure.is_lasting && is_of_reading => assert!(!reasons.is_empty(), "{place}"),
                Verdict::Runs => {}
                Verdict::Undeclared => {
                    assert!(section.action == "ListTagsForResource" && answer.requests == 1, "{place}")
                }
            }
            // If people must be notified, the message has every reason.
            if section.has_topic && report.needs_notification() {
                assert!(answer.messages >= 1, "{place}");
                let text = observed.messages.last().unwrap().body["Message"].as_str().unwrap();
                let plain = |text: &str| text.replace(['\\', '"'], "");
                assert!(reasons.iter().all(|reason| plain(text).contains(&plain(reason))), "{place}: {text}");
            }
        }
    }
    let passes = answer.verdict_tags.contains(&"pass");
    assert!(!(passes && is_of_reading && failure.is_lasting), "a failed read must not pass: {place}");
    assert!(!passes || section.runtimes == "ecs/arm64", "{place}");
    if let Some(word) = missing(section, failure) {
        let is_by_label = section.target == Target::Layer && section.runtimes == "apprunner";
        let verdict = if is_by_label { "fails: " } else { "unknown: " };
        assert!(answer.text.starts_with(verdict) && answer.text.contains(word), "{place}");
        assert!(answer.messages == 1 && !passes, "{place}");
    }
    // The failure happened, each time that it should. Without credentials, nothing is sent.
    if matches!(failure.fault, Fault::NoCredentials) {
        assert_eq!(answer.requests, 0, "{place}");
    } else {
        assert!((1..=MAX_REQUESTS).contains(&answer.requests), "{place}");
        assert_eq!(observed.failed, if failure.is_lasting { answer.requests } else { 1 }, "{place}");
    }
    assert_eq!(observed.redirected, 0, "a redirect was followed: {place}");
    assert!(observed.log.contains("attempt"), "the log was captured: {place}");
    let texts = observed.messages.iter().map(|call| call.body.to_string());
    for text in texts.chain([observed.log.to_owned(), answer_text(observed.outcome)]) {
        for secret in [SECRET, KEY, TOKEN] {
            assert!(!text.contains(secret), "{secret} shows: {place}: {text}");
        }
    }
}
