//! The walk of an audit: images are asked about as they are listed, many beside each other, and each answer is written
//! down at once.
//!
//! Does not list, nor keep answers.

use std::cell::RefCell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc::{Receiver, channel};

use super::census::{AHEAD, Asked, Census, Unlisted};
use super::pace::Pace;
use super::patient::Patient;
use super::progress::Progress;
use super::results::Results;
use super::stop;
use super::via_lambda::ViaError;
use crate::check::Inspect;
use crate::check::check_image;
use crate::inspect::Inspector;
use crate::registry::RegistryError;
use crate::registry::ecr::Ecr;
use crate::report::{Place, Report};
use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::settings::Rules;

/// How often what is shown moves where nothing else moves it.
const TICK: Duration = Duration::from_millis(500);

/// How images are asked about.
pub(super) struct Asking<'a> {
    pub(super) ecr: &'a Ecr,
    pub(super) pace: &'a Pace,
    pub(super) inspector: &'a Inspector,
    pub(super) rules: &'a Rules,
    /// Those that a person named.
    pub(super) runtimes: Option<&'a [Runtime]>,
    /// How many images are asked about beside each other.
    pub(super) width: usize,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    /// All that is there was asked about.
    Complete,
    /// The repositories could not all be listed.
    Unlisted(RegistryError),
    /// Somebody wants it to stop.
    Interrupted,
    /// The function cannot be asked any more, or does not answer.
    Broken(ViaError),
}

/// What one image gave, or why it gave nothing.
enum Answer {
    Report(Box<Report>),
    Unread(String, RegistryError),
    Unlisted(String, RegistryError),
    /// An earlier run has it.
    Known,
}

impl Asking<'_> {
    /// Asks about everything that the census gives, until it is done or somebody interrupts. What is under way then is
    /// left, and asked about the next time.
    ///
    /// # Errors
    /// Where an answer cannot be written down.
    pub(super) async fn walk<E: Write>(
        &self,
        census: Census<'_>,
        results: &mut Results,
        progress: &mut Progress<'_, E>,
    ) -> io::Result<End> {
        let (to, from) = channel(AHEAD);
        let mut listing = pin!(census.take(to).fuse());
        let results = RefCell::new(results);
        let answers = listed(from).map(|asked| self.answer(asked, &results)).buffer_unordered(self.width);
        let mut answers = pin!(answers.fuse());
        let mut interrupted = pin!(stop::wanted());
        let mut ticks = tokio::time::interval(TICK);
        let (mut end, mut is_listed) = (End::Complete, false);
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
                answer = answers.next() => match answer {
                    Some(Answer::Report(report)) => {
                        results.borrow_mut().append(&report)?;
                        progress.answered();
                    }
                    Some(Answer::Unread(what, error)) => progress.refused(&what, &error),
                    Some(Answer::Unlisted(repository, error)) => progress.unlisted(&repository, &error),
                    Some(Answer::Known) => progress.skip(),
                    // The listing holds the other end, so that it has ended too.
                    None => return Ok(end),
                },
                _ = ticks.tick() => progress.show(),
            }
        }
    }

    async fn answer(&self, asked: Result<Asked, Unlisted>, results: &RefCell<&mut Results>) -> Answer {
        let Asked { arrival, tags } = match asked {
            Ok(asked) => asked,
            Err(Unlisted { repository, error }) => return Answer::Unlisted(repository.name().to_owned(), error),
        };
        if results.borrow().tally.has(&arrival) {
            return Answer::Known;
        }
        let registry = Patient { repository: self.ecr.open(&arrival.repository), tags, pace: self.pace };
        let by = Inspect { inspector: self.inspector, left: Duration::MAX };
        let reference = arrival.reference();
        match check_image(&registry, &arrival.selector, self.runtimes, self.rules, by).await {
            Ok(found) => Answer::Report(Box::new(found.report(Place {
                arrival: Some(&arrival),
                reference: &reference,
                repository: Some(&arrival.repository),
                tag: arrival.selector.tag(),
                key: &self.rules.key,
                labels_only: self.rules.depth < Depth::Binaries,
            }))),
            Err(error) => Answer::Unread(reference, error),
        }
    }
}

/// What comes out of a channel, until its other end is gone.
fn listed<T>(from: Receiver<T>) -> impl stream::Stream<Item = T> {
    stream::unfold(from, async |mut from| from.recv().await.map(|next| (next, from)))
}
