//! Answers for programs: one object for one image, as it always was; of several, JSON Lines, an object on each line.
//!
//! Does not wait for the last image: a list in brackets would be no JSON until then, and none at all where the command
//! is stopped. `jq` reads both alike.

use std::io;

use serde::Serialize;

use super::one::{Answer, Unread};
use crate::text::error_chain;

/// The schema of what stands in the place of an image that could not be read.
pub(in crate::cli) const ERROR_SCHEMA: &str = "ecr-preflight/error/1";

/// What stands in the place of an image that could not be read.
#[derive(Debug, Serialize)]
struct ErrorFace<'a> {
    schema: &'static str,
    reference: &'a str,
    verdict: &'static str,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// The text of an answer; `is_only` where it is the only one.
pub(super) fn answer(answer: &Answer, is_only: bool) -> io::Result<String> {
    match answer {
        Answer::Report(report) => text(report, is_only),
        Answer::Platforms(platforms) => text(platforms, is_only),
    }
}

/// The text of an error, where there are several images. Of a single one, standard error tells, and nothing is printed
/// here, as programs that read the one object have it.
pub(super) fn error(reference: &str, unread: &Unread) -> io::Result<String> {
    let (error, hint) = (error_chain(&unread.error), unread.hint.as_deref());
    text(&ErrorFace { schema: ERROR_SCHEMA, reference, verdict: "unknown", error, hint }, false)
}

fn text(value: &impl Serialize, is_only: bool) -> io::Result<String> {
    Ok(if is_only { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? })
}
