//! The reports of a results file, one after the other.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::cli::check::ERROR_SCHEMA;
use crate::cli::error::CliError;
use crate::cli::stored_report::{MAX_LINE_BYTES, StoredReport, StoredReportError, read_line};
use crate::text::error_chain;

/// What a file contains other than reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SkippedLines {
    /// Errors in place of reports.
    pub(super) errors: u64,
    /// Whether the last line is incomplete, because its writer was killed.
    pub(super) is_truncated: bool,
}

/// Calls `take` for each report of a file. Blank lines are skipped, errors in place of reports are counted. A truncated
/// last line after complete ones is not an error: an audit that resumes with the file removes it.
///
/// # Errors
/// The file or one of its lines cannot be read, or `take` fails.
pub(super) fn for_each_report(
    file: &Path,
    mut take: impl FnMut(StoredReport) -> Result<(), CliError>,
) -> Result<SkippedLines, CliError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| CliError::FileRead {
        path: file.display().to_string(),
        source,
    };
    let mut reader = BufReader::new(File::open(file).map_err(|error| unreadable(error.into()))?);
    let (mut skipped, mut is_first) = (SkippedLines::default(), true);
    for number in 1_u64.. {
        let line = read_line(&mut reader).map_err(|error| unreadable(error.into()))?;
        if line.is_empty() {
            break;
        }
        if line.trim_ascii().is_empty() && line.len() <= MAX_LINE_BYTES {
            continue;
        }
        match StoredReport::parse(&line) {
            Ok(report) => take(report)?,
            Err(StoredReportError::Json(_) | StoredReportError::Schema) if is_error(&line) => skipped.errors += 1,
            Err(StoredReportError::Json(error)) if error.is_eof() && !is_first && !line.ends_with(b"\n") => {
                skipped.is_truncated = true;
            }
            Err(error) => return Err(unreadable(format!("line {number}: {}", error_chain(&error)).into())),
        }
        is_first = false;
    }
    Ok(skipped)
}

/// Whether a line is an error of `check --format json` in place of a report.
fn is_error(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct SchemaOnly {
        schema: String,
    }
    serde_json::from_slice::<SchemaOnly>(line).is_ok_and(|line| line.schema == ERROR_SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::SCHEMA;

    #[test]
    fn overlong_line_is_not_a_truncated_one() {
        let good = format!("{{\"schema\":\"{SCHEMA}\",\"verdict\":\"runs\"}}\n");
        let long = format!("{{\"schema\":\"{SCHEMA}\",\"verdict\":\"{}", "x".repeat(MAX_LINE_BYTES));
        for (last, is_truncated) in [(&long[..100], true), (&long, false)] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("{good}{last}")).unwrap();
            match for_each_report(file.path(), |_| Ok(())) {
                Ok(skipped) => assert!(skipped.is_truncated && is_truncated),
                Err(error) => assert!(!is_truncated && error_chain(&error).contains("line 2: it is longer than 8 MiB")),
            }
        }
    }
}
