//! The results as a table for a terminal, a line for each image, cut to its width.
//!
//! Does not sort, nor hold more than one line.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::row::{StoredReport, StoredRuntime};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Where nothing says how wide the terminal is.
const DEFAULT_WIDTH: usize = 80;

/// From this width on there is room for the date.
const MIN_WIDTH_FOR_DATE: usize = 110;

/// How wide columns are: `undeclared`, `lambda/amd64` and a date fit.
const VERDICT_WIDTH: usize = 10;
const RUNTIME_WIDTH: usize = 12;
const DATE_WIDTH: usize = 10;

/// How a table is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditTable {
    /// In columns.
    pub(super) width: usize,
    pub(super) uses_color: bool,
}

impl AuditTable {
    /// For standard output: as wide as the variable says that stands for the terminal, or the terminal itself.
    pub(super) fn for_terminal(is_coloured: bool) -> Self {
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|width| *width > 0);
        let measured = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Self { width: named.or(measured).unwrap_or(DEFAULT_WIDTH), uses_color: is_coloured }
    }

    /// The names of the columns.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn write_header(self, out: &mut impl Write) -> io::Result<()> {
        self.write_line(out, ["VERDICT", "IMAGE", "PUSHED", "WHERE", "WHY"].map(str::to_owned), Style::new())
    }

    /// One image.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn write_row(self, out: &mut impl Write, row: &StoredReport) -> io::Result<()> {
        let more = if row.also_tagged.is_empty() { String::new() } else { format!(" +{}", row.also_tagged.len()) };
        let pushed = row.pushed_at.as_deref().unwrap_or_default();
        let cells = [
            row.verdict.as_str().to_owned(),
            format!("{}{more}", row.subject()),
            pushed.get(..DATE_WIDTH).unwrap_or(pushed).to_owned(),
            affected_runtimes(row),
            format_reason(row),
        ];
        let style = match row.verdict {
            Verdict::Fails => AnsiColor::Red.on_default(),
            Verdict::Unknown => AnsiColor::Yellow.on_default(),
            Verdict::Runs => AnsiColor::Green.on_default(),
            Verdict::Undeclared | Verdict::Ignored => Style::new(),
        };
        self.write_line(out, cells, style)
    }

    fn write_line(self, out: &mut impl Write, cells: [String; 5], style: Style) -> io::Result<()> {
        let [verdict, image, pushed, place, why] = cells;
        let is_wide = self.width >= MIN_WIDTH_FOR_DATE;
        let fixed = VERDICT_WIDTH + 2 + RUNTIME_WIDTH + 2 + if is_wide { DATE_WIDTH + 2 } else { 0 };
        let rest = self.width.saturating_sub(fixed + 2).max(20);
        // The name is what one looks for; the reason may be read elsewhere.
        let (name, reason) = (rest * 6 / 11, rest - rest * 6 / 11);
        let style = if self.uses_color { style } else { Style::new() };
        write!(out, "{style}{verdict:VERDICT_WIDTH$}{style:#}  {:name$}  ", truncate_start(&image, name))?;
        if is_wide {
            write!(out, "{pushed:DATE_WIDTH$}  ")?;
        }
        let line = format!("{:RUNTIME_WIDTH$}  {}", truncate_end(&place, RUNTIME_WIDTH), truncate_end(&why, reason));
        writeln!(out, "{}", line.trim_end())
    }
}

/// Where it fails, or cannot be told: the first such runtime, and how many more.
fn affected_runtimes(row: &StoredReport) -> String {
    let mut meant = row.runtimes.iter().filter(|answer| answer.verdict == row.verdict).map(|answer| &answer.runtime);
    let Some(first) = meant.next() else { return String::new() };
    match meant.count() {
        0 => first.clone(),
        more => format!("{} +{more}", truncate_end(first, RUNTIME_WIDTH - 3)),
    }
}

fn format_reason(row: &StoredReport) -> String {
    let codes = row.fault_codes();
    let evidence = row.runtimes.iter().flat_map(|answer| &answer.faults).map(|fault| fault.evidence.as_str()).next();
    let unknown = row.runtimes.iter().flat_map(|answer: &StoredRuntime| &answer.unknown).map(String::as_str).next();
    match (codes.is_empty(), evidence, unknown, &row.ignored) {
        (false, Some(evidence), ..) => format!("{}: {evidence}", codes.join(", ")),
        (_, _, Some(reason), _) => reason.to_owned(),
        (.., Some(ignored)) => ignored.clone(),
        _ => String::new(),
    }
}

/// As much of the beginning as there is room for.
fn truncate_end(text: &str, width: usize) -> String {
    let text = sanitize(text, width + 1);
    if text.chars().count() <= width { text } else { text.chars().take(width - 1).chain(['\u{2026}']).collect() }
}

/// As much of the end, where a tag stands.
fn truncate_start(text: &str, width: usize) -> String {
    let text = sanitize(text, usize::MAX);
    let count = text.chars().count();
    if count <= width { text } else { ['\u{2026}'].into_iter().chain(text.chars().skip(count - width + 1)).collect() }
}
