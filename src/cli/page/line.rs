//! One line of an audit's results: a report, read back from its JSON.
//!
//! Does not believe it: what a page shows of it is cut and cleaned where it is put into words. Members that are not known
//! are passed over, as those of a later version may be.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::cli::Error;

/// The longest line in bytes: twenty times what the log of the function holds of one answer.
const MAX_LINE: u64 = 4 << 20;

/// The schema that is read.
const SCHEMA: &str = "ecr-preflight/1";

/// A report, as far as the page shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    schema: String,
    pub(super) arrival: Option<Arrival>,
    pub(super) image: Option<Image>,
    #[serde(default)]
    pub(super) intended: Vec<Declared>,
    pub(super) verdict: String,
    pub(super) ignored: Option<String>,
    #[serde(default)]
    pub(super) runtimes: Vec<Answer>,
    #[serde(default)]
    pub(super) exec: Vec<Started>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Arrival {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) repository: String,
    pub(super) digest: Option<String>,
    pub(super) tag: Option<String>,
    #[serde(default)]
    pub(super) also_tagged: Vec<String>,
    pub(super) pushed_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) reference: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) platforms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Declared {
    pub(super) runtime: String,
    pub(super) declared_by: String,
}

/// The answer for one intended runtime.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) runtime: String,
    pub(super) verdict: String,
    #[serde(default)]
    pub(super) unknown: Vec<String>,
    #[serde(default)]
    pub(super) faults: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    pub(super) code: String,
    pub(super) evidence: String,
    pub(super) symptom: Option<String>,
    #[serde(default)]
    pub(super) remedy: Vec<String>,
    /// Functions of an earlier version do not say it.
    #[serde(default)]
    pub(super) advice: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Started {
    pub(super) platform: String,
    pub(super) host: String,
    #[serde(default)]
    pub(super) argv: Vec<String>,
    pub(super) outcome: String,
    pub(super) errno: Option<String>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) chain: Vec<String>,
    pub(super) reason: Option<String>,
}

/// Hands out the lines of a file one after another; blank ones are passed over.
///
/// # Errors
/// Where the file, or one of its lines, cannot be read, and what `take` fails with.
pub(super) fn each(file: &Path, mut take: impl FnMut(Line) -> Result<(), Error>) -> Result<(), Error> {
    let unreadable =
        |source: Box<dyn std::error::Error + Send + Sync>| Error::File { path: file.display().to_string(), source };
    let mut reader = BufReader::new(File::open(file).map_err(|error| unreadable(error.into()))?);
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let read = reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes);
        if read.map_err(|error| unreadable(error.into()))? == 0 {
            break;
        }
        let is_blank = bytes.trim_ascii().is_empty() && bytes.len() as u64 <= MAX_LINE;
        if !is_blank {
            take(report(&bytes).map_err(|error| unreadable(format!("line {number}: {error}").into()))?)?;
        }
    }
    Ok(())
}

fn report(bytes: &[u8]) -> Result<Line, String> {
    if bytes.len() as u64 > MAX_LINE {
        return Err(format!("it is longer than {} MiB", MAX_LINE >> 20));
    }
    let line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if line.schema == SCHEMA { Ok(line) } else { Err(format!("its schema is not {SCHEMA}")) }
}
