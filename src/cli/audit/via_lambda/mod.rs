//! An audit whose images are asked about by the deployed function: the tool only lists them, hands them to it as events, and
//! reads its answers from its log.
//!
//! Does not read images. The function's settings count, not this machine's.

mod entry;
mod passing;
mod rate;
mod send;
mod answer;
mod open;
mod follow;
mod ask;

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::channel;
use tokio::time::MissedTickBehavior;

use self::ask::{ask, watch};
pub(in crate::cli) use self::follow::FollowError;
use self::follow::Follower;
use self::open::{Open, Shared};
pub(in crate::cli) use self::send::SendError;
use self::send::Sender;
use super::census::{AHEAD, Census};
use super::progress::Progress;
use super::results::Results;
use super::stop;
use super::walk::End;
use crate::registry::RegistryError;
use crate::text::error_chain;

/// How often it is seen whether all is answered or patience has ended, and what is shown moves.
const TICK: Duration = Duration::from_millis(250);

/// How images are handed to the function.
#[derive(Debug)]
pub(super) struct Via {
    sender: Sender,
    follower: Option<Follower>,
    patience: Duration,
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
    #[error("no answer came for {seconds} s with {open} images waiting for theirs: no others were asked about")]
    Silent { seconds: u64, open: usize },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Via {
    pub(super) fn new(way: Way) -> Self {
        let follower = way.logs.map(|(client, group)| Follower::new(client, group, SystemTime::now()));
        Self { sender: Sender::new(way.events, way.rate, way.patience), follower, patience: way.patience }
    }

    /// Hands over everything that the census gives, and writes down what comes back. What is not answered in time counts as
    /// not read, and is asked about again the next time. Where events cannot be put any more, the answers to those that
    /// were are still waited for.
    pub(super) async fn walk<E: Write>(
        &mut self,
        census: Census<'_>,
        results: &mut Results,
        progress: &mut Progress<'_, E>,
    ) -> End {
        let (to, from) = channel(AHEAD);
        let (open, trouble, shared) = (Open::default(), RefCell::default(), RefCell::new((results, progress)));
        let Self { sender, follower, patience } = self;
        let is_followed = follower.is_some();
        let mut listing = pin!(census.take(to));
        let mut asking = pin!(ask(sender, from, &open, &shared, is_followed));
        let mut watching = pin!(async {
            match follower {
                Some(follower) => watch(follower, &open, &shared, &trouble).await,
                None => std::future::pending().await,
            }
        });
        let mut interrupted = pin!(stop::wanted());
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_listed, mut is_asked) = (false, false);
        let mut early = Early::default();
        loop {
            tokio::select! {
                biased;
                stop = &mut interrupted => return stop.map_or_else(|error| End::Broken(error.into()), |()| End::Interrupted),
                done = &mut listing, if !is_listed => {
                    is_listed = true;
                    early.unlisted = done.err();
                }
                done = &mut asking, if !is_asked => {
                    // With nobody who takes it, nothing more needs to be listed.
                    (is_listed, is_asked) = (true, true);
                    early.broken = done.err().map(ViaError::from);
                    open.hear();
                }
                error = &mut watching => {
                    open.give_up(&shared, "the function's log cannot be read any more");
                    return early.end(Some(error), &shared);
                }
                _ = ticks.tick() => shared.borrow_mut().1.show(),
            }
            if is_asked && open.len() == 0 {
                return early.end(None, &shared);
            }
            if (is_asked && open.is_silent(*patience)) || open.is_stuck(*patience) {
                let silent = ViaError::Silent { seconds: patience.as_secs(), open: open.len() };
                let failed = trouble.take().map(ViaError::from);
                open.give_up(&shared, &silence(*patience));
                return early.end(failed.or((!is_asked).then_some(silent)), &shared);
            }
        }
    }
}

/// What keeps an audit from being whole.
#[derive(Debug, Default)]
struct Early {
    unlisted: Option<RegistryError>,
    broken: Option<ViaError>,
}

impl Early {
    /// How it ended: by what went wrong first. What else did is told at once.
    fn end<E: Write>(self, last: Option<ViaError>, shared: &Shared<'_, '_, E>) -> End {
        match (self.broken.or(last), self.unlisted) {
            (Some(error), Some(unlisted)) => {
                shared.borrow_mut().1.unread("the list of repositories", &error_chain(&unlisted));
                End::Broken(error)
            }
            (Some(error), None) => End::Broken(error),
            (None, Some(error)) => End::Unlisted(error),
            (None, None) => End::Complete,
        }
    }
}

fn silence(patience: Duration) -> String {
    format!(
        "no answer within {} s: does the function watch this repository, and is its stack the one that --stack names?",
        patience.as_secs()
    )
}
