//! The images with a problem as a table in Markdown, for issues and pull requests.

use std::io::{self, Write};

use crate::cli::cause::describe_cause;
use crate::cli::report_counts::ReportCounts;
use crate::cli::stored_report::StoredReport;
use crate::report::{UNVERIFIED_SYMBOL, verdict_symbol};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// The longest cell, in characters. ECR's longest names have 256.
const MAX_CELL_CHARS: usize = 400;

/// Collects rows and counts. A row takes some hundred bytes of memory.
#[derive(Debug, Default)]
pub(in crate::cli) struct MarkdownExport {
    /// Whether images without a problem are listed, too.
    all_rows: bool,
    rows: Vec<MarkdownRow>,
    counts: ReportCounts,
}

/// In the order in which rows are sorted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MarkdownRow {
    /// Failing images first, then unknown ones.
    urgency: u8,
    repository: String,
    /// The position in the results.
    position: u64,
    line: String,
}

impl MarkdownExport {
    pub(in crate::cli) fn new(all_rows: bool) -> Self {
        Self { all_rows, ..Self::default() }
    }

    pub(in crate::cli) fn add(&mut self, report: &StoredReport) {
        self.counts.add(report);
        let urgency = match report.verdict() {
            Verdict::Fails => 0,
            Verdict::Unknown => 1,
            _ if !self.all_rows => return,
            _ => 2,
        };
        let (repository, position) = (report.arrival.repository.clone(), self.counts.images);
        self.rows.push(MarkdownRow { urgency, repository, position, line: format_row(report) });
    }

    /// Writes what was added: the worst images first, then by repository.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn write(mut self, mut out: impl Write) -> io::Result<()> {
        let [fails, unknown] = [Verdict::Fails, Verdict::Unknown].map(|verdict| self.counts.of_verdict(verdict));
        let images = self.counts.images;
        let plural = if images == 1 { "" } else { "s" };
        writeln!(out, "{fails} of {images} image{plural} will not start, {unknown} unknown.")?;
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.sort();
        writeln!(out, "\n| Verdict | Image | Runtime | Cause |\n|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{}", row.line))
    }
}

fn format_row(report: &StoredReport) -> String {
    let symbol = if report.is_unverified_pass() { UNVERIFIED_SYMBOL } else { verdict_symbol(report.verdict()) };
    let affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    let runtimes: Vec<String> = affected.map(|runtime| code_span(&runtime.runtime)).collect();
    let name = if report.arrival.repository.is_empty() { report.image.reference.clone() } else { report.subject() };
    let names: Vec<String> =
        [&name].into_iter().chain(&report.arrival.also_tagged).map(|name| code_span(name)).collect();
    let (verdict, names, runtimes) = (report.verdict().as_str(), names.join(", "), runtimes.join(", "));
    format!("| {symbol} {verdict} | {names} | {runtimes} | {} |", code_span(&describe_cause(report)))
}

/// Formats untrusted text as code: there, nothing is a link, a mention of a person, or markup. GitHub's tables end a cell
/// at a bar even in code (GitHub Flavored Markdown Spec, "Tables").
fn code_span(text: &str) -> String {
    let text = sanitize(text, MAX_CELL_CHARS).replace('`', "\u{fffd}").replace('|', "\\|");
    match text.trim() {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_stays_code() {
        for (text, expected) in [
            ("@team/all", "`@team/all`"),
            ("a`b` | [x](http://y)\n# z", "`a\u{fffd}b\u{fffd} \\| [x](http://y) # z`"),
            (" ", ""),
        ] {
            assert_eq!(code_span(text), expected);
        }
    }
}
