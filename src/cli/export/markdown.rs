//! The images with a problem as a table in Markdown, for issues and pull requests.

use std::io::{self, Write};

use crate::cli::cause::describe_cause;
use crate::cli::image_use::ImageUse;
use crate::cli::report_counts::ReportCounts;
use crate::cli::stored_report::StoredReport;
use crate::report::{UNVERIFIED_SYMBOL, verdict_symbol};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// The longest cell, in characters. ECR's longest names have 256.
const MAX_CELL_CHARS: usize = 400;

/// How many consumers of an image are named.
const MAX_CONSUMERS: usize = 5;

/// Collects rows and counts. A row takes some hundred bytes of memory.
#[derive(Debug, Default)]
pub(in crate::cli) struct MarkdownExport {
    /// Whether images without a problem are listed, too.
    all_rows: bool,
    rows: Vec<MarkdownRow>,
    /// Whether there is a column for consumers.
    has_consumers: bool,
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
    cells: [String; 4],
    /// Who runs the image.
    in_use: String,
}

impl MarkdownExport {
    pub(in crate::cli) fn new(all_rows: bool) -> Self {
        Self { all_rows, ..Self::default() }
    }

    pub(in crate::cli) fn add(&mut self, report: &StoredReport) {
        self.counts.add(report);
        self.has_consumers |= report.in_use.is_some();
        let urgency = match report.verdict() {
            Verdict::Fails => 0,
            Verdict::Unknown => 1,
            _ if !self.all_rows => return,
            _ => 2,
        };
        let (repository, position) = (report.arrival.repository.clone(), self.counts.images);
        self.rows.push(MarkdownRow {
            urgency,
            repository,
            position,
            cells: format_cells(report),
            in_use: format_use(report.in_use.as_ref()),
        });
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
        let (title, line) = if self.has_consumers { (" In use by |", "---|") } else { ("", "") };
        writeln!(out, "\n| Verdict | Image | Runtime |{title} Cause |\n|---|---|---|{line}---|")?;
        for MarkdownRow { cells: [verdict, names, runtimes, cause], in_use, .. } in &self.rows {
            let in_use = if self.has_consumers { format!(" {in_use} |") } else { String::new() };
            writeln!(out, "| {verdict} | {names} | {runtimes} |{in_use} {cause} |")?;
        }
        Ok(())
    }
}

/// Formats the verdict, the names of the image, its runtimes and the cause.
fn format_cells(report: &StoredReport) -> [String; 4] {
    let symbol = if report.is_unverified_pass() { UNVERIFIED_SYMBOL } else { verdict_symbol(report.verdict()) };
    let affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    let runtimes: Vec<String> = affected.map(|runtime| code_span(&runtime.runtime)).collect();
    let name = if report.arrival.repository.is_empty() { report.image.reference.clone() } else { report.subject() };
    let names: Vec<String> =
        [&name].into_iter().chain(&report.arrival.also_tagged).map(|name| code_span(name)).collect();
    let verdict = format!("{symbol} {}", report.verdict().as_str());
    [verdict, names.join(", "), runtimes.join(", "), code_span(&describe_cause(report))]
}

/// Formats the consumers of an image; `unknown` if none was found, but one may exist.
fn format_use(in_use: Option<&ImageUse>) -> String {
    let Some(in_use) = in_use.filter(|in_use| !in_use.is_unknown()) else { return "unknown".to_owned() };
    let names = in_use.names();
    let mut cells: Vec<String> = names.iter().take(MAX_CONSUMERS).map(|name| code_span(name)).collect();
    match names.len().saturating_sub(MAX_CONSUMERS) {
        0 => {}
        more => cells.push(format!("{more} more")),
    }
    cells.join(", ")
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
