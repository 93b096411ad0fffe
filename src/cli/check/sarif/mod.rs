//! Answers as a SARIF 2.1.0 log, as GitHub's code scanning takes it: a result for each fault, a notification for each
//! image that could not be read.
//!
//! Does not know lines of source: an image has none, so that all results are shown at the top of the file that it is
//! built from.

mod model;
mod rules;
mod result;

use std::io;

use super::checker::{CheckRecord, CheckResult};
use crate::report::{Report, format_headline};
use crate::text::error_chain;
use crate::verdict::Verdict;
use model::{
    SarifDriver, SarifInvocation, SarifLog, SarifMessage, SarifNotification, SarifResult, SarifRun, SarifTool,
};
use result::build_results;
use rules::build_rules;

/// The log; `dockerfile` is where results are shown.
///
/// # Errors
/// Never, but for serialisation.
pub(super) fn format_sarif(done: &[CheckRecord<'_>], dockerfile: &str) -> io::Result<String> {
    let mut found = Vec::new();
    let mut notifications = Vec::new();
    for CheckRecord { reference, outcome: checked } in done {
        match checked.as_ref().map(|checked| &checked.result) {
            Ok(CheckResult::Report(report)) if report.verdict == Verdict::Ignored => {
                notifications
                    .push(SarifNotification { level: "note", message: SarifMessage::plain(format_headline(report)) });
            }
            Ok(CheckResult::Report(report)) => found.extend(build_results(report, reference, dockerfile)),
            Ok(CheckResult::Platforms(_)) => {}
            Err(unread) => {
                let said = error_chain(&unread.error);
                let of = if said.contains(reference) { String::new() } else { format!("{reference}: ") };
                let hint = unread.hint.as_ref().map(|hint| format!(" Hint: {hint}")).unwrap_or_default();
                notifications.push(SarifNotification {
                    level: "error",
                    message: SarifMessage::plain(format!("{of}{said}{hint}")),
                });
            }
        }
    }
    serialize_log(found, notifications, done.iter().all(|done| done.outcome.is_ok()))
}

/// The log of one report, of the image that this reference names.
///
/// # Errors
/// Never, but for serialisation.
pub fn report_to_sarif(report: &Report, reference: &str, dockerfile: &str) -> io::Result<String> {
    serialize_log(build_results(report, reference, dockerfile), Vec::new(), true)
}

fn serialize_log(
    results: Vec<SarifResult>,
    notifications: Vec<SarifNotification>,
    is_whole: bool,
) -> io::Result<String> {
    let log = SarifLog {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [SarifRun {
            tool: SarifTool {
                driver: SarifDriver { name: "ecr-preflight", version: env!("CARGO_PKG_VERSION"), rules: build_rules() },
            },
            invocations: [SarifInvocation {
                execution_successful: is_whole,
                tool_execution_notifications: notifications,
            }],
            results,
        }],
    };
    Ok(serde_json::to_string_pretty(&log)?)
}
