//! Prints results in the order of the arguments: at once if the format allows it, else at the end.

use std::io::{self, Write};

use serde::Serialize;

use super::checker::{CheckRecord, CheckResult, CheckedImage};
use super::format_argument::{CheckFormat, FormatArgument};
use super::gate::GateArguments;
use super::{junit, sarif};
use crate::cli::config::Configuration;
use crate::cli::context::ExitStatus;
use crate::cli::error::CliError;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::output_file::write_atomically;
use crate::cli::terminal::StyledOutput;
use crate::report::{self, StyledLine};
use crate::text::{escape_json_commands, escape_xml_commands};
use crate::verdict::Verdict;

/// What all formats need to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckDocument<'a> {
    pub(super) gate: GateArguments,
    /// The file that a SARIF log shows findings at.
    pub(super) dockerfile: &'a str,
    /// Whether the command line names one image only.
    pub(super) is_only: bool,
}

/// Prints results, and keeps them for the summary or the document at the end.
pub(super) struct CheckPrinter<'a, O, E> {
    /// The format of standard output; `None` if nothing is printed there.
    pub(super) format: Option<CheckFormat>,
    pub(super) document: CheckDocument<'a>,
    pub(super) configuration: &'a Configuration,
    pub(super) out: &'a mut StyledOutput<O>,
    pub(super) err: &'a mut StyledOutput<E>,
    pub(super) records: Vec<CheckRecord<'a>>,
}

impl<'a, O: Write, E: Write> CheckPrinter<'a, O, E> {
    /// Adds the next record, and prints it if the format prints images one by one.
    pub(super) fn add(&mut self, record: CheckRecord<'a>) -> Result<(), CliError> {
        if let Some(format) = self.format {
            self.document.write_record(format, &record, self.out)?;
        }
        // Both outputs may be the same terminal, so this one is flushed first.
        self.out.flush()?;
        let is_only = self.document.is_only;
        let reference = (!is_only).then_some(record.reference);
        match &record.outcome {
            Err(failure) => {
                // If standard error is closed, the exit code still reports the error.
                let _ = self.err.write_error(reference, &failure.error, failure.hint.as_deref());
                if !is_only && self.format == Some(CheckFormat::Text) {
                    let _ = writeln!(self.err);
                }
            }
            Ok(CheckedImage { bytes_read, elapsed, .. }) if self.err.is_verbose() => {
                let prefix = reference.map(|reference| format!("{reference}: ")).unwrap_or_default();
                writeln!(self.err, "{prefix}read {bytes_read} bytes in {:.2} s", elapsed.as_secs_f64())?;
            }
            Ok(_) => {}
        }
        self.records.push(record);
        Ok(())
    }

    /// Prints the summary or the document of all images, writes the files, and returns the status to report.
    pub(super) fn finish(self, files: &[FormatArgument]) -> Result<ExitStatus, CliError> {
        if let Some(format) = self.format {
            self.document.write_end(format, &self.records, self.out)?;
        }
        for FormatArgument { format, file } in files {
            let Some(file) = file else { continue };
            write_atomically(file, |out| {
                let mut out = StyledOutput::plain(out);
                for record in &self.records {
                    self.document.write_record(*format, record, &mut out)?;
                }
                self.document.write_end(*format, &self.records, &mut out)
            })?;
        }
        let is_report = |checked: &CheckedImage| matches!(checked.result, CheckResult::Report(_));
        if self.err.is_verbose() && self.records.iter().any(|record| record.outcome.as_ref().is_ok_and(is_report)) {
            let checked = self.records.iter().filter_map(|record| record.outcome.as_ref().ok());
            let used: Vec<usize> = checked.flat_map(|checked| &checked.used_waivers).copied().collect();
            for sentence in self.configuration.describe_unused(&used) {
                writeln!(self.err, "{sentence}")?;
            }
        }
        let worst = self.records.iter().map(|record| record.exit_status(self.document.gate)).max();
        // A task definition may have only containers that are not checked.
        Ok(worst.unwrap_or(ExitStatus::Success))
    }
}

impl CheckDocument<'_> {
    /// Writes a record, if the format prints images one by one.
    fn write_record<W: Write>(
        &self,
        format: CheckFormat,
        record: &CheckRecord<'_>,
        out: &mut StyledOutput<W>,
    ) -> Result<(), CliError> {
        let is_only = self.is_only;
        match (&record.outcome, format) {
            // As with linters, the quiet report has only what the exit code is about. Files are complete.
            (Ok(CheckedImage { result: CheckResult::Report(_), .. }), CheckFormat::Text)
                if out.is_quiet() && record.exit_status(self.gate) == ExitStatus::Success => {}
            (Ok(checked), CheckFormat::Text) => {
                out.write_lines(&match &checked.result {
                    CheckResult::Report(report) => report::format_lines(report),
                    CheckResult::Platforms(platforms) => platforms.lines(),
                })?;
                if !is_only {
                    writeln!(out)?;
                }
            }
            (Ok(checked), CheckFormat::Json) => writeln!(out, "{}", to_json(&checked.result, is_only)?)?,
            // The error of a single image goes to standard error only.
            (Err(failure), CheckFormat::Json) if !is_only => {
                let (reference, error, hint) =
                    (record.reference, describe_error_in_line(&failure.error), failure.hint.as_deref());
                let json = CheckErrorJson { schema: ERROR_SCHEMA, reference, verdict: Verdict::Unknown, error, hint };
                writeln!(out, "{}", to_json(&json, false)?)?;
            }
            (Err(_), CheckFormat::Text | CheckFormat::Json) | (_, CheckFormat::Sarif | CheckFormat::Junit) => {}
        }
        Ok(())
    }

    /// Writes the summary, or the document of all images.
    fn write_end<W: Write>(
        &self,
        format: CheckFormat,
        records: &[CheckRecord<'_>],
        out: &mut StyledOutput<W>,
    ) -> Result<(), CliError> {
        match format {
            CheckFormat::Text if records.len() > 1 && !out.is_quiet() => {
                out.write_lines(&[StyledLine::wrapping(2).with_text(format_summary(records))])?;
            }
            CheckFormat::Text | CheckFormat::Json => {}
            CheckFormat::Sarif => {
                writeln!(out, "{}", escape_json_commands(&sarif::format_sarif(records, self.dockerfile)))?;
            }
            CheckFormat::Junit => {
                writeln!(out, "{}", escape_xml_commands(&junit::format_junit(records, self.gate)?))?;
            }
        }
        Ok(())
    }
}

/// Formats how many images have each result, the worst first.
fn format_summary(records: &[CheckRecord<'_>]) -> String {
    /// A verdict, and whether it is that of the platform alone, or is waived; `None` if the image could not be read.
    type Kind = Option<(Verdict, bool)>;
    let kind_of = |record: &CheckRecord<'_>| -> Kind {
        let result = &record.outcome.as_ref().ok()?.result;
        Some(match result {
            CheckResult::Report(report) if report.is_waived() => (Verdict::Fails, true),
            CheckResult::Report(report) => {
                let verdict = report.unwaived_verdict();
                (verdict, verdict == Verdict::Runs && report.has_unverified_pass())
            }
            CheckResult::Platforms(platforms) => (platforms.verdict, false),
        })
    };
    let found: Vec<Kind> = records.iter().map(kind_of).collect();
    let is_overview = |checked: &CheckedImage| matches!(checked.result, CheckResult::Platforms(_));
    let lists_platforms = records.iter().any(|record| record.outcome.as_ref().is_ok_and(is_overview));
    let (fails, fail, runs, run) = if lists_platforms {
        ("has a mismatch", "have a mismatch", "is consistent", "are consistent")
    } else {
        ("fails", "fail", "runs", "run")
    };
    let unverified = "right architecture only (start not verified)";
    let kinds: [(Kind, &str, &str); 8] = [
        (Some((Verdict::Fails, false)), fails, fail),
        (Some((Verdict::Fails, true)), "is waived", "are waived"),
        (None, "could not be read", "could not be read"),
        (Some((Verdict::Unknown, false)), "unknown", "unknown"),
        (Some((Verdict::Runs, true)), unverified, unverified),
        (Some((Verdict::Runs, false)), runs, run),
        (Some((Verdict::Undeclared, false)), "has no declared runtime", "have no declared runtime"),
        (Some((Verdict::Ignored, false)), "is not checked", "are not checked"),
    ];
    let counts = kinds.map(|(kind, one, many)| match found.iter().filter(|found| **found == kind).count() {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    });
    format!("{} images: {}", records.len(), counts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The schema of [`CheckErrorJson`].
pub(in crate::cli) const ERROR_SCHEMA: &str = "ecr-preflight/error/1";

/// What the JSON output contains in place of an image that could not be read.
#[derive(Debug, Serialize)]
struct CheckErrorJson<'a> {
    schema: &'static str,
    reference: &'a str,
    verdict: Verdict,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// A single object is printed on several lines. Several are printed as JSON Lines rather than as an array: each is valid
/// as soon as it is printed, even if the command is stopped.
fn to_json(value: &impl Serialize, is_only: bool) -> io::Result<String> {
    let json = if is_only { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    Ok(escape_json_commands(&json))
}
