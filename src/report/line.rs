//! Lines for people, made of pieces that each have a role: whoever prints them decides how a role looks.
//!
//! Does not know terminals: a width is a number, and colours are others' to choose. Every character counts as one column.

use crate::verdict::Verdict;

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Said as it is: sentences, and commands, which are to be copied.
    Plain,
    /// A verdict's sign, or a headline that says it.
    Verdict(Verdict),
    /// The code of a fault.
    Code,
    /// What names the thing that follows it.
    Label,
    /// What the lines below it are about.
    Title,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub role: Role,
    /// Its characters.
    pub text: String,
}

/// One line, or what becomes several where it is too long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its pieces.
    pub spans: Vec<Span>,
    /// By how many columns its further lines are indented; none where it is never broken, as commands are not.
    hang: Option<usize>,
}

impl Line {
    /// A line that is never broken.
    #[must_use]
    pub fn fixed() -> Self {
        Self::default()
    }

    /// A line that is broken between words where it is too long, its further lines indented by so many columns.
    #[must_use]
    pub fn prose(hang: usize) -> Self {
        Self { spans: Vec::new(), hang: Some(hang) }
    }

    /// The same with another piece at its end.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Self {
        self.spans.push(Span { role, text: text.into() });
        self
    }

    /// The same with another plain piece at its end.
    #[must_use]
    pub fn plain(self, text: impl Into<String>) -> Self {
        self.with(Role::Plain, text)
    }

    /// Its characters.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// The line in lines of at most so many columns, as far as its words allow.
    #[must_use]
    pub fn wrapped(self, width: usize) -> Vec<Self> {
        let Some(hang) = self.hang.filter(|_| columns(&self.text()) > width) else { return vec![self] };
        let mut lines = Vec::new();
        let (mut line, mut used, mut has_word) = (Self::fixed(), 0, false);
        for Span { role, text } in self.spans {
            for piece in text.split_inclusive(' ') {
                let word = columns(piece.trim_end());
                if has_word && word > 0 && used + word > width {
                    lines.push(line.trimmed());
                    (line, used, has_word) = (Self::fixed().plain(" ".repeat(hang)), hang, false);
                }
                line.push(role, piece);
                used += columns(piece);
                has_word |= word > 0;
            }
        }
        lines.push(line.trimmed());
        lines
    }

    fn push(&mut self, role: Role, text: &str) {
        match self.spans.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ => self.spans.push(Span { role, text: text.to_owned() }),
        }
    }

    /// Without blanks at its end.
    fn trimmed(mut self) -> Self {
        if let Some(last) = self.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: Line, width: usize) -> Vec<String> {
        line.wrapped(width).iter().map(Line::text).collect()
    }

    #[test]
    fn prose_is_broken_between_words_and_indented() {
        let line = || Line::prose(4).plain("  ").with(Role::Code, "label-lies:").plain(" its label says linux/amd64");
        assert_eq!(texts(line(), 40), ["  label-lies: its label says linux/amd64"]);
        assert_eq!(texts(line(), 39), ["  label-lies: its label says", "    linux/amd64"]);
        assert_eq!(texts(line(), 20), ["  label-lies: its", "    label says", "    linux/amd64"]);
        assert_eq!(line().wrapped(39)[0].spans[1], Span { role: Role::Code, text: "label-lies:".to_owned() });
    }

    #[test]
    fn words_and_commands_stay_whole() {
        let digest = format!("sha256:{}", "3c".repeat(32));
        let line = Line::prose(2).plain(format!("see {digest} there"));
        assert_eq!(texts(line, 40), ["see".to_owned(), format!("  {digest}"), "  there".to_owned()]);
        let command = Line::fixed().plain("     docker buildx build --platform linux/amd64 --tag a:b --push .");
        assert_eq!(command.clone().wrapped(20), [command]);
    }
}
