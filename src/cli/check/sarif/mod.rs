//! Answers as a SARIF 2.1.0 log, as GitHub's code scanning takes it: a result for each fault, a notification for each
//! image that could not be read.
//!
//! Does not know lines of source: an image has none, so that all results are shown at the top of the file that it is
//! built from.

mod wire;
mod rules;
mod result;

use std::io;

use super::one::Answer;
use super::printer::Done;
use crate::report::{Report, headline};
use crate::text::error_chain;
use crate::verdict::Verdict;
use result::results;
use rules::rules;
use wire::{Driver, Found, Invocation, Log, Notification, Run, Text, Tool};

/// The log; `dockerfile` is where results are shown.
///
/// # Errors
/// Never, but for serialisation.
pub(super) fn log(done: &[Done<'_>], dockerfile: &str) -> io::Result<String> {
    let mut found = Vec::new();
    let mut notifications = Vec::new();
    for Done { reference, checked } in done {
        match checked.as_ref().map(|checked| &checked.answer) {
            Ok(Answer::Report(report)) if report.verdict == Verdict::Ignored => {
                notifications.push(Notification { level: "note", message: Text::plain(headline(report)) });
            }
            Ok(Answer::Report(report)) => found.extend(results(report, reference, dockerfile)),
            Ok(Answer::Platforms(_)) => {}
            Err(unread) => {
                let said = error_chain(&unread.error);
                let of = if said.contains(reference) { String::new() } else { format!("{reference}: ") };
                let hint = unread.hint.as_ref().map(|hint| format!(" Hint: {hint}")).unwrap_or_default();
                notifications.push(Notification { level: "error", message: Text::plain(format!("{of}{said}{hint}")) });
            }
        }
    }
    whole(found, notifications, done.iter().all(|done| done.checked.is_ok()))
}

/// The log of one report, of the image that this reference names.
///
/// # Errors
/// Never, but for serialisation.
pub fn sarif(report: &Report, reference: &str, dockerfile: &str) -> io::Result<String> {
    whole(results(report, reference, dockerfile), Vec::new(), true)
}

fn whole(results: Vec<Found>, notifications: Vec<Notification>, is_whole: bool) -> io::Result<String> {
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver: Driver { name: "ecr-preflight", version: env!("CARGO_PKG_VERSION"), rules: rules() } },
            invocations: [Invocation { execution_successful: is_whole, tool_execution_notifications: notifications }],
            results,
        }],
    };
    Ok(serde_json::to_string_pretty(&log)?)
}
