//! What a person reads: colours where they help, and lines that fit.
//!
//! Does not word anything. Where nobody looks, in a file or a pipe, lines are not broken, so that `grep` finds sentences.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::stream::RawStream;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::cli::error::CliError;
use crate::report::{SpanRole, StyledLine};
use crate::text::error_chain;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// When there are colours. Without a comment on each, so that help says it in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorMode {
    Auto,
    Always,
    Never,
}

/// Lines are no longer than this, however wide the terminal is: longer ones are hard to read.
const MAX_WIDTH: usize = 100;
/// And no shorter than this: narrower terminals break them themselves.
const MIN_WIDTH: usize = 40;

/// An output, and how what is written for people looks on it.
#[derive(Debug)]
pub(super) struct StyledOutput<W> {
    inner: W,
    uses_color: bool,
    width: Option<usize>,
}

impl<W: RawStream> StyledOutput<W> {
    pub(super) fn new(to: W, colour: ColorMode) -> Self {
        let is_coloured = match colour {
            ColorMode::Auto => AutoStream::choice(&to) != anstream::ColorChoice::Never,
            ColorMode::Always => true,
            ColorMode::Never => false,
        };
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let seen = || {
            let size = to.is_terminal().then(terminal_size::terminal_size).flatten();
            size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
        };
        // Zero is what a terminal says that does not know.
        let width = named.or_else(seen).filter(|columns| *columns > 0);
        Self { uses_color: is_coloured, width: width.map(|columns| columns.clamp(MIN_WIDTH, MAX_WIDTH)), inner: to }
    }
}

impl<W: Write> Write for StyledOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> StyledOutput<W> {
    pub(super) fn uses_color(&self) -> bool {
        self.uses_color
    }

    /// Writes lines for people.
    pub(super) fn write_lines(&mut self, lines: Vec<StyledLine>) -> io::Result<()> {
        let width = self.width.unwrap_or(usize::MAX);
        for line in lines.into_iter().flat_map(|line| line.wrap(width)) {
            for span in &line.spans {
                // What is named here may be named by anybody.
                self.write_styled(role_style(span.role), &sanitize(&span.text, usize::MAX))?;
            }
            writeln!(self)?;
        }
        Ok(())
    }

    /// Writes an error with what may help; `of` is the image that it is about, where there are several.
    pub(super) fn write_error(&mut self, of: Option<&str>, error: &CliError, hint: Option<&str>) -> io::Result<()> {
        let said = error_chain(error);
        let of = of.filter(|of| !said.contains(of)).map(|of| format!(" {of}:")).unwrap_or_default();
        let said = format!("{of} {said}");
        // The SDK lists on lines of its own where it has looked for credentials.
        let mut said = said.lines();
        let first = StyledLine::wrapping(2)
            .with_span(SpanRole::Verdict(Verdict::Fails), "error:")
            .with_text(said.next().unwrap_or_default());
        let mut lines = vec![first];
        lines.extend(said.map(|line| StyledLine::wrapping(4).with_text(line)));
        if let Some(hint) = hint {
            let hint = StyledLine::wrapping(2)
                .with_span(SpanRole::Verdict(Verdict::Runs), "hint:")
                .with_text(format!(" {hint}"));
            lines.extend([StyledLine::unbroken(), hint]);
        }
        self.write_lines(lines)
    }

    fn write_styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        let style = if self.uses_color && !text.trim().is_empty() { style } else { Style::new() };
        write!(self, "{style}{text}{style:#}")
    }
}

fn role_style(role: SpanRole) -> Style {
    let sign = |verdict| match verdict {
        Verdict::Fails => AnsiColor::Red.on_default().bold(),
        Verdict::Unknown => AnsiColor::Yellow.on_default().bold(),
        Verdict::Runs => AnsiColor::Green.on_default().bold(),
        Verdict::Undeclared | Verdict::Ignored => Style::new().bold(),
    };
    match role {
        SpanRole::Plain => Style::new(),
        SpanRole::Verdict(verdict) => sign(verdict),
        SpanRole::Code => AnsiColor::Red.on_default(),
        SpanRole::FieldName => Style::new().dimmed(),
        SpanRole::Heading => Style::new().bold(),
    }
}
