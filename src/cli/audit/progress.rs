//! How far the audit is: a bar on a terminal, a line now and then elsewhere.
//!
//! Does not decide anything. On standard error, so that standard output holds nothing but the answer.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::census::Counts;
use crate::cli::hint;
use crate::registry::RegistryError;
use crate::text::error_chain;

/// How often a line is written where there is no terminal: a log is read afterwards.
const EVERY: Duration = Duration::from_secs(10);

/// As many images that could not be read are named; who has more has one cause for all of them.
const MOST_NAMED: u64 = 20;

/// Shows it.
pub(super) struct Progress<'a, E> {
    counts: &'a Counts,
    err: E,
    bar: Option<ProgressBar>,
    began: Instant,
    said: Instant,
    /// Images that were answered in this run, or by an earlier one.
    answered: u64,
    skipped: u64,
    unread: u64,
    unlisted: u64,
    /// What may help, each said once.
    hinted: BTreeSet<String>,
}

impl<'a, E: Write> Progress<'a, E> {
    pub(super) fn new(counts: &'a Counts, err: E) -> Self {
        let style = ProgressStyle::with_template("{bar:12} {msg}").expect("the template is a good one");
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
            bar.with_style(style)
        });
        let now = Instant::now();
        Self {
            counts,
            err,
            bar,
            began: now,
            said: now,
            answered: 0,
            skipped: 0,
            unread: 0,
            unlisted: 0,
            hinted: BTreeSet::new(),
        }
    }

    /// An image was answered by an earlier run.
    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// An image was answered.
    pub(super) fn answered(&mut self) {
        self.answered += 1;
        self.show();
    }

    /// An image could not be read, because of the registry.
    pub(super) fn refused(&mut self, what: &str, error: &RegistryError) {
        self.unread(what, &error_chain(error));
        self.hint(error);
    }

    /// The images of a repository could not be listed.
    pub(super) fn unlisted(&mut self, repository: &str, error: &RegistryError) {
        self.unlisted += 1;
        self.named(self.unlisted, &format!("the images of {repository} could not be listed: {}", error_chain(error)));
        self.hint(error);
    }

    fn hint(&mut self, error: &RegistryError) {
        if let Some(hint) = hint::of_registry(error)
            && self.hinted.insert(hint.clone())
        {
            self.say(&format!("hint: {hint}"));
        }
    }

    /// Something could not be read.
    pub(super) fn unread(&mut self, what: &str, error: &str) {
        self.unread += 1;
        self.named(self.unread, &format!("{what} could not be read: {error}"));
    }

    fn named(&mut self, number: u64, error: &str) {
        match number.checked_sub(MOST_NAMED) {
            None | Some(0) => self.say(&format!("error: {error}")),
            Some(1) => self.say("error: more could not be read, which are only counted"),
            Some(_) => {}
        }
        self.show();
    }

    fn say(&mut self, text: &str) {
        let err = &mut self.err;
        let mut say = || {
            // Where standard error is closed, the exit code is all that is left.
            let _ = writeln!(err, "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Brings what is shown up to date.
    pub(super) fn show(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.counts.found.get());
            bar.set_position(self.done());
            bar.set_message(self.text());
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let text = self.text();
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// Takes the bar away; gives back what came of it.
    pub(super) fn end(self) -> Done {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        Done {
            answered: self.answered,
            skipped: self.skipped,
            unread: self.unread,
            unlisted: self.unlisted,
            took: self.began.elapsed(),
        }
    }

    fn done(&self) -> u64 {
        self.answered + self.skipped + self.unread
    }

    #[allow(clippy::cast_precision_loss, reason = "nobody reads more than three digits of it")]
    fn text(&self) -> String {
        let (done, found) = (self.done(), self.counts.found.get());
        let least = if self.counts.is_complete.get() { "" } else { "at least " };
        let (listed, repositories) = (self.counts.listed.get(), self.counts.repositories.get());
        let rate = (self.answered + self.unread) as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let left = (found.saturating_sub(done)) as f64 / rate.max(0.001);
        let left =
            if rate > 0.0 { format!(", {least}{} left", spoken(Duration::from_secs_f64(left))) } else { String::new() };
        // What a narrow terminal cuts off stands last.
        format!("{done} of {least}{found} images, {rate:.0}/s{left}; {listed} of {repositories} repositories listed")
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// Images that were answered by this run.
    pub(super) answered: u64,
    /// Those that an earlier one had answered.
    pub(super) skipped: u64,
    /// Images that could not be read.
    pub(super) unread: u64,
    /// Repositories whose images could not be listed.
    pub(super) unlisted: u64,
    pub(super) took: Duration,
}

/// A duration as one says it.
pub(super) fn spoken(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
