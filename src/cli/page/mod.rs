//! `ecr-preflight page RESULTS`: the answers of an audit as one HTML page, for people to read, filter and pass on.
//!
//! Does not ask AWS anything, and neither does the page: it holds all that it needs, and its policy forbids it to load more.
//! Reading order: a line of the results ([`line`]), how many there are of what ([`tally`]), their words ([`words`]), the
//! compact form of each ([`row`], [`answer`], [`shared`]), and the page around them ([`frame`], [`head`]).

mod line;
mod statistics;
mod texts;
mod deduplicator;
mod report_json;
mod row;
mod header;
mod document;

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

pub(super) use self::line::MAX_LINE_BYTES;
use self::line::SkippedLines;
use self::row::PageRows;
use self::statistics::PageStatistics;
use super::output_file;
use crate::cli::error::CliError;

/// Make a page to look at, filter and pass on out of the results of an audit.
///
/// RESULTS holds one report a line, schema `ecr-preflight/1`: what `check --format json` prints serves too, each on a line
/// of its own. The page is one file that loads nothing else.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PageArguments {
    /// The results, a file of JSON lines.
    results: PathBuf,
    /// Where to write the page; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight page results.jsonl --output audit.html";

/// What a page says that its results do not.
#[derive(Debug, Default)]
pub(super) struct PageHeading<'a> {
    /// When the images were looked at, as people are to read it; none where that is not known.
    pub(super) checked_at: Option<&'a str>,
    /// How it was looked at, such as the depth: names and values, in the order of the page.
    pub(super) settings: &'a [(String, String)],
    /// What else the reader is to know, such as images that got no answer: a sentence each.
    pub(super) notes: &'a [String],
    /// The key under which runtimes are declared.
    pub(super) key: &'a str,
    /// The address of the page with the fault table, if it is known.
    pub(super) docs_url: Option<&'a str>,
}

pub(super) fn run(arguments: &PageArguments, out: &mut impl Write, err: &mut impl Write) -> Result<(), CliError> {
    let settings = crate::cli::context::load_settings()?.check;
    let (key, docs_url) = (&settings.declaration_key, settings.docs_url.as_deref());
    let heading = PageHeading { key, docs_url, ..PageHeading::default() };
    if arguments.output.as_os_str() == "-" {
        let mut out = BufWriter::new(out);
        write_page(&arguments.results, &heading, &mut out)?;
        return Ok(out.flush()?);
    }
    output_file::ensure_distinct(&[("the results", Some(&arguments.results)), ("--output", Some(&arguments.output))])?;
    write_page_file(&arguments.results, &heading, &arguments.output)?;
    writeln!(err, "wrote {}", arguments.output.display())?;
    Ok(())
}

/// Writes the page of these results to a file, which is there whole or not at all.
///
/// # Errors
/// Where the results cannot be read, or the file not be written.
pub(super) fn write_page_file(results: &Path, heading: &PageHeading<'_>, file: &Path) -> Result<(), CliError> {
    output_file::write_atomically(file, |mut out| write_page(results, heading, &mut out))
}

/// Writes the page of these results. The file is read twice, to count and to write, so that memory does not grow with what
/// is said of an image: some 32 bytes are kept for each image, each repository and each answer that differs from the others.
///
/// # Errors
/// Where the results cannot be read, with the number of the line, or `out` fails.
pub(super) fn write_page(results: &Path, heading: &PageHeading<'_>, out: &mut impl Write) -> Result<(), CliError> {
    let (mut tally, mut seen) = (PageStatistics::default(), HashSet::new());
    let rest = line::for_each_report(results, |line| {
        if line.identity_key().is_none_or(|key| seen.insert(key)) {
            tally.add(&line);
        }
        Ok(())
    })?;
    let notes = [heading.notes, &describe_skipped_lines(rest)].concat();
    let (before, after) = document::render_frame(&tally, &PageHeading { notes: &notes, ..*heading });
    out.write_all(before.as_bytes())?;
    let mut rows = PageRows::default();
    let mut separator = "";
    line::for_each_report(results, |line| {
        // The first line of an image counts, as it did above.
        if line.identity_key().is_none_or(|key| seen.remove(&key)) {
            let row = document::escape_script_json(&rows.build_row(&line));
            write!(out, "{separator}{row}")?;
            separator = ",\n";
        }
        Ok(())
    })?;
    out.write_all(after.as_bytes())?;
    Ok(())
}

/// What the reader is to know of lines that are no answers.
fn describe_skipped_lines(rest: SkippedLines) -> Vec<String> {
    let errors = match rest.errors {
        0 => None,
        1 => Some("1 image got no answer: the results hold an error in its place.".to_owned()),
        errors => Some(format!("{errors} images got no answer: the results hold an error in their place.")),
    };
    let torn = rest
        .is_truncated
        .then(|| "The last line of the results is torn: what was being written is not here.".to_owned());
    errors.into_iter().chain(torn).collect()
}

#[cfg(test)]
mod tests {
    use super::{PageHeading, write_page};

    #[test]
    fn the_head_says_when_and_how_it_was_looked() {
        let results = tempfile::NamedTempFile::new().unwrap();
        let heading = PageHeading {
            checked_at: Some("2026-11-21 15:21 UTC"),
            settings: &[("Depth".to_owned(), "<binaries>".to_owned())],
            notes: &["Two images got no answer & are not here.".to_owned()],
            key: "team:runs-on",
            docs_url: Some("https://example.com/</script>"),
        };
        let mut page = Vec::new();
        write_page(results.path(), &heading, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for part in [
            "<dt>Looked at</dt><dd>2026-11-21 15:21 UTC</dd>",
            "<dt>Depth</dt><dd>&lt;binaries&gt;</dd>",
            "<p class=\"note\">Two images got no answer &amp; are not here.</p>",
            "`team:runs-on=ecs/arm64`",
            r#""exec-format":"https://example.com/\u003c/script\u003e#exec-format""#,
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
