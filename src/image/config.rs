//! An image's config, of which only what a verdict needs is kept.
//!
//! Does not fail on what it does not know: a foreign config has merely less to say.

use serde::Deserialize;
use serde_json::Value;

use super::json::{Text, object};
use crate::platform::Platform;

/// What a config says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Config {
    pub(super) platform: Platform,
    pub(super) command: Vec<String>,
    labels: Vec<(String, String)>,
}

/// How much of one word of a command line is kept, in characters, and how many words: it is quoted in messages.
const MAX_WORD: usize = 120;
const MAX_WORDS: usize = 16;

/// How much of a label is kept, in characters: what a resource tag may hold.
const MAX_LABEL: usize = 256;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wire {
    os: Text,
    architecture: Text,
    variant: Text,
    config: Value,
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// Says what is wrong where the document is no JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = object(bytes).map_err(|error| format!("its config cannot be read: {error}"))?;
        let words = |key: &str| wire.config.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(|text| printable(text, MAX_WORD));
        let command = words("Entrypoint").iter().chain(&words("Cmd")).filter_map(text).take(MAX_WORDS).collect();
        let labels = wire.config.get("Labels").and_then(Value::as_object);
        let label = |(key, value): (&String, &Value)| Some((key.clone(), printable(value.as_str()?, MAX_LABEL)));
        Ok(Self {
            platform: Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0),
            command,
            labels: labels.into_iter().flatten().filter_map(label).collect(),
        })
    }

    /// The value of a label.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// The text without what would disturb a terminal or a message, cut at a character boundary.
fn printable(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_configs_say_platform_command_and_labels() {
        let config = Config::parse(
            br#"{"os":"linux","architecture":"x86_64","config":{"Entrypoint":["/app"],"Cmd":["-v"],"Labels":{"a":"b"}}}"#,
        );
        let config = config.unwrap();
        assert_eq!(config.platform, Platform::linux("amd64"));
        assert_eq!(config.command, ["/app", "-v"]);
        assert_eq!((config.label("a"), config.label("b")), (Some("b"), None));
    }

    #[test]
    fn odd_fields_hide_nothing_else() {
        for odd in [
            r#"{"os":7,"architecture":"arm64"}"#,
            r#"{"architecture":"arm64","config":null}"#,
            r#"{"architecture":"arm64","config":{"Entrypoint":"/app","Cmd":[1,null],"Labels":[]}}"#,
            r#"{"architecture":"arm64","config":{"Labels":{"a":{}}},"rootfs":"?"}"#,
        ] {
            let config = Config::parse(odd.as_bytes()).unwrap();
            assert_eq!(config.platform.architecture(), "arm64", "{odd}");
            assert!(config.command.is_empty() && config.labels.is_empty(), "{odd}");
        }
    }

    #[test]
    fn bad_configs_are_refused() {
        for bad in ["", "[]", "7", "\"x\"", "{", "\u{1f}\u{8b}"] {
            assert!(Config::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_made_fit_to_be_shown() {
        let config = Config::parse("{\"config\":{\"Cmd\":[\"/a\\u001b[31m\\u202e\",\"é\"]}}".as_bytes()).unwrap();
        assert_eq!(config.command, ["/a\u{fffd}[31m\u{fffd}", "é"]);
        let long = format!(r#"{{"config":{{"Cmd":["{}"]}}}}"#, "é".repeat(1000));
        assert_eq!(Config::parse(long.as_bytes()).unwrap().command[0].chars().count(), MAX_WORD);
    }
}
