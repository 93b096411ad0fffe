//! Lines for people, made of pieces that each have a role: whoever prints them decides how a role looks.
//!
//! Does not know terminals: a width is a number, and colours are others' to choose. Every character counts as one column.

use crate::verdict::Verdict;

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// Said as it is: sentences, and commands, which are to be copied.
    Plain,
    /// A verdict's sign, or a headline that says it.
    Verdict(Verdict),
    /// The code of a fault.
    Code,
    /// What names the thing that follows it.
    FieldName,
    /// What the lines below it are about.
    Heading,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyledSpan {
    /// What it is.
    pub role: SpanRole,
    /// Its characters.
    pub text: String,
}

/// One line, or what becomes several where it is too long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StyledLine {
    /// Its pieces.
    pub spans: Vec<StyledSpan>,
    /// The indentation of continuation lines, in columns; `None` for a line that is never wrapped, for example a command.
    pub hanging_indent: Option<usize>,
}

impl StyledLine {
    /// A line that is never broken.
    #[must_use]
    pub fn unbroken() -> Self {
        Self::default()
    }

    /// A line that is broken between words where it is too long, its further lines indented by so many columns.
    #[must_use]
    pub fn wrapping(hang: usize) -> Self {
        Self { spans: Vec::new(), hanging_indent: Some(hang) }
    }

    /// The same with another piece at its end.
    #[must_use]
    pub fn with_span(mut self, role: SpanRole, text: impl Into<String>) -> Self {
        self.spans.push(StyledSpan { role, text: text.into() });
        self
    }

    /// The same with another plain piece at its end.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> Self {
        self.with_span(SpanRole::Plain, text)
    }

    /// Its characters.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}
