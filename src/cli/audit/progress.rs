//! Shows the progress of an audit on standard error: a bar on a terminal, otherwise a line from time to time.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::scope::ListingCounts;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::hint;
use crate::cli::terminal::StyledOutput;
use crate::registry::RegistryError;
use crate::report::{SpanRole, StyledLine};
use crate::text::error_chain;
use crate::verdict::Verdict;

/// How often a line is written without a terminal: logs are read afterwards.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How many unreadable images are named. If there are more, they usually have one cause.
const MAX_NAMED_ERRORS: u64 = 20;

/// The progress, and the errors of single images.
pub(super) struct AuditProgress<'a, E> {
    counts: &'a ListingCounts,
    err: &'a mut StyledOutput<E>,
    bar: Option<ProgressBar>,
    started_at: Instant,
    last_logged: Instant,
    totals: AuditTotals,
    /// The hints that were shown: each is shown once.
    shown_hints: BTreeSet<String>,
}

/// What was done. [`AuditProgress::finish`] sets the duration.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AuditTotals {
    /// Images that this run checked.
    pub(super) checked: u64,
    /// Images that an earlier run had checked.
    pub(super) skipped: u64,
    /// Images that could not be read.
    pub(super) unread_images: u64,
    /// Repositories whose images could not be listed.
    pub(super) unlisted_repositories: u64,
    pub(super) elapsed: Duration,
}

impl<'a, E: Write> AuditProgress<'a, E> {
    pub(super) fn new(counts: &'a ListingCounts, err: &'a mut StyledOutput<E>) -> Self {
        let style = ProgressStyle::with_template("{bar:12} {msg}").expect("the template is valid");
        let bar = (!err.is_quiet() && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
            bar.with_style(style)
        });
        let now = Instant::now();
        let (totals, shown_hints) = (AuditTotals::default(), BTreeSet::new());
        Self { counts, err, bar, started_at: now, last_logged: now, totals, shown_hints }
    }

    /// Counts an image that an earlier run has checked.
    pub(super) fn count_skipped(&mut self) {
        self.totals.skipped += 1;
    }

    /// Counts an image that was checked.
    pub(super) fn count_checked(&mut self) {
        self.totals.checked += 1;
        self.refresh();
    }

    /// Reports an image that the registry did not let us read.
    pub(super) fn report_registry_error(&mut self, image: &str, error: &RegistryError) {
        self.report_unread(image, &self.describe(error));
        self.show_hint(error);
    }

    /// Reports a repository whose images could not be listed.
    pub(super) fn report_listing_error(&mut self, repository: &str, error: &RegistryError) {
        self.totals.unlisted_repositories += 1;
        let text = format!("the images of {repository} could not be listed: {}", self.describe(error));
        self.print_error(self.totals.unlisted_repositories, &text);
        self.show_hint(error);
    }

    /// Describes an error in one line, if verbose with all causes in the words of the libraries.
    pub(super) fn describe(&self, error: &RegistryError) -> String {
        if self.err.is_verbose() { error_chain(error) } else { describe_error_in_line(error) }
    }

    fn show_hint(&mut self, error: &RegistryError) {
        if let Some(hint) = hint::hint_for_registry_error(error)
            && self.shown_hints.insert(hint.clone())
        {
            self.print_line(Verdict::Runs, "hint:", &hint);
        }
    }

    /// Reports an image that could not be read.
    pub(super) fn report_unread(&mut self, image: &str, error: &str) {
        self.totals.unread_images += 1;
        self.print_error(self.totals.unread_images, &format!("{image} could not be read: {error}"));
    }

    fn print_error(&mut self, number: u64, error: &str) {
        match number.checked_sub(MAX_NAMED_ERRORS) {
            None | Some(0) => self.print_line(Verdict::Fails, "error:", error),
            Some(1) => self.print_line(Verdict::Fails, "error:", "further errors are only counted"),
            Some(_) => {}
        }
        self.refresh();
    }

    /// Prints a label in the color of a verdict, and a text.
    fn print_line(&mut self, color: Verdict, label: &str, text: &str) {
        let line = StyledLine::wrapping(2).with_span(SpanRole::Verdict(color), label).with_text(format!(" {text}"));
        let err = &mut *self.err;
        let mut print = || {
            // If standard error is closed, the exit code is all that is left.
            let _ = err.write_lines(std::slice::from_ref(&line));
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Updates the bar, or writes a line if it is time for one.
    pub(super) fn refresh(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.counts.images_found.get());
            bar.set_position(self.processed());
            bar.set_message(self.status_text());
        } else if self.last_logged.elapsed() >= LOG_INTERVAL {
            self.last_logged = Instant::now();
            let text = self.status_text();
            let _ = self.err.write_status(&text);
        }
    }

    /// Removes the bar and returns the totals.
    pub(super) fn finish(self) -> AuditTotals {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        AuditTotals { elapsed: self.started_at.elapsed(), ..self.totals }
    }

    fn processed(&self) -> u64 {
        self.totals.checked + self.totals.skipped + self.totals.unread_images
    }

    #[allow(clippy::cast_precision_loss, reason = "it is shown with three digits")]
    fn status_text(&self) -> String {
        let (done, found) = (self.processed(), self.counts.images_found.get());
        let bound = if self.counts.is_complete.get() { "" } else { "at least " };
        let (listed, repositories) = (self.counts.repositories_listed.get(), self.counts.repositories_found.get());
        let elapsed = self.started_at.elapsed().as_secs_f64().max(0.001);
        let rate = (self.totals.checked + self.totals.unread_images) as f64 / elapsed;
        let seconds_left = (found.saturating_sub(done)) as f64 / rate.max(0.001);
        let left = if rate > 0.0 {
            format!(", {bound}{} left", format_duration(Duration::from_secs_f64(seconds_left)))
        } else {
            String::new()
        };
        // A narrow terminal cuts off the end.
        format!("{done} of {bound}{found} images, {rate:.0}/s{left}; {listed} of {repositories} repositories listed")
    }
}

/// Formats a duration with one or two units.
pub(super) fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
