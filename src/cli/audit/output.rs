//! What an audit leaves behind: what is printed, and the files that are written beside it.
//!
//! Does not sum up. All of it is read from the results at the end, line by line.

use std::io::{self, BufWriter, Write};

use super::arguments::{AuditArguments, AuditFormat};
use super::csv_output::CsvOutput;
use super::results_file::ResultsFile;
use super::table::AuditTable;
use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;
use crate::cli::{output_file, page};
use crate::verdict::Verdict;

/// Writes the sheet and the page, where they are asked for.
///
/// # Errors
/// Where one of them cannot be written.
pub(super) fn write_files(
    results: &mut ResultsFile,
    arguments: &AuditArguments,
    heading: &page::PageHeading<'_>,
) -> Result<(), CliError> {
    if let Some(path) = &arguments.csv {
        output_file::write_atomically(path, |file| Ok(write_csv(results, file)?))?;
    }
    if let Some(path) = &arguments.html {
        page::write_page_file(results.path(), heading, path)?;
    }
    Ok(())
}

/// Prints the results, the worst first; people are shown what is amiss, programs all of it.
///
/// # Errors
/// Where they cannot be read again or printed.
pub(super) fn print_results<O: Write>(
    results: &mut ResultsFile,
    arguments: &AuditArguments,
    out: &mut StyledOutput<O>,
) -> io::Result<()> {
    let look = AuditTable::for_terminal(out.uses_color());
    let mut out = BufWriter::new(out);
    match arguments.format {
        AuditFormat::Csv => write_csv(results, &mut out)?,
        AuditFormat::Jsonl => {
            for at in results.index.offsets_worst_first(|_| true) {
                out.write_all(&results.read_line(at)?)?;
            }
        }
        AuditFormat::Table => {
            let is_shown = |verdict| arguments.all_rows || matches!(verdict, Verdict::Fails | Verdict::Unknown);
            let shown = results.index.offsets_worst_first(is_shown);
            if !shown.is_empty() {
                look.write_header(&mut out)?;
            }
            for at in &shown {
                look.write_row(&mut out, &results.read_row(*at)?)?;
            }
            if !shown.is_empty() {
                writeln!(out)?;
            }
        }
    }
    out.flush()
}

fn write_csv(results: &mut ResultsFile, out: impl Write) -> io::Result<()> {
    let mut sheet = CsvOutput::with_header(out)?;
    for at in results.index.offsets_worst_first(|_| true) {
        sheet.write_image(&results.read_row(at)?)?;
    }
    sheet.finish()
}
