//! The function's answers, read from its log while they are written.
//!
//! Does not know what was asked: it hands out each line that may be an answer, some of them more than once.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::service_error::{Cause, cause};

/// Lines that are answers, and errors of invocations: CloudWatch Logs user guide, "Filter pattern syntax".
const PATTERN: &str = r#"{ ($.how = "audit") || ($.level = "ERROR") }"#;

/// How far back every look begins before the newest line that was seen. Lines become readable some seconds after they
/// were written, those of different invocations in any order; who looks further back reads more of them twice.
const OVERLAP: Duration = Duration::from_mins(1);

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(in crate::cli) enum FollowError {
    #[error("logs:FilterLogEvents on {group} was denied: allow the caller this action on this log group")]
    Denied { group: String, source: Cause },
    #[error("the log group {group} does not exist")]
    NoGroup { group: String, source: Cause },
    #[error("logs:FilterLogEvents on {group} failed")]
    Failed { group: String, source: Cause },
}

/// What the function wrote down of one event.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) event_id: String,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// The members of the report.
    Report(Map<String, Value>),
    /// There is a verdict, but its report was too large for the log.
    TooLarge,
    /// The function failed.
    Failed(String),
}

/// A line of the function's log, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Line {
    event_id: Option<String>,
    error: Option<String>,
    verdict: Option<String>,
    report: Option<Map<String, Value>>,
}

/// Reads one log group from now on.
#[derive(Debug)]
pub(super) struct Follower {
    client: Client,
    group: String,
    /// In milliseconds since 1970.
    from: u64,
    newest: u64,
}

impl Follower {
    pub(super) fn new(client: Client, group: String, now: SystemTime) -> Self {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        Self { client, group, from: now.saturating_sub(overlap()), newest: now }
    }

    /// What can be read by now, and was not long ago.
    pub(super) async fn look(&mut self, mut each: impl FnMut(Answer)) -> Result<(), FollowError> {
        let mut token = None;
        loop {
            let request = self.client.filter_log_events().log_group_name(&self.group).filter_pattern(PATTERN);
            let from = i64::try_from(self.from).unwrap_or(i64::MAX);
            let page = match request.start_time(from).set_next_token(token).send().await {
                Ok(page) => page,
                Err(error) => {
                    let (group, code) = (self.group.clone(), error.code().map(str::to_owned));
                    let source = cause(error);
                    return Err(match code.as_deref() {
                        Some("AccessDeniedException") => FollowError::Denied { group, source },
                        Some("ResourceNotFoundException") => FollowError::NoGroup { group, source },
                        _ => FollowError::Failed { group, source },
                    });
                }
            };
            for event in page.events() {
                self.newest = self.newest.max(u64::try_from(event.timestamp().unwrap_or_default()).unwrap_or_default());
                if let Some(answer) = event.message().and_then(answer) {
                    each(answer);
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        self.from = self.from.max(self.newest.saturating_sub(overlap()));
        Ok(())
    }
}

fn overlap() -> u64 {
    u64::try_from(OVERLAP.as_millis()).unwrap_or(u64::MAX)
}

/// What a line of the log answers, where it answers anything.
fn answer(line: &str) -> Option<Answer> {
    let line: Line = serde_json::from_str(line).ok()?;
    let outcome = match (line.report, line.error, line.verdict) {
        (Some(report), ..) => Outcome::Report(report),
        (None, Some(error), _) => Outcome::Failed(error),
        (None, None, Some(_)) => Outcome::TooLarge,
        (None, None, None) => return None,
    };
    Some(Answer { event_id: line.event_id?, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_other_lines() {
        for (line, expected) in [
            (
                r#"{"event_id":"1","verdict":"runs","report":{"schema":"ecr-preflight/1"}}"#,
                "report {\"schema\":\"ecr-preflight/1\"}",
            ),
            (r#"{"event_id":"1","verdict":"fails"}"#, "too large"),
            (
                r#"{"level":"ERROR","event_id":"1","error":"ecr:BatchGetImage failed"}"#,
                "failed ecr:BatchGetImage failed",
            ),
            (r#"{"level":"ERROR","event_id":"1","message":"mark refused","reason":"x"}"#, "nothing"),
            (r#"{"level":"ERROR","error":"of nobody"}"#, "nothing"),
            (r#"{"time":"2026","type":"platform.report"}"#, "nothing"),
            ("START RequestId: 1", "nothing"),
            ("[]", "nothing"),
        ] {
            let found = answer(line).map(|answer| match answer.outcome {
                Outcome::Report(report) => format!("report {}", Value::Object(report)),
                Outcome::TooLarge => "too large".to_owned(),
                Outcome::Failed(error) => format!("failed {error}"),
            });
            assert_eq!(found.as_deref().unwrap_or("nothing"), expected, "{line}");
        }
    }
}
