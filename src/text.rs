//! Text for messages: sanitizes untrusted text, and formats an error with its causes.

use std::fmt::Write as _;

/// Sanitizes text to be quoted in backticks: at most 100 characters, without backticks.
pub(crate) fn sanitize_quoted(text: &str) -> String {
    sanitize(text, 100).replace('`', "\u{fffd}")
}

/// Replaces characters that could control a terminal or disguise the text: control, bidirectional and zero-width
/// characters. Tabs and line breaks become spaces. The result has at most `max_chars` characters.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    let printable = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(printable).take(max_chars).collect()
}

/// Joins an error and its causes with `: `. Omits a cause whose text is already included.
#[must_use]
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut chain = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        let text = cause.to_string();
        if !chain.contains(&text) {
            write!(chain, ": {text}").expect("writing to a String never fails");
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_sanitized_and_truncated() {
        assert_eq!(sanitize_quoted("a`\u{1b}\u{202e}\u{200b}\nb"), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd} b");
        assert_eq!(sanitize_quoted(&"é".repeat(101)).chars().count(), 100);
        assert_eq!(sanitize("a\u{1b}[31m\u{202e}\n\té", 100), "a\u{fffd}[31m\u{fffd}  é");
        assert_eq!(sanitize(&"é".repeat(1000), 3), "ééé");
    }
}
