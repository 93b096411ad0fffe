//! A line of the results file: how it is written, and how the beginning of one is recognized, whose writer was killed.

use std::io;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::report::Report;

/// How the first line begins. The output of other commands begins differently.
const FIRST_LINE_PREFIX: &[u8] = b"{\"schema\":\"ecr-preflight/1\",\"arrival\":";

/// How every line begins.
const LINE_PREFIX: &[u8] = b"{\"schema\":\"ecr-preflight/1\",";

/// A line: the report, and the settings unless they are the defaults.
#[derive(Debug, Serialize)]
struct ResultLine<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "str::is_empty")]
    settings: &'a str,
}

/// Formats a report, with its line break.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn format_report(report: &Report, settings: &str) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&ResultLine { report, settings })?;
    line.push(b'\n');
    Ok(line)
}

/// Formats a report of the function: the members of its JSON. Every line begins with the schema, in whatever order another
/// version writes members.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn format_members(mut report: Map<String, Value>, settings: &str) -> io::Result<Vec<u8>> {
    let schema = report.remove("schema").unwrap_or_default();
    if !settings.is_empty() {
        report.insert("settings".to_owned(), settings.into());
    }
    let rest = serde_json::to_string(&report)?;
    Ok(format!("{{\"schema\":{schema},{}\n", &rest[1..]).into_bytes())
}

/// Whether a last line that is not a report is the beginning of one, whose writer was killed. Complete JSON comes from
/// another program; and a first line must be long enough to be recognized as a result.
pub(super) fn is_truncated(line: &[u8], is_first: bool) -> bool {
    let is_incomplete = serde_json::from_slice::<IgnoredAny>(line).is_err();
    let length = line.len().min(LINE_PREFIX.len());
    let has_prefix =
        if is_first { line.starts_with(FIRST_LINE_PREFIX) } else { line[..length] == LINE_PREFIX[..length] };
    is_incomplete && has_prefix
}
