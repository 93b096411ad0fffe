//! An image's config, of which only what a verdict needs is kept.
//!
//! Does not fail on what it does not know: a foreign config has merely less to say.

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};

use super::json::{List, Object, Shape, Text, object, printable};
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

/// How many labels are kept; real images have some tens.
const MAX_LABELS: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wire {
    os: Text,
    architecture: Text,
    variant: Text,
    config: Object<Run>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    entrypoint: List<Text, MAX_WORDS>,
    cmd: List<Text, MAX_WORDS>,
    labels: Labels,
}

/// Names and values, as far as both are texts.
#[derive(Debug, Default)]
struct Labels(Vec<(String, String)>);

impl Shape for Labels {
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut labels = Vec::new();
        while let Some((Text(name), Text(value))) = entries.next_entry()? {
            if labels.len() < MAX_LABELS && !value.is_empty() {
                labels.push((printable(&name, MAX_LABEL), printable(&value, MAX_LABEL)));
            }
        }
        Ok(Self(labels))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shape::read(deserializer)
    }
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// Says what is wrong where the document is no JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = object(bytes).map_err(|error| format!("its config cannot be read: {error}"))?;
        let Run { entrypoint, cmd, labels } = wire.config.0.unwrap_or_default();
        let command = entrypoint.kept.iter().chain(&cmd.kept).take(MAX_WORDS);
        Ok(Self {
            platform: Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0),
            command: command.map(|word| printable(&word.0, MAX_WORD)).collect(),
            labels: labels.0,
        })
    }

    /// The value of a label; an empty one is how a label of the base image is taken back.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(name, _)| name == key);
        label.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// Whether it says nothing at all: tools that keep bundles of files in a registry write such configs.
    pub(super) fn is_blank(&self) -> bool {
        self.platform == Platform::default() && self.command.is_empty()
    }
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
            r#"{"architecture":"arm64","config":{"Entrypoint":"/app","Cmd":{},"Labels":[]}}"#,
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
    fn words_are_kept_short_and_labels_apart() {
        let long = format!(r#"{{"config":{{"Cmd":["{}"]}}}}"#, "é".repeat(1000));
        assert_eq!(Config::parse(long.as_bytes()).unwrap().command[0].chars().count(), MAX_WORD);
        let labels = Config::parse(br#"{"config":{"Labels":{"a":"x\ny","b":"","c":7}}}"#).unwrap();
        assert_eq!((labels.label("a"), labels.label("b"), labels.label("c")), (Some("x y"), None, None));
    }
}
