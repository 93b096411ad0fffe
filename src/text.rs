//! Text for messages: text from untrusted sources made safe to print, and an error with its causes on one line.

use std::fmt::Write as _;

/// Returns the text as it may be printed between backticks in a message: at most 100 characters, sanitized, without
/// backticks.
pub(crate) fn sanitize_quoted(text: &str) -> String {
    sanitize(text, 100).replace('`', "\u{fffd}")
}

/// Replaces control characters, bidirectional controls and zero-width characters, which would disturb a terminal or
/// disguise the text. Tabs and line breaks become spaces. The result has at most `max_chars` characters.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    let printable = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(printable).take(max_chars).collect()
}

/// Joins an error and its causes with `: `. A cause whose text is already included is left out.
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
    fn quoted_text_has_no_controls_or_backticks() {
        assert_eq!(sanitize_quoted("a`\u{1b}\u{202e}\u{200b}\nb"), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd} b");
        assert_eq!(sanitize_quoted(&"é".repeat(101)).chars().count(), 100);
    }
}
