//! The results as CSV, a row for each image and runtime.

use std::io::{self, Write};

use crate::cli::stored_report::StoredReport;
use crate::cli::stored_runtime::{StoredFault, StoredRuntime};
use crate::text::escape_csv;

const COLUMNS: [&str; 19] = [
    "image_verdict", "account", "region", "repository", "tag", "also_tagged", "digest", "pushed_at", "platforms",
    "runtime", "verdict", "faults", "evidence", "symptom", "remedy", "unknown", "not_verified", "ignored", "owner",
];

/// Writes rows. No cell is a formula to a spreadsheet.
pub(in crate::cli) struct CsvExport<W: Write>(::csv::Writer<W>);

impl<W: Write> CsvExport<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn new(out: W) -> io::Result<Self> {
        let mut csv = ::csv::Writer::from_writer(out);
        csv.write_record(COLUMNS)?;
        Ok(Self(csv))
    }

    /// Writes a row for each runtime, or one without a runtime.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn add(&mut self, report: &StoredReport) -> io::Result<()> {
        if report.runtimes.is_empty() {
            self.0.write_record(format_row(report, None))?;
        }
        for runtime in &report.runtimes {
            self.0.write_record(format_row(report, Some(runtime)))?;
        }
        Ok(())
    }

    /// Writes what is left. Without it, rows may be missing.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(in crate::cli) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
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
