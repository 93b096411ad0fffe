//! Answers as they come, in the order of the arguments: each is printed at once where the format allows it.
//!
//! Does not check anything.

use std::io::Write;

use super::super::terminal::StyledOutput;
use super::checker::{CheckFailure, CheckResult, CheckedImage};
use super::{CheckArguments, CheckFormat, json, junit, sarif};
use crate::cli::error::CliError;
use crate::report::{self, StyledLine};
use crate::verdict::Verdict;

/// What is known of one image.
#[derive(Debug)]
pub(super) struct CheckRecord<'a> {
    pub(super) reference: &'a str,
    pub(super) outcome: Result<CheckedImage, CheckFailure>,
}

impl CheckRecord<'_> {
    /// What it counts as: an image that could not be read could not be told.
    fn verdict(&self) -> Verdict {
        self.outcome.as_ref().map_or(Verdict::Unknown, |checked| checked.result.verdict())
    }
}

/// Prints answers.
pub(super) struct CheckPrinter<'a, O, E> {
    arguments: &'a CheckArguments,
    out: &'a mut StyledOutput<O>,
    err: &'a mut StyledOutput<E>,
    records: Vec<CheckRecord<'a>>,
}

impl<'a, O: Write, E: Write> CheckPrinter<'a, O, E> {
    pub(super) fn new(
        arguments: &'a CheckArguments,
        out: &'a mut StyledOutput<O>,
        err: &'a mut StyledOutput<E>,
    ) -> Self {
        Self { arguments, out, err, records: Vec::new() }
    }

    /// One more, the next in order.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub(super) fn add(
        &mut self,
        reference: &'a str,
        checked: Result<CheckedImage, CheckFailure>,
    ) -> Result<(), CliError> {
        let is_only = self.arguments.images.len() == 1;
        let format = self.arguments.format;
        match (&checked, format) {
            (Ok(checked), CheckFormat::Text) => {
                self.out.write_lines(match &checked.result {
                    CheckResult::Report(report) => report::format_lines(report),
                    CheckResult::Platforms(platforms) => platforms.lines(),
                })?;
                if !is_only {
                    writeln!(self.out)?;
                }
            }
            (Ok(checked), CheckFormat::Json) => {
                writeln!(self.out, "{}", json::format_result(&checked.result, is_only)?)?
            }
            (Err(unread), CheckFormat::Json) if !is_only => {
                writeln!(self.out, "{}", json::format_error(reference, unread)?)?
            }
            (Err(_), CheckFormat::Text | CheckFormat::Json) | (_, CheckFormat::Sarif | CheckFormat::Junit) => {}
        }
        // Both outputs may be the same terminal. Where standard error is closed, the exit code is all that is left.
        self.out.flush()?;
        let of = Some(reference).filter(|_| !is_only);
        if let Err(unread) = &checked {
            let _ = self.err.write_error(of, &unread.error, unread.hint.as_deref());
            if !is_only && format == CheckFormat::Text {
                let _ = writeln!(self.err);
            }
        }
        if let (true, Ok(CheckedImage { bytes_read: bytes, elapsed: took, .. })) = (self.arguments.verbose, &checked) {
            let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
            writeln!(self.err, "{of}read {bytes} bytes in {:.2} s", took.as_secs_f64())?;
        }
        self.records.push(CheckRecord { reference, outcome: checked });
        Ok(())
    }

    /// What is said in the end, and the worst verdict.
    ///
    /// # Errors
    /// As above.
    pub(super) fn finish(self) -> Result<Verdict, CliError> {
        match self.arguments.format {
            CheckFormat::Text if self.records.len() > 1 => {
                self.out.write_lines(vec![StyledLine::wrapping(2).with_text(format_summary(&self.records))])?
            }
            CheckFormat::Text | CheckFormat::Json => {}
            CheckFormat::Sarif => {
                writeln!(self.out, "{}", sarif::format_sarif(&self.records, &self.arguments.dockerfile)?)?
            }
            CheckFormat::Junit => writeln!(self.out, "{}", junit::format_junit(&self.records)?)?,
        }
        let worst = self.records.iter().map(CheckRecord::verdict).max();
        Ok(worst.expect("there is at least one image"))
    }
}

/// How many of each kind, the worst first.
fn format_summary(done: &[CheckRecord<'_>]) -> String {
    let unread = done.iter().filter(|done| done.outcome.is_err()).count();
    let told = |verdict: Verdict| done.iter().filter(|done| done.outcome.is_ok() && done.verdict() == verdict).count();
    let is_of_platforms =
        done.iter().any(|done| matches!(&done.outcome, Ok(CheckedImage { result: CheckResult::Platforms(_), .. })));
    let (fails, fail, runs, run) = if is_of_platforms {
        ("is not what it says it is", "are not what they say they are", "is sound", "are sound")
    } else {
        ("fails", "fail", "runs", "run")
    };
    let kinds = [
        (told(Verdict::Fails), fails, fail),
        (unread, "could not be read", "could not be read"),
        (told(Verdict::Unknown), "could not be told", "could not be told"),
        (told(Verdict::Runs), runs, run),
        (told(Verdict::Undeclared), "has no declared runtime", "have no declared runtime"),
        (told(Verdict::Ignored), "is not checked", "are not checked"),
    ];
    let said = kinds.iter().filter(|(count, ..)| *count > 0);
    let said: Vec<String> =
        said.map(|(count, one, more)| format!("{count} {}", if *count == 1 { one } else { more })).collect();
    format!("{} images: {}", done.len(), said.join(", "))
}
