//! Reports as a SARIF 2.1.0 log for GitHub code scanning: a result for each fault, and a notification for each image that
//! could not be read.
//!
//! An image has no source lines, so all results are shown at the first line of its Dockerfile. The format is that of
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

mod rules;
mod result;

use std::io;

use super::checker::{CheckRecord, CheckResult};
use serde_json::{Value, json};

use crate::report::{Report, format_headline};
use crate::text::error_chain;
use crate::verdict::Verdict;
use result::build_results;
use rules::build_rules;

/// Formats the log of several checks; `dockerfile` is the file at which results are shown.
///
/// # Errors
/// Only if serialization fails.
pub(super) fn format_sarif(records: &[CheckRecord<'_>], dockerfile: &str) -> io::Result<String> {
    let mut results = Vec::new();
    let mut notifications = Vec::new();
    let mut docs_url = None;
    for CheckRecord { reference, outcome } in records {
        match outcome.as_ref().map(|checked| &checked.result) {
            Ok(CheckResult::Report(report)) if report.verdict == Verdict::Ignored => {
                notifications.push(build_notification("note", &format_headline(report)));
            }
            Ok(CheckResult::Report(report)) => {
                docs_url = report.docs_url.as_deref();
                results.extend(build_results(report, reference, dockerfile));
            }
            Ok(CheckResult::Platforms(_)) => {}
            Err(unread) => {
                let error = error_chain(&unread.error);
                let image = if error.contains(reference) { String::new() } else { format!("{reference}: ") };
                let hint = unread.hint.as_ref().map(|hint| format!(". Hint: {hint}")).unwrap_or_default();
                notifications.push(build_notification("error", &format!("{image}{error}{hint}")));
            }
        }
    }
    let is_complete = records.iter().all(|record| record.outcome.is_ok());
    serialize_log(&results, &notifications, is_complete, docs_url)
}

/// Formats the log of one report on the image of this reference.
///
/// # Errors
/// Only if serialization fails.
pub fn report_to_sarif(report: &Report, reference: &str, dockerfile: &str) -> io::Result<String> {
    let results = build_results(report, reference, dockerfile);
    serialize_log(&results, &[], true, report.docs_url.as_deref())
}

fn build_notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": text}})
}

fn serialize_log(
    results: &[Value],
    notifications: &[Value],
    is_complete: bool,
    docs_url: Option<&str>,
) -> io::Result<String> {
    let mut invocation = json!({"executionSuccessful": is_complete});
    if !notifications.is_empty() {
        invocation["toolExecutionNotifications"] = notifications.into();
    }
    let driver = json!({"name": "ecr-preflight", "version": env!("CARGO_PKG_VERSION"), "rules": build_rules(docs_url)});
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "invocations": [invocation], "results": results}],
    });
    Ok(serde_json::to_string_pretty(&log)?)
}
