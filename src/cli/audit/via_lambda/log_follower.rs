//! The function's log, read while it is written.
//!
//! Does not know what was asked: it hands out each line that may be an answer, some of them more than once.

use std::io;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;

use super::ViaLambdaError;
use super::transient::is_transient;
use crate::aws::service_error::{BoxError, convert_sdk_error};

/// Lines that are answers, and errors of invocations: CloudWatch Logs user guide, "Filter pattern syntax".
const FILTER_PATTERN: &str = r#"{ ($.how = "audit") || ($.level = "ERROR") }"#;

/// How far before this machine's now the log is read from, until its own lines say what time it is there: the clock here may
/// be ahead of it. By more than some five minutes it cannot be ("AWS Signature Version 4 for API requests" in the IAM user
/// guide: in most cases a request must arrive within that time of its stamp); lines that nobody waits for are passed over.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// How far back every look begins before the newest line that was seen. Lines become readable some seconds after they
/// were written, those of different invocations in any order, and an answer may be there before the request that put its
/// event returns; who looks further back reads more of them twice.
const OVERLAP: Duration = Duration::from_mins(1);

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(in crate::cli) enum LogFollowError {
    #[error("logs:FilterLogEvents on {group} was denied: allow the caller this action on this log group")]
    Denied { group: String, source: BoxError },
    #[error("the log group {group} does not exist")]
    MissingLogGroup { group: String, source: BoxError },
    #[error("logs:FilterLogEvents on {group} failed")]
    Failed { group: String, source: BoxError },
    #[error("logs:FilterLogEvents on {group} failed again and again")]
    Transient { group: String, source: BoxError },
}

/// Reads one log group from now on.
#[derive(Debug)]
pub(super) struct LogFollower {
    client: Client,
    group: String,
    window: ReadWindow,
}

/// From when on lines are read, in milliseconds since 1970.
#[derive(Debug)]
struct ReadWindow {
    start: u64,
    /// By the log's own clock.
    newest: u64,
}

impl LogFollower {
    pub(super) fn new(client: Client, group: String, now: SystemTime) -> Self {
        Self { client, group, window: ReadWindow::new(now) }
    }

    /// Whether the log can be read at all.
    ///
    /// # Errors
    /// Where it cannot.
    pub(super) async fn probe(&self) -> Result<(), ViaLambdaError> {
        self.fetch_page(self.build_request().limit(1)).await?;
        Ok(())
    }

    /// Hands out what can be read by now, and was not long ago.
    ///
    /// # Errors
    /// Where the log cannot be read to its end, or what takes the lines fails. The next look begins where this one did.
    pub(super) async fn read_new_lines(
        &mut self,
        mut each: impl FnMut(&str) -> io::Result<()>,
    ) -> Result<(), ViaLambdaError> {
        let mut token = None;
        loop {
            let page = self.fetch_page(self.build_request().set_next_token(token.clone())).await?;
            for event in page.events() {
                self.window.record_timestamp(event.timestamp().unwrap_or_default());
                event.message().map_or(Ok(()), &mut each)?;
            }
            // One that leads to itself would never end.
            if page.next_token.is_none() || page.next_token == token {
                break;
            }
            token = page.next_token;
        }
        self.window.advance();
        Ok(())
    }

    fn build_request(&self) -> FilterLogEventsFluentBuilder {
        let from = i64::try_from(self.window.start).unwrap_or(i64::MAX);
        self.client.filter_log_events().log_group_name(&self.group).filter_pattern(FILTER_PATTERN).start_time(from)
    }

    async fn fetch_page(&self, request: FilterLogEventsFluentBuilder) -> Result<FilterLogEventsOutput, LogFollowError> {
        let error = match request.send().await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let (group, code, is_passing) = (self.group.clone(), error.code().map(str::to_owned), is_transient(&error));
        let source = convert_sdk_error(error);
        Err(match code.as_deref() {
            Some("AccessDeniedException") => LogFollowError::Denied { group, source },
            Some("ResourceNotFoundException") => LogFollowError::MissingLogGroup { group, source },
            _ if is_passing => LogFollowError::Transient { group, source },
            _ => LogFollowError::Failed { group, source },
        })
    }
}

impl ReadWindow {
    fn new(now: SystemTime) -> Self {
        let from = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(MAX_CLOCK_SKEW);
        Self { start: to_milliseconds(from), newest: 0 }
    }

    fn record_timestamp(&mut self, timestamp: i64) {
        self.newest = self.newest.max(u64::try_from(timestamp).unwrap_or_default());
    }

    /// All that was there has been read.
    fn advance(&mut self) {
        self.start = self.start.max(self.newest.saturating_sub(to_milliseconds(OVERLAP)));
    }
}

fn to_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ClientTimeouts;

    #[test]
    fn a_clock_that_is_ahead_loses_no_answer() {
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        let there = minutes(1_000_000);
        for ahead in [0, 2, 14] {
            let mut window = ReadWindow::new(SystemTime::UNIX_EPOCH + there + minutes(ahead));
            window.advance();
            assert!(window.start <= to_milliseconds(there), "{ahead} minutes ahead");
            window.record_timestamp(i64::try_from(to_milliseconds(there + minutes(3))).unwrap());
            window.record_timestamp(-1);
            window.advance();
            assert_eq!(window.start, to_milliseconds(there + minutes(2)), "the log's own clock counts");
        }
    }

    #[test]
    fn a_request_that_puts_events_ends_before_their_answers_are_out_of_sight() {
        assert!(ClientTimeouts::default().call * 2 < OVERLAP);
    }
}
