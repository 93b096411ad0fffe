//! Answers for programs: one object for one image, as it always was; of several, JSON Lines, an object on each line.
//!
//! Does not wait for the last image: a list in brackets would be no JSON until then, and none at all where the command
//! is stopped. `jq` reads both alike.

use std::io;

use serde::Serialize;

use super::checker::{CheckFailure, CheckResult};
use crate::text::error_chain;

/// The schema of what stands in the place of an image that could not be read.
pub(in crate::cli) const ERROR_SCHEMA: &str = "ecr-preflight/error/1";

/// What stands in the place of an image that could not be read.
#[derive(Debug, Serialize)]
struct CheckErrorJson<'a> {
    schema: &'static str,
    reference: &'a str,
    verdict: &'static str,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// The text of an answer; `is_only` where it is the only one.
pub(super) fn format_result(answer: &CheckResult, is_only: bool) -> io::Result<String> {
    match answer {
        CheckResult::Report(report) => to_json(report, is_only),
        CheckResult::Platforms(platforms) => to_json(platforms, is_only),
    }
}

/// The text of an error, where there are several images. Of a single one, standard error tells, and nothing is printed
/// here, as programs that read the one object have it.
pub(super) fn format_error(reference: &str, unread: &CheckFailure) -> io::Result<String> {
    let (error, hint) = (error_chain(&unread.error), unread.hint.as_deref());
    to_json(&CheckErrorJson { schema: ERROR_SCHEMA, reference, verdict: "unknown", error, hint }, false)
}

fn to_json(value: &impl Serialize, is_only: bool) -> io::Result<String> {
    Ok(if is_only { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? })
}
