//! The settings, from environment variables, parsed once at the start.
//!
//! Does not read the environment itself. A bad value stops the start: a function that runs on a guess is worse than
//! one that does not.

mod bounds;
mod limits;

pub use bounds::Bounds;
pub use limits::{Bound, Limits};

use crate::runtime::{RUNTIMES, Runtime, RuntimeError};

/// How far to look. Each step believes less and asks more of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// An index is believed where it names its platforms. A single image's config is read all the same: only it names
    /// the platform.
    Labels,
    /// The children of an index are compared, and the configs of those that matter read.
    Configs,
    /// What the programs in the layers do when they are started is looked at, too.
    Binaries,
}

/// Which images are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// None.
    Never,
    /// Those that fail.
    Failure,
    /// Those that fail and those that run. What is not known is never marked, nor what runs by its labels while its
    /// layers did not arrive in time: a mark is never taken back.
    Always,
}

/// What the walk can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The SNS topic that is told; none where only marks are set.
    pub topic: Option<String>,
    /// Which images are marked.
    pub mark: Policy,
    /// How images are looked at.
    pub rules: Rules,
    /// The least severe log lines that are written.
    pub log: tracing::Level,
}

/// How images are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The key of the resource tag and the label that declare intended runtimes.
    pub key: String,
    /// Whether image tags are read for declarations.
    pub image_tags: bool,
    /// The runtimes of images for which nothing else is declared.
    pub default_runtimes: Vec<Runtime>,
    /// How far to look.
    pub depth: Depth,
    /// How far inspections go.
    pub bounds: Bounds,
}

impl Default for Rules {
    fn default() -> Self {
        let key = "intended-runtime".to_owned();
        Self { key, image_tags: true, default_runtimes: Vec::new(), depth: Depth::Binaries, bounds: Bounds::default() }
    }
}

/// One variable, as documented and checked.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub allowed: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// What every variable's name begins with. One that begins so and is none of these is a mistake.
pub const PREFIX: &str = "PREFLIGHT_";

/// Every variable.
pub const VARIABLES: [Variable; 8] = [
    Variable {
        name: "PREFLIGHT_TOPIC_ARN",
        allowed: "the ARN of a standard SNS topic",
        meaning: "the topic that is told",
    },
    Variable { name: "PREFLIGHT_MARK", allowed: "never, failure or always", meaning: "which images are tagged" },
    Variable {
        name: "PREFLIGHT_DEFAULT_RUNTIME",
        allowed: "runtimes separated by spaces, such as `ecs/arm64 apprunner`",
        meaning: "the runtimes of images for which nothing else is declared",
    },
    Variable {
        name: "PREFLIGHT_KEY",
        allowed: "1 to 128 of letters, digits and _ . : / = + - @",
        meaning: "the key of the resource tag and the label that declare runtimes",
    },
    Variable {
        name: "PREFLIGHT_IMAGE_TAGS",
        allowed: "read or ignore",
        meaning: "whether image tags declare runtimes",
    },
    Variable {
        name: "PREFLIGHT_DEPTH",
        allowed: "labels, configs or binaries",
        meaning: "whether an index is believed, its children's configs are read too, or what their programs do is looked at",
    },
    Variable {
        name: "PREFLIGHT_LIMITS",
        allowed: "words such as `bytes=2G seconds=120`",
        meaning: "how far the inspection of programs goes",
    },
    Variable { name: "PREFLIGHT_LOG", allowed: "error, warn or info", meaning: "the least severe log lines" },
];

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("{name} is `{value}`; allowed: {allowed}")]
    Value { name: &'static str, value: String, allowed: String },
    #[error("{0} is no setting; did you mean {1}?")]
    Unknown(String, &'static str),
    #[error("nobody would be told: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_MARK to failure or always")]
    Silent,
}

impl Settings {
    /// Reads the settings among these variables; others are passed over.
    ///
    /// # Errors
    /// Names the variable, its value and what is allowed.
    pub fn read(variables: impl Iterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let mut settings =
            Self { topic: None, mark: Policy::Never, rules: Rules::default(), log: tracing::Level::INFO };
        for (name, value) in variables.filter(|(name, _)| name.starts_with(PREFIX)) {
            let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
                let distance = |variable: &&Variable| strsim::osa_distance(variable.name, &name);
                let nearest = VARIABLES.iter().min_by_key(distance).expect("there are variables");
                return Err(SettingsError::Unknown(name.chars().take(100).collect(), nearest.name));
            };
            // A template's parameter that was left empty.
            if !value.trim().is_empty() {
                settings.set(variable, value.trim())?;
            }
        }
        Ok(settings)
    }

    /// The same, once it is certain that somebody hears of what is found.
    ///
    /// # Errors
    /// Where there is neither a topic nor a mark.
    pub fn heard(self) -> Result<Self, SettingsError> {
        if self.topic.is_none() && self.mark == Policy::Never { Err(SettingsError::Silent) } else { Ok(self) }
    }

    fn set(&mut self, variable: &Variable, value: &str) -> Result<(), SettingsError> {
        let bad = |allowed: String| SettingsError::Value {
            name: variable.name,
            value: value.chars().take(200).collect(),
            allowed,
        };
        let unusable = || bad(variable.allowed.to_owned());
        match variable.name {
            "PREFLIGHT_TOPIC_ARN" => self.topic = Some(topic(value).ok_or_else(unusable)?),
            "PREFLIGHT_MARK" => self.mark = choice(value, &MARKS).ok_or_else(unusable)?,
            "PREFLIGHT_KEY" => self.rules.key = key(value).ok_or_else(unusable)?,
            "PREFLIGHT_IMAGE_TAGS" => self.rules.image_tags = choice(value, &IMAGE_TAGS).ok_or_else(unusable)?,
            "PREFLIGHT_DEPTH" => self.rules.depth = choice(value, &DEPTHS).ok_or_else(unusable)?,
            "PREFLIGHT_LIMITS" => self.rules.bounds = Bounds::read(value).map_err(bad)?,
            "PREFLIGHT_LOG" => self.log = choice(value, &LEVELS).ok_or_else(unusable)?,
            "PREFLIGHT_DEFAULT_RUNTIME" => self.rules.default_runtimes = runtimes(value).map_err(bad)?,
            name => unreachable!("{name} is in the table of variables"),
        }
        Ok(())
    }
}

const MARKS: [(&str, Policy); 3] = [("never", Policy::Never), ("failure", Policy::Failure), ("always", Policy::Always)];
const IMAGE_TAGS: [(&str, bool); 2] = [("read", true), ("ignore", false)];
const DEPTHS: [(&str, Depth); 3] =
    [("labels", Depth::Labels), ("configs", Depth::Configs), ("binaries", Depth::Binaries)];
const LEVELS: [(&str, tracing::Level); 3] =
    [("error", tracing::Level::ERROR), ("warn", tracing::Level::WARN), ("info", tracing::Level::INFO)];

fn choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, choice)| *choice)
}

/// Runtimes separated by spaces, or what is allowed instead.
fn runtimes(value: &str) -> Result<Vec<Runtime>, String> {
    let all = RUNTIMES.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ");
    let read = |word: &str| word.parse().map_err(|error: RuntimeError| format!("{all} ({error})"));
    value.split([' ', ',']).filter(|word| !word.is_empty()).map(read).collect()
}

/// A topic that Amazon Q Developer can subscribe to, so no FIFO topic.
fn topic(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split(':').collect();
    let [_, partition, _, region, account, name] = parts.as_slice() else { return None };
    let fits = value.starts_with("arn:aws")
        && partition.starts_with("aws")
        && parts[2] == "sns"
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|c| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    fits.then(|| value.to_owned())
}

fn key(value: &str) -> Option<String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&c);
    (value.len() <= 128 && value.bytes().all(fits)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings = read(&[("PATH", "/bin"), ("PREFLIGHT_MARK", ""), ("PREFLIGHT_DEFAULT_RUNTIME", " ")]).unwrap();
        assert_eq!((settings.mark, settings.rules.clone()), (Policy::Never, Rules::default()));
        assert_eq!(settings.heard(), Err(SettingsError::Silent));
    }

    #[test]
    fn good_values_are_read() {
        let settings = read(&[
            ("PREFLIGHT_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"),
            ("PREFLIGHT_MARK", "Always"),
            ("PREFLIGHT_DEFAULT_RUNTIME", "ecs/x86_64  apprunner"),
            ("PREFLIGHT_KEY", "team:runs-on"),
            ("PREFLIGHT_IMAGE_TAGS", "ignore"),
            ("PREFLIGHT_DEPTH", "labels"),
            ("PREFLIGHT_LIMITS", "seconds=7"),
            ("PREFLIGHT_LOG", "warn"),
        ]);
        let settings = settings.unwrap().heard().unwrap();
        assert_eq!(settings.topic.as_deref(), Some("arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"));
        assert_eq!((settings.mark, settings.log), (Policy::Always, tracing::Level::WARN));
        let Rules { key, image_tags, default_runtimes, depth, bounds } = settings.rules;
        assert_eq!(bounds, Bounds { seconds: 7, ..Bounds::default() });
        assert_eq!((key.as_str(), image_tags, depth), ("team:runs-on", false, Depth::Labels));
        assert_eq!(default_runtimes, [Runtime::EcsAmd64, Runtime::AppRunner]);
    }

    #[test]
    fn bad_values_name_the_variable_the_value_and_what_is_allowed() {
        for (name, value, message) in [
            ("PREFLIGHT_MARK", "yes", "PREFLIGHT_MARK is `yes`; allowed: never, failure or always"),
            ("PREFLIGHT_DEPTH", "deep", "PREFLIGHT_DEPTH is `deep`; allowed: labels, configs or binaries"),
            ("PREFLIGHT_IMAGE_TAGS", "1", "PREFLIGHT_IMAGE_TAGS is `1`; allowed: read or ignore"),
            ("PREFLIGHT_LOG", "loud", "PREFLIGHT_LOG is `loud`; allowed: error, warn or info"),
            (
                "PREFLIGHT_KEY",
                "a b",
                "PREFLIGHT_KEY is `a b`; allowed: 1 to 128 of letters, digits and _ . : / = + - @",
            ),
            (
                "PREFLIGHT_TOPIC_ARN",
                "arn:aws:sns:us-west-2:123456789012:x.fifo",
                "PREFLIGHT_TOPIC_ARN is `arn:aws:sns:us-west-2:123456789012:x.fifo`; allowed: the ARN of a standard SNS topic",
            ),
            (
                "PREFLIGHT_DEFAULT_RUNTIME",
                "ecs",
                "PREFLIGHT_DEFAULT_RUNTIME is `ecs`; allowed: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, \
                 lambda/arm64, linux/amd64, linux/arm64 (`ecs` names no runtime; did you mean `ecs/amd64` or `ecs/arm64`?)",
            ),
            ("PREFLIGHT_MARKS", "never", "PREFLIGHT_MARKS is no setting; did you mean PREFLIGHT_MARK?"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }
}
