//! The summary of an audit: what was found, and what is missing.

use std::io::{self, Write};

use super::progress::{AuditTotals, format_duration};
use super::results_file::ResultsFile;
use super::scope::ListingCounts;
use super::use_summary::UseSummary;
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::report_counts::ReportCounts;

/// What was done, and what has no result. Each error was reported when it happened.
pub(super) struct AuditSummary<'a> {
    pub(super) counts: &'a ListingCounts,
    pub(super) totals: AuditTotals,
    pub(super) requests: u64,
    pub(super) throttle_count: u64,
    /// Whether the list of repositories is incomplete.
    pub(super) is_listing_incomplete: bool,
    pub(super) was_interrupted: bool,
    /// Who runs the images; `None` if nobody asked.
    pub(super) in_use: Option<UseSummary>,
}

impl AuditSummary<'_> {
    /// Writes a few lines; images are in the table.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) fn write(&self, results: &ResultsFile, out: &mut impl Write) -> io::Result<()> {
        write_findings(&results.index.counts, out)?;
        if results.filter.has_baseline() {
            let (new, known) = results.index.counts.findings;
            writeln!(out, "compared with the baseline: {new} new, {known} known")?;
        }
        if let Some(in_use) = &self.in_use {
            write_use(in_use, out)?;
        }
        results.filter.describe_expired().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
        let ListingCounts { artifacts, archived, .. } = self.counts;
        for (count, what) in [(artifacts, "other than images (charts, signatures)"), (archived, "archived")] {
            if count.get() > 0 {
                writeln!(out, "not checked: {} {what}", count.get())?;
            }
        }
        let AuditTotals { checked, skipped, unread_images, unlisted_repositories, elapsed } = self.totals;
        let (checked, elapsed) = (format_count(checked, "image"), format_duration(elapsed));
        write!(out, "{checked} checked in {elapsed}, {}", format_count(self.requests, "request"))?;
        if self.throttle_count > 0 {
            write!(out, ", throttled {}", format_count(self.throttle_count, "time"))?;
        }
        if skipped > 0 {
            write!(out, ", {skipped} checked by an earlier run (`--fresh` checks them again)")?;
        }
        writeln!(out)?;
        if unread_images > 0 {
            writeln!(out, "{} could not be read", format_count(unread_images, "image"))?;
        }
        if unlisted_repositories > 0 {
            writeln!(out, "the images of {} could not be listed", format_repositories(unlisted_repositories))?;
        }
        if self.was_interrupted {
            writeln!(out, "{}", format_interruption(self.counts))?;
        }
        let is_partial = unread_images + unlisted_repositories > 0 || self.was_interrupted;
        match results.permanent_path() {
            Some(_) if is_partial => writeln!(out, "the same command resumes with what is missing"),
            None if self.was_interrupted => writeln!(out, "with `--results FILE` the next run would resume from here"),
            _ => Ok(()),
        }
    }

    /// Whether everything in scope has a result.
    pub(super) fn is_complete(&self) -> bool {
        self.gap_sentences().is_empty()
    }

    /// A sentence for each kind of thing that has no result.
    pub(super) fn gap_sentences(&self) -> Vec<String> {
        let AuditTotals { unread_images, unlisted_repositories, .. } = self.totals;
        let unread = format!("{} could not be read.", format_count(unread_images, "image"));
        let unlisted = format!("The images of {} could not be listed.", format_repositories(unlisted_repositories));
        let sentences = [
            (unread_images > 0, unread),
            (unlisted_repositories > 0, unlisted),
            (self.is_listing_incomplete, "Some repositories were not listed.".to_owned()),
            (self.was_interrupted, "The audit was interrupted before all images were checked.".to_owned()),
        ];
        sentences.into_iter().filter_map(|(is_so, sentence)| is_so.then_some(sentence)).collect()
    }
}

fn write_findings(counts: &ReportCounts, out: &mut impl Write) -> io::Result<()> {
    let outcomes = ImageOutcome::ALL.map(|outcome| (outcome, counts.of_outcome(outcome)));
    let outcomes = format_outcome_counts(&outcomes, counts.unverified);
    let colon = if outcomes.is_empty() { "" } else { ": " };
    let (images, repositories) = (format_count(counts.images, "image"), format_repositories(counts.repositories()));
    writeln!(out, "{images} in {repositories}{colon}{outcomes}")?;
    let faults = counts.counting_faults();
    let width = faults.iter().map(|(code, _)| code.chars().count()).max().unwrap_or_default();
    faults.iter().try_for_each(|(code, count)| writeln!(out, "  {code:width$}  {count}"))
}

fn write_use(in_use: &UseSummary, out: &mut impl Write) -> io::Result<()> {
    let images = in_use.outcomes.iter().map(|(_, count)| count).sum();
    let outcomes = format_outcome_counts(&in_use.outcomes, 0);
    let colon = if outcomes.is_empty() { "" } else { ": " };
    writeln!(out, "in use: {}{colon}{outcomes}", format_count(images, "image"))?;
    in_use.write_gaps(out)
}

/// Formats how many images have each outcome, if there are any: `fails 1, runs 2`. `unverified` of those that run are not
/// verified.
pub(super) fn format_outcome_counts(counts: &[(ImageOutcome, u64)], unverified: u64) -> String {
    let format = |(outcome, count): &(ImageOutcome, u64)| match (outcome, unverified) {
        (ImageOutcome::Runs, 1..) => format!("{} {count} ({unverified} not verified)", outcome.as_str()),
        _ => format!("{} {count}", outcome.as_str()),
    };
    counts.iter().filter(|(_, count)| *count > 0).map(format).collect::<Vec<_>>().join(", ")
}

/// Says how far an interrupted audit came.
pub(super) fn format_interruption(counts: &ListingCounts) -> String {
    format!("interrupted after {} had been listed", format_count(counts.images_found.get(), "image"))
}

/// Formats a count with its noun.
pub(super) fn format_count(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn format_repositories(count: u64) -> String {
    format!("{count} {}", if count == 1 { "repository" } else { "repositories" })
}
