//! The file of results: one report a line, written as it comes, and read again by the run that goes on with it.
//!
//! Does not keep lines in memory, nor write over a file that is not its own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::results_index::ResultsIndex;
use super::row::{FIRST_LINE_PREFIX, LINE_PREFIX, StoredReport, StoredReportError};
use crate::cli::page::MAX_LINE_BYTES;
use crate::report::Report;

/// Why a file cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ResultsError {
    #[error("{path} cannot be used")]
    Open { path: String, source: io::Error },
    #[error("{path} is not a file of results: line {line} is none")]
    InvalidLine { path: String, line: u64, source: StoredReportError },
    #[error("{path} is not a file of results: its end is no beginning of one")]
    InvalidLastLine { path: String },
    #[error("{path} was begun with other settings: {}, now {}", settings_or_defaults(.had), settings_or_defaults(.has))]
    SettingsMismatch { path: String, had: String, has: String },
    #[error("another audit is writing to {path}")]
    Locked { path: String },
    #[error("{path} is no regular file: what is written there cannot be read again")]
    NotRegularFile { path: String },
    #[error("{path} cannot be written")]
    Write { path: String, source: io::Error },
}

fn settings_or_defaults(settings: &str) -> String {
    if settings.is_empty() {
        "the defaults".to_owned()
    } else {
        format!("`{}`", crate::text::sanitize_quoted(settings))
    }
}

/// The lines so far.
#[derive(Debug)]
pub(super) struct ResultsFile {
    path: PathBuf,
    /// Whether it goes with this run.
    is_temporary: bool,
    /// Whether nothing was there before, and nothing is yet.
    is_new: bool,
    /// What is to be done before the first line is written, and not earlier: it may be all that there will ever be.
    pending_repair: Option<PendingRepair>,
    file: File,
    reader: BufReader<File>,
    length: u64,
    settings: String,
    pub(super) index: ResultsIndex,
}

/// What is to be done with what the file holds.
#[derive(Debug, Clone, Copy)]
enum PendingRepair {
    /// What follows the lines that count is cut off: a torn end, or all of it.
    Truncate,
    /// The last line is ended.
    AppendNewline,
}

/// A line, as it is written: the report, and the settings where they are not the defaults.
#[derive(Debug, Serialize)]
struct ResultLine<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "str::is_empty")]
    settings: &'a str,
}

impl ResultsFile {
    /// Opens a file, makes it where it is not there, and reads what it holds. `is_fresh` passes it over. It stays as it is
    /// until the first line is written: what follows its last whole line, which was being written when a run was killed, is
    /// cut off then, or all of it where it is begun anew.
    ///
    /// # Errors
    /// Where it holds anything else than results of these settings, or another run has it open. Then it is left alone.
    pub(super) fn open(path: &Path, is_fresh: bool, settings: String) -> Result<Self, ResultsError> {
        let shown = || path.display().to_string();
        let unusable = |source| ResultsError::Open { path: shown(), source };
        let there = fs::metadata(path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(ResultsError::NotRegularFile { path: shown() });
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Locked { path: shown() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let reader = BufReader::new(File::open(path).map_err(unusable)?);
        let tally = ResultsIndex::default();
        let (path, is_new) = (path.to_owned(), there.is_none());
        let (is_temporary, first, length) = (false, None, 0);
        let mut results =
            Self { path, is_temporary, is_new, pending_repair: first, file, reader, length, settings, index: tally };
        results.load(is_fresh)?;
        Ok(results)
    }

    /// A file that goes with this run.
    ///
    /// # Errors
    /// Where there is no place for it.
    pub(super) fn create_temporary(settings: String) -> Result<Self, ResultsError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = std::env::temp_dir().join(format!("ecr-preflight-audit-{}-{now}.jsonl", std::process::id()));
        let unusable = |source| ResultsError::Open { path: path.display().to_string(), source };
        // Nobody else's file, nor one that somebody laid there to be written through.
        drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unusable)?);
        let mut results = Self::open(&path, false, settings)?;
        results.is_temporary = true;
        Ok(results)
    }

    /// The settings of all its lines, as words; none where they are the defaults.
    pub(super) fn settings(&self) -> &str {
        &self.settings
    }

    /// Where it is, for as long as this run lasts.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it stays, if it does.
    pub(super) fn permanent_path(&self) -> Option<&Path> {
        (!self.is_temporary).then_some(self.path.as_path())
    }

    /// Writes a report down, in one piece: whoever is killed leaves at most one torn line.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn append(&mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(&ResultLine { report, settings: &self.settings })?;
        line.push(b'\n');
        self.write_line(&line)
    }

    /// Not a second time, where there is a line of the same image and tag.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let row = StoredReport::parse(line).map_err(io::Error::other)?;
        if self.index.contains_row(&row) {
            return Ok(());
        }
        self.prepare_for_append()?;
        self.file.write_all(line).map_err(|source| self.write_error(source))?;
        self.index.add(&row, self.length);
        self.length += line.len() as u64;
        Ok(())
    }

    /// Brings the file into the state in which lines are added to it: nothing but whole lines that count. At the end too,
    /// where there was none to add.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn prepare_for_append(&mut self) -> io::Result<()> {
        match self.pending_repair {
            None => {}
            Some(PendingRepair::Truncate) => {
                self.file.set_len(self.length).map_err(|source| self.write_error(source))?
            }
            Some(PendingRepair::AppendNewline) => {
                self.file.write_all(b"\n").map_err(|source| self.write_error(source))?;
                self.length += 1;
            }
        }
        (self.pending_repair, self.is_new) = (None, false);
        Ok(())
    }

    fn write_error(&self, source: io::Error) -> io::Error {
        io::Error::other(ResultsError::Write { path: self.path.display().to_string(), source })
    }

    /// Writes a report down that another process of this program made: the members of its JSON.
    ///
    /// # Errors
    /// Where it cannot be written, or is no report.
    pub(super) fn append_json(&mut self, mut report: Map<String, Value>) -> io::Result<()> {
        // Every line begins with it, whatever order another writer has.
        let schema = report.remove("schema").unwrap_or_default();
        if !self.settings.is_empty() {
            report.insert("settings".to_owned(), self.settings.as_str().into());
        }
        let rest = serde_json::to_string(&report)?;
        self.write_line(format!("{{\"schema\":{schema},{}\n", &rest[1..]).as_bytes())
    }

    /// The line that stands there, as it is written.
    ///
    /// # Errors
    /// Where it cannot be read any more.
    pub(super) fn read_line(&mut self, at: u64) -> io::Result<Vec<u8>> {
        self.reader.seek(SeekFrom::Start(at))?;
        self.read_next_line()
    }

    /// What it says.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn read_row(&mut self, at: u64) -> io::Result<StoredReport> {
        StoredReport::parse(&self.read_line(at)?).map_err(io::Error::other)
    }

    fn read_next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    fn load(&mut self, is_fresh: bool) -> Result<(), ResultsError> {
        let path = self.path.display().to_string();
        for number in 1.. {
            let line = self.read_next_line().map_err(|source| ResultsError::Open { path: path.clone(), source })?;
            if line.is_empty() {
                break;
            }
            let row = match StoredReport::parse(&line) {
                Ok(row) => row,
                Err(_) if is_truncated(&line, number == 1) => {
                    self.pending_repair = Some(PendingRepair::Truncate);
                    break;
                }
                Err(_) if !line.ends_with(b"\n") => return Err(ResultsError::InvalidLastLine { path }),
                Err(source) => return Err(ResultsError::InvalidLine { path, line: number, source }),
            };
            if is_fresh {
                self.pending_repair = Some(PendingRepair::Truncate);
                break;
            }
            if row.settings != self.settings {
                return Err(ResultsError::SettingsMismatch { path, had: row.settings, has: self.settings.clone() });
            }
            self.index.add(&row, self.length);
            self.length += line.len() as u64;
            if !line.ends_with(b"\n") {
                self.pending_repair = Some(PendingRepair::AppendNewline);
            }
        }
        Ok(())
    }
}

/// Whether a line that is no row is the beginning of one, after which the writer was killed. What is JSON to its end was
/// written by somebody else; and of a first line so much must stand there that it cannot be anything else.
fn is_truncated(line: &[u8], is_first: bool) -> bool {
    let is_cut = !line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_err();
    let begins = line.len().min(LINE_PREFIX.len());
    is_cut && if is_first { line.starts_with(FIRST_LINE_PREFIX) } else { line[..begins] == LINE_PREFIX[..begins] }
}

impl Drop for ResultsFile {
    fn drop(&mut self) {
        if self.is_temporary || self.is_new {
            // What cannot be removed is in the directory that is emptied by the system.
            let _ = fs::remove_file(&self.path);
        }
    }
}
