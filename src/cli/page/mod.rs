//! `ecr-preflight page RESULTS`: the answers of an audit as one HTML page, for people to read, filter and pass on.
//!
//! Does not ask AWS anything, and neither does the page: it holds all that it needs, and its policy forbids it to load more.
//! Reading order: a line of the results ([`line`]), how many there are of what ([`tally`]), their words ([`words`]), the
//! compact form of each ([`row`], [`answer`], [`shared`]), and the page around them ([`frame`], [`head`]).

mod line;
mod tally;
mod words;
mod shared;
mod answer;
mod row;
mod head;
mod frame;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use self::row::Rows;
use self::tally::Tally;
use super::Error;

/// Make a page to look at, filter and pass on out of the results of an audit.
///
/// RESULTS holds one report a line, schema `ecr-preflight/1`: what `check --format json` prints serves too, each on a line
/// of its own. The page is one file that loads nothing else.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The results, a file of JSON lines.
    results: PathBuf,
    /// Where to write the page.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight page results.jsonl --output audit.html";

/// What a page says that its results do not.
#[derive(Debug, Default)]
pub(super) struct Heading<'a> {
    /// When the images were looked at, as people are to read it; none where that is not known.
    pub(super) when: Option<&'a str>,
    /// How it was looked at, such as the depth: names and values, in the order of the page.
    pub(super) settings: &'a [(String, String)],
    /// What else the reader is to know, such as images that got no answer: a sentence each.
    pub(super) notes: &'a [String],
    /// The key under which runtimes are declared.
    pub(super) key: &'a str,
}

pub(super) fn run(arguments: &Arguments, err: &mut impl Write) -> Result<(), Error> {
    let key = super::settings()?.rules.key;
    save(&arguments.results, &Heading { key: &key, ..Heading::default() }, &arguments.output)?;
    writeln!(err, "wrote {}", arguments.output.display())?;
    Ok(())
}

/// Writes the page of these results to a file, which is there whole or not at all.
///
/// # Errors
/// Where the results cannot be read, or the file not be written.
pub(super) fn save(results: &Path, heading: &Heading<'_>, file: &Path) -> Result<(), Error> {
    let unwritten = |source| Error::Unwritten { path: file.display().to_string(), source };
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let mut out = BufWriter::new(File::create(&partial).map_err(unwritten)?);
    let written = write(results, heading, &mut out).and_then(|()| out.flush().map_err(unwritten));
    let written = written.map_err(|error| match error {
        Error::Output(source) => unwritten(source),
        error => error,
    });
    if written.is_err() {
        // The error is what there is to say; a rest that stays is only untidy.
        let _ = fs::remove_file(&partial);
        return written;
    }
    fs::rename(&partial, file).map_err(unwritten)
}

/// Writes the page of these results. The file is read twice, to count and to write, so that memory does not grow with the
/// number of images: some 32 bytes are kept for each repository and each answer that differs from the others.
///
/// # Errors
/// Where the results cannot be read, with the number of the line, or `out` fails.
pub(super) fn write(results: &Path, heading: &Heading<'_>, out: &mut impl Write) -> Result<(), Error> {
    let mut tally = Tally::default();
    line::each(results, |line| {
        tally.add(&line);
        Ok(())
    })?;
    let (before, after) = frame::around_rows(&tally, heading);
    out.write_all(before.as_bytes())?;
    let mut rows = Rows::default();
    let mut separator = "";
    line::each(results, |line| {
        let row = frame::data(&rows.row(&line));
        write!(out, "{separator}{row}")?;
        separator = ",\n";
        Ok(())
    })?;
    out.write_all(after.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Heading, write};

    #[test]
    fn the_head_says_when_and_how_it_was_looked() {
        let results = tempfile::NamedTempFile::new().unwrap();
        let heading = Heading {
            when: Some("2026-11-21 15:21 UTC"),
            settings: &[("Depth".to_owned(), "<binaries>".to_owned())],
            notes: &["Two images got no answer & are not here.".to_owned()],
            key: "team:runs-on",
        };
        let mut page = Vec::new();
        write(results.path(), &heading, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for part in [
            "<dt>Looked at</dt><dd>2026-11-21 15:21 UTC</dd>",
            "<dt>Depth</dt><dd>&lt;binaries&gt;</dd>",
            "<p class=\"note\">Two images got no answer &amp; are not here.</p>",
            "`team:runs-on=ecs/arm64`",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
