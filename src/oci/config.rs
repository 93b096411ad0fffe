//! An image's config, of which only what a verdict needs is kept.
//!
//! Does not fail on what it does not know: a foreign config has merely less to say.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use super::lenient_json::{LenientList, LenientObject, LenientString, LenientValue, parse_object};
use super::process_config::{ProcessConfig, find_build_hints, is_startup_variable};
use crate::platform::Platform;
use crate::text::sanitize;

/// What a config says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ImageConfig {
    pub(super) platform: Platform,
    pub(super) shown_command: Vec<String>,
    pub(super) process: ProcessConfig,
    labels: Vec<(String, String)>,
}

/// How much of one word of a command line is kept, in characters, and how many words: it is quoted in messages.
const MAX_SHOWN_ARGUMENT: usize = 120;
const MAX_SHOWN_ARGUMENTS: usize = 16;

/// How many words of a command line are kept whole, how many volumes, and how many steps of the history: far more than
/// real images have, so that a config of a megabyte does not become a hundred thousand allocations.
const MAX_ARGUMENTS: usize = 500;
const MAX_VOLUMES: usize = 100;
const MAX_HISTORY_ENTRIES: usize = 500;
/// How many traces of the build are told.
const MAX_BUILD_HINTS: usize = 3;

/// How much of a label is kept, in characters: what a resource tag may hold.
const MAX_LABEL: usize = 256;

/// How many labels are kept; real images have some tens.
const MAX_LABELS: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireConfig {
    os: LenientString,
    architecture: LenientString,
    variant: LenientString,
    config: LenientObject<WireContainerConfig>,
    history: LenientList<WireHistoryEntry, MAX_HISTORY_ENTRIES>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireContainerConfig {
    entrypoint: WireArguments,
    cmd: WireArguments,
    env: WireEnvironment,
    working_dir: LenientString,
    user: LenientString,
    volumes: WireVolumes,
    labels: WireLabels,
}

/// One step of the history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireHistoryEntry {
    created_by: LenientString,
}

/// A list of words, which must be one: a single text is another command line than the list of its words.
#[derive(Debug, Default)]
struct WireArguments {
    values: Vec<String>,
    is_invalid: bool,
}

impl LenientValue for WireArguments {
    fn from_text(_: &str) -> Self {
        Self { values: Vec::new(), is_invalid: true }
    }

    fn from_number(_: u64) -> Self {
        Self::from_text("")
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut words = Self::default();
        while let Some(word) = elements.next_element::<WireArgument>()? {
            words.is_invalid |= word.0.is_none() || words.values.len() == MAX_ARGUMENTS;
            words.values.extend(word.0.filter(|_| words.values.len() < MAX_ARGUMENTS));
        }
        Ok(words)
    }
}

/// A text, told from what is none.
#[derive(Debug, Default)]
struct WireArgument(Option<String>);

impl LenientValue for WireArgument {
    fn from_text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// What counts in a list of variables: the value of `PATH`, the last one, as runc sets one after the other; and hooks.
#[derive(Debug, Default)]
struct WireEnvironment {
    path: Option<String>,
    has_startup_variables: bool,
}

impl LenientValue for WireEnvironment {
    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut environment = Self::default();
        while let Some(LenientString(variable)) = elements.next_element()? {
            environment.has_startup_variables |= is_startup_variable(&variable);
            environment.path = variable.strip_prefix("PATH=").map(str::to_owned).or(environment.path);
        }
        Ok(environment)
    }
}

/// The names of an object's members.
#[derive(Debug, Default)]
struct WireVolumes {
    names: Vec<String>,
    is_invalid: bool,
}

impl LenientValue for WireVolumes {
    fn from_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut volumes = Self::default();
        while let Some((LenientString(name), IgnoredAny)) = entries.next_entry()? {
            volumes.is_invalid |= volumes.names.len() == MAX_VOLUMES;
            volumes.names.extend(Some(name).filter(|_| volumes.names.len() < MAX_VOLUMES));
        }
        Ok(volumes)
    }
}

/// Reads a field of one of these shapes.
macro_rules! deserialize {
    ($($shape:ty),*) => {$(
        impl<'de> Deserialize<'de> for $shape {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                LenientValue::deserialize_leniently(deserializer)
            }
        }
    )*};
}

deserialize!(WireArguments, WireArgument, WireEnvironment, WireVolumes, WireLabels);

/// Names and values, as far as both are texts.
#[derive(Debug, Default)]
struct WireLabels(Vec<(String, String)>);

impl LenientValue for WireLabels {
    fn from_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut labels = Vec::new();
        while let Some((LenientString(name), LenientString(value))) = entries.next_entry()? {
            if labels.len() < MAX_LABELS && !value.is_empty() {
                labels.push((sanitize(&name, MAX_LABEL), sanitize(&value, MAX_LABEL)));
            }
        }
        Ok(Self(labels))
    }
}

impl ImageConfig {
    /// Reads a config.
    ///
    /// # Errors
    /// Says what is wrong where the document is no JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: WireConfig = parse_object(bytes).map_err(|error| format!("its config cannot be read: {error}"))?;
        let run = wire.config.0.unwrap_or_default();
        let platform = Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0);
        // An entrypoint of one empty word is none for Docker Engine, and a word for containerd.
        let is_blank = run.entrypoint.values.first().is_some_and(String::is_empty);
        let is_odd = run.entrypoint.is_invalid || run.cmd.is_invalid || run.volumes.is_invalid || is_blank;
        let steps =
            wire.history.items.iter().flat_map(|step| find_build_hints(&step.created_by.0, platform.architecture()));
        let mut told: Vec<_> = steps.collect();
        told.sort();
        told.dedup();
        told.truncate(MAX_BUILD_HINTS);
        let process = ProcessConfig {
            argv: run.entrypoint.values.into_iter().chain(run.cmd.values).collect(),
            path: run.env.path,
            has_startup_variables: run.env.has_startup_variables,
            working_directory: run.working_dir.0,
            user: run.user.0,
            volumes: run.volumes.names,
            build_hints: told,
            invalid_reason: is_odd.then(|| "its config has a command or volumes that cannot be read".to_owned()),
        };
        let command =
            process.argv.iter().take(MAX_SHOWN_ARGUMENTS).map(|word| sanitize(word, MAX_SHOWN_ARGUMENT)).collect();
        Ok(Self { platform, shown_command: command, process, labels: run.labels.0 })
    }

    /// The value of a label; an empty one is how a label of the base image is taken back.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(name, _)| name == key);
        label.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// Whether it says nothing at all: tools that keep bundles of files in a registry write such configs.
    pub(super) fn is_blank(&self) -> bool {
        self.platform == Platform::default() && self.shown_command.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_configs_say_platform_command_and_labels() {
        let config = ImageConfig::parse(
            br#"{"os":"linux","architecture":"x86_64","config":{"Entrypoint":["/app"],"Cmd":["-v"],"Labels":{"a":"b"}}}"#,
        );
        let config = config.unwrap();
        assert_eq!(config.platform, Platform::linux("amd64"));
        assert_eq!(config.shown_command, ["/app", "-v"]);
        assert_eq!((config.label("a"), config.label("b")), (Some("b"), None));
    }

    #[test]
    fn what_a_runtime_starts_is_kept_whole() {
        let long = "x".repeat(1000);
        let config = format!(
            r#"{{"architecture":"arm64","config":{{"Entrypoint":["/app"],"Cmd":["{long}"],"Env":["A=b","PATH=/a","PATH=/b:/c"],
            "WorkingDir":"/srv","User":"7:8","Volumes":{{"/data":{{}}}}}},
            "history":[{{"created_by":"RUN GOARCH=amd64 go build"}},{{"created_by":"RUN GOARCH=amd64 go vet"}}]}}"#
        );
        let process = ImageConfig::parse(config.as_bytes()).unwrap().process;
        let expected = ProcessConfig {
            argv: vec!["/app".to_owned(), long],
            path: Some("/b:/c".to_owned()),
            has_startup_variables: false,
            working_directory: "/srv".to_owned(),
            user: "7:8".to_owned(),
            volumes: vec!["/data".to_owned()],
            build_hints: vec![crate::oci::process_config::BuildHint::FixedArchitecture("GOARCH=amd64".to_owned())],
            invalid_reason: None,
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn a_command_that_is_no_list_of_texts_is_odd() {
        for (config, is_odd) in [
            (r#"{"Entrypoint":"/app"}"#, true),
            (r#"{"Cmd":["a",7]}"#, true),
            (r#"{"Entrypoint":7}"#, true),
            (r#"{"Entrypoint":[""],"Cmd":["a"]}"#, true),
            (r#"{"Entrypoint":null,"Cmd":[]}"#, false),
            (r"{}", false),
        ] {
            let config = ImageConfig::parse(format!(r#"{{"config":{config}}}"#).as_bytes()).unwrap();
            assert_eq!(config.process.invalid_reason.is_some(), is_odd);
        }
    }

    #[test]
    fn odd_fields_hide_nothing_else() {
        for odd in [
            r#"{"os":7,"architecture":"arm64"}"#,
            r#"{"architecture":"arm64","config":null}"#,
            r#"{"architecture":"arm64","config":{"Entrypoint":"/app","Cmd":{},"Labels":[]}}"#,
            r#"{"architecture":"arm64","config":{"Labels":{"a":{}}},"rootfs":"?"}"#,
        ] {
            let config = ImageConfig::parse(odd.as_bytes()).unwrap();
            assert_eq!(config.platform.architecture(), "arm64", "{odd}");
            assert!(config.shown_command.is_empty() && config.labels.is_empty(), "{odd}");
        }
    }

    #[test]
    fn bad_configs_are_refused() {
        for bad in ["", "[]", "7", "\"x\"", "{", "\u{1f}\u{8b}"] {
            assert!(ImageConfig::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_kept_short_and_labels_apart() {
        let long = format!(r#"{{"config":{{"Cmd":["{}"]}}}}"#, "é".repeat(1000));
        assert_eq!(ImageConfig::parse(long.as_bytes()).unwrap().shown_command[0].chars().count(), MAX_SHOWN_ARGUMENT);
        let labels = ImageConfig::parse(br#"{"config":{"Labels":{"a":"x\ny","b":"","c":7}}}"#).unwrap();
        assert_eq!((labels.label("a"), labels.label("b"), labels.label("c")), (Some("x y"), None, None));
    }
}
