//! Lines of text made of spans with roles; the printer decides how a role looks, for example its colour.
//!
//! Every character counts as one column.

use crate::verdict::Verdict;

/// What a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanRole {
    /// Sentences, and commands, which users copy.
    Plain,
    /// The symbol of a verdict, or a headline that states it.
    Verdict(Verdict),
    /// The code of a fault.
    Code,
    /// The name of the value that follows.
    FieldName,
    /// The heading of the lines below.
    Heading,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StyledSpan {
    /// The role.
    pub role: SpanRole,
    /// The text.
    pub text: String,
}

/// One line, which may be wrapped into several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StyledLine {
    /// The spans.
    pub spans: Vec<StyledSpan>,
    /// The indentation of continuation lines, in columns; `None` for a line that is never wrapped, for example a command.
    hanging_indent: Option<usize>,
}

impl StyledLine {
    /// Creates an empty line that is never wrapped.
    #[must_use]
    pub fn unbroken() -> Self {
        Self::default()
    }

    /// Creates an empty line that is wrapped between words, with continuation lines indented by this many columns.
    #[must_use]
    pub fn wrapping(hanging_indent: usize) -> Self {
        Self { spans: Vec::new(), hanging_indent: Some(hanging_indent) }
    }

    /// Appends a span.
    #[must_use]
    pub fn with_span(mut self, role: SpanRole, text: impl Into<String>) -> Self {
        self.spans.push(StyledSpan { role, text: text.into() });
        self
    }

    /// Appends a plain span.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> Self {
        self.with_span(SpanRole::Plain, text)
    }

    /// The text of all spans.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Wraps the line into lines of at most this many columns. A longer word stays whole.
    #[must_use]
    pub fn wrap(self, width: usize) -> Vec<Self> {
        let Some(indent) = self.hanging_indent.filter(|_| display_width(&self.text()) > width) else {
            return vec![self];
        };
        let mut lines = Vec::new();
        let (mut line, mut used, mut has_word) = (Self::unbroken(), 0, false);
        for StyledSpan { role, text } in self.spans {
            for piece in text.split_inclusive(' ') {
                let word = display_width(piece.trim_end());
                if has_word && word > 0 && used + word > width {
                    lines.push(line.trim_end());
                    (line, used, has_word) = (Self::unbroken().with_text(" ".repeat(indent)), indent, false);
                }
                line.push(role, piece);
                used += display_width(piece);
                has_word |= word > 0;
            }
        }
        lines.push(line.trim_end());
        lines
    }

    fn push(&mut self, role: SpanRole, text: &str) {
        match self.spans.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ => self.spans.push(StyledSpan { role, text: text.to_owned() }),
        }
    }

    fn trim_end(mut self) -> Self {
        if let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self
    }
}

fn display_width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: StyledLine, width: usize) -> Vec<String> {
        line.wrap(width).iter().map(StyledLine::text).collect()
    }

    #[test]
    fn prose_is_wrapped_between_words_and_indented() {
        let line = || {
            StyledLine::wrapping(4)
                .with_text("  ")
                .with_span(SpanRole::Code, "platform-mismatch:")
                .with_text(" its config says linux/amd64")
        };
        assert_eq!(texts(line(), 48), ["  platform-mismatch: its config says linux/amd64"]);
        assert_eq!(texts(line(), 47), ["  platform-mismatch: its config says", "    linux/amd64"]);
        assert_eq!(texts(line(), 20), ["  platform-mismatch:", "    its config says", "    linux/amd64"]);
        assert_eq!(
            line().wrap(47)[0].spans[1],
            StyledSpan { role: SpanRole::Code, text: "platform-mismatch:".to_owned() }
        );
    }

    #[test]
    fn words_and_commands_stay_whole() {
        let digest = format!("sha256:{}", "3c".repeat(32));
        let line = StyledLine::wrapping(2).with_text(format!("see {digest} there"));
        assert_eq!(texts(line, 40), ["see".to_owned(), format!("  {digest}"), "  there".to_owned()]);
        let command =
            StyledLine::unbroken().with_text("     docker buildx build --platform linux/amd64 --tag a:b --push .");
        assert_eq!(command.clone().wrap(20), [command]);
    }
}
