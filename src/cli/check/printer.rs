//! Prints results in the order of the arguments: at once if the format allows it, else at the end.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::checker::{CheckRecord, CheckResult, CheckedImage};
use super::gate::GateArguments;
use super::{junit, sarif};
use crate::cli::context::ExitStatus;
use crate::cli::error::CliError;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::terminal::StyledOutput;
use crate::report::{self, StyledLine};
use crate::verdict::Verdict;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// A report for people.
    Text,
    /// One JSON object, schema `ecr-preflight/1`; for several images, one per line.
    Json,
    /// One SARIF 2.1.0 log, for code scanning.
    Sarif,
    /// One JUnit report, for CI servers.
    Junit,
}

/// Prints results, and keeps them for the summary or the document at the end.
pub(super) struct CheckPrinter<'a, O, E> {
    pub(super) format: CheckFormat,
    pub(super) gate: GateArguments,
    /// The file that a SARIF log shows findings at.
    pub(super) dockerfile: &'a str,
    /// Whether the command line names one image only.
    pub(super) is_only: bool,
    pub(super) out: &'a mut StyledOutput<O>,
    pub(super) err: &'a mut StyledOutput<E>,
    pub(super) records: Vec<CheckRecord<'a>>,
}

impl<'a, O: Write, E: Write> CheckPrinter<'a, O, E> {
    /// Adds the next record, and prints it if the format prints images one by one.
    pub(super) fn add(&mut self, record: CheckRecord<'a>) -> Result<(), CliError> {
        let Self { format, is_only, .. } = *self;
        match (&record.outcome, format) {
            (Ok(checked), CheckFormat::Text) => {
                self.out.write_lines(&match &checked.result {
                    CheckResult::Report(report) => report::format_lines(report),
                    CheckResult::Platforms(platforms) => platforms.lines(),
                })?;
                if !is_only {
                    writeln!(self.out)?;
                }
            }
            (Ok(checked), CheckFormat::Json) => {
                writeln!(self.out, "{}", to_json(&checked.result, is_only)?)?;
            }
            // The error of a single image goes to standard error only.
            (Err(failure), CheckFormat::Json) if !is_only => {
                let (reference, error, hint) =
                    (record.reference, describe_error_in_line(&failure.error), failure.hint.as_deref());
                let json = CheckErrorJson { schema: ERROR_SCHEMA, reference, verdict: Verdict::Unknown, error, hint };
                writeln!(self.out, "{}", to_json(&json, false)?)?;
            }
            (Err(_), CheckFormat::Text | CheckFormat::Json) | (_, CheckFormat::Sarif | CheckFormat::Junit) => {}
        }
        // Both outputs may be the same terminal, so this one is flushed first.
        self.out.flush()?;
        let reference = (!is_only).then_some(record.reference);
        match &record.outcome {
            Err(failure) => {
                // If standard error is closed, the exit code still reports the error.
                let _ = self.err.write_error(reference, &failure.error, failure.hint.as_deref());
                if !is_only && format == CheckFormat::Text {
                    let _ = writeln!(self.err);
                }
            }
            Ok(CheckedImage { bytes_read, elapsed, .. }) if self.err.is_verbose => {
                let prefix = reference.map(|reference| format!("{reference}: ")).unwrap_or_default();
                writeln!(self.err, "{prefix}read {bytes_read} bytes in {:.2} s", elapsed.as_secs_f64())?;
            }
            Ok(_) => {}
        }
        self.records.push(record);
        Ok(())
    }

    /// Prints the summary or the document of all images, and returns the status to report.
    pub(super) fn finish(self) -> Result<ExitStatus, CliError> {
        match self.format {
            CheckFormat::Text if self.records.len() > 1 => {
                self.out.write_lines(&[StyledLine::wrapping(2).with_text(format_summary(&self.records))])?;
            }
            CheckFormat::Text | CheckFormat::Json => {}
            CheckFormat::Sarif => writeln!(self.out, "{}", sarif::format_sarif(&self.records, self.dockerfile))?,
            CheckFormat::Junit => writeln!(self.out, "{}", junit::format_junit(&self.records, self.gate)?)?,
        }
        let worst = self.records.iter().map(|record| record.exit_status(self.gate)).max();
        Ok(worst.expect("there is at least one image"))
    }
}

/// Formats how many images have each result, the worst first.
fn format_summary(records: &[CheckRecord<'_>]) -> String {
    /// A verdict, and whether it is that of the platform alone; `None` if the image could not be read.
    type Kind = Option<(Verdict, bool)>;
    let kind_of = |record: &CheckRecord<'_>| -> Kind {
        let result = &record.outcome.as_ref().ok()?.result;
        let is_unverified = match result {
            CheckResult::Report(report) => report.verdict == Verdict::Runs && report.has_unverified_pass(),
            CheckResult::Platforms(_) => false,
        };
        Some((result.verdict(), is_unverified))
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
    let kinds: [(Kind, &str, &str); 7] = [
        (Some((Verdict::Fails, false)), fails, fail),
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
    Ok(if is_only { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? })
}
