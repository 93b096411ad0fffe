//! The few requests of roff that the pages need, with text that can be copied from a page: see `groff_char(7)`.

use crate::text::sanitize;

/// Escapes text within a line. Without it, formatters replace quotes, hyphens, `^` and `~` by typographic characters.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in sanitize(text, usize::MAX).chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Formats a line of text. A line must not begin with a period, which begins a request.
pub(super) fn format_line(text: &str) -> String {
    format!("{}{}\n", if text.starts_with('.') { "\\&" } else { "" }, escape(text))
}

/// Formats a paragraph: what is between backticks becomes bold.
pub(super) fn format_prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let marked = parts.map(|(index, part)| if index % 2 == 1 { format_bold(part) } else { escape(part) });
    let line: String = marked.collect();
    format!("{}{line}\n", if line.starts_with('.') { "\\&" } else { "" })
}

pub(super) fn format_bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

/// Makes bold what is between backticks, in a page that is formatted already.
pub(super) fn embolden_code(page: &str) -> String {
    let mut text = String::new();
    for line in page.lines() {
        let parts: Vec<&str> = line.split('`').collect();
        if line.starts_with('.') || parts.len().is_multiple_of(2) {
            text.push_str(line);
        } else {
            for (index, part) in parts.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ["\\fR", "\\fB"][index % 2] });
                text.push_str(part);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_be_copied() {
        assert_eq!(escape(r"a -b '~/x' `^` \n"), r"a \-b \(aq\(ti/x\(aq \(ga\(ha\(ga \en");
        assert_eq!(format_line(".ssh"), "\\&.ssh\n");
        assert_eq!(format_prose("Use `a-b` or c."), "Use \\fBa\\-b\\fR or c.\n");
        assert_eq!(
            embolden_code("one `a` and `b`\n.TP\nunpaired `\n"),
            "one \\fBa\\fR and \\fBb\\fR\n.TP\nunpaired `\n"
        );
    }
}
