//! Output for people: colors if the terminal has them, and lines wrapped at its width.
//!
//! In a file or a pipe nothing is wrapped, so that `grep` finds whole sentences.

use std::io::{self, Write};

use anstream::AutoStream;
use anstream::stream::RawStream;
use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::error::CliError;
use super::error_text::describe_error;
use crate::report::{SpanRole, StyledLine};
use crate::text::{error_messages, escape_terminal, sanitize};
use crate::verdict::Verdict;

/// The longest lines, in columns, even if the terminal is wider: longer lines are hard to read.
const MAX_WIDTH: usize = 100;
/// The shortest lines, in columns; a narrower terminal wraps them itself.
const MIN_WIDTH: usize = 40;

/// The width of a table, in columns, in a terminal that does not know its own.
const DEFAULT_TABLE_WIDTH: usize = 80;

/// How much a command reports beside its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// Results and errors only.
    Quiet,
    /// Also progress, notes and summaries.
    Normal,
    /// Also all causes of errors, in the words of the libraries.
    Verbose,
}

/// An output stream that writes styled lines.
#[derive(Debug)]
pub(super) struct StyledOutput<W> {
    inner: W,
    pub(super) uses_color: bool,
    verbosity: Verbosity,
    /// In columns; `None` if lines are not wrapped.
    width: Option<usize>,
    /// The width of tables in columns, however wide the terminal is; `None` in a file or a pipe.
    pub(super) table_width: Option<usize>,
}

impl<W: RawStream> StyledOutput<W> {
    /// Wraps lines at `COLUMNS` if it is set, or else at the width of the terminal.
    pub(super) fn new(inner: W, color: ColorChoice, verbosity: Verbosity) -> Self {
        let uses_color = match color {
            ColorChoice::Auto => AutoStream::choice(&inner) != anstream::ColorChoice::Never,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let configured = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let measured = || {
            let size = inner.is_terminal().then(terminal_size::terminal_size).flatten();
            size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
        };
        // A terminal reports 0 if it does not know its width.
        let width = configured.or_else(measured).filter(|columns| *columns > 0);
        let table_width = width.or(inner.is_terminal().then_some(DEFAULT_TABLE_WIDTH));
        Self {
            uses_color,
            verbosity,
            width: width.map(|columns| columns.clamp(MIN_WIDTH, MAX_WIDTH)),
            table_width,
            inner,
        }
    }
}

impl<W> StyledOutput<W> {
    /// For a file: without color and without a width.
    pub(super) fn plain(inner: W) -> Self {
        Self { inner, uses_color: false, verbosity: Verbosity::Normal, width: None, table_width: None }
    }

    /// Whether only results and errors are shown.
    pub(super) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Whether errors are shown with all their causes, in the words of the libraries.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
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
    /// Writes lines, wrapped and styled, without control characters.
    pub(super) fn write_lines(&mut self, lines: &[StyledLine]) -> io::Result<()> {
        let width = self.width.unwrap_or(usize::MAX);
        for line in lines.iter().flat_map(|line| wrap_line(line, width)) {
            for (role, text) in neutralize_commands(line) {
                let style = if self.uses_color && !text.trim().is_empty() { role_style(role) } else { Style::new() };
                write!(self, "{style}{text}{style:#}")?;
            }
            writeln!(self)?;
        }
        Ok(())
    }

    /// Writes a line about what the command did or is doing, unless only results and errors are shown.
    pub(super) fn write_status(&mut self, status: &str) -> io::Result<()> {
        if self.is_quiet() { Ok(()) } else { writeln!(self, "{status}") }
    }

    /// Writes a note, a fact that the user may not expect, unless only results and errors are shown.
    pub(super) fn write_note(&mut self, note: &str) -> io::Result<()> {
        if self.is_quiet() {
            return Ok(());
        }
        let label = StyledLine::wrapping(2).with_span(SpanRole::Heading, "note:");
        self.write_lines(&[label.with_text(format!(" {note}"))])
    }

    /// Writes an error, its causes and the hint. `image` is the reference that failed, if there are several.
    pub(super) fn write_error(&mut self, image: Option<&str>, error: &CliError, hint: Option<&str>) -> io::Result<()> {
        let mut messages = if self.is_verbose() { error_messages(error) } else { describe_error(error) };
        if let Some(image) = image.filter(|image| !messages.iter().any(|text| text.contains(image))) {
            messages[0] = format!("{image}: {}", messages[0]);
        }
        let mut lines = Vec::new();
        for message in &messages {
            let (indent, role, label) = match lines.len() {
                0 => ("", SpanRole::Verdict(Verdict::Fails), "error:"),
                _ => ("  ", SpanRole::FieldName, "caused by:"),
            };
            // A message may have several lines, for example the output of a `credential_process`.
            let mut parts = message.lines();
            let first = format!(" {}", parts.next().unwrap_or_default());
            let line = StyledLine::wrapping(indent.len() + 2).with_text(indent);
            lines.push(line.with_span(role, label).with_text(first));
            lines.extend(parts.map(|part| StyledLine::wrapping(4).with_text(format!("    {}", part.trim_start()))));
        }
        if let Some(hint) = hint {
            let label = StyledLine::wrapping(2).with_span(SpanRole::Verdict(Verdict::Runs), "hint:");
            lines.extend([StyledLine::unbroken(), label.with_text(format!(" {hint}"))]);
        }
        self.write_lines(&lines)
    }
}

fn role_style(role: SpanRole) -> Style {
    match role {
        SpanRole::Verdict(Verdict::Fails) => AnsiColor::Red.on_default().bold(),
        SpanRole::Verdict(Verdict::Unknown) => AnsiColor::Yellow.on_default().bold(),
        SpanRole::Verdict(Verdict::Runs) => AnsiColor::Green.on_default().bold(),
        SpanRole::Verdict(Verdict::Undeclared | Verdict::Ignored) | SpanRole::Heading => Style::new().bold(),
        SpanRole::Code => AnsiColor::Red.on_default(),
        SpanRole::FieldName => Style::new().dimmed(),
        SpanRole::Plain => Style::new(),
    }
}

/// Replaces what a CI server would take for a command in a line that begins with a command. The parts of a line are
/// joined for this, because a command may extend over several.
fn neutralize_commands(line: Vec<(SpanRole, String)>) -> Vec<(SpanRole, String)> {
    let text: String = line.iter().map(|(_, text)| text.as_str()).collect();
    let escaped = escape_terminal(&text);
    if escaped == text {
        return line;
    }
    // Each character is replaced by one.
    let mut characters = escaped.chars();
    line.into_iter().map(|(role, text)| (role, characters.by_ref().take(text.chars().count()).collect())).collect()
}

/// Breaks text between words so that each line has at most `width` columns. A longer word stays whole.
pub(super) fn wrap_text(text: &str, width: usize) -> Vec<String> {
    textwrap::wrap(text, wrap_options(width)).into_iter().map(Into::into).collect()
}

fn wrap_options<'a>(width: usize) -> Options<'a> {
    Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
}

/// Wraps a line like [`wrap_text`] and indents the continuation lines. Each line is a list of texts with their roles.
fn wrap_line(line: &StyledLine, width: usize) -> Vec<Vec<(SpanRole, String)>> {
    // The names in a report are untrusted.
    let spans: Vec<(SpanRole, String)> =
        line.spans.iter().map(|span| (span.role, sanitize(&span.text, usize::MAX))).collect();
    let text: String = spans.iter().map(|(_, text)| text.as_str()).collect();
    let Some(indent) = line.hanging_indent.filter(|_| display_width(&text) > width) else { return vec![spans] };
    let roles: Vec<SpanRole> = spans.iter().flat_map(|(role, text)| vec![*role; text.len()]).collect();
    let (first_indent, indent) = (text.len() - text.trim_start().len(), " ".repeat(indent));
    let options = wrap_options(width).initial_indent(&text[..first_indent]).subsequent_indent(&indent);
    let mut end = first_indent;
    let mut wrapped = Vec::new();
    for line in textwrap::wrap(&text[first_indent..], options) {
        let indent = if wrapped.is_empty() { &text[..first_indent] } else { &indent };
        let words = line.strip_prefix(indent).unwrap_or(&line);
        let mut start = end + text[end..].find(words).expect("wrapping only removes spaces");
        end = start + words.len();
        let mut pieces = vec![(SpanRole::Plain, indent.to_owned())];
        for roles in roles[start..end].chunk_by(PartialEq::eq) {
            pieces.push((roles[0], text[start..start + roles.len()].to_owned()));
            start += roles.len();
        }
        wrapped.push(pieces);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(line: &StyledLine, width: usize) -> Vec<String> {
        let text = |pieces: Vec<(SpanRole, String)>| pieces.into_iter().map(|(_, text)| text).collect();
        wrap_line(line, width).into_iter().map(text).collect()
    }

    #[test]
    fn prose_is_wrapped_between_words_and_indented() {
        let line = StyledLine::wrapping(4)
            .with_text("  ")
            .with_span(SpanRole::Code, "platform-mismatch:")
            .with_text(" the config declares amd64");
        assert_eq!(wrap(&line, 46), ["  platform-mismatch: the config declares amd64"]);
        assert_eq!(wrap(&line, 45), ["  platform-mismatch: the config declares", "    amd64"]);
        assert_eq!(wrap(&line, 24), ["  platform-mismatch: the", "    config declares", "    amd64"]);
        assert_eq!(wrap_line(&line, 45)[0][1], (SpanRole::Code, "platform-mismatch:".to_owned()));
    }

    #[test]
    fn words_and_commands_stay_whole() {
        let digest = format!("sha256:{}", "3c".repeat(32));
        let line = StyledLine::wrapping(2).with_text(format!("see {digest} there"));
        assert_eq!(wrap(&line, 40), ["see".to_owned(), format!("  {digest}"), "  there".to_owned()]);
        let command = "     docker buildx build --platform linux/amd64 --tag a:b --push .";
        assert_eq!(wrap(&StyledLine::unbroken().with_text(command), 20), [command]);
    }

    #[test]
    fn commands_to_ci_servers_are_replaced() {
        let mut out = StyledOutput {
            inner: Vec::new(),
            uses_color: false,
            verbosity: Verbosity::Normal,
            width: Some(40),
            table_width: None,
        };
        let name = "a-long-name-before-the-command-in-the-next";
        let line =
            StyledLine::wrapping(2).with_text(format!("{name} ::error::x #")).with_span(SpanRole::Code, "#[group]y");
        out.write_lines(&[line]).unwrap();
        let text = String::from_utf8(out.inner).unwrap();
        assert_eq!(text, format!("{name}\n  :\u{fffd}error::x #\u{fffd}[group]y\n"));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap_text("東京 東京 東京", 9), ["東京 東京", "東京"]);
    }
}
