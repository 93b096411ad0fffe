//! What an audit leaves behind: what is printed, and the files that are written beside it.
//!
//! Does not sum up. All of it is read from the results at the end, line by line.

use std::io::{self, BufWriter, Write};

use super::arguments::{Arguments, Format};
use super::results::Results;
use super::sheet::Sheet;
use super::table::Look;
use crate::cli::screen::Screen;
use crate::cli::{Error, destination, page};
use crate::verdict::Verdict;

/// Writes the sheet and the page, where they are asked for.
///
/// # Errors
/// Where one of them cannot be written.
pub(super) fn write(results: &mut Results, arguments: &Arguments, heading: &page::Heading<'_>) -> Result<(), Error> {
    if let Some(path) = &arguments.csv {
        destination::write(path, |file| Ok(csv(results, file)?))?;
    }
    if let Some(path) = &arguments.html {
        page::save(results.path(), heading, path)?;
    }
    Ok(())
}

/// Prints the results, the worst first; people are shown what is amiss, programs all of it.
///
/// # Errors
/// Where they cannot be read again or printed.
pub(super) fn print<O: Write>(results: &mut Results, arguments: &Arguments, out: &mut Screen<O>) -> io::Result<()> {
    let look = Look::of_terminal(out.is_coloured());
    let mut out = BufWriter::new(out);
    match arguments.format {
        Format::Csv => csv(results, &mut out)?,
        Format::Jsonl => {
            for at in results.tally.worst_first(|_| true) {
                out.write_all(&results.line(at)?)?;
            }
        }
        Format::Table => {
            let is_shown = |verdict| arguments.all_rows || matches!(verdict, Verdict::Fails | Verdict::Unknown);
            let shown = results.tally.worst_first(is_shown);
            if !shown.is_empty() {
                look.head(&mut out)?;
            }
            for at in &shown {
                look.row(&mut out, &results.row(*at)?)?;
            }
            if !shown.is_empty() {
                writeln!(out)?;
            }
        }
    }
    out.flush()
}

fn csv(results: &mut Results, out: impl Write) -> io::Result<()> {
    let mut sheet = Sheet::begin(out)?;
    for at in results.tally.worst_first(|_| true) {
        sheet.add(&results.row(at)?)?;
    }
    sheet.end()
}
