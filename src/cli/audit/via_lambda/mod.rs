//! An audit by the deployed function: this tool lists the images, sends them to the function as events, and reads the
//! reports from the function's log. The function's settings apply, not those of this machine.

mod event_sender;
mod pending;
mod log_follower;

use std::cell::RefCell;
use std::io::Write;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::MissedTickBehavior;

use self::event_sender::{BATCH_SIZE, EventSender};
use self::log_follower::LogFollower;
use self::pending::PendingAnswers;
use super::arguments::AuditArguments;
use super::error::{AuditEnd, ViaLambdaError};
use super::lister::{ImageLister, ListedTarget, QUEUE_CAPACITY};
use super::progress::AuditProgress;
use super::results_file::ResultsFile;
use super::runner::{SharedOutput, open_targets, wait_for_stop_signal};
use crate::aws::Aws;
use crate::backoff::Backoff;
use crate::cli::context::endpoint_url;
use crate::registry::RegistryError;

/// How often the end of the audit and the timeout are checked, and the progress is refreshed.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

/// How often the log is read. CloudWatch Logs allows an account five such requests a second in a region, or ten in the
/// largest ones (CloudWatch Logs quotas, `FilterLogEvents`), and other clients need some of them.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest pause after a failed read, which is longer than a quota needs to refill.
const MAX_POLL_PAUSE: Duration = Duration::from_secs(30);

/// Sends every listed image to the function, and writes down the reports. An image without a report in time is reported as
/// unreadable, and sent again by the next run. If events cannot be sent any more, the reports of earlier events are still
/// awaited.
pub(super) async fn run<E: Write>(
    arguments: &AuditArguments,
    aws: &Aws,
    lister: ImageLister<'_>,
    results: &mut ResultsFile,
    progress: &mut AuditProgress<'_, E>,
) -> AuditEnd {
    // How long to wait for the next report, or for the event bus to accept an event.
    let timeout = Duration::from_secs(arguments.timeout);
    let events = aws.events_client(endpoint_url("EVENTBRIDGE"));
    let mut sender = EventSender::new(events, f64::from(arguments.rate), timeout);
    let is_followed = !arguments.no_follow;
    let logs = aws.logs_client(endpoint_url("CLOUDWATCH_LOGS"));
    let mut follower = LogFollower::new(logs, arguments.log_group(), SystemTime::now());
    let (to, from) = channel(QUEUE_CAPACITY);
    let (pending, shared) = (PendingAnswers::default(), RefCell::new((results, progress)));
    let transient_error = RefCell::default();
    let mut listing = pin!(lister.list_all(to));
    let mut sending = pin!(send_events(&mut sender, from, &pending, &shared, is_followed));
    let mut following = pin!(follow_log(&mut follower, &pending, &shared, &transient_error));
    let mut interrupted = pin!(wait_for_stop_signal());
    let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_listed, mut is_sent) = (false, false);
    let (mut listing_error, mut send_error) = (None, None);
    loop {
        tokio::select! {
            biased;
            stop = &mut interrupted => {
                return stop.map_or_else(|error| AuditEnd::ViaLambdaFailed(error.into()), |()| AuditEnd::Interrupted);
            }
            done = &mut listing, if !is_listed => {
                is_listed = true;
                listing_error = done.err();
            }
            done = &mut sending, if !is_sent => {
                // Nothing takes listed images any more, so the listing may stop too.
                (is_listed, is_sent) = (true, true);
                send_error = done.err();
                pending.record_activity();
            }
            error = &mut following, if is_followed => {
                pending.fail_remaining(&shared, "the function's log cannot be read any more");
                return end_audit(send_error.or(Some(error)), listing_error, &shared);
            }
            _ = ticks.tick() => shared.borrow_mut().1.refresh(),
        }
        if is_sent && pending.len() == 0 {
            return end_audit(send_error, listing_error, &shared);
        }
        if (is_sent && pending.has_timed_out(timeout)) || pending.is_stuck(timeout) {
            let seconds = timeout.as_secs();
            let no_answer = ViaLambdaError::NoAnswer { seconds, open: pending.len() };
            let error = transient_error.take().or((!is_sent).then_some(no_answer));
            let reason = format!(
                "no report within {seconds} s: check that the function's rule covers this repository, and that --stack \
                 names its stack"
            );
            pending.fail_remaining(&shared, &reason);
            return end_audit(send_error.or(error), listing_error, &shared);
        }
    }
}

/// Returns how the audit ended: with the error of the function, if any. An additional listing error is reported at once.
fn end_audit<E: Write>(
    lambda_error: Option<ViaLambdaError>,
    listing_error: Option<RegistryError>,
    shared: &SharedOutput<'_, '_, E>,
) -> AuditEnd {
    let Some(error) = lambda_error else { return listing_error.map_or(AuditEnd::Complete, AuditEnd::ListingFailed) };
    if let Some(listing_error) = listing_error {
        let progress = &mut *shared.borrow_mut().1;
        let error = progress.describe(&listing_error);
        progress.report_unread("the list of repositories", &error);
    }
    AuditEnd::ViaLambdaFailed(error)
}

/// Sends an event for each listed image that has no result yet.
///
/// # Errors
/// Events cannot be sent.
async fn send_events<E: Write>(
    sender: &mut EventSender,
    from: Receiver<ListedTarget>,
    pending: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    is_followed: bool,
) -> Result<(), ViaLambdaError> {
    let mut batches = pin!(open_targets(from, shared).map(|target| target.arrival).chunks(BATCH_SIZE));
    while let Some(batch) = batches.next().await {
        if is_followed {
            pending.wait_for_capacity().await;
        }
        let accepted = |id, arrival| {
            if is_followed { pending.insert(id, arrival) } else { shared.borrow_mut().1.count_checked() }
        };
        sender.send(batch, accepted).await?;
    }
    Ok(())
}

/// Reads the log repeatedly, without a timeout, until it fails for good. A transient error is kept in `transient_error`
/// until a read succeeds.
async fn follow_log<E: Write>(
    follower: &mut LogFollower,
    pending: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    transient_error: &RefCell<Option<ViaLambdaError>>,
) -> ViaLambdaError {
    let mut backoff = Backoff::new(POLL_INTERVAL, MAX_POLL_PAUSE);
    loop {
        let read = if pending.is_log_readable.get() {
            follower.read_new_lines(|line| pending.process_line(line, shared)).await
        } else {
            follower.probe().await
        };
        let pause = match read {
            Ok(()) => {
                pending.mark_log_readable();
                transient_error.replace(None);
                backoff.reset();
                POLL_INTERVAL
            }
            Err(error @ ViaLambdaError::LogBusy { .. }) => {
                transient_error.replace(Some(error));
                backoff.next_pause()
            }
            Err(error) => return error,
        };
        tokio::time::sleep(pause).await;
    }
}
