//! Lines of text that consist of spans with roles. The printer decides how a role looks, for example its color.

use crate::verdict::Verdict;

/// The role of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// Sentences, and commands that users copy.
    Plain,
    /// The symbol of a verdict, or a headline that states it.
    Verdict(Verdict),
    /// The code of a fault.
    Code,
    /// The name of the next value.
    FieldName,
    /// The heading of the lines below.
    Heading,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct StyledSpan {
    pub role: SpanRole,
    pub text: String,
}

/// One line, which may be wrapped into several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StyledLine {
    /// The spans.
    pub spans: Vec<StyledSpan>,
    /// The indentation of continuation lines, in columns; `None` for a line that is never wrapped (a command).
    pub hanging_indent: Option<usize>,
}

impl StyledLine {
    /// Creates an empty line that is never wrapped.
    pub fn unbroken() -> Self {
        Self::default()
    }

    /// Creates an empty line that is wrapped between words, with continuation lines indented by this many columns.
    pub fn wrapping(hanging_indent: usize) -> Self {
        Self { spans: Vec::new(), hanging_indent: Some(hanging_indent) }
    }

    /// Appends a span.
    pub fn with_span(mut self, role: SpanRole, text: impl Into<String>) -> Self {
        self.spans.push(StyledSpan { role, text: text.into() });
        self
    }

    /// Appends a plain span.
    pub fn with_text(self, text: impl Into<String>) -> Self {
        self.with_span(SpanRole::Plain, text)
    }

    /// Returns the text of all spans.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}
