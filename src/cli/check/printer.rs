//! Answers as they come, in the order of the arguments: each is printed at once where the format allows it.
//!
//! Does not check anything.

use std::io::Write;

use super::super::Error;
use super::super::screen::Screen;
use super::one::{Answer, Checked, Unread};
use super::{Arguments, Format, json, junit, sarif};
use crate::report::{self, Line};
use crate::verdict::Verdict;

/// What is known of one image.
#[derive(Debug)]
pub(super) struct Done<'a> {
    pub(super) reference: &'a str,
    pub(super) checked: Result<Checked, Unread>,
}

impl Done<'_> {
    /// What it counts as: an image that could not be read could not be told.
    fn verdict(&self) -> Verdict {
        self.checked.as_ref().map_or(Verdict::Unknown, |checked| checked.answer.verdict())
    }
}

/// Prints answers.
pub(super) struct Printer<'a, O, E> {
    arguments: &'a Arguments,
    out: &'a mut Screen<O>,
    err: &'a mut Screen<E>,
    done: Vec<Done<'a>>,
}

impl<'a, O: Write, E: Write> Printer<'a, O, E> {
    pub(super) fn new(arguments: &'a Arguments, out: &'a mut Screen<O>, err: &'a mut Screen<E>) -> Self {
        Self { arguments, out, err, done: Vec::new() }
    }

    /// One more, the next in order.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub(super) fn add(&mut self, reference: &'a str, checked: Result<Checked, Unread>) -> Result<(), Error> {
        let is_only = self.arguments.images.len() == 1;
        let format = self.arguments.format;
        match (&checked, format) {
            (Ok(checked), Format::Text) => {
                self.out.lines(match &checked.answer {
                    Answer::Report(report) => report::lines(report),
                    Answer::Platforms(platforms) => platforms.lines(),
                })?;
                if !is_only {
                    writeln!(self.out)?;
                }
            }
            (Ok(checked), Format::Json) => writeln!(self.out, "{}", json::answer(&checked.answer, is_only)?)?,
            (Err(unread), Format::Json) if !is_only => writeln!(self.out, "{}", json::error(reference, unread)?)?,
            (Err(_), Format::Text | Format::Json) | (_, Format::Sarif | Format::Junit) => {}
        }
        // Both outputs may be the same terminal. Where standard error is closed, the exit code is all that is left.
        self.out.flush()?;
        let of = Some(reference).filter(|_| !is_only);
        if let Err(unread) = &checked {
            let _ = self.err.error(of, &unread.error, unread.hint.as_deref());
            if !is_only && format == Format::Text {
                let _ = writeln!(self.err);
            }
        }
        if let (true, Ok(Checked { bytes, took, .. })) = (self.arguments.verbose, &checked) {
            let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
            writeln!(self.err, "{of}read {bytes} bytes in {:.2} s", took.as_secs_f64())?;
        }
        self.done.push(Done { reference, checked });
        Ok(())
    }

    /// What is said in the end, and the worst verdict.
    ///
    /// # Errors
    /// As above.
    pub(super) fn finish(self) -> Result<Verdict, Error> {
        match self.arguments.format {
            Format::Text if self.done.len() > 1 => self.out.lines(vec![Line::prose(2).plain(summary(&self.done))])?,
            Format::Text | Format::Json => {}
            Format::Sarif => writeln!(self.out, "{}", sarif::log(&self.done, &self.arguments.dockerfile)?)?,
            Format::Junit => writeln!(self.out, "{}", junit::report(&self.done)?)?,
        }
        let worst = self.done.iter().map(Done::verdict).max();
        Ok(worst.expect("there is at least one image"))
    }
}

/// How many of each kind, the worst first.
fn summary(done: &[Done<'_>]) -> String {
    let unread = done.iter().filter(|done| done.checked.is_err()).count();
    let told = |verdict: Verdict| done.iter().filter(|done| done.checked.is_ok() && done.verdict() == verdict).count();
    let is_of_platforms =
        done.iter().any(|done| matches!(&done.checked, Ok(Checked { answer: Answer::Platforms(_), .. })));
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
