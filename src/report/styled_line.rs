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
    /// By how many columns its further lines are indented; none where it is never broken, as commands are not.
    hanging_indent: Option<usize>,
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

    /// The line in lines of at most so many columns, as far as its words allow.
    #[must_use]
    pub fn wrap(self, width: usize) -> Vec<Self> {
        let Some(hang) = self.hanging_indent.filter(|_| display_width(&self.text()) > width) else { return vec![self] };
        let mut lines = Vec::new();
        let (mut line, mut used, mut has_word) = (Self::unbroken(), 0, false);
        for StyledSpan { role, text } in self.spans {
            for piece in text.split_inclusive(' ') {
                let word = display_width(piece.trim_end());
                if has_word && word > 0 && used + word > width {
                    lines.push(line.trim_end());
                    (line, used, has_word) = (Self::unbroken().with_text(" ".repeat(hang)), hang, false);
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

    /// Without blanks at its end.
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
    fn prose_is_broken_between_words_and_indented() {
        let line = || {
            StyledLine::wrapping(4)
                .with_text("  ")
                .with_span(SpanRole::Code, "platform-mismatch:")
                .with_text(" its label says linux/amd64")
        };
        assert_eq!(texts(line(), 40), ["  platform-mismatch: its label says linux/amd64"]);
        assert_eq!(texts(line(), 39), ["  platform-mismatch: its label says", "    linux/amd64"]);
        assert_eq!(texts(line(), 20), ["  platform-mismatch: its", "    label says", "    linux/amd64"]);
        assert_eq!(
            line().wrap(39)[0].spans[1],
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
