//! Both ways of an audit by the function: images are asked about, and the log is looked at.
//!
//! Does not end by itself when nothing comes back; whoever lets it run has patience or not.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::ViaError;
use super::follow::{FollowError, Follower};
use super::open::{Open, Shared};
use super::send::{BATCH, SendError, Sender};
use crate::cli::audit::census::{Asked, Unlisted};
use crate::event::Arrival;

/// How often the log is looked at. CloudWatch Logs allows an account five such requests a second in a region, or ten in
/// the largest ones (its quotas, "`FilterLogEvents`"): others want to look too.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The longest pause after a look that failed; it doubles up to here. Longer than it takes a quota to fill again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Puts an event for everything that is listed and not known yet.
///
/// # Errors
/// Where events cannot be put.
pub(super) async fn ask<E: Write>(
    sender: &mut Sender,
    mut from: Receiver<Result<Asked, Unlisted>>,
    open: &Open,
    shared: &Shared<'_, '_, E>,
    is_followed: bool,
) -> Result<(), SendError> {
    let mut batch: Vec<Arrival> = Vec::with_capacity(BATCH);
    loop {
        let next = from.recv().await;
        let is_last = next.is_none();
        match next {
            Some(Ok(asked)) if shared.borrow().0.tally.has(&asked.arrival) => shared.borrow_mut().1.skip(),
            Some(Ok(asked)) => batch.push(asked.arrival),
            Some(Err(Unlisted { repository, error })) => {
                shared.borrow_mut().1.unlisted(repository.name(), &error);
            }
            None => {}
        }
        if batch.len() == BATCH || (is_last && !batch.is_empty()) {
            if is_followed {
                open.room().await;
            }
            let taken = |id, arrival| {
                if is_followed { open.put(id, arrival) } else { shared.borrow_mut().1.answered() }
            };
            sender.send(std::mem::take(&mut batch), taken).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Looks at the log again and again. What passes by itself is left in `trouble` until a look succeeds.
pub(super) async fn watch<E: Write>(
    follower: &mut Follower,
    open: &Open,
    shared: &Shared<'_, '_, E>,
    trouble: &RefCell<Option<FollowError>>,
) -> ViaError {
    let mut pause = LOOK_EVERY;
    loop {
        let looked = if open.is_readable() {
            follower.look(|line| open.settle(line, shared)).await
        } else {
            follower.probe().await
        };
        match looked {
            Ok(()) => {
                open.readable();
                trouble.replace(None);
                pause = LOOK_EVERY;
                tokio::time::sleep(pause).await;
            }
            Err(ViaError::Follow(error @ FollowError::Passing { .. })) => {
                trouble.replace(Some(error));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return error,
        }
    }
}
