//! The results file: one report a line, written as results arrive, and read again by the run that resumes with it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};
use tempfile::TempPath;

use super::error::ResultsError;
use super::finding_filter::FindingFilter;
use super::region_consumers::RegionConsumers;
use super::result_line;
use super::results_index::ResultsIndex;
use crate::cli::stored_report::{self, StoredReport, StoredReportError};
use crate::report::Report;

/// A results file, and the index of its reports.
#[derive(Debug)]
pub(super) struct ResultsFile {
    /// The path during this run.
    pub(super) path: PathBuf,
    /// Removes the file at the end, if it is temporary.
    temporary: Option<TempPath>,
    /// Whether this run has created the file and not written to it yet.
    is_new: bool,
    /// What to do before the first line is written, and not earlier: there may never be another one.
    pending_repair: Option<PendingRepair>,
    file: File,
    reader: BufReader<File>,
    length: u64,
    /// The settings of all lines, as words; empty if they are the defaults.
    pub(super) settings: String,
    pub(super) index: ResultsIndex,
    /// Which findings count.
    pub(super) filter: FindingFilter,
    /// Who runs images, if this run has read that.
    pub(super) consumers: Option<Rc<RegionConsumers>>,
}

#[derive(Debug, Clone, Copy)]
enum PendingRepair {
    /// Remove what follows the valid lines: a truncated line, or everything.
    Truncate,
    /// End the last line.
    AppendNewline,
}

impl ResultsFile {
    /// Opens a file, or creates it, and reads its reports, unless `is_fresh`. The file does not change before the first line
    /// is written. Then a truncated last line, left by a run that was killed, is removed, or everything if `is_fresh`.
    ///
    /// # Errors
    /// The file contains anything else than results with these settings, or another run has it open. It is not changed.
    pub(super) fn open(
        path: &Path,
        is_fresh: bool,
        settings: String,
        filter: FindingFilter,
    ) -> Result<Self, ResultsError> {
        let shown = || path.display().to_string();
        let unusable = |source| ResultsError::Open { path: shown(), source };
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
            return Err(ResultsError::NotRegularFile { path: shown() });
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Locked { path: shown() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let mut results = Self {
            path: path.to_owned(),
            temporary: None,
            is_new: existing.is_none(),
            pending_repair: None,
            file,
            reader: BufReader::new(File::open(path).map_err(unusable)?),
            length: 0,
            settings,
            index: ResultsIndex::default(),
            filter,
            consumers: None,
        };
        results.load(is_fresh)?;
        Ok(results)
    }

    /// Creates a file that only its owner can read, and that is removed at the end of this run.
    ///
    /// # Errors
    /// It cannot be created in the directory for temporary files.
    pub(super) fn create_temporary(settings: String, filter: FindingFilter) -> Result<Self, ResultsError> {
        let created = tempfile::Builder::new().prefix("ecr-preflight-audit-").suffix(".jsonl").tempfile();
        let path = created
            .map_err(|source| ResultsError::Open { path: std::env::temp_dir().display().to_string(), source })?
            .into_temp_path();
        let mut results = Self::open(&path, false, settings, filter)?;
        results.temporary = Some(path);
        Ok(results)
    }

    /// The path, unless the file is temporary.
    pub(super) fn permanent_path(&self) -> Option<&Path> {
        self.temporary.is_none().then_some(self.path.as_path())
    }

    /// Appends a report with one write, so that a run that is killed leaves at most one truncated line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn append(&mut self, report: &Report) -> io::Result<()> {
        self.write_line(&result_line::format_report(report, &self.settings)?)
    }

    /// Appends a report that the function made: the members of its JSON.
    ///
    /// # Errors
    /// It cannot be written, or is not a report of an audit.
    pub(super) fn append_json(&mut self, report: Map<String, Value>) -> io::Result<()> {
        self.write_line(&result_line::format_members(report, &self.settings)?)
    }

    /// Writes a line, unless there is one of the same image and tag.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let mut report = StoredReport::parse_audited(line).map_err(io::Error::other)?;
        self.filter.mark(&mut report);
        if self.index.contains(report.identity()) {
            return Ok(());
        }
        self.prepare_for_append()?;
        self.file.write_all(line).map_err(|source| self.write_error(source))?;
        self.index.add(&report, self.length);
        self.length += line.len() as u64;
        Ok(())
    }

    /// Leaves only complete, valid lines in the file. Also called at the end of a run that has written no line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn prepare_for_append(&mut self) -> io::Result<()> {
        match self.pending_repair {
            None => {}
            Some(PendingRepair::Truncate) => {
                self.file.set_len(self.length).map_err(|source| self.write_error(source))?;
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

    /// Reads the line at an offset, with its line break.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read_line(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.reader.seek(SeekFrom::Start(offset))?;
        stored_report::read_line(&mut self.reader)
    }

    /// Reads the report at an offset, marks the findings that do not count, and adds who runs the image.
    ///
    /// # Errors
    /// The file cannot be read, or was changed by another program.
    pub(super) fn read_report(&mut self, offset: u64) -> io::Result<StoredReport> {
        let mut report = StoredReport::parse_audited(&self.read_line(offset)?).map_err(io::Error::other)?;
        self.complete(&mut report);
        Ok(report)
    }

    /// Adds what the file does not keep: which findings do not count, and who runs the image.
    pub(super) fn complete(&mut self, report: &mut StoredReport) {
        self.filter.mark(report);
        // The file may be the output of another run, whose consumers are not those of now.
        report.in_use = self.consumers.as_ref().map(|consumers| consumers.find_use(report));
    }

    /// Reads the line at an offset, with its line break, and adds the waivers of the configuration file and who runs the
    /// image.
    ///
    /// # Errors
    /// The file cannot be read, or was changed by another program.
    pub(super) fn read_completed_line(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let line = self.read_line(offset)?;
        let mut report = StoredReport::parse_audited(&line).map_err(io::Error::other)?;
        let had_use = report.in_use.is_some();
        self.complete(&mut report);
        if report.in_use.is_none() && !had_use && report.faults().all(|fault| fault.waived.is_none()) {
            return Ok(line);
        }
        let mut members: Map<String, Value> = serde_json::from_slice(&line)?;
        for (number, runtime) in report.runtimes.iter().enumerate() {
            for (at, fault) in runtime.faults.iter().enumerate().filter(|(_, fault)| fault.waived.is_some()) {
                members["runtimes"][number]["faults"][at]["waived"] = serde_json::to_value(&fault.waived)?;
            }
        }
        match &report.in_use {
            Some(in_use) => members.insert("inUse".to_owned(), serde_json::to_value(in_use)?),
            None => members.remove("inUse"),
        };
        result_line::format_members(members, "")
    }

    fn load(&mut self, is_fresh: bool) -> Result<(), ResultsError> {
        let path = self.path.display().to_string();
        for number in 1.. {
            let line = stored_report::read_line(&mut self.reader)
                .map_err(|source| ResultsError::Open { path: path.clone(), source })?;
            if line.is_empty() {
                break;
            }
            let is_ended = line.ends_with(b"\n");
            let mut report = match StoredReport::parse_audited(&line) {
                Ok(report) => report,
                Err(source @ StoredReportError::TooLong) => {
                    return Err(ResultsError::InvalidLine { path, line: number, source });
                }
                Err(_) if !is_ended && result_line::is_truncated(&line, number == 1) => {
                    self.pending_repair = Some(PendingRepair::Truncate);
                    break;
                }
                Err(_) if !is_ended => return Err(ResultsError::InvalidLastLine { path }),
                Err(source) => return Err(ResultsError::InvalidLine { path, line: number, source }),
            };
            if is_fresh {
                self.pending_repair = Some(PendingRepair::Truncate);
                break;
            }
            if report.settings != self.settings {
                let current = self.settings.clone();
                return Err(ResultsError::SettingsMismatch { path, stored: report.settings, current });
            }
            self.filter.mark(&mut report);
            self.index.add(&report, self.length);
            self.length += line.len() as u64;
            if !is_ended {
                self.pending_repair = Some(PendingRepair::AppendNewline);
            }
        }
        Ok(())
    }
}

impl Drop for ResultsFile {
    fn drop(&mut self) {
        if self.is_new {
            // Without a result there is no file; an empty one that cannot be removed does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::StyledOutput;
    use crate::date::Date;
    use crate::waiver::WaiverList;

    fn filter() -> FindingFilter {
        let waivers = WaiverList { waivers: Vec::new(), today: Date::from_unix_seconds(0) };
        FindingFilter::new(waivers, None, &mut StyledOutput::plain(io::sink())).unwrap()
    }

    #[test]
    fn overlong_line_is_an_error_and_the_file_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.jsonl");
        let line = |tag: &str, padding: usize| {
            let padding = "x".repeat(padding);
            format!(
                "{{\"schema\":\"ecr-preflight/1\",\"arrival\":{{\"account\":\"123456789012\",\"region\":\"us-west-2\",\
                 \"repository\":\"app\",\"digest\":\"sha256:0\",\"tag\":\"{tag}\"}},\"verdict\":\"runs\",\"x\":\"{padding}\"}}\n"
            )
        };
        let overlong = line("v2", 9 << 20);
        for (text, number) in [
            (format!("{}{overlong}{}", line("v1", 0), line("v3", 0)), 2),
            (format!("{}{}", line("v1", 0), overlong.trim_end()), 2),
            (overlong.clone(), 1),
        ] {
            for is_fresh in [false, number == 1] {
                fs::write(&path, &text).unwrap();
                let error = ResultsFile::open(&path, is_fresh, String::new(), filter()).unwrap_err();
                let expected = matches!(error, ResultsError::InvalidLine { line, source: StoredReportError::TooLong, .. } if line == number);
                assert!(expected, "{error:?}");
                assert!(fs::read_to_string(&path).unwrap() == text, "the file is not changed");
            }
        }
        fs::write(&path, format!("{}{}", line("v1", 0), &line("v2", 0)[..60])).unwrap();
        let mut results = ResultsFile::open(&path, false, String::new(), filter()).unwrap();
        results.prepare_for_append().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line("v1", 0), "a truncated last line is removed");
    }
}
