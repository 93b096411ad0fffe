//! What an audit found, in a few lines.
//!
//! Does not name images; the table does.

use std::io::{self, Write};

use super::lister::ListingCounts;
use super::progress::{AuditTotals, format_duration};
use super::results_file::ResultsFile;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// What there is to sum up.
pub(super) struct AuditSummary<'a> {
    pub(super) results: &'a ResultsFile,
    pub(super) counts: &'a ListingCounts,
    pub(super) totals: AuditTotals,
    pub(super) requests: u64,
    pub(super) throttle_count: u64,
    pub(super) was_interrupted: bool,
}

/// Verdicts as they are said, the worst first.
pub(super) const VERDICT_WORDS: [(Verdict, &str); 5] = [
    (Verdict::Fails, "fail"),
    (Verdict::Unknown, "cannot be told"),
    (Verdict::Undeclared, "undeclared"),
    (Verdict::Runs, "run"),
    (Verdict::Ignored, "ignored"),
];

impl AuditSummary<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let tally = &self.results.index;
        let of = |(verdict, said): (Verdict, &str)| (tally.verdict_count(verdict), said.to_owned());
        let said = join_counts(VERDICT_WORDS.map(of).into_iter());
        let (lines, repositories) = (tally.line_count(), tally.repository_count());
        let said = if said.is_empty() { "nothing to say".to_owned() } else { said };
        writeln!(
            out,
            "{} of {}: {said}",
            format_count(lines, "image"),
            format_count_of(repositories, "repository", "repositories")
        )?;
        let faults: Vec<(String, u64)> =
            tally.faults_by_count().into_iter().map(|(code, count)| (sanitize(code, 40), count)).collect();
        let width = faults.iter().map(|(code, _)| code.chars().count()).max().unwrap_or_default();
        for (code, count) in faults {
            writeln!(out, "  {code:width$}  {count}")?;
        }
        let ListingCounts { artifacts, archived, .. } = self.counts;
        let passed = join_counts(
            [
                (artifacts.get(), "other than images (charts, signatures)".to_owned()),
                (archived.get(), "in the archive".to_owned()),
            ]
            .into_iter(),
        );
        if !passed.is_empty() {
            writeln!(out, "not asked about: {passed}")?;
        }
        let AuditTotals {
            checked: answered,
            skipped,
            unread_images: unread,
            unlisted_repositories: unlisted,
            elapsed: took,
        } = self.totals;
        let earlier =
            if skipped > 0 { format!(", {skipped} known from before (`--fresh` asks again)") } else { String::new() };
        let throttled =
            if self.throttle_count > 0 { format!(", throttled {} times", self.throttle_count) } else { String::new() };
        let requests = format_count(self.requests, "request");
        writeln!(
            out,
            "{} in {}, {requests}{throttled}{earlier}",
            format_count(answered, "answer"),
            format_duration(took)
        )?;
        if unread > 0 {
            writeln!(out, "{} could not be read", format_count(unread, "image"))?;
        }
        if unlisted > 0 {
            let repositories = format_count_of(unlisted, "repository", "repositories");
            writeln!(out, "the images of {repositories} could not be listed")?;
        }
        if self.was_interrupted {
            writeln!(
                out,
                "interrupted: {} were listed by then",
                format_count(self.counts.images_found.get(), "image")
            )?;
        }
        let is_partial = unread + unlisted > 0 || self.was_interrupted;
        match self.results.permanent_path() {
            Some(path) if is_partial => {
                writeln!(out, "results in {}: the same command goes on with what is missing", path.display())
            }
            Some(path) => writeln!(out, "results in {}", path.display()),
            None if self.was_interrupted => writeln!(out, "with --results FILE it would go on from here"),
            None => Ok(()),
        }?;
        Ok(())
    }
}

/// Those that are not none, separated by commas.
fn join_counts(counts: impl Iterator<Item = (u64, String)>) -> String {
    let shown = counts.filter(|(count, _)| *count > 0).map(|(count, said)| format!("{count} {said}"));
    shown.collect::<Vec<_>>().join(", ")
}

/// A number of things.
pub(super) fn format_count(count: u64, what: &str) -> String {
    format_count_of(count, what, &format!("{what}s"))
}

pub(super) fn format_count_of(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
