//! The two tasks of an audit by the function: sending events, and following the log. Neither has a timeout of its own.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::event_sender::{BATCH_SIZE, EventSender};
use super::log_follower::LogFollower;
use super::pending::{PendingAnswers, SharedOutput};
use crate::backoff::Backoff;
use crate::cli::audit::error::{EventSendError, LogFollowError, ViaLambdaError};
use crate::cli::audit::lister::{ListedTarget, RepositoryListingFailure};
use crate::event::Arrival;

/// How often the log is read. CloudWatch Logs allows an account five such requests a second in a region, or ten in the
/// largest ones (CloudWatch Logs quotas, `FilterLogEvents`), and other clients need some of them.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest pause after a failed read, which is longer than a quota needs to refill.
const MAX_POLL_PAUSE: Duration = Duration::from_secs(30);

/// Sends an event for each listed image that has no result yet.
///
/// # Errors
/// Events cannot be sent.
pub(super) async fn send_events<E: Write>(
    sender: &mut EventSender,
    mut from: Receiver<ListedTarget>,
    pending: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    is_followed: bool,
) -> Result<(), EventSendError> {
    let mut batch: Vec<Arrival> = Vec::with_capacity(BATCH_SIZE);
    loop {
        let next = from.recv().await;
        let is_last = next.is_none();
        match next {
            Some(Ok(target)) if shared.borrow().0.index.contains(&target.arrival) => {
                shared.borrow_mut().1.count_skipped();
            }
            Some(Ok(target)) => batch.push(target.arrival),
            Some(Err(RepositoryListingFailure { repository, error })) => {
                shared.borrow_mut().1.report_listing_error(repository.name(), &error);
            }
            None => {}
        }
        if batch.len() == BATCH_SIZE || (is_last && !batch.is_empty()) {
            if is_followed {
                pending.wait_for_capacity().await;
            }
            let accepted = |id, arrival| {
                if is_followed { pending.insert(id, arrival) } else { shared.borrow_mut().1.count_checked() }
            };
            sender.send(std::mem::take(&mut batch), accepted).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Reads the log repeatedly, until it fails for good. A transient error is kept in `transient_error` until a read succeeds.
pub(super) async fn follow_log<E: Write>(
    follower: &mut LogFollower,
    pending: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    transient_error: &RefCell<Option<LogFollowError>>,
) -> ViaLambdaError {
    let mut backoff = Backoff::new(POLL_INTERVAL, MAX_POLL_PAUSE);
    loop {
        let read = if pending.is_log_readable() {
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
            Err(ViaLambdaError::FollowLog(error @ LogFollowError::Transient { .. })) => {
                transient_error.replace(Some(error));
                backoff.next_pause()
            }
            Err(error) => return error,
        };
        tokio::time::sleep(pause).await;
    }
}
