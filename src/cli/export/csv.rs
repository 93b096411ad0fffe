//! The results as CSV, a row for each image and runtime.

use std::io::{self, Write};

use crate::cli::stored_report::StoredReport;
use crate::cli::stored_runtime::{StoredFault, StoredRuntime};
use crate::text::escape_csv;

const COLUMNS: [&str; 19] = [
    "image_verdict", "account", "region", "repository", "tag", "also_tagged", "digest", "pushed_at", "platforms",
    "runtime", "verdict", "faults", "evidence", "symptom", "remedy", "unknown", "not_verified", "ignored", "owner",
];

/// The last column, if consumers were read.
const USE_COLUMN: &str = "in_use_by";

/// What that column contains if no consumer was found, but one may exist.
const UNKNOWN_USE: &str = "unknown";

/// Writes rows. No cell is a formula to a spreadsheet.
pub(in crate::cli) struct CsvExport<W: Write> {
    writer: ::csv::Writer<W>,
    has_consumers: bool,
}

impl<W: Write> CsvExport<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn new(out: W, has_consumers: bool) -> io::Result<Self> {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(COLUMNS.into_iter().chain(has_consumers.then_some(USE_COLUMN)))?;
        Ok(Self { writer, has_consumers })
    }

    /// Writes a row for each runtime, or one without a runtime.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn add(&mut self, report: &StoredReport) -> io::Result<()> {
        if report.runtimes.is_empty() {
            self.write_row(report, None)?;
        }
        report.runtimes.iter().try_for_each(|runtime| self.write_row(report, Some(runtime)))
    }

    fn write_row(&mut self, report: &StoredReport, runtime: Option<&StoredRuntime>) -> io::Result<()> {
        let in_use = report.in_use.as_ref().map(|in_use| in_use.join_names(" ", UNKNOWN_USE));
        let in_use = self.has_consumers.then(|| escape_csv(in_use.as_deref().unwrap_or(UNKNOWN_USE)));
        self.writer.write_record(format_row(report, runtime).into_iter().chain(in_use))?;
        Ok(())
    }

    /// Writes what is left. Without it, rows may be missing.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn format_row(report: &StoredReport, runtime: Option<&StoredRuntime>) -> [String; COLUMNS.len()] {
    let join_faults = |texts: fn(&StoredFault) -> Vec<&str>, separator| {
        let faults = runtime.iter().flat_map(|runtime| &runtime.faults);
        let mut texts: Vec<&str> = faults.flat_map(texts).collect();
        texts.dedup();
        texts.join(separator)
    };
    let [account, region, repository, digest, tag] = report.identity().map(str::to_owned);
    let cells = [
        report.verdict().as_str().to_owned(),
        account,
        region,
        repository,
        tag,
        report.arrival.also_tagged.join(" "),
        digest,
        report.arrival.pushed_at.clone(),
        report.image.platforms.join(" "),
        runtime.map(|runtime| runtime.runtime.clone()).unwrap_or_default(),
        runtime.map(|runtime| runtime.verdict().as_str().to_owned()).unwrap_or_default(),
        join_faults(|fault| vec![&fault.code], " "),
        join_faults(|fault| vec![&fault.evidence], "; "),
        join_faults(|fault| fault.symptom.as_deref().into_iter().collect(), "; "),
        join_faults(|fault| fault.remedy.iter().map(String::as_str).collect(), "; "),
        runtime.map(|runtime| runtime.unknown.join("; ")).unwrap_or_default(),
        runtime.and_then(|runtime| runtime.not_verified.clone()).unwrap_or_default(),
        report.ignored.clone().unwrap_or_default(),
        report.owner.clone(),
    ];
    cells.map(|cell| escape_csv(&cell))
}
