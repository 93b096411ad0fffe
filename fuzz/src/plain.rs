//! What may be shown: nothing that steers a terminal, and nothing that Slack takes for markup.
//!
//! Does not look at how a text is worded.

use serde_json::Value;

/// Asserts that a text of one line can be printed anywhere.
pub(crate) fn assert_line(text: &str) {
    assert!(!text.contains('\n'), "{text:?}");
    assert_text(text);
}

/// Asserts that a text of several lines can be printed anywhere.
pub(crate) fn assert_text(text: &str) {
    let hidden =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(hidden), "{text:?}");
}

/// Asserts that what stands in a card is no link, no mention and no command: these begin with `<`, and an ampersand
/// begins nothing but what is escaped.
pub(crate) fn assert_card(card: &Value) {
    match card {
        Value::String(text) => {
            assert_text(text);
            assert!(!text.contains(['<', '>']), "{text:?}");
            let escaped = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|name| rest.starts_with(name));
            assert!(text.split('&').skip(1).all(escaped), "{text:?}");
        }
        Value::Array(list) => list.iter().for_each(assert_card),
        Value::Object(object) => object.values().for_each(assert_card),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
