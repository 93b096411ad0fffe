//! Text for messages: sanitizes untrusted text, and formats an error with its causes.

use std::error::Error;

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

/// Messages of the AWS SDK and its HTTP client that add nothing to their causes.
const WRAPPER_MESSAGES: [&str; 12] = [
    "an error occurred while loading an access token",
    "an error occurred while loading credentials",
    "client error (Connect)",
    "client error (SendRequest)",
    "dispatch failure",
    "dns error",
    "io error",
    "other",
    "service error",
    "tcp connect error",
    "the credential provider was not enabled",
    "timeout",
];

/// Collects the items without repetitions, in the order in which they first occur.
pub(crate) fn collect_unique<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut unique = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}

/// Returns the messages of an error and its causes, without those that an earlier one contains and without wrappers of
/// the AWS SDK.
pub(crate) fn error_messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let text = cause.to_string();
        let is_wrapper = cause.source().is_some() && WRAPPER_MESSAGES.contains(&text.as_str());
        if !is_wrapper && !messages.iter().any(|earlier| earlier.contains(&text)) {
            messages.push(shorten_credentials_error(&text).unwrap_or(text));
        }
    }
    messages
}

/// Shortens the SDK's list of all places without credentials. Only the profile's entry may name something to fix.
fn shorten_credentials_error(message: &str) -> Option<String> {
    let attempts = message.strip_prefix("no credentials found in chain")?;
    let entry = "Profile: the credential provider was not enabled: ";
    let reason = attempts.lines().find_map(|line| line.trim().strip_prefix(entry));
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    Some(format!("no AWS credentials found{reason}"))
}

/// Joins the messages of an error and its causes with `: `, without repetitions and wrappers of the AWS SDK.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    error_messages(error).join(": ")
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
