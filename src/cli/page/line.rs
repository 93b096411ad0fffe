//! One line of an audit's results: a report, read back from its JSON.
//!
//! Does not believe it: what a page shows of it is cut and cleaned where it is put into words. Members that are not known
//! are passed over, as those of a later version may be.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::cli::check::ERROR_SCHEMA;
use crate::cli::error::CliError;
use crate::report::SCHEMA;

/// The longest line, in bytes. A report of an index with hundreds of faults takes some hundred kilobytes.
pub(in crate::cli) const MAX_LINE_BYTES: u64 = 8 << 20;

/// What any line says of itself.
#[derive(Debug, Deserialize)]
struct SchemaOnly {
    schema: String,
}

/// What a file holds besides reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SkippedLines {
    /// Errors in the place of reports.
    pub(super) errors: u64,
    /// Whether its end was being written when the writer was killed.
    pub(super) is_truncated: bool,
}

/// A report, as far as the page shows it.
#[derive(Debug, Deserialize)]
pub(super) struct StoredReport {
    schema: String,
    pub(super) arrival: Option<StoredArrival>,
    pub(super) image: Option<StoredImage>,
    #[serde(default)]
    pub(super) intended: Vec<StoredIntent>,
    pub(super) verdict: String,
    pub(super) ignored: Option<String>,
    #[serde(default)]
    pub(super) runtimes: Vec<StoredRuntime>,
    #[serde(default)]
    pub(super) exec: Vec<StoredStart>,
    #[serde(default)]
    settings: String,
}

impl StoredReport {
    /// What the same answer is known by, where the line says of which image it is: the beginning of a hash.
    pub(super) fn identity_key(&self) -> Option<[u8; 16]> {
        let StoredArrival { account, region, repository, digest, tag, .. } = self.arrival.as_ref()?;
        let (digest, tag) = (digest.as_deref()?, tag.as_deref()?);
        let parts = [account, region, repository, digest, tag, self.settings.as_str()];
        let hash = Sha256::digest(parts.join("\n"));
        hash.first_chunk().copied()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredArrival {
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
pub(super) struct StoredImage {
    pub(super) reference: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) platforms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredIntent {
    pub(super) runtime: String,
    pub(super) declared_by: String,
}

/// The answer for one intended runtime.
#[derive(Debug, Deserialize)]
pub(super) struct StoredRuntime {
    pub(super) runtime: String,
    pub(super) verdict: String,
    #[serde(default)]
    pub(super) unknown: Vec<String>,
    #[serde(default)]
    pub(super) faults: Vec<StoredFault>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoredFault {
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
pub(super) struct StoredStart {
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

/// Hands out the lines of a file one after another; blank ones are passed over, errors in the place of reports counted. A
/// last line that breaks off behind whole ones is no error: a run that goes on with the file cuts it off.
///
/// # Errors
/// Where the file, or one of its lines, cannot be read, and what `take` fails with.
pub(super) fn for_each_report(
    file: &Path,
    mut take: impl FnMut(StoredReport) -> Result<(), CliError>,
) -> Result<SkippedLines, CliError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| CliError::FileRead {
        path: file.display().to_string(),
        source,
    };
    let mut reader = BufReader::new(File::open(file).map_err(|error| unreadable(error.into()))?);
    let (mut bytes, mut rest, mut is_any) = (Vec::new(), SkippedLines::default(), false);
    for number in 1_u64.. {
        bytes.clear();
        let read = reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes);
        if read.map_err(|error| unreadable(error.into()))? == 0 {
            break;
        }
        let is_long = bytes.len() as u64 > MAX_LINE_BYTES;
        if bytes.trim_ascii().is_empty() && !is_long {
            continue;
        }
        match parse_line(&bytes, is_long) {
            Ok(Some(line)) => take(line)?,
            Ok(None) => rest.errors += 1,
            Err(LineError { is_truncated: true, .. }) if is_any && !bytes.ends_with(b"\n") => rest.is_truncated = true,
            Err(LineError { message: said, .. }) => return Err(unreadable(format!("line {number}: {said}").into())),
        }
        is_any = true;
    }
    Ok(rest)
}

/// Why a line is no report.
struct LineError {
    message: String,
    /// Whether it only breaks off.
    is_truncated: bool,
}

/// The report; none where the line is an error in its place.
fn parse_line(bytes: &[u8], is_long: bool) -> Result<Option<StoredReport>, LineError> {
    let unread = |said: String| LineError { message: said, is_truncated: false };
    if is_long {
        return Err(unread(format!("it is longer than {} MiB", MAX_LINE_BYTES >> 20)));
    }
    match serde_json::from_slice::<StoredReport>(bytes) {
        Ok(line) if line.schema == SCHEMA => Ok(Some(line)),
        Ok(line) if line.schema == ERROR_SCHEMA => Ok(None),
        Ok(_) => Err(unread(format!("its schema is not {SCHEMA}"))),
        Err(error) => match serde_json::from_slice::<SchemaOnly>(bytes) {
            Ok(face) if face.schema == ERROR_SCHEMA => Ok(None),
            _ => Err(LineError { is_truncated: error.is_eof(), message: error.to_string() }),
        },
    }
}
