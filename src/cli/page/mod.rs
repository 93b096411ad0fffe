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

use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

pub(super) use self::line::MAX_LINE;
use self::line::Rest;
use self::row::Rows;
use self::tally::Tally;
use super::{Error, destination};

/// Make a page to look at, filter and pass on out of the results of an audit.
///
/// RESULTS holds one report a line, schema `ecr-preflight/1`: what `check --format json` prints serves too, each on a line
/// of its own. The page is one file that loads nothing else.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
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

pub(super) fn run(arguments: &Arguments, out: &mut impl Write, err: &mut impl Write) -> Result<(), Error> {
    let key = super::settings()?.rules.key;
    let heading = Heading { key: &key, ..Heading::default() };
    if arguments.output.as_os_str() == "-" {
        let mut out = BufWriter::new(out);
        write(&arguments.results, &heading, &mut out)?;
        return Ok(out.flush()?);
    }
    destination::distinct(&[("the results", Some(&arguments.results)), ("--output", Some(&arguments.output))])?;
    save(&arguments.results, &heading, &arguments.output)?;
    writeln!(err, "wrote {}", arguments.output.display())?;
    Ok(())
}

/// Writes the page of these results to a file, which is there whole or not at all.
///
/// # Errors
/// Where the results cannot be read, or the file not be written.
pub(super) fn save(results: &Path, heading: &Heading<'_>, file: &Path) -> Result<(), Error> {
    destination::write(file, |mut out| write(results, heading, &mut out))
}

/// Writes the page of these results. The file is read twice, to count and to write, so that memory does not grow with what
/// is said of an image: some 32 bytes are kept for each image, each repository and each answer that differs from the others.
///
/// # Errors
/// Where the results cannot be read, with the number of the line, or `out` fails.
pub(super) fn write(results: &Path, heading: &Heading<'_>, out: &mut impl Write) -> Result<(), Error> {
    let (mut tally, mut seen) = (Tally::default(), HashSet::new());
    let rest = line::each(results, |line| {
        if line.key().is_none_or(|key| seen.insert(key)) {
            tally.add(&line);
        }
        Ok(())
    })?;
    let notes = [heading.notes, &said_of(rest)].concat();
    let (before, after) = frame::around_rows(&tally, &Heading { notes: &notes, ..*heading });
    out.write_all(before.as_bytes())?;
    let mut rows = Rows::default();
    let mut separator = "";
    line::each(results, |line| {
        // The first line of an image counts, as it did above.
        if line.key().is_none_or(|key| seen.remove(&key)) {
            let row = frame::data(&rows.row(&line));
            write!(out, "{separator}{row}")?;
            separator = ",\n";
        }
        Ok(())
    })?;
    out.write_all(after.as_bytes())?;
    Ok(())
}

/// What the reader is to know of lines that are no answers.
fn said_of(rest: Rest) -> Vec<String> {
    let errors = match rest.errors {
        0 => None,
        1 => Some("1 image got no answer: the results hold an error in its place.".to_owned()),
        errors => Some(format!("{errors} images got no answer: the results hold an error in their place.")),
    };
    let torn =
        rest.is_torn.then(|| "The last line of the results is torn: what was being written is not here.".to_owned());
    errors.into_iter().chain(torn).collect()
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
