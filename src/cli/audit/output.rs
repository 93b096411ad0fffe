//! Prints the results of an audit, and writes the files that the command line names.

use std::io::{self, BufWriter, Write};

use super::arguments::{AuditArguments, AuditFormat};
use super::error::AuditError;
use super::finding_filter::FindingFilter;
use super::results_file::ResultsFile;
use super::scope;
use super::table::AuditTable;
use crate::cli::error::CliError;
use crate::cli::export::csv::CsvExport;
use crate::cli::export::markdown::MarkdownExport;
use crate::cli::image_outcome::ImageOutcome;
use crate::cli::terminal::StyledOutput;
use crate::cli::{output_file, page};
use crate::runtime::Runtime;
use crate::settings::Settings;
use crate::text::{escape_json_commands, sanitize};

/// Opens the results file, and checks that the files that are written at the end can be written.
///
/// # Errors
/// A file is named twice or cannot be written, or the results file contains something else.
pub(super) fn open_outputs(
    arguments: &AuditArguments,
    settings: &Settings,
    runtimes: &[Runtime],
    filter: FindingFilter,
) -> Result<ResultsFile, CliError> {
    let settings = if arguments.via_lambda {
        format!("function={}", arguments.stack)
    } else {
        scope::describe_settings(&settings.check, runtimes)
    };
    let files = [
        ("--results", &arguments.results),
        ("--baseline", &arguments.baseline),
        ("--csv", &arguments.csv),
        ("--html", &arguments.html),
    ];
    output_file::ensure_distinct(&files.map(|(name, path)| (name, path.as_deref())))?;
    let results = match &arguments.results {
        Some(path) => ResultsFile::open(path, arguments.fresh, settings, filter),
        None => ResultsFile::create_temporary(settings, filter),
    }
    .map_err(AuditError::from)?;
    for path in [&arguments.csv, &arguments.html].into_iter().flatten() {
        let unwritable = |source| CliError::FileWrite { path: path.display().to_string(), source };
        output_file::check_writable(path).map_err(unwritable)?;
    }
    Ok(results)
}

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
        let lines = results.path.clone();
        page::write_page_file(&lines, heading, path, |report| results.complete(report))?;
    }
    Ok(())
}

/// Names the files of this run: `all.jsonl, all.csv, all.html`; empty if there are none.
pub(super) fn format_written_files(results: &ResultsFile, arguments: &AuditArguments) -> String {
    // The results file does not exist yet if nothing was checked.
    let kept = results.permanent_path().filter(|path| path.exists());
    let files = [kept, arguments.csv.as_deref(), arguments.html.as_deref()];
    let names = files.into_iter().flatten().map(|path| sanitize(&path.display().to_string(), usize::MAX));
    names.collect::<Vec<_>>().join(", ")
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
    let has_consumers = results.consumers.is_some();
    let table = AuditTable { has_consumers, width: out.table_width, uses_color: out.uses_color };
    let mut out = BufWriter::new(out);
    match arguments.format {
        AuditFormat::Csv => write_csv(results, &mut out)?,
        AuditFormat::Jsonl => {
            for offset in results.index.offsets_worst_first(|_| true) {
                // The lines were parsed as JSON, so they are UTF-8.
                let line = results.read_completed_line(offset)?;
                out.write_all(escape_json_commands(&String::from_utf8_lossy(&line)).as_bytes())?;
            }
        }
        AuditFormat::Markdown => {
            let mut markdown = MarkdownExport::new(arguments.all_rows);
            for offset in results.index.offsets_worst_first(|_| true) {
                markdown.add(&results.read_report(offset)?);
            }
            markdown.write(&mut out)?;
        }
        AuditFormat::Table => {
            let is_shown = |outcome| arguments.all_rows || outcome <= ImageOutcome::Known;
            let groups = results.index.group_by_repository(is_shown);
            table.write(results, &groups, &mut out)?;
        }
    }
    out.flush()
}

/// Writes all results as CSV, the worst first.
fn write_csv(results: &mut ResultsFile, out: impl Write) -> io::Result<()> {
    let mut csv = CsvExport::new(out, results.consumers.is_some())?;
    for offset in results.index.offsets_worst_first(|_| true) {
        csv.add(&results.read_report(offset)?)?;
    }
    csv.finish()
}
