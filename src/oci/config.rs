//! An image's config, of which only what a verdict needs is kept.
//!
//! Does not fail on what it does not know: a foreign config has merely less to say.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use super::json::{List, Object, Shape, Text, object};
use super::process::{Process, is_hook, traces};
use crate::platform::Platform;
use crate::text::printable;

/// What a config says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Config {
    pub(super) platform: Platform,
    pub(super) command: Vec<String>,
    pub(super) process: Process,
    labels: Vec<(String, String)>,
}

/// How much of one word of a command line is kept, in characters, and how many words: it is quoted in messages.
const MAX_WORD: usize = 120;
const MAX_WORDS: usize = 16;

/// How many words of a command line are kept whole, how many volumes, and how many steps of the history: far more than
/// real images have, so that a config of a megabyte does not become a hundred thousand allocations.
const MAX_ARGUMENTS: usize = 500;
const MAX_VOLUMES: usize = 100;
const MAX_STEPS: usize = 500;
/// How many traces of the build are told.
const MAX_TRACES: usize = 3;

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
    history: List<Step, MAX_STEPS>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    entrypoint: Words,
    cmd: Words,
    env: Environment,
    working_dir: Text,
    user: Text,
    volumes: Volumes,
    labels: Labels,
}

/// One step of the history.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    created_by: Text,
}

/// A list of words, which must be one: a single text is another command line than the list of its words.
#[derive(Debug, Default)]
struct Words {
    kept: Vec<String>,
    is_odd: bool,
}

impl Shape for Words {
    fn text(_: &str) -> Self {
        Self { kept: Vec::new(), is_odd: true }
    }

    fn number(_: u64) -> Self {
        Self::text("")
    }

    fn list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut words = Self::default();
        while let Some(word) = elements.next_element::<Word>()? {
            words.is_odd |= word.0.is_none() || words.kept.len() == MAX_ARGUMENTS;
            words.kept.extend(word.0.filter(|_| words.kept.len() < MAX_ARGUMENTS));
        }
        Ok(words)
    }
}

/// A text, told from what is none.
#[derive(Debug, Default)]
struct Word(Option<String>);

impl Shape for Word {
    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// What counts in a list of variables: the value of `PATH`, the last one, as runc sets one after the other; and hooks.
#[derive(Debug, Default)]
struct Environment {
    path: Option<String>,
    has_hooks: bool,
}

impl Shape for Environment {
    fn list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut environment = Self::default();
        while let Some(Text(variable)) = elements.next_element()? {
            environment.has_hooks |= is_hook(&variable);
            environment.path = variable.strip_prefix("PATH=").map(str::to_owned).or(environment.path);
        }
        Ok(environment)
    }
}

/// The names of an object's members.
#[derive(Debug, Default)]
struct Volumes {
    kept: Vec<String>,
    is_odd: bool,
}

impl Shape for Volumes {
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut volumes = Self::default();
        while let Some((Text(name), IgnoredAny)) = entries.next_entry()? {
            volumes.is_odd |= volumes.kept.len() == MAX_VOLUMES;
            volumes.kept.extend(Some(name).filter(|_| volumes.kept.len() < MAX_VOLUMES));
        }
        Ok(volumes)
    }
}

/// Reads a field of one of these shapes.
macro_rules! deserialize {
    ($($shape:ty),*) => {$(
        impl<'de> Deserialize<'de> for $shape {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Shape::read(deserializer)
            }
        }
    )*};
}

deserialize!(Words, Word, Environment, Volumes, Labels);

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

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// Says what is wrong where the document is no JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = object(bytes).map_err(|error| format!("its config cannot be read: {error}"))?;
        let run = wire.config.0.unwrap_or_default();
        let platform = Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0);
        // An entrypoint of one empty word is none for Docker Engine, and a word for containerd.
        let is_blank = run.entrypoint.kept.first().is_some_and(String::is_empty);
        let is_odd = run.entrypoint.is_odd || run.cmd.is_odd || run.volumes.is_odd || is_blank;
        let steps = wire.history.kept.iter().flat_map(|step| traces(&step.created_by.0, platform.architecture()));
        let mut told: Vec<_> = steps.collect();
        told.sort();
        told.dedup();
        told.truncate(MAX_TRACES);
        let process = Process {
            argv: run.entrypoint.kept.into_iter().chain(run.cmd.kept).collect(),
            path: run.env.path,
            has_hooks: run.env.has_hooks,
            directory: run.working_dir.0,
            user: run.user.0,
            volumes: run.volumes.kept,
            traces: told,
            odd: is_odd.then(|| "its config has a command or volumes that cannot be read".to_owned()),
        };
        let command = process.argv.iter().take(MAX_WORDS).map(|word| printable(word, MAX_WORD)).collect();
        Ok(Self { platform, command, process, labels: run.labels.0 })
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
    fn what_a_runtime_starts_is_kept_whole() {
        let long = "x".repeat(1000);
        let config = format!(
            r#"{{"architecture":"arm64","config":{{"Entrypoint":["/app"],"Cmd":["{long}"],"Env":["A=b","PATH=/a","PATH=/b:/c"],
            "WorkingDir":"/srv","User":"7:8","Volumes":{{"/data":{{}}}}}},
            "history":[{{"created_by":"RUN GOARCH=amd64 go build"}},{{"created_by":"RUN GOARCH=amd64 go vet"}}]}}"#
        );
        let process = Config::parse(config.as_bytes()).unwrap().process;
        let expected = Process {
            argv: vec!["/app".to_owned(), long],
            path: Some("/b:/c".to_owned()),
            has_hooks: false,
            directory: "/srv".to_owned(),
            user: "7:8".to_owned(),
            volumes: vec!["/data".to_owned()],
            traces: vec![crate::oci::process::Trace::Fixed("GOARCH=amd64".to_owned())],
            odd: None,
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
            let config = Config::parse(format!(r#"{{"config":{config}}}"#).as_bytes()).unwrap();
            assert_eq!(config.process.odd.is_some(), is_odd);
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
