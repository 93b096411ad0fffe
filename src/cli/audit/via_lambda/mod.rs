//! An audit whose images are asked about by the deployed function: the tool only lists them, hands them to it as events, and
//! reads its answers from its log.
//!
//! Does not read images. The function's settings count, not this machine's.

mod entry;
mod rate;
mod send;
mod follow;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, channel};

pub(in crate::cli) use self::follow::FollowError;
use self::follow::{Answer, Follower, Outcome};
pub(in crate::cli) use self::send::SendError;
use self::send::{BATCH, Sender};
use super::census::{AHEAD, Asked, Census, Unlisted};
use super::progress::Progress;
use super::results::Results;
use super::walk::End;
use crate::event::Arrival;
use crate::log;

/// How often the log is looked at. CloudWatch Logs allows an account five such requests a second in a region, or ten in
/// the largest ones (its quotas, "`FilterLogEvents`"): others want to look too.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How many events may wait for an answer, some 300 bytes each: beyond that the function is behind, and more would only
/// wait there.
const MOST_OPEN: usize = 20_000;

/// How images are handed to the function.
#[derive(Debug)]
pub(super) struct Via {
    sender: Sender,
    follower: Option<Follower>,
    patience: Duration,
}

/// What was asked, and is not answered yet: the events' ids, and the references of their images.
#[derive(Debug, Default)]
struct Open {
    asked: RefCell<HashMap<String, String>>,
    changed: Notify,
}

/// The way there and back.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) events: aws_sdk_eventbridge::Client,
    /// The function's log; none where its answers are not waited for.
    pub(super) logs: Option<(aws_sdk_cloudwatchlogs::Client, String)>,
    /// At most so many events a second.
    pub(super) rate: f64,
    /// How long to wait when no answer comes any more.
    pub(super) patience: Duration,
}

/// What ends an audit early.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ViaError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Via {
    pub(super) fn new(way: Way) -> Self {
        let follower = way.logs.map(|(client, group)| Follower::new(client, group, SystemTime::now()));
        Self { sender: Sender::new(way.events, way.rate), follower, patience: way.patience }
    }

    /// Hands over everything that the census gives, and writes down what comes back. What is not answered in time counts as
    /// not read, and is asked about again the next time.
    ///
    /// # Errors
    /// Where events cannot be put, the log cannot be read, or an answer cannot be written down.
    pub(super) async fn walk<E: Write>(
        &mut self,
        census: Census<'_>,
        results: &mut Results,
        progress: &mut Progress<'_, E>,
    ) -> Result<End, ViaError> {
        let (to, from) = channel(AHEAD);
        let (open, shared) = (Open::default(), RefCell::new((results, progress)));
        let Self { sender, follower, patience } = self;
        let is_followed = follower.is_some();
        let mut listing = pin!(census.take(to).fuse());
        let mut asking = pin!(ask(sender, from, &open, &shared, is_followed).fuse());
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let (mut end, mut heard) = (End::Complete, Instant::now());
        let (mut is_listed, mut is_asked) = (false, false);
        loop {
            tokio::select! {
                biased;
                stop = &mut interrupted => {
                    stop?;
                    return Ok(End::Interrupted);
                }
                done = &mut listing, if !is_listed => {
                    is_listed = true;
                    if let Err(error) = done {
                        end = End::Unlisted(error);
                    }
                }
                done = &mut asking, if !is_asked => {
                    done?;
                    (is_asked, heard) = (true, Instant::now());
                }
                _ = looks.tick() => {
                    let Some(follower) = follower else { continue };
                    let mut answers = Vec::new();
                    follower.look(|answer| answers.push(answer)).await?;
                    for answer in answers {
                        if open.settle(answer, &shared)? {
                            heard = Instant::now();
                        }
                    }
                    shared.borrow_mut().1.show();
                }
            }
            if is_asked && (!is_followed || open.asked.borrow().is_empty()) {
                return Ok(end);
            }
            if is_asked && heard.elapsed() > *patience {
                open.give_up(&shared, *patience);
                return Ok(end);
            }
        }
    }
}

/// Where answers go, and what is shown of them.
type Shared<'a, 'b, E> = RefCell<(&'a mut Results, &'a mut Progress<'b, E>)>;

/// Puts an event for everything that is listed and not known yet.
async fn ask<E: Write>(
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
                shared.borrow_mut().1.unread(repository.name(), &log::chain(&error));
            }
            None => {}
        }
        if batch.len() == BATCH || (is_last && !batch.is_empty()) {
            while is_followed && open.asked.borrow().len() >= MOST_OPEN {
                open.changed.notified().await;
            }
            let ids = sender.send(&batch).await?;
            for (id, arrival) in ids.into_iter().zip(batch.drain(..)) {
                if is_followed {
                    open.asked.borrow_mut().insert(id, arrival.reference());
                } else {
                    shared.borrow_mut().1.answered();
                }
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

impl Open {
    /// Takes an answer; gives back whether it was waited for.
    fn settle<E: Write>(&self, answer: Answer, shared: &Shared<'_, '_, E>) -> io::Result<bool> {
        let Some(reference) = self.asked.borrow_mut().remove(&answer.event_id) else { return Ok(false) };
        let (results, progress) = &mut *shared.borrow_mut();
        match answer.outcome {
            Outcome::Failed(error) => progress.unread(&reference, &format!("the function failed: {error}")),
            Outcome::Report(report) => {
                results.append_members(report)?;
                progress.answered();
            }
            Outcome::TooLarge => progress.unread(&reference, "its report was too large for the function's log"),
        }
        self.changed.notify_one();
        Ok(true)
    }

    /// Says what was not answered.
    fn give_up<E: Write>(&self, shared: &Shared<'_, '_, E>, patience: Duration) {
        let silence = format!(
            "no answer within {} s: does the function watch this repository, and is its stack the one that --stack names?",
            patience.as_secs()
        );
        let mut left: Vec<String> = self.asked.borrow_mut().drain().map(|(_, reference)| reference).collect();
        left.sort_unstable();
        left.iter().for_each(|reference| shared.borrow_mut().1.unread(reference, &silence));
    }
}
