//! Text as it may be shown: quoted, cut, without control characters, and an error with its causes in one line.

use std::fmt::Write as _;

/// What somebody wrote, made fit to stand between backticks in a message: cut to 100 characters, and without what
/// would disturb a terminal, markup or a line.
pub(crate) fn sanitize_quoted(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c }).take(100).collect()
}

/// The text without what would disturb a terminal or a message, cut at a character boundary.
pub(crate) fn sanitize(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if hidden(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).take(most).collect()
}

/// An error and all that lies beneath it, in one line; what says the same again is left out.
#[must_use]
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            write!(text, ": {said}").expect("a String takes every write");
        }
        cause = error.source();
    }
    text
}
