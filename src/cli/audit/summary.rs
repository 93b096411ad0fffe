//! What an audit found, in a few lines.
//!
//! Does not name images; the table does.

use std::io::{self, Write};

use super::census::Counts;
use super::progress::{Done, spoken};
use super::results::Results;
use crate::text::printable;
use crate::verdict::Verdict;

/// What there is to sum up.
pub(super) struct Summary<'a> {
    pub(super) results: &'a Results,
    pub(super) counts: &'a Counts,
    pub(super) done: Done,
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) was_interrupted: bool,
}

/// Verdicts as they are said, the worst first.
pub(super) const SAID: [(Verdict, &str); 5] = [
    (Verdict::Fails, "fail"),
    (Verdict::Unknown, "cannot be told"),
    (Verdict::Undeclared, "undeclared"),
    (Verdict::Runs, "run"),
    (Verdict::Ignored, "ignored"),
];

impl Summary<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let tally = &self.results.tally;
        let of = |(verdict, said): (Verdict, &str)| (tally.of(verdict), said.to_owned());
        let said = listed(SAID.map(of).into_iter());
        let (lines, repositories) = (tally.lines(), tally.repositories());
        let said = if said.is_empty() { "nothing to say".to_owned() } else { said };
        writeln!(
            out,
            "{} of {}: {said}",
            counted(lines, "image"),
            counted_many(repositories, "repository", "repositories")
        )?;
        let faults: Vec<(String, u64)> =
            tally.faults().into_iter().map(|(code, count)| (printable(code, 40), count)).collect();
        let width = faults.iter().map(|(code, _)| code.chars().count()).max().unwrap_or_default();
        for (code, count) in faults {
            writeln!(out, "  {code:width$}  {count}")?;
        }
        let Counts { artifacts, archived, .. } = self.counts;
        let passed = listed(
            [
                (artifacts.get(), "other than images (charts, signatures)".to_owned()),
                (archived.get(), "in the archive".to_owned()),
            ]
            .into_iter(),
        );
        if !passed.is_empty() {
            writeln!(out, "not asked about: {passed}")?;
        }
        let Done { answered, skipped, unread, unlisted, took } = self.done;
        let earlier =
            if skipped > 0 { format!(", {skipped} known from before (`--fresh` asks again)") } else { String::new() };
        let throttled =
            if self.throttled > 0 { format!(", throttled {} times", self.throttled) } else { String::new() };
        let requests = counted(self.requests, "request");
        writeln!(out, "{} in {}, {requests}{throttled}{earlier}", counted(answered, "answer"), spoken(took))?;
        if unread > 0 {
            writeln!(out, "{} could not be read", counted(unread, "image"))?;
        }
        if unlisted > 0 {
            let repositories = counted_many(unlisted, "repository", "repositories");
            writeln!(out, "the images of {repositories} could not be listed")?;
        }
        if self.was_interrupted {
            writeln!(out, "interrupted: {} were listed by then", counted(self.counts.found.get(), "image"))?;
        }
        let is_partial = unread + unlisted > 0 || self.was_interrupted;
        match self.results.kept() {
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
fn listed(counts: impl Iterator<Item = (u64, String)>) -> String {
    let shown = counts.filter(|(count, _)| *count > 0).map(|(count, said)| format!("{count} {said}"));
    shown.collect::<Vec<_>>().join(", ")
}

/// A number of things.
pub(super) fn counted(count: u64, what: &str) -> String {
    counted_many(count, what, &format!("{what}s"))
}

pub(super) fn counted_many(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
