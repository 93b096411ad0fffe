//! What a person reads: colours where they help, and lines that fit.
//!
//! Does not word anything. Where nobody looks, in a file or a pipe, lines are not broken, so that `grep` finds sentences.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::stream::RawStream;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::Error;
use crate::report::{Line, Role};
use crate::text::error_chain;
use crate::text::printable;
use crate::verdict::Verdict;

/// When there are colours. Without a comment on each, so that help says it in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

/// Lines are no longer than this, however wide the terminal is: longer ones are hard to read.
const WIDEST: usize = 100;
/// And no shorter than this: narrower terminals break them themselves.
const NARROWEST: usize = 40;

/// An output, and how what is written for people looks on it.
#[derive(Debug)]
pub(super) struct Screen<W> {
    to: W,
    is_coloured: bool,
    width: Option<usize>,
}

impl<W: RawStream> Screen<W> {
    pub(super) fn new(to: W, colour: Colour) -> Self {
        let is_coloured = match colour {
            Colour::Auto => AutoStream::choice(&to) != anstream::ColorChoice::Never,
            Colour::Always => true,
            Colour::Never => false,
        };
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let seen = || {
            let size = to.is_terminal().then(terminal_size::terminal_size).flatten();
            size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
        };
        // Zero is what a terminal says that does not know.
        let width = named.or_else(seen).filter(|columns| *columns > 0);
        Self { is_coloured, width: width.map(|columns| columns.clamp(NARROWEST, WIDEST)), to }
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Screen<W> {
    pub(super) fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Writes lines for people.
    pub(super) fn lines(&mut self, lines: Vec<Line>) -> io::Result<()> {
        let width = self.width.unwrap_or(usize::MAX);
        for line in lines.into_iter().flat_map(|line| line.wrapped(width)) {
            for span in &line.spans {
                // What is named here may be named by anybody.
                self.styled(style(span.role), &printable(&span.text, usize::MAX))?;
            }
            writeln!(self)?;
        }
        Ok(())
    }

    /// Writes an error with what may help; `of` is the image that it is about, where there are several.
    pub(super) fn error(&mut self, of: Option<&str>, error: &Error, hint: Option<&str>) -> io::Result<()> {
        let said = error_chain(error);
        let of = of.filter(|of| !said.contains(of)).map(|of| format!(" {of}:")).unwrap_or_default();
        let said = format!("{of} {said}");
        // The SDK lists on lines of its own where it has looked for credentials.
        let mut said = said.lines();
        let first = Line::prose(2).with(Role::Verdict(Verdict::Fails), "error:").plain(said.next().unwrap_or_default());
        let mut lines = vec![first];
        lines.extend(said.map(|line| Line::prose(4).plain(line)));
        if let Some(hint) = hint {
            let hint = Line::prose(2).with(Role::Verdict(Verdict::Runs), "hint:").plain(format!(" {hint}"));
            lines.extend([Line::fixed(), hint]);
        }
        self.lines(lines)
    }

    fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        let style = if self.is_coloured && !text.trim().is_empty() { style } else { Style::new() };
        write!(self, "{style}{text}{style:#}")
    }
}

fn style(role: Role) -> Style {
    let sign = |verdict| match verdict {
        Verdict::Fails => AnsiColor::Red.on_default().bold(),
        Verdict::Unknown => AnsiColor::Yellow.on_default().bold(),
        Verdict::Runs => AnsiColor::Green.on_default().bold(),
        Verdict::Undeclared | Verdict::Ignored => Style::new().bold(),
    };
    match role {
        Role::Plain => Style::new(),
        Role::Verdict(verdict) => sign(verdict),
        Role::Code => AnsiColor::Red.on_default(),
        Role::Label => Style::new().dimmed(),
        Role::Title => Style::new().bold(),
    }
}
