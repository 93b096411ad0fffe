//! How far the audit is: a bar on a terminal, a line now and then elsewhere.
//!
//! Does not decide anything. On standard error, so that standard output holds nothing but the answer.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lister::ListingCounts;
use crate::cli::hint;
use crate::registry::RegistryError;
use crate::text::error_chain;

/// How often a line is written where there is no terminal: a log is read afterwards.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// As many images that could not be read are named; who has more has one cause for all of them.
const MAX_NAMED_ERRORS: u64 = 20;

/// Shows it.
pub(super) struct AuditProgress<'a, E> {
    counts: &'a ListingCounts,
    err: E,
    bar: Option<ProgressBar>,
    started_at: Instant,
    last_logged: Instant,
    /// Images that were answered in this run, or by an earlier one.
    checked: u64,
    skipped: u64,
    unread_images: u64,
    unlisted_repositories: u64,
    /// What may help, each said once.
    shown_hints: BTreeSet<String>,
}

impl<'a, E: Write> AuditProgress<'a, E> {
    pub(super) fn new(counts: &'a ListingCounts, err: E) -> Self {
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
            started_at: now,
            last_logged: now,
            checked: 0,
            skipped: 0,
            unread_images: 0,
            unlisted_repositories: 0,
            shown_hints: BTreeSet::new(),
        }
    }

    /// An image was answered by an earlier run.
    pub(super) fn count_skipped(&mut self) {
        self.skipped += 1;
    }

    /// An image was answered.
    pub(super) fn count_checked(&mut self) {
        self.checked += 1;
        self.refresh();
    }

    /// An image could not be read, because of the registry.
    pub(super) fn report_registry_error(&mut self, what: &str, error: &RegistryError) {
        self.report_unread(what, &error_chain(error));
        self.show_hint(error);
    }

    /// The images of a repository could not be listed.
    pub(super) fn report_listing_error(&mut self, repository: &str, error: &RegistryError) {
        self.unlisted_repositories += 1;
        self.print_error(
            self.unlisted_repositories,
            &format!("the images of {repository} could not be listed: {}", error_chain(error)),
        );
        self.show_hint(error);
    }

    fn show_hint(&mut self, error: &RegistryError) {
        if let Some(hint) = hint::hint_for_registry_error(error)
            && self.shown_hints.insert(hint.clone())
        {
            self.print_line(&format!("hint: {hint}"));
        }
    }

    /// Something could not be read.
    pub(super) fn report_unread(&mut self, what: &str, error: &str) {
        self.unread_images += 1;
        self.print_error(self.unread_images, &format!("{what} could not be read: {error}"));
    }

    fn print_error(&mut self, number: u64, error: &str) {
        match number.checked_sub(MAX_NAMED_ERRORS) {
            None | Some(0) => self.print_line(&format!("error: {error}")),
            Some(1) => self.print_line("error: more could not be read, which are only counted"),
            Some(_) => {}
        }
        self.refresh();
    }

    fn print_line(&mut self, text: &str) {
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
    pub(super) fn refresh(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.counts.images_found.get());
            bar.set_position(self.processed());
            bar.set_message(self.status_text());
        } else if self.last_logged.elapsed() >= LOG_INTERVAL {
            self.last_logged = Instant::now();
            let text = self.status_text();
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// Takes the bar away; gives back what came of it.
    pub(super) fn finish(self) -> AuditTotals {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        AuditTotals {
            checked: self.checked,
            skipped: self.skipped,
            unread_images: self.unread_images,
            unlisted_repositories: self.unlisted_repositories,
            elapsed: self.started_at.elapsed(),
        }
    }

    fn processed(&self) -> u64 {
        self.checked + self.skipped + self.unread_images
    }

    #[allow(clippy::cast_precision_loss, reason = "nobody reads more than three digits of it")]
    fn status_text(&self) -> String {
        let (done, found) = (self.processed(), self.counts.images_found.get());
        let least = if self.counts.is_complete.get() { "" } else { "at least " };
        let (listed, repositories) = (self.counts.repositories_listed.get(), self.counts.repositories_found.get());
        let rate = (self.checked + self.unread_images) as f64 / self.started_at.elapsed().as_secs_f64().max(0.001);
        let left = (found.saturating_sub(done)) as f64 / rate.max(0.001);
        let left = if rate > 0.0 {
            format!(", {least}{} left", format_duration(Duration::from_secs_f64(left)))
        } else {
            String::new()
        };
        // What a narrow terminal cuts off stands last.
        format!("{done} of {least}{found} images, {rate:.0}/s{left}; {listed} of {repositories} repositories listed")
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditTotals {
    /// Images that were answered by this run.
    pub(super) checked: u64,
    /// Those that an earlier one had answered.
    pub(super) skipped: u64,
    /// Images that could not be read.
    pub(super) unread_images: u64,
    /// Repositories whose images could not be listed.
    pub(super) unlisted_repositories: u64,
    pub(super) elapsed: Duration,
}

/// A duration as one says it.
pub(super) fn format_duration(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
