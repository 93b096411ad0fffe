//! The table of an audit: grouped by repository and cut to the width of a terminal, or one complete line for each image in
//! a file or a pipe.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::results_file::ResultsFile;
use super::results_index::RepositoryGroup;
use super::summary::{format_count, format_outcome_counts};
use crate::cli::cause::describe_cause;
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::stored_report::StoredReport;
use crate::report::{UNVERIFIED_SYMBOL, verdict_symbol};
use crate::text::{escape_terminal, sanitize};

/// From this width on, in columns, the table has a column for the date.
const MIN_WIDTH_FOR_DATE: usize = 100;

/// The narrowest table, in columns; a narrower terminal wraps it itself.
const MIN_WIDTH: usize = 40;

/// The width of a date, in columns.
const DATE_WIDTH: usize = 10;

/// Up to this width, in columns, a column of a file or a pipe is aligned. A longer name only moves the rest of its line.
const MAX_ALIGNED_WIDTH: usize = 60;

/// The columns of a file or a pipe.
const HEADER: [&str; 6] = ["VERDICT", "REPOSITORY", "TAGS", "PUSHED", "RUNTIME", "CAUSE"];

/// A table with a line for each image.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditTable {
    /// In columns; `None` in a file or a pipe.
    pub(super) width: Option<usize>,
    pub(super) uses_color: bool,
}

impl AuditTable {
    /// Writes a table of these images; nothing if there are none.
    ///
    /// # Errors
    /// The results cannot be read, or the output cannot be written.
    pub(super) fn write(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        out: &mut impl Write,
    ) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        match self.width {
            Some(width) => self.write_groups(results, groups, width.max(MIN_WIDTH), out)?,
            None => self.write_lines(results, groups, out)?,
        }
        writeln!(out)
    }

    fn write_groups(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        width: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let (mut tag_width, mut runtime_width) = (0, 0);
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            tag_width = tag_width.max(short_tags(&report).chars().count());
            runtime_width = runtime_width.max(affected_runtimes(&report).chars().count());
        }
        // The cause gets the rest, at least a third.
        let (tag_width, runtime_width) = (tag_width.min(width / 3), runtime_width.min(width / 5));
        let date_width = if width >= MIN_WIDTH_FOR_DATE { DATE_WIDTH + 2 } else { 0 };
        let cause_width = width.saturating_sub(4 + tag_width + 2 + date_width + runtime_width + 2).max(1);
        for (number, group) in groups.iter().enumerate() {
            for (index, offset) in group.offsets.iter().enumerate() {
                let report = results.read_report(*offset)?;
                if index == 0 {
                    if number > 0 {
                        writeln!(out)?;
                    }
                    self.write_heading(&repository_name(&report, results), group, width, out)?;
                }
                let tags = truncate_start(&short_tags(&report), tag_width);
                let runtime = truncate_end(&affected_runtimes(&report), runtime_width);
                let cause = truncate_end(&marked_cause(&report, results), cause_width);
                let (symbol, style) = symbol_and_style(&report);
                let style = if self.uses_color { style } else { Style::new() };
                let date =
                    if date_width == 0 { String::new() } else { format!("{:DATE_WIDTH$}  ", push_date(&report)) };
                let line = format!("{tags:tag_width$}  {date}{runtime:runtime_width$}  {cause}");
                writeln!(out, "  {style}{symbol}{style:#} {}", line.trim_end())?;
            }
        }
        Ok(())
    }

    fn write_heading(self, name: &str, group: &RepositoryGroup, width: usize, out: &mut impl Write) -> io::Result<()> {
        let images = group.counts.iter().map(|(_, count)| count).sum();
        let counts = format!("  {}: {}", format_count(images, "image"), format_outcome_counts(&group.counts, 0));
        let name = truncate_start(name, width.saturating_sub(counts.chars().count()).max(MIN_WIDTH / 2));
        let style = if self.uses_color { Style::new().bold() } else { Style::new() };
        writeln!(out, "{style}{name}{style:#}{counts}")
    }

    /// Writes one line for each image, with nothing cut off, so that other programs find names in it. Only the last column
    /// contains spaces; an empty one is `-`.
    fn write_lines(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut widths = HEADER.map(|title| title.chars().count());
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            for (width, cell) in widths.iter_mut().zip(line_cells(&report, results)) {
                *width = cell.chars().count().min(MAX_ALIGNED_WIDTH).max(*width);
            }
        }
        let mut write = |cells: [String; 6], style: Style| {
            let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let style = if self.uses_color { style } else { Style::new() };
            let (verdict, rest) = (&padded[0], padded[1..].join("  "));
            writeln!(out, "{style}{verdict}{style:#}  {}", rest.trim_end())
        };
        write(HEADER.map(str::to_owned), Style::new())?;
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            write(line_cells(&report, results), symbol_and_style(&report).1)?;
        }
        Ok(())
    }
}

fn line_cells(report: &StoredReport, results: &ResultsFile) -> [String; 6] {
    let unverified = if report.is_unverified_pass() { UNVERIFIED_SYMBOL } else { "" };
    let tags = [&report.arrival.tag].into_iter().chain(&report.arrival.also_tagged);
    let runtimes: Vec<&str> = all_affected_runtimes(report).collect();
    let [verdict, repository, tags, pushed, runtimes] = [
        format!("{}{unverified}", report.outcome().as_str()),
        repository_name(report, results),
        tags.map(String::as_str).collect::<Vec<_>>().join(","),
        push_date(report),
        runtimes.join(","),
    ]
    .map(|cell| match sanitize(&cell, usize::MAX).replace(' ', "\u{fffd}") {
        cell if cell.is_empty() => "-".to_owned(),
        cell => cell,
    });
    let cause = escape_terminal(&marked_cause(report, results));
    [verdict, repository, tags, pushed, runtimes, if cause.is_empty() { "-".to_owned() } else { cause }]
}

/// The name of the repository; its URI if the results are of several registries.
fn repository_name(report: &StoredReport, results: &ResultsFile) -> String {
    let name = &report.arrival.repository;
    if results.index.counts.registries.len() < 2 {
        return name.clone();
    }
    report.repository().map_or_else(|| name.clone(), |repository| repository.to_string())
}

fn short_tags(report: &StoredReport) -> String {
    match report.arrival.also_tagged.len() {
        0 => report.arrival.tag.clone(),
        more => format!("{} +{more}", report.arrival.tag),
    }
}

fn push_date(report: &StoredReport) -> String {
    let pushed = &report.arrival.pushed_at;
    sanitize(pushed.get(..DATE_WIDTH).unwrap_or(pushed), DATE_WIDTH)
}

/// The runtimes that have the verdict of the image.
fn all_affected_runtimes(report: &StoredReport) -> impl Iterator<Item = &str> {
    let affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    affected.map(|runtime| runtime.runtime.as_str())
}

/// The first runtime that has the verdict of the image, and how many more have it.
fn affected_runtimes(report: &StoredReport) -> String {
    let mut affected = all_affected_runtimes(report);
    let Some(first) = affected.next() else { return String::new() };
    match affected.count() {
        0 => first.to_owned(),
        more => format!("{first} +{more}"),
    }
}

/// The cause, after a word that marks what is new, known or waived.
fn marked_cause(report: &StoredReport, results: &ResultsFile) -> String {
    let cause = describe_cause(report);
    match report.outcome() {
        outcome if outcome.is_problem() && results.filter.has_baseline() => format!("new: {cause}"),
        outcome @ (ImageOutcome::Known | ImageOutcome::Waived) => format!("{}: {cause}", outcome.as_str()),
        _ => cause,
    }
}

fn symbol_and_style(report: &StoredReport) -> (&'static str, Style) {
    let style = match report.outcome() {
        _ if report.is_unverified_pass() => return (UNVERIFIED_SYMBOL, Style::new()),
        ImageOutcome::Fails => AnsiColor::Red.on_default(),
        ImageOutcome::Unknown => AnsiColor::Yellow.on_default(),
        ImageOutcome::Runs => AnsiColor::Green.on_default(),
        ImageOutcome::Known | ImageOutcome::Waived => Style::new().dimmed(),
        ImageOutcome::Undeclared | ImageOutcome::Ignored => Style::new(),
    };
    (verdict_symbol(report.verdict()), style)
}

/// Cuts off the end of a text that is too long.
fn truncate_end(text: &str, width: usize) -> String {
    let text = escape_terminal(&sanitize(text, width.saturating_add(1)));
    let is_short = text.chars().count() <= width;
    if is_short { text } else { text.chars().take(width.saturating_sub(1)).chain(['\u{2026}']).collect() }
}

/// Cuts off the beginning of a name that is too long, because its end differs more.
fn truncate_start(text: &str, width: usize) -> String {
    let text = escape_terminal(&sanitize(text, usize::MAX));
    let count = text.chars().count();
    if count <= width { text } else { ['\u{2026}'].into_iter().chain(text.chars().skip(count - width + 1)).collect() }
}
