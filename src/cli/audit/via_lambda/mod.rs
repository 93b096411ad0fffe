//! An audit by the deployed function: this tool lists the images, sends them to the function as events, and reads the
//! reports from the function's log. The function's settings apply, not those of this machine.

mod event_sender;
mod pending;
mod log_follower;
mod tasks;

use std::cell::RefCell;
use std::io::Write;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::channel;
use tokio::time::MissedTickBehavior;

use self::event_sender::EventSender;
use self::log_follower::LogFollower;
use self::pending::{PendingAnswers, SharedOutput};
use self::tasks::{follow_log, send_events};
use super::error::{AuditEnd, ViaLambdaError};
use super::lister::{ImageLister, QUEUE_CAPACITY};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::runner::wait_for_stop_signal;
use crate::registry::RegistryError;
use crate::text::error_chain;

/// How often the end of the audit and the timeout are checked, and the progress is refreshed.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

/// How the function is called.
#[derive(Debug)]
pub(super) struct ViaLambdaOptions {
    pub(super) events: aws_sdk_eventbridge::Client,
    /// The function's log group; `None` to send events without waiting for reports.
    pub(super) logs: Option<(aws_sdk_cloudwatchlogs::Client, String)>,
    /// The highest rate of events.
    pub(super) events_per_second: f64,
    /// How long to wait for the next report, or for the event bus to accept an event.
    pub(super) timeout: Duration,
}

/// Sends every listed image to the function, and writes down the reports. An image without a report in time is reported as
/// unreadable, and sent again by the next run. If events cannot be sent any more, the reports of earlier events are still
/// awaited.
pub(super) async fn run<E: Write>(
    options: ViaLambdaOptions,
    lister: ImageLister<'_>,
    results: &mut ResultsFile,
    progress: &mut AuditProgress<'_, E>,
) -> AuditEnd {
    let ViaLambdaOptions { events, logs, events_per_second, timeout } = options;
    let mut sender = EventSender::new(events, events_per_second, timeout);
    let mut follower = logs.map(|(client, group)| LogFollower::new(client, group, SystemTime::now()));
    let is_followed = follower.is_some();
    let (to, from) = channel(QUEUE_CAPACITY);
    let (pending, shared) = (PendingAnswers::default(), RefCell::new((results, progress)));
    let transient_error = RefCell::default();
    let mut listing = pin!(lister.list_all(to));
    let mut sending = pin!(send_events(&mut sender, from, &pending, &shared, is_followed));
    let mut following = pin!(async {
        match &mut follower {
            Some(follower) => follow_log(follower, &pending, &shared, &transient_error).await,
            None => std::future::pending().await,
        }
    });
    let mut interrupted = pin!(wait_for_stop_signal());
    let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_listed, mut is_sent) = (false, false);
    let mut early = EarlyFailures::default();
    loop {
        tokio::select! {
            biased;
            stop = &mut interrupted => {
                return stop.map_or_else(|error| AuditEnd::ViaLambdaFailed(error.into()), |()| AuditEnd::Interrupted);
            }
            done = &mut listing, if !is_listed => {
                is_listed = true;
                early.listing_error = done.err();
            }
            done = &mut sending, if !is_sent => {
                // Nothing takes listed images any more, so the listing may stop too.
                (is_listed, is_sent) = (true, true);
                early.lambda_error = done.err().map(ViaLambdaError::from);
                pending.record_activity();
            }
            error = &mut following => {
                pending.fail_remaining(&shared, "the function's log cannot be read any more");
                return early.into_end(Some(error), &shared);
            }
            _ = ticks.tick() => shared.borrow_mut().1.refresh(),
        }
        if is_sent && pending.len() == 0 {
            return early.into_end(None, &shared);
        }
        if (is_sent && pending.has_timed_out(timeout)) || pending.is_stuck(timeout) {
            let seconds = timeout.as_secs();
            let no_answer = ViaLambdaError::NoAnswer { seconds, open: pending.len() };
            let error = transient_error.take().map(ViaLambdaError::from).or((!is_sent).then_some(no_answer));
            let reason = format!(
                "no report within {seconds} s: check that the function's rule covers this repository, and that --stack \
                 names its stack"
            );
            pending.fail_remaining(&shared, &reason);
            return early.into_end(error, &shared);
        }
    }
}

/// What failed while the audit went on.
#[derive(Debug, Default)]
struct EarlyFailures {
    listing_error: Option<RegistryError>,
    lambda_error: Option<ViaLambdaError>,
}

impl EarlyFailures {
    /// Returns how the audit ended: with the first error of the function. An additional listing error is reported at once.
    fn into_end<E: Write>(self, last: Option<ViaLambdaError>, shared: &SharedOutput<'_, '_, E>) -> AuditEnd {
        match (self.lambda_error.or(last), self.listing_error) {
            (Some(error), Some(listing_error)) => {
                shared.borrow_mut().1.report_unread("the list of repositories", &error_chain(&listing_error));
                AuditEnd::ViaLambdaFailed(error)
            }
            (Some(error), None) => AuditEnd::ViaLambdaFailed(error),
            (None, Some(error)) => AuditEnd::ListingFailed(error),
            (None, None) => AuditEnd::Complete,
        }
    }
}
