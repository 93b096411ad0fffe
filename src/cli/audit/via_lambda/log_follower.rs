//! Reads the function's log while it is written, and parses the lines that answer events.

use std::io;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::aws::service_error::convert_sdk_error;
use crate::cli::audit::error::{ViaLambdaError, is_transient};

/// Selects results of audits, and errors of invocations: CloudWatch Logs user guide, "Filter pattern syntax".
const FILTER_PATTERN: &str = r#"{ ($.how = "audit") || ($.level = "ERROR") }"#;

/// How far before this machine's time the log is read, until the log's own lines show its time, because the clock here may be
/// fast. It cannot be fast by more than some five minutes: in most cases a request must arrive within that time of its
/// timestamp ("AWS Signature Version 4 for API requests" in the IAM user guide). Lines that answer no event are ignored.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// How far before the newest line each read begins. Lines become readable some seconds after they were written, those of
/// different invocations in any order, and a result may be there before the request that sent its event returns. A longer
/// overlap would read more lines twice.
const OVERLAP: Duration = Duration::from_mins(1);

/// Reads one log group. It returns each line that may answer an event, some of them more than once.
#[derive(Debug)]
pub(super) struct LogFollower {
    client: Client,
    group: String,
    window: ReadWindow,
}

/// The time from which lines are read, in milliseconds since 1970.
#[derive(Debug)]
struct ReadWindow {
    start: u64,
    /// The time of the newest line, by the log's clock.
    newest: u64,
}

impl LogFollower {
    pub(super) fn new(client: Client, group: String, now: SystemTime) -> Self {
        Self { client, group, window: ReadWindow::new(now) }
    }

    /// Checks that the log can be read.
    ///
    /// # Errors
    /// It cannot.
    pub(super) async fn probe(&self) -> Result<(), ViaLambdaError> {
        self.fetch_page(self.build_request().limit(1)).await?;
        Ok(())
    }

    /// Calls `process` for the lines since the last read, and for some older ones.
    ///
    /// # Errors
    /// The log cannot be read completely, or `process` fails. The next read begins where this one did.
    pub(super) async fn read_new_lines(
        &mut self,
        mut process: impl FnMut(&str) -> io::Result<()>,
    ) -> Result<(), ViaLambdaError> {
        let mut token = None;
        loop {
            let page = self.fetch_page(self.build_request().set_next_token(token.clone())).await?;
            for event in page.events() {
                self.window.record_timestamp(event.timestamp().unwrap_or_default());
                event.message().map_or(Ok(()), &mut process)?;
            }
            // A token that leads to itself would never end.
            if page.next_token.is_none() || page.next_token == token {
                break;
            }
            token = page.next_token;
        }
        self.window.advance();
        Ok(())
    }

    fn build_request(&self) -> FilterLogEventsFluentBuilder {
        let start = i64::try_from(self.window.start).unwrap_or(i64::MAX);
        self.client.filter_log_events().log_group_name(&self.group).filter_pattern(FILTER_PATTERN).start_time(start)
    }

    async fn fetch_page(&self, request: FilterLogEventsFluentBuilder) -> Result<FilterLogEventsOutput, ViaLambdaError> {
        request.send().await.map_err(|error| {
            let (code, is_transient) = (error.code().map(str::to_owned), is_transient(&error));
            let (group, source) = (self.group.clone(), convert_sdk_error(error));
            match code.as_deref() {
                Some("AccessDeniedException") => ViaLambdaError::LogDenied { group, source },
                Some("ResourceNotFoundException") => ViaLambdaError::MissingLogGroup { group, source },
                _ if is_transient => ViaLambdaError::LogBusy { group, source },
                _ => ViaLambdaError::LogFailed { group, source },
            }
        })
    }
}

impl ReadWindow {
    fn new(now: SystemTime) -> Self {
        let start = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(MAX_CLOCK_SKEW);
        Self { start: to_milliseconds(start), newest: 0 }
    }

    fn record_timestamp(&mut self, timestamp: i64) {
        self.newest = self.newest.max(u64::try_from(timestamp).unwrap_or_default());
    }

    /// Begins the next read close to the newest line.
    fn advance(&mut self) {
        self.start = self.start.max(self.newest.saturating_sub(to_milliseconds(OVERLAP)));
    }
}

fn to_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the function logged about one event.
#[derive(Debug)]
pub(super) enum FunctionOutcome {
    /// The members of the report.
    Report(Map<String, Value>),
    /// There is a verdict, but the report was too large for the log.
    TooLarge,
    /// The error of the function.
    Failed(String),
    /// It should be a result, but cannot be parsed: the reason. Another version of the function may have written it.
    Invalid(String),
}

/// Returns the id of the event that a line is about. The rest of the line is parsed, but not kept.
pub(super) fn parse_event_id(line: &str) -> Option<String> {
    #[derive(Debug, Deserialize)]
    struct EventIdOnly {
        event_id: Option<String>,
    }
    serde_json::from_str::<EventIdOnly>(line).ok()?.event_id
}

/// Returns the outcome that a line contains, if any.
pub(super) fn parse_outcome(line: &str) -> Option<FunctionOutcome> {
    #[derive(Debug, Deserialize)]
    struct LogLine {
        error: Option<Value>,
        verdict: Option<Value>,
        report: Option<Value>,
    }
    let line: LogLine = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => return Some(FunctionOutcome::Invalid(error.to_string())),
    };
    match (line.report, line.error, line.verdict) {
        (Some(Value::Object(report)), ..) => Some(FunctionOutcome::Report(report)),
        (Some(_), ..) => Some(FunctionOutcome::Invalid("the report is not an object".to_owned())),
        (None, Some(Value::String(error)), _) => Some(FunctionOutcome::Failed(error)),
        (None, Some(error), _) => Some(FunctionOutcome::Failed(error.to_string())),
        (None, None, Some(_)) => Some(FunctionOutcome::TooLarge),
        (None, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ClientTimeouts;

    #[test]
    fn fast_clock_loses_no_line() {
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        let log_time = minutes(1_000_000);
        for ahead in [0, 2, 14] {
            let mut window = ReadWindow::new(SystemTime::UNIX_EPOCH + log_time + minutes(ahead));
            window.advance();
            assert!(window.start <= to_milliseconds(log_time), "{ahead} minutes ahead");
            window.record_timestamp(i64::try_from(to_milliseconds(log_time + minutes(3))).unwrap());
            window.record_timestamp(-1);
            window.advance();
            assert_eq!(window.start, to_milliseconds(log_time + minutes(2)), "the log's own clock is used");
        }
    }

    #[test]
    fn sending_events_takes_less_time_than_the_overlap() {
        assert!(ClientTimeouts::default().call * 2 < OVERLAP);
    }

    fn describe_outcome(line: &str) -> String {
        match parse_outcome(line) {
            Some(FunctionOutcome::Report(report)) => format!("report {}", Value::Object(report)),
            Some(FunctionOutcome::TooLarge) => "too large".to_owned(),
            Some(FunctionOutcome::Failed(error)) => format!("failed {error}"),
            Some(FunctionOutcome::Invalid(why)) => format!("invalid {why}"),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn outcomes_are_parsed_from_log_lines() {
        for (members, expected) in [
            (r#""verdict":"runs","report":{"schema":"ecr-preflight/1"}"#, r#"report {"schema":"ecr-preflight/1"}"#),
            (r#""verdict":"fails""#, "too large"),
            (r#""level":"ERROR","error":"ecr:BatchGetImage failed""#, "failed ecr:BatchGetImage failed"),
            (r#""error":{"code":7}"#, r#"failed {"code":7}"#),
            (r#""verdict":"runs","report":[1]"#, "invalid the report is not an object"),
            (r#""report":{},"report":{}"#, "invalid duplicate field `report` at line 1 column 36"),
            (r#""level":"ERROR","message":"verdict tag refused","reason":"x""#, "nothing"),
        ] {
            let line = format!("{{\"event_id\":\"1\",{members}}}");
            assert_eq!(parse_event_id(&line).as_deref(), Some("1"), "{line}");
            assert_eq!(describe_outcome(&line), expected, "{line}");
        }
        for line in [
            r#"{"level":"ERROR","message":"without an event"}"#,
            r#"{"event_id":1,"message":"with a number"}"#,
            r#"{"time":"2026","type":"platform.report"}"#,
        ] {
            assert_eq!((parse_event_id(line), describe_outcome(line).as_str()), (None, "nothing"), "{line}");
        }
        for text in ["START RequestId: 1", "", "[]", "null"] {
            assert_eq!(parse_event_id(text), None, "{text}");
        }
    }
}
