//! The function's log, read while it is written.
//!
//! Does not know what was asked: it hands out each line that may be an answer, some of them more than once.

use std::io;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;

use super::ViaError;
use super::passing::is_passing;
use crate::aws::service_error::{Cause, cause};

/// Lines that are answers, and errors of invocations: CloudWatch Logs user guide, "Filter pattern syntax".
const PATTERN: &str = r#"{ ($.how = "audit") || ($.level = "ERROR") }"#;

/// How far before this machine's now the log is read from, until its own lines say what time it is there: the clock here may
/// be ahead of it. By more than some five minutes it cannot be ("AWS Signature Version 4 for API requests" in the IAM user
/// guide: in most cases a request must arrive within that time of its stamp); lines that nobody waits for are passed over.
const CLOCKS: Duration = Duration::from_mins(15);

/// How far back every look begins before the newest line that was seen. Lines become readable some seconds after they
/// were written, those of different invocations in any order, and an answer may be there before the request that put its
/// event returns; who looks further back reads more of them twice.
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
    #[error("logs:FilterLogEvents on {group} failed again and again")]
    Passing { group: String, source: Cause },
}

/// Reads one log group from now on.
#[derive(Debug)]
pub(super) struct Follower {
    client: Client,
    group: String,
    window: Window,
}

/// From when on lines are read, in milliseconds since 1970.
#[derive(Debug)]
struct Window {
    from: u64,
    /// By the log's own clock.
    newest: u64,
}

impl Follower {
    pub(super) fn new(client: Client, group: String, now: SystemTime) -> Self {
        Self { client, group, window: Window::new(now) }
    }

    /// Whether the log can be read at all.
    ///
    /// # Errors
    /// Where it cannot.
    pub(super) async fn probe(&self) -> Result<(), ViaError> {
        self.page(self.request().limit(1)).await?;
        Ok(())
    }

    /// Hands out what can be read by now, and was not long ago.
    ///
    /// # Errors
    /// Where the log cannot be read to its end, or what takes the lines fails. The next look begins where this one did.
    pub(super) async fn look(&mut self, mut each: impl FnMut(&str) -> io::Result<()>) -> Result<(), ViaError> {
        let mut token = None;
        loop {
            let page = self.page(self.request().set_next_token(token.clone())).await?;
            for event in page.events() {
                self.window.saw(event.timestamp().unwrap_or_default());
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

    fn request(&self) -> FilterLogEventsFluentBuilder {
        let from = i64::try_from(self.window.from).unwrap_or(i64::MAX);
        self.client.filter_log_events().log_group_name(&self.group).filter_pattern(PATTERN).start_time(from)
    }

    async fn page(&self, request: FilterLogEventsFluentBuilder) -> Result<FilterLogEventsOutput, FollowError> {
        let error = match request.send().await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let (group, code, is_passing) = (self.group.clone(), error.code().map(str::to_owned), is_passing(&error));
        let source = cause(error);
        Err(match code.as_deref() {
            Some("AccessDeniedException") => FollowError::Denied { group, source },
            Some("ResourceNotFoundException") => FollowError::NoGroup { group, source },
            _ if is_passing => FollowError::Passing { group, source },
            _ => FollowError::Failed { group, source },
        })
    }
}

impl Window {
    fn new(now: SystemTime) -> Self {
        let from = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(CLOCKS);
        Self { from: milliseconds(from), newest: 0 }
    }

    fn saw(&mut self, timestamp: i64) {
        self.newest = self.newest.max(u64::try_from(timestamp).unwrap_or_default());
    }

    /// All that was there has been read.
    fn advance(&mut self) {
        self.from = self.from.max(self.newest.saturating_sub(milliseconds(OVERLAP)));
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Patience;

    #[test]
    fn a_clock_that_is_ahead_loses_no_answer() {
        let minutes = |minutes: u64| Duration::from_mins(minutes);
        let there = minutes(1_000_000);
        for ahead in [0, 2, 14] {
            let mut window = Window::new(SystemTime::UNIX_EPOCH + there + minutes(ahead));
            window.advance();
            assert!(window.from <= milliseconds(there), "{ahead} minutes ahead");
            window.saw(i64::try_from(milliseconds(there + minutes(3))).unwrap());
            window.saw(-1);
            window.advance();
            assert_eq!(window.from, milliseconds(there + minutes(2)), "the log's own clock counts");
        }
    }

    #[test]
    fn a_request_that_puts_events_ends_before_their_answers_are_out_of_sight() {
        assert!(Patience::default().call * 2 < OVERLAP);
    }
}
