//! The file of results: one report a line, written as it comes, and read again by the run that goes on with it.
//!
//! Does not keep lines in memory, nor write over a file that is not its own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::row::{BEGINNING, Row, RowError};
use super::tally::Tally;
use crate::report::Report;

/// The longest line, in bytes. A report of an index with hundreds of faults takes some hundred kilobytes.
const MAX_LINE: u64 = 8 * 1024 * 1024;

/// Why a file cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ResultsError {
    #[error("{path} cannot be used")]
    File { path: String, source: io::Error },
    #[error("{path} is not a file of results: line {line} is none")]
    Foreign { path: String, line: u64, source: RowError },
    #[error("{path} is not a file of results: its end is no beginning of one")]
    ForeignEnd { path: String },
    #[error("{path} was begun with other settings: {}, now {}", words(.had), words(.has))]
    Settings { path: String, had: String, has: String },
    #[error("another audit is writing to {path}")]
    Busy { path: String },
}

fn words(settings: &str) -> String {
    if settings.is_empty() { "the defaults".to_owned() } else { format!("`{}`", crate::reference::quoted(settings)) }
}

/// The lines so far.
#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    /// Whether it goes with this run.
    is_temporary: bool,
    file: File,
    reader: BufReader<File>,
    length: u64,
    settings: String,
    pub(super) tally: Tally,
}

/// A line, as it is written: the report, and the settings where they are not the defaults.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "str::is_empty")]
    settings: &'a str,
}

impl Results {
    /// Opens a file, makes it where it is not there, and reads what it holds; what follows its last whole line was being
    /// written when a run was killed, and is cut off. `is_fresh` empties it.
    ///
    /// # Errors
    /// Where it holds anything else than results of these settings, or another run has it open. Then it is left alone.
    pub(super) fn open(path: &Path, is_fresh: bool, settings: String) -> Result<Self, ResultsError> {
        let shown = || path.display().to_string();
        let unusable = |source| ResultsError::File { path: shown(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Busy { path: shown() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let reader = BufReader::new(File::open(path).map_err(unusable)?);
        let tally = Tally::default();
        let mut results = Self { path: path.to_owned(), is_temporary: false, file, reader, length: 0, settings, tally };
        results.read_all(is_fresh)?;
        results.file.set_len(results.length).map_err(unusable)?;
        Ok(results)
    }

    /// A file that goes with this run.
    ///
    /// # Errors
    /// Where there is no place for it.
    pub(super) fn temporary(settings: String) -> Result<Self, ResultsError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = std::env::temp_dir().join(format!("ecr-preflight-audit-{}-{now}.jsonl", std::process::id()));
        let unusable = |source| ResultsError::File { path: path.display().to_string(), source };
        // Nobody else's file, nor one that somebody laid there to be written through.
        drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unusable)?);
        let mut results = Self::open(&path, false, settings)?;
        results.is_temporary = true;
        Ok(results)
    }

    /// Where it is, for as long as this run lasts.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it stays, if it does.
    pub(super) fn kept(&self) -> Option<&Path> {
        (!self.is_temporary).then_some(self.path.as_path())
    }

    /// Writes a report down, in one piece: whoever is killed leaves at most one torn line.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn append(&mut self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { report, settings: &self.settings })?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let row = Row::read(line).map_err(io::Error::other)?;
        self.file.write_all(line)?;
        self.tally.add(&row, self.length);
        self.length += line.len() as u64;
        Ok(())
    }

    /// Writes a report down that another process of this program made: the members of its JSON.
    ///
    /// # Errors
    /// Where it cannot be written, or is no report.
    pub(super) fn append_members(&mut self, mut report: Map<String, Value>) -> io::Result<()> {
        // Every line begins with it, whatever order another writer has.
        let schema = report.remove("schema").unwrap_or_default();
        if !self.settings.is_empty() {
            report.insert("settings".to_owned(), self.settings.as_str().into());
        }
        let rest = serde_json::to_string(&report)?;
        self.write(format!("{{\"schema\":{schema},{}\n", &rest[1..]).as_bytes())
    }

    /// The line that stands there, as it is written.
    ///
    /// # Errors
    /// Where it cannot be read any more.
    pub(super) fn line(&mut self, at: u64) -> io::Result<Vec<u8>> {
        self.reader.seek(SeekFrom::Start(at))?;
        self.next_line()
    }

    /// What it says.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn row(&mut self, at: u64) -> io::Result<Row> {
        Row::read(&self.line(at)?).map_err(io::Error::other)
    }

    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    fn read_all(&mut self, is_fresh: bool) -> Result<(), ResultsError> {
        let path = self.path.display().to_string();
        for number in 1.. {
            let line = self.next_line().map_err(|source| ResultsError::File { path: path.clone(), source })?;
            let is_whole = line.ends_with(b"\n");
            if line.is_empty() {
                break;
            }
            let begins = line.len().min(BEGINNING.len());
            if !is_whole && line[..begins] != BEGINNING[..begins] {
                return Err(ResultsError::ForeignEnd { path });
            }
            if !is_whole {
                break;
            }
            let row = Row::read(&line).map_err(|source| ResultsError::Foreign {
                path: path.clone(),
                line: number,
                source,
            })?;
            if is_fresh {
                break;
            }
            if row.settings != self.settings {
                return Err(ResultsError::Settings { path, had: row.settings, has: self.settings.clone() });
            }
            self.tally.add(&row, self.length);
            self.length += line.len() as u64;
        }
        Ok(())
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        if self.is_temporary {
            // What cannot be removed is in the directory that is emptied by the system.
            let _ = fs::remove_file(&self.path);
        }
    }
}
