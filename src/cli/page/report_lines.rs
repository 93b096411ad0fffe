//! The reports of a results file, one after the other.

use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::cli::check::ERROR_SCHEMA;
use crate::cli::error::CliError;
use crate::cli::stored_report::{MAX_LINE_BYTES, StoredReport, StoredReportError, read_line};
use crate::registry::open_regular_file;
use crate::text::error_chain;

/// Calls `take` for each report of a file, and returns sentences about lines that are not reports: errors in place of
/// reports, and a truncated last line after complete ones, whose writer was killed; an audit that resumes with the file
/// removes it. Blank lines are skipped.
///
/// # Errors
/// The file or one of its lines cannot be read, or `take` fails.
pub(in crate::cli) fn for_each_report(
    file: &Path,
    mut take: impl FnMut(StoredReport) -> Result<(), CliError>,
) -> Result<Vec<String>, CliError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| CliError::FileRead {
        path: file.display().to_string(),
        source,
    };
    let mut reader = BufReader::new(open_regular_file(file).map_err(|error| unreadable(error.into()))?);
    let (mut errors, mut truncated, mut is_first) = (0_u64, None, true);
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
            Err(StoredReportError::Json(_) | StoredReportError::Schema) if is_error(&line) => errors += 1,
            Err(StoredReportError::Json(error)) if error.is_eof() && !is_first && !line.ends_with(b"\n") => {
                truncated = Some("The last line of the results is truncated, so its image is missing here.".to_owned());
            }
            Err(error) => return Err(unreadable(format!("line {number}: {}", error_chain(&error)).into())),
        }
        is_first = false;
    }
    let errors = match errors {
        0 => None,
        1 => Some("1 image has no result, only an error.".to_owned()),
        errors => Some(format!("{errors} images have no result, only an error.")),
    };
    Ok(errors.into_iter().chain(truncated).collect())
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
                Ok(notes) => assert!(notes.len() == 1 && notes[0].contains("truncated") && is_truncated),
                Err(error) => assert!(!is_truncated && error_chain(&error).contains("line 2: it is longer than 8 MiB")),
            }
        }
    }
}
