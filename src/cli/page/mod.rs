//! `ecr-preflight page RESULTS` writes the results of an audit as one HTML page, to read, filter and share.
//!
//! Neither this command nor the page calls AWS. The page contains all that it needs, and its policy forbids it to load more.

mod report_lines;
mod texts;
mod header;
mod document;
mod page_data;

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

pub(super) use self::header::PageHeading;
use self::page_data::{encode_rows, write_row};
pub(super) use self::report_lines::for_each_report;
use super::error::CliError;
use super::export::csv::CsvExport;
use super::export::markdown::MarkdownExport;
use super::report_counts::ReportCounts;
use super::stored_report::StoredReport;
use super::terminal::StyledOutput;
use super::{context, output_file};

/// Convert the results of an audit to an HTML page, CSV or Markdown.
///
/// RESULTS contains one report a line, schema `ecr-preflight/1`: the results file of `audit`, or the output of `check --format
/// json` with each report on one line. The page is one file that loads nothing else.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PageArguments {
    /// The results, a file of JSON lines.
    results: PathBuf,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The format of the file.
    #[arg(long, value_enum, default_value_t = PageFormat::Html)]
    format: PageFormat,
}

/// What is made of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageFormat {
    /// A page for browsers: every image.
    Html,
    /// For spreadsheets: every image and runtime.
    Csv,
    /// For issues and pull requests: failing and unknown images.
    Markdown,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight page results.jsonl --output audit.html
  ecr-preflight page results.jsonl --output audit.csv --format csv
  ecr-preflight page results.jsonl --output - --format markdown | gh issue create -t Audit -F -

Exit codes:
  0   the file was written
  3   an error occurred, for example the results could not be read
  64  the command line or a setting is wrong";

pub(super) fn run<E: Write>(
    arguments: &PageArguments,
    out: &mut impl Write,
    err: &mut StyledOutput<E>,
) -> Result<(), CliError> {
    let settings = context::load_settings()?.check;
    let (declaration_key, docs_url) = (&settings.declaration_key, settings.docs_url.as_deref());
    let heading = PageHeading { declaration_key, docs_url, ..PageHeading::default() };
    let mut write = |out: &mut dyn Write| match arguments.format {
        PageFormat::Html => write_page(&arguments.results, &heading, |_| {}, &mut &mut *out),
        PageFormat::Csv => write_csv(&arguments.results, out, &mut *err),
        PageFormat::Markdown => write_markdown(&arguments.results, out, &mut *err),
    };
    if arguments.output.as_os_str() == "-" {
        let mut out = BufWriter::new(out);
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    output_file::ensure_distinct(&[("the results", Some(&arguments.results)), ("--output", Some(&arguments.output))])?;
    output_file::write_atomically(&arguments.output, write)?;
    err.write_status(&format!("wrote {}", arguments.output.display()))?;
    Ok(())
}

/// Writes all reports of a file as CSV, in their order.
fn write_csv(results: &Path, out: &mut dyn Write, err: &mut impl Write) -> Result<(), CliError> {
    let mut has_consumers = false;
    for_each_report(results, |report| {
        has_consumers |= report.in_use.is_some();
        Ok(())
    })?;
    let mut csv = CsvExport::new(out, has_consumers)?;
    let skipped_lines = for_each_distinct_report(results, |report| Ok(csv.add(report)?))?;
    csv.finish()?;
    write_notes(&skipped_lines, err)
}

/// Writes the failing and unknown images of a file as Markdown.
fn write_markdown(results: &Path, out: &mut dyn Write, err: &mut impl Write) -> Result<(), CliError> {
    let mut markdown = MarkdownExport::new(false);
    let skipped_lines = for_each_distinct_report(results, |report| {
        markdown.add(report);
        Ok(())
    })?;
    markdown.write(out)?;
    write_notes(&skipped_lines, err)
}

/// Calls `take` for the first report of each image. Returns the notes of [`for_each_report`].
fn for_each_distinct_report(
    results: &Path,
    mut take: impl FnMut(&StoredReport) -> Result<(), CliError>,
) -> Result<Vec<String>, CliError> {
    let mut seen = HashSet::new();
    for_each_report(results, |report| {
        if report.identity_key().is_none_or(|key| seen.insert(key)) { take(&report) } else { Ok(()) }
    })
}

fn write_notes(notes: &[String], err: &mut impl Write) -> Result<(), CliError> {
    Ok(notes.iter().try_for_each(|note| writeln!(err, "{note}"))?)
}

/// Writes the page of these results to a file, completely or not at all. `complete` adds what the results do not contain:
/// waivers, and who runs the images.
///
/// # Errors
/// The results cannot be read, or the file cannot be written.
pub(super) fn write_page_file(
    results: &Path,
    heading: &PageHeading<'_>,
    file: &Path,
    mut complete: impl FnMut(&mut StoredReport),
) -> Result<(), CliError> {
    output_file::write_atomically(file, |mut out| write_page(results, heading, &mut complete, &mut out))
}

/// Writes the page of these results. The file is read twice, to count and to write, so that only some 16 bytes are kept in
/// memory for each image and each repository.
///
/// # Errors
/// The results cannot be read, with the number of the line, or `out` fails.
fn write_page(
    results: &Path,
    heading: &PageHeading<'_>,
    mut complete: impl FnMut(&mut StoredReport),
    out: &mut impl Write,
) -> Result<(), CliError> {
    let (mut counts, mut seen) = (ReportCounts::default(), HashSet::new());
    let skipped_lines = for_each_report(results, |mut report| {
        if report.identity_key().is_none_or(|key| seen.insert(key)) {
            complete(&mut report);
            counts.add(&report);
        }
        Ok(())
    })?;
    let notes = [heading.notes, &skipped_lines].concat();
    let (before, after) = document::render_frame(&counts, &PageHeading { notes: &notes, ..*heading });
    out.write_all(before.as_bytes())?;
    let mut rows = encode_rows(&mut *out);
    for_each_report(results, |mut report| {
        // The first report of an image is shown; it was also the one that was counted.
        if report.identity_key().is_none_or(|key| seen.remove(&key)) {
            complete(&mut report);
            write_row(&report, &mut rows)?;
        }
        Ok(())
    })?;
    rows.finish()?.finish()?;
    out.write_all(after.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PageHeading, write_page};

    #[test]
    fn header_has_the_facts_of_the_run() {
        let results = tempfile::NamedTempFile::new().unwrap();
        let heading = PageHeading {
            checked_at: Some("2026-11-21 15:21 UTC"),
            settings: &[("Depth".to_owned(), "<binaries>".to_owned())],
            notes: &["Two images have no result & are not here.".to_owned()],
            declaration_key: "team:runs-on",
            docs_url: Some("https://example.com/</script>"),
        };
        let mut page = Vec::new();
        write_page(results.path(), &heading, |_| {}, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for part in [
            "<dt>Checked</dt><dd>2026-11-21 15:21 UTC</dd>",
            "<dt>Depth</dt><dd>&lt;binaries&gt;</dd>",
            "<p class=\"note\">Two images have no result &amp; are not here.</p>",
            "`team:runs-on=ecs/arm64`",
            r#""exec-format":"https://example.com/\u003c/script\u003e#exec-format""#,
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
