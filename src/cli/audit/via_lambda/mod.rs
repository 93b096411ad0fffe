//! An audit whose images are asked about by the deployed function: the tool only lists them, hands them to it as events, and
//! reads its answers from its log.
//!
//! Does not read images. The function's settings count, not this machine's.

mod event_entry;
mod transient;
mod rate;
mod event_sender;
mod log_line;
mod pending;
mod log_follower;
mod tasks;

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::channel;
use tokio::time::MissedTickBehavior;

pub(in crate::cli) use self::event_sender::EventSendError;
use self::event_sender::EventSender;
pub(in crate::cli) use self::log_follower::LogFollowError;
use self::log_follower::LogFollower;
use self::pending::{PendingAnswers, SharedOutput};
use self::tasks::{follow_log, send_events};
use super::lister::{ImageLister, QUEUE_CAPACITY};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::runner::AuditEnd;
use super::signals;
use crate::registry::RegistryError;
use crate::text::error_chain;

/// How often it is seen whether all is answered or patience has ended, and what is shown moves.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

/// How images are handed to the function.
#[derive(Debug)]
pub(super) struct ViaLambda {
    sender: EventSender,
    follower: Option<LogFollower>,
    timeout: Duration,
}

/// The way there and back.
#[derive(Debug)]
pub(super) struct ViaLambdaOptions {
    pub(super) events: aws_sdk_eventbridge::Client,
    /// The function's log; none where its answers are not waited for.
    pub(super) logs: Option<(aws_sdk_cloudwatchlogs::Client, String)>,
    /// At most so many events a second.
    pub(super) events_per_second: f64,
    /// How long to wait when no answer comes any more.
    pub(super) timeout: Duration,
}

/// What ends an audit early.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ViaLambdaError {
    #[error(transparent)]
    SendEvents(#[from] EventSendError),
    #[error(transparent)]
    FollowLog(#[from] LogFollowError),
    #[error("no answer came for {seconds} s with {open} images waiting for theirs: no others were asked about")]
    NoAnswer { seconds: u64, open: usize },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ViaLambda {
    pub(super) fn new(way: ViaLambdaOptions) -> Self {
        let follower = way.logs.map(|(client, group)| LogFollower::new(client, group, SystemTime::now()));
        Self {
            sender: EventSender::new(way.events, way.events_per_second, way.timeout),
            follower,
            timeout: way.timeout,
        }
    }

    /// Hands over everything that the census gives, and writes down what comes back. What is not answered in time counts as
    /// not read, and is asked about again the next time. Where events cannot be put any more, the answers to those that
    /// were are still waited for.
    pub(super) async fn run<E: Write>(
        &mut self,
        census: ImageLister<'_>,
        results: &mut ResultsFile,
        progress: &mut AuditProgress<'_, E>,
    ) -> AuditEnd {
        let (to, from) = channel(QUEUE_CAPACITY);
        let (open, trouble, shared) =
            (PendingAnswers::default(), RefCell::default(), RefCell::new((results, progress)));
        let Self { sender, follower, timeout: patience } = self;
        let is_followed = follower.is_some();
        let mut listing = pin!(census.list_all(to));
        let mut asking = pin!(send_events(sender, from, &open, &shared, is_followed));
        let mut watching = pin!(async {
            match follower {
                Some(follower) => follow_log(follower, &open, &shared, &trouble).await,
                None => std::future::pending().await,
            }
        });
        let mut interrupted = pin!(signals::wait_for_stop_signal());
        let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_listed, mut is_asked) = (false, false);
        let mut early = EarlyFailures::default();
        loop {
            tokio::select! {
                biased;
                stop = &mut interrupted => return stop.map_or_else(|error| AuditEnd::ViaLambdaFailed(error.into()), |()| AuditEnd::Interrupted),
                done = &mut listing, if !is_listed => {
                    is_listed = true;
                    early.listing_error = done.err();
                }
                done = &mut asking, if !is_asked => {
                    // With nobody who takes it, nothing more needs to be listed.
                    (is_listed, is_asked) = (true, true);
                    early.lambda_error = done.err().map(ViaLambdaError::from);
                    open.record_activity();
                }
                error = &mut watching => {
                    open.fail_remaining(&shared, "the function's log cannot be read any more");
                    return early.into_end(Some(error), &shared);
                }
                _ = ticks.tick() => shared.borrow_mut().1.refresh(),
            }
            if is_asked && open.len() == 0 {
                return early.into_end(None, &shared);
            }
            if (is_asked && open.has_timed_out(*patience)) || open.is_stuck(*patience) {
                let silent = ViaLambdaError::NoAnswer { seconds: patience.as_secs(), open: open.len() };
                let failed = trouble.take().map(ViaLambdaError::from);
                open.fail_remaining(&shared, &format_no_answer(*patience));
                return early.into_end(failed.or((!is_asked).then_some(silent)), &shared);
            }
        }
    }
}

/// What keeps an audit from being whole.
#[derive(Debug, Default)]
struct EarlyFailures {
    listing_error: Option<RegistryError>,
    lambda_error: Option<ViaLambdaError>,
}

impl EarlyFailures {
    /// How it ended: by what went wrong first. What else did is told at once.
    fn into_end<E: Write>(self, last: Option<ViaLambdaError>, shared: &SharedOutput<'_, '_, E>) -> AuditEnd {
        match (self.lambda_error.or(last), self.listing_error) {
            (Some(error), Some(unlisted)) => {
                shared.borrow_mut().1.report_unread("the list of repositories", &error_chain(&unlisted));
                AuditEnd::ViaLambdaFailed(error)
            }
            (Some(error), None) => AuditEnd::ViaLambdaFailed(error),
            (None, Some(error)) => AuditEnd::ListingFailed(error),
            (None, None) => AuditEnd::Complete,
        }
    }
}

fn format_no_answer(patience: Duration) -> String {
    format!(
        "no answer within {} s: does the function watch this repository, and is its stack the one that --stack names?",
        patience.as_secs()
    )
}
