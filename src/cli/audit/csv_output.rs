//! The results as CSV, a row for each image and runtime.
//!
//! Does not let a spreadsheet take text for a formula.

use std::io::{self, Write};

use super::row::{StoredReport, StoredRuntime};

const COLUMNS: [&str; 17] = [
    "image_verdict", "account", "region", "repository", "tag", "also_tagged", "digest", "pushed_at", "platforms",
    "runtime", "verdict", "faults", "evidence", "symptom", "remedy", "unknown", "ignored",
];

/// A sheet under construction.
pub(super) struct CsvOutput<W: Write>(csv::Writer<W>);

impl<W: Write> CsvOutput<W> {
    /// With the names of its columns.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn with_header(out: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    /// Adds an image.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn write_image(&mut self, row: &StoredReport) -> io::Result<()> {
        if row.runtimes.is_empty() {
            return self.write_record(row, None);
        }
        row.runtimes.iter().try_for_each(|answer| self.write_record(row, Some(answer)))
    }

    /// Writes out what waits.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn write_record(&mut self, row: &StoredReport, answer: Option<&StoredRuntime>) -> io::Result<()> {
        let faults = || answer.iter().flat_map(|answer| &answer.faults);
        let of_faults = |text: fn(&super::row::StoredFault) -> Vec<&str>| {
            let mut texts: Vec<&str> = faults().flat_map(text).collect();
            texts.dedup();
            texts.join("; ")
        };
        let cells = [
            row.verdict.as_str().to_owned(),
            row.account.clone(),
            row.region.clone(),
            row.repository.clone(),
            row.tag.clone(),
            row.also_tagged.join(" "),
            row.digest.clone(),
            row.pushed_at.clone().unwrap_or_default(),
            row.platforms.join(" "),
            answer.map(|answer| answer.runtime.clone()).unwrap_or_default(),
            answer.map(|answer| answer.verdict.as_str().to_owned()).unwrap_or_default(),
            of_faults(|fault| vec![&fault.code]).replace("; ", " "),
            of_faults(|fault| vec![&fault.evidence]),
            of_faults(|fault| fault.symptom.as_deref().into_iter().collect()),
            of_faults(|fault| fault.remedy.iter().map(String::as_str).collect()),
            answer.map(|answer| answer.unknown.join("; ")).unwrap_or_default(),
            row.ignored.clone().unwrap_or_default(),
        ];
        self.0.write_record(cells.map(escape_formula))?;
        Ok(())
    }
}

/// A text that a spreadsheet would reckon with, behind an apostrophe, which it takes for "this is text".
fn escape_formula(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_reckon_with_is_text() {
        for (text, shown) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("team/app", "team/app"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(text.to_owned()), shown);
        }
    }
}
