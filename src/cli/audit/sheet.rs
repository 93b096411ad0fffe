//! The results as CSV, a row for each image and runtime.
//!
//! Does not let a spreadsheet take text for a formula.

use std::io::{self, Write};

use super::row::{Answer, Row};

const COLUMNS: [&str; 17] = [
    "image_verdict",
    "account",
    "region",
    "repository",
    "tag",
    "also_tagged",
    "digest",
    "pushed_at",
    "platforms",
    "runtime",
    "verdict",
    "faults",
    "evidence",
    "symptom",
    "remedy",
    "unknown",
    "ignored",
];

/// A sheet under construction.
pub(super) struct Sheet<W: Write>(csv::Writer<W>);

impl<W: Write> Sheet<W> {
    /// With the names of its columns.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    /// Adds an image.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn add(&mut self, row: &Row) -> io::Result<()> {
        if row.answers.is_empty() {
            return self.write(row, None);
        }
        row.answers.iter().try_for_each(|answer| self.write(row, Some(answer)))
    }

    /// Writes out what waits.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn write(&mut self, row: &Row, answer: Option<&Answer>) -> io::Result<()> {
        let faults = || answer.iter().flat_map(|answer| &answer.faults);
        let of_faults = |text: fn(&super::row::Fault) -> Vec<&str>| {
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
        self.0.write_record(cells.map(defused))?;
        Ok(())
    }
}

/// A text that a spreadsheet would reckon with, behind an apostrophe, which it takes for "this is text".
fn defused(text: String) -> String {
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
            assert_eq!(defused(text.to_owned()), shown);
        }
    }
}
