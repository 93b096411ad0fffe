//! A line of the function's log, and what it answers.
//!
//! Does not trust it: a function of another version may have written it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What the function wrote down of one event.
#[derive(Debug)]
pub(super) enum FunctionOutcome {
    /// The members of the report.
    Report(Map<String, Value>),
    /// There is a verdict, but its report was too large for the log.
    TooLarge,
    /// The function failed.
    Failed(String),
    /// It should be an answer, but is none: why.
    Invalid(String),
}

#[derive(Debug, Deserialize)]
struct LogLineHead {
    event_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LogLine {
    error: Option<Value>,
    verdict: Option<Value>,
    report: Option<Value>,
}

/// The event that a line is of. The line is read through, but nothing else of it is kept.
pub(super) fn parse_event_id(line: &str) -> Option<String> {
    serde_json::from_str::<LogLineHead>(line).ok()?.event_id
}

/// What a line answers, where it answers anything.
pub(super) fn parse_outcome(line: &str) -> Option<FunctionOutcome> {
    let line: LogLine = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => return Some(FunctionOutcome::Invalid(error.to_string())),
    };
    match (line.report, line.error, line.verdict) {
        (Some(Value::Object(report)), ..) => Some(FunctionOutcome::Report(report)),
        (Some(_), ..) => Some(FunctionOutcome::Invalid("it is no object".to_owned())),
        (None, Some(Value::String(error)), _) => Some(FunctionOutcome::Failed(error)),
        (None, Some(error), _) => Some(FunctionOutcome::Failed(error.to_string())),
        (None, None, Some(_)) => Some(FunctionOutcome::TooLarge),
        (None, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_other_lines() {
        for (line, id, expected) in [
            (
                r#"{"event_id":"1","verdict":"runs","report":{"schema":"ecr-preflight/1"}}"#,
                Some("1"),
                "report {\"schema\":\"ecr-preflight/1\"}",
            ),
            (r#"{"event_id":"1","verdict":"fails"}"#, Some("1"), "too large"),
            (
                r#"{"level":"ERROR","event_id":"1","error":"ecr:BatchGetImage failed"}"#,
                Some("1"),
                "failed ecr:BatchGetImage failed",
            ),
            (r#"{"event_id":"1","error":{"code":7}}"#, Some("1"), "failed {\"code\":7}"),
            (r#"{"event_id":"1","verdict":"runs","report":[1]}"#, Some("1"), "odd it is no object"),
            (
                r#"{"event_id":"1","report":{},"report":{}}"#,
                Some("1"),
                "odd duplicate field `report` at line 1 column 36",
            ),
            (r#"{"level":"ERROR","event_id":"1","message":"mark refused","reason":"x"}"#, Some("1"), "nothing"),
            (r#"{"level":"ERROR","message":"of nobody"}"#, None, "nothing"),
            (r#"{"event_id":1,"message":"of a number"}"#, None, "nothing"),
            (r#"{"time":"2026","type":"platform.report"}"#, None, "nothing"),
        ] {
            let found = match parse_outcome(line) {
                Some(FunctionOutcome::Report(report)) => format!("report {}", Value::Object(report)),
                Some(FunctionOutcome::TooLarge) => "too large".to_owned(),
                Some(FunctionOutcome::Failed(error)) => format!("failed {error}"),
                Some(FunctionOutcome::Invalid(why)) => format!("odd {why}"),
                None => "nothing".to_owned(),
            };
            assert_eq!((parse_event_id(line).as_deref(), found.as_str()), (id, expected), "{line}");
        }
        for text in ["START RequestId: 1", "", "[]", "null"] {
            assert_eq!(parse_event_id(text), None, "{text}");
        }
    }
}
