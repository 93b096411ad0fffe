//! Both ways of an audit by the function: images are asked about, and the log is looked at.
//!
//! Does not end by itself when nothing comes back; whoever lets it run has patience or not.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::ViaLambdaError;
use super::event_sender::{BATCH_SIZE, EventSendError, EventSender};
use super::log_follower::{LogFollowError, LogFollower};
use super::pending::{PendingAnswers, SharedOutput};
use crate::cli::audit::lister::{AuditTarget, RepositoryListingFailure};
use crate::event::Arrival;

/// How often the log is looked at. CloudWatch Logs allows an account five such requests a second in a region, or ten in
/// the largest ones (its quotas, "`FilterLogEvents`"): others want to look too.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The longest pause after a look that failed; it doubles up to here. Longer than it takes a quota to fill again.
const MAX_POLL_PAUSE: Duration = Duration::from_secs(30);

/// Puts an event for everything that is listed and not known yet.
///
/// # Errors
/// Where events cannot be put.
pub(super) async fn send_events<E: Write>(
    sender: &mut EventSender,
    mut from: Receiver<Result<AuditTarget, RepositoryListingFailure>>,
    open: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    is_followed: bool,
) -> Result<(), EventSendError> {
    let mut batch: Vec<Arrival> = Vec::with_capacity(BATCH_SIZE);
    loop {
        let next = from.recv().await;
        let is_last = next.is_none();
        match next {
            Some(Ok(asked)) if shared.borrow().0.index.contains(&asked.arrival) => {
                shared.borrow_mut().1.count_skipped()
            }
            Some(Ok(asked)) => batch.push(asked.arrival),
            Some(Err(RepositoryListingFailure { repository, error })) => {
                shared.borrow_mut().1.report_listing_error(repository.name(), &error);
            }
            None => {}
        }
        if batch.len() == BATCH_SIZE || (is_last && !batch.is_empty()) {
            if is_followed {
                open.wait_for_capacity().await;
            }
            let taken = |id, arrival| {
                if is_followed { open.insert(id, arrival) } else { shared.borrow_mut().1.count_checked() }
            };
            sender.send(std::mem::take(&mut batch), taken).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Looks at the log again and again. What passes by itself is left in `trouble` until a look succeeds.
pub(super) async fn follow_log<E: Write>(
    follower: &mut LogFollower,
    open: &PendingAnswers,
    shared: &SharedOutput<'_, '_, E>,
    trouble: &RefCell<Option<LogFollowError>>,
) -> ViaLambdaError {
    let mut pause = POLL_INTERVAL;
    loop {
        let looked = if open.is_log_readable() {
            follower.read_new_lines(|line| open.process_line(line, shared)).await
        } else {
            follower.probe().await
        };
        match looked {
            Ok(()) => {
                open.mark_log_readable();
                trouble.replace(None);
                pause = POLL_INTERVAL;
                tokio::time::sleep(pause).await;
            }
            Err(ViaLambdaError::FollowLog(error @ LogFollowError::Transient { .. })) => {
                trouble.replace(Some(error));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_POLL_PAUSE);
            }
            Err(error) => return error,
        }
    }
}
