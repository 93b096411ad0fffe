//! Prints the results of an audit, and writes the files that the command line names.

use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};

use super::arguments::{AuditArguments, AuditFormat};
use super::csv_output::write_csv;
use super::results_file::ResultsFile;
use crate::cli::error::CliError;
use crate::cli::stored_report::{StoredReport, StoredRuntime};
use crate::cli::terminal::StyledOutput;
use crate::cli::{output_file, page};
use crate::report::UNVERIFIED_SYMBOL;
use crate::text::{escape_terminal, sanitize};
use crate::verdict::Verdict;

/// The width of the table if the terminal's is unknown.
const DEFAULT_WIDTH: usize = 80;

/// From this width on the table has a column for the date.
const MIN_WIDTH_FOR_DATE: usize = 110;

/// The width of columns: for `undeclared`, `lambda/amd64` and a date.
const VERDICT_WIDTH: usize = 10;
const RUNTIME_WIDTH: usize = 12;
const DATE_WIDTH: usize = 10;

/// Writes the CSV file and the page, if the command line names them.
///
/// # Errors
/// The results cannot be read, or a file cannot be written.
pub(super) fn write_files(
    results: &mut ResultsFile,
    arguments: &AuditArguments,
    heading: &page::PageHeading<'_>,
) -> Result<(), CliError> {
    if let Some(path) = &arguments.csv {
        output_file::write_atomically(path, |file| Ok(write_csv(results, file)?))?;
    }
    if let Some(path) = &arguments.html {
        page::write_page_file(&results.path, heading, path)?;
    }
    Ok(())
}

/// Prints the results, the worst first. The table leaves out what is right, unless `--all-rows` is set.
///
/// # Errors
/// The results cannot be read or printed.
pub(super) fn print_results<O: Write>(
    results: &mut ResultsFile,
    arguments: &AuditArguments,
    out: &mut StyledOutput<O>,
) -> io::Result<()> {
    let table = AuditTable::for_terminal(out.uses_color);
    let mut out = BufWriter::new(out);
    match arguments.format {
        AuditFormat::Csv => write_csv(results, &mut out)?,
        AuditFormat::Jsonl => {
            for offset in results.index.offsets_worst_first(|_| true) {
                out.write_all(&results.read_line(offset)?)?;
            }
        }
        AuditFormat::Table => {
            let is_shown = |verdict| arguments.all_rows || matches!(verdict, Verdict::Fails | Verdict::Unknown);
            let shown = results.index.offsets_worst_first(is_shown);
            if !shown.is_empty() {
                table.write_header(&mut out)?;
                for offset in &shown {
                    table.write_row(&mut out, &results.read_report(*offset)?)?;
                }
                writeln!(out)?;
            }
        }
    }
    out.flush()
}

/// A table with a line for each image, cut to the width of the terminal.
#[derive(Debug, Clone, Copy)]
struct AuditTable {
    /// In columns.
    width: usize,
    uses_color: bool,
}

impl AuditTable {
    /// Uses the width of `COLUMNS`, or else of the terminal.
    fn for_terminal(uses_color: bool) -> Self {
        let configured = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let measured = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        let width = configured.filter(|width| *width > 0).or_else(measured).unwrap_or(DEFAULT_WIDTH);
        Self { width, uses_color }
    }

    fn write_header(self, out: &mut impl Write) -> io::Result<()> {
        self.write_line(out, ["VERDICT", "IMAGE", "PUSHED", "RUNTIME", "REASON"].map(str::to_owned), Style::new())
    }

    fn write_row(self, out: &mut impl Write, report: &StoredReport) -> io::Result<()> {
        let also = report.arrival.also_tagged.len();
        let also = if also == 0 { String::new() } else { format!(" +{also}") };
        let pushed = &report.arrival.pushed_at;
        let unverified = if report.is_unverified_pass() { format!(" {UNVERIFIED_SYMBOL}") } else { String::new() };
        let cells = [
            format!("{}{unverified}", report.verdict().as_str()),
            format!("{}{also}", report.subject()),
            sanitize(pushed.get(..DATE_WIDTH).unwrap_or(pushed), DATE_WIDTH),
            affected_runtimes(report),
            format_reason(report),
        ];
        let style = match report.verdict() {
            Verdict::Fails => AnsiColor::Red.on_default(),
            Verdict::Unknown => AnsiColor::Yellow.on_default(),
            Verdict::Runs => AnsiColor::Green.on_default(),
            Verdict::Undeclared | Verdict::Ignored => Style::new(),
        };
        self.write_line(out, cells, style)
    }

    fn write_line(self, out: &mut impl Write, cells: [String; 5], style: Style) -> io::Result<()> {
        let [verdict, image, pushed, runtime, reason] = cells;
        let has_date = self.width >= MIN_WIDTH_FOR_DATE;
        let fixed = VERDICT_WIDTH + 2 + RUNTIME_WIDTH + 2 + if has_date { DATE_WIDTH + 2 } else { 0 };
        let rest = self.width.saturating_sub(fixed + 2).max(20);
        // The name gets more: the reason can be read elsewhere.
        let image_width = rest * 6 / 11;
        let style = if self.uses_color { style } else { Style::new() };
        let image = truncate_start(&image, image_width);
        write!(out, "{style}{verdict:VERDICT_WIDTH$}{style:#}  {image:image_width$}  ")?;
        if has_date {
            write!(out, "{pushed:DATE_WIDTH$}  ")?;
        }
        let (runtime, reason) = (truncate_end(&runtime, RUNTIME_WIDTH), truncate_end(&reason, rest - image_width));
        writeln!(out, "{}", format!("{runtime:RUNTIME_WIDTH$}  {reason}").trim_end())
    }
}

/// The first runtime that has the verdict of the image, and how many more have it.
fn affected_runtimes(report: &StoredReport) -> String {
    let mut affected = report.runtimes.iter().filter(|runtime| runtime.verdict() == report.verdict());
    let Some(first) = affected.next() else { return String::new() };
    match affected.count() {
        0 => first.runtime.clone(),
        more => format!("{} +{more}", truncate_end(&first.runtime, RUNTIME_WIDTH - 3)),
    }
}

fn format_reason(report: &StoredReport) -> String {
    let reasons = |runtime: &StoredRuntime| runtime.unknown.iter().chain(&runtime.not_verified).next().cloned();
    let unknown = report.runtimes.iter().find_map(reasons);
    match (report.faults().next(), unknown) {
        (Some(fault), _) => format!("{}: {}", report.fault_codes().join(", "), fault.evidence),
        (None, Some(reason)) => reason,
        (None, None) => report.ignored.clone().unwrap_or_default(),
    }
}

/// Cuts off the end of a text that is too long.
fn truncate_end(text: &str, width: usize) -> String {
    let text = escape_terminal(&sanitize(text, width + 1));
    if text.chars().count() <= width { text } else { text.chars().take(width - 1).chain(['\u{2026}']).collect() }
}

/// Cuts off the beginning of a name that is too long, because the tag is at its end.
fn truncate_start(text: &str, width: usize) -> String {
    let text = sanitize(text, usize::MAX);
    let count = text.chars().count();
    if count <= width { text } else { ['\u{2026}'].into_iter().chain(text.chars().skip(count - width + 1)).collect() }
}
