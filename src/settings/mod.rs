//! The settings, from environment variables, parsed once at the start.
//!
//! Does not read the environment itself. A bad value stops the start: a function that runs on a guess is worse than
//! one that does not.

mod inspection_limits;
mod limits;

pub use inspection_limits::InspectionLimits;
pub use limits::{LayerLimits, LimitExceeded};

use crate::runtime::{RUNTIMES, Runtime, RuntimeError};

/// How far to look. Each step believes less and asks more of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// An index is believed where it names its platforms. A single image's config is read all the same: only it names
    /// the platform.
    Manifest,
    /// The children of an index are compared, and the configs of those that matter read.
    Config,
    /// What the programs in the layers do when they are started is looked at, too.
    Program,
}

/// Which images are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictTags {
    /// None.
    Never,
    /// Those that fail.
    Failures,
    /// Those that fail and those that run. What is not known is never marked, nor what runs by its labels while its
    /// layers did not arrive in time: a mark is never taken back.
    All,
}

/// What the walk can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The SNS topic that is told; none where only marks are set.
    pub topic_arn: Option<String>,
    /// Which images are marked.
    pub verdict_tags: VerdictTags,
    /// How images are looked at.
    pub check: CheckSettings,
    /// The least severe log lines that are written.
    pub log_level: tracing::Level,
}

/// How images are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// The key of the resource tag and the label that declare intended runtimes.
    pub declaration_key: String,
    /// Whether image tags are read for declarations.
    pub read_image_tags: bool,
    /// The runtimes of images for which nothing else is declared.
    pub default_runtimes: Vec<Runtime>,
    /// How far to look.
    pub depth: Depth,
    /// How far inspections go.
    pub limits: InspectionLimits,
    /// The address of the page with the fault table, to which reports link; by default that of this package's repository.
    pub docs_url: Option<String>,
}

impl Default for CheckSettings {
    fn default() -> Self {
        let key = "intended-runtime".to_owned();
        Self {
            declaration_key: key,
            read_image_tags: true,
            default_runtimes: Vec::new(),
            depth: Depth::Program,
            limits: InspectionLimits::default(),
            docs_url: parse_docs_url(env!("CARGO_PKG_REPOSITORY")),
        }
    }
}

/// One variable, as documented and checked.
#[derive(Debug)]
pub struct SettingVariable {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub allowed: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// What every variable's name begins with. One that begins so and is none of these is a mistake.
pub const VARIABLE_PREFIX: &str = "PREFLIGHT_";

/// Every variable.
pub const VARIABLES: [SettingVariable; 9] = [
    SettingVariable {
        name: "PREFLIGHT_TOPIC_ARN",
        allowed: "the ARN of a standard SNS topic",
        meaning: "the topic that is told",
    },
    SettingVariable {
        name: "PREFLIGHT_VERDICT_TAGS",
        allowed: "never, failures or all",
        meaning: "which images are tagged",
    },
    SettingVariable {
        name: "PREFLIGHT_DEFAULT_RUNTIME",
        allowed: "runtimes separated by spaces, such as `ecs/arm64 apprunner`",
        meaning: "the runtimes of images for which nothing else is declared",
    },
    SettingVariable {
        name: "PREFLIGHT_DECLARATION_KEY",
        allowed: "1 to 128 of letters, digits and _ . : / = + - @",
        meaning: "the key of the resource tag and the label that declare runtimes",
    },
    SettingVariable {
        name: "PREFLIGHT_IMAGE_TAGS",
        allowed: "read or ignore",
        meaning: "whether image tags declare runtimes",
    },
    SettingVariable {
        name: "PREFLIGHT_INSPECT",
        allowed: "manifest, config or program",
        meaning: "whether an index is believed, its children's configs are read too, or what their programs do is looked at",
    },
    SettingVariable {
        name: "PREFLIGHT_LIMITS",
        allowed: "words such as `bytes=2G seconds=120`",
        meaning: "how far the inspection of programs goes",
    },
    SettingVariable {
        name: "PREFLIGHT_DOCS_URL",
        allowed: "an https URL of at most 200 characters, without a fragment",
        meaning: "the page with the fault table, to which messages link",
    },
    SettingVariable {
        name: "PREFLIGHT_LOG_LEVEL",
        allowed: "error, warn or info",
        meaning: "the least severe log lines",
    },
];

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("{name} is `{value}`; allowed: {allowed}")]
    Value { name: &'static str, value: String, allowed: String },
    #[error("{0} is no setting; did you mean {1}?")]
    Unknown(String, &'static str),
    #[error("nobody would be told: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_VERDICT_TAGS to failures or all")]
    NoOutput,
}

impl Settings {
    /// Reads the settings among these variables; others are passed over.
    ///
    /// # Errors
    /// Names the variable, its value and what is allowed.
    pub fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let mut settings = Self {
            topic_arn: None,
            verdict_tags: VerdictTags::Never,
            check: CheckSettings::default(),
            log_level: tracing::Level::INFO,
        };
        for (name, value) in variables.filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)) {
            let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
                let distance = |variable: &&SettingVariable| strsim::osa_distance(variable.name, &name);
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
    pub fn require_output(self) -> Result<Self, SettingsError> {
        if self.topic_arn.is_none() && self.verdict_tags == VerdictTags::Never {
            Err(SettingsError::NoOutput)
        } else {
            Ok(self)
        }
    }

    fn set(&mut self, variable: &SettingVariable, value: &str) -> Result<(), SettingsError> {
        let bad = |allowed: String| SettingsError::Value {
            name: variable.name,
            value: value.chars().take(200).collect(),
            allowed,
        };
        let unusable = || bad(variable.allowed.to_owned());
        match variable.name {
            "PREFLIGHT_TOPIC_ARN" => self.topic_arn = Some(parse_topic_arn(value).ok_or_else(unusable)?),
            "PREFLIGHT_VERDICT_TAGS" => {
                self.verdict_tags = parse_choice(value, &VERDICT_TAG_CHOICES).ok_or_else(unusable)?
            }
            "PREFLIGHT_DECLARATION_KEY" => {
                self.check.declaration_key = parse_declaration_key(value).ok_or_else(unusable)?
            }
            "PREFLIGHT_IMAGE_TAGS" => {
                self.check.read_image_tags = parse_choice(value, &IMAGE_TAG_CHOICES).ok_or_else(unusable)?
            }
            "PREFLIGHT_INSPECT" => self.check.depth = parse_choice(value, &DEPTH_CHOICES).ok_or_else(unusable)?,
            "PREFLIGHT_LIMITS" => self.check.limits = InspectionLimits::parse(value).map_err(bad)?,
            "PREFLIGHT_DOCS_URL" => self.check.docs_url = Some(parse_docs_url(value).ok_or_else(unusable)?),
            "PREFLIGHT_LOG_LEVEL" => self.log_level = parse_choice(value, &LOG_LEVEL_CHOICES).ok_or_else(unusable)?,
            "PREFLIGHT_DEFAULT_RUNTIME" => self.check.default_runtimes = parse_runtimes(value).map_err(bad)?,
            name => unreachable!("{name} is in the table of variables"),
        }
        Ok(())
    }
}

const VERDICT_TAG_CHOICES: [(&str, VerdictTags); 3] =
    [("never", VerdictTags::Never), ("failures", VerdictTags::Failures), ("all", VerdictTags::All)];
const IMAGE_TAG_CHOICES: [(&str, bool); 2] = [("read", true), ("ignore", false)];
const DEPTH_CHOICES: [(&str, Depth); 3] =
    [("manifest", Depth::Manifest), ("config", Depth::Config), ("program", Depth::Program)];
const LOG_LEVEL_CHOICES: [(&str, tracing::Level); 3] =
    [("error", tracing::Level::ERROR), ("warn", tracing::Level::WARN), ("info", tracing::Level::INFO)];

fn parse_choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Option<T> {
    choices.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, choice)| *choice)
}

/// Runtimes separated by spaces, or what is allowed instead.
fn parse_runtimes(value: &str) -> Result<Vec<Runtime>, String> {
    let all = RUNTIMES.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ");
    let read = |word: &str| word.parse().map_err(|error: RuntimeError| format!("{all} ({error})"));
    value.split([' ', ',']).filter(|word| !word.is_empty()).map(read).collect()
}

/// A topic that Amazon Q Developer can subscribe to, so no FIFO topic.
fn parse_topic_arn(value: &str) -> Option<String> {
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

fn parse_declaration_key(value: &str) -> Option<String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&c);
    (value.len() <= 128 && value.bytes().all(fits)).then(|| value.to_owned())
}

/// The longest documentation URL, in bytes. A Slack card contains it once for each fault, and holds 8000 characters.
const MAX_DOCS_URL: usize = 200;

/// An https URL that has a host and only characters of RFC 3986, to which `#` and the name of a fault can be appended.
fn parse_docs_url(value: &str) -> Option<String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?@!$&()*+,;=%".contains(&c);
    let rest = value.strip_prefix("https://").filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))?;
    (value.len() <= MAX_DOCS_URL && rest.bytes().all(fits)).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let settings =
            read(&[("PATH", "/bin"), ("PREFLIGHT_VERDICT_TAGS", ""), ("PREFLIGHT_DEFAULT_RUNTIME", " ")]).unwrap();
        assert_eq!((settings.verdict_tags, settings.check.clone()), (VerdictTags::Never, CheckSettings::default()));
        assert_eq!(settings.require_output(), Err(SettingsError::NoOutput));
    }

    #[test]
    fn good_values_are_read() {
        let settings = read(&[
            ("PREFLIGHT_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"),
            ("PREFLIGHT_VERDICT_TAGS", "All"),
            ("PREFLIGHT_DEFAULT_RUNTIME", "ecs/x86_64  apprunner"),
            ("PREFLIGHT_DECLARATION_KEY", "team:runs-on"),
            ("PREFLIGHT_IMAGE_TAGS", "ignore"),
            ("PREFLIGHT_INSPECT", "manifest"),
            ("PREFLIGHT_LIMITS", "seconds=7"),
            ("PREFLIGHT_DOCS_URL", "https://example.com/faults?v=1"),
            ("PREFLIGHT_LOG_LEVEL", "warn"),
        ]);
        let settings = settings.unwrap().require_output().unwrap();
        assert_eq!(settings.topic_arn.as_deref(), Some("arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"));
        assert_eq!((settings.verdict_tags, settings.log_level), (VerdictTags::All, tracing::Level::WARN));
        let CheckSettings {
            declaration_key: key,
            read_image_tags: image_tags,
            default_runtimes,
            depth,
            limits: bounds,
            docs_url,
        } = settings.check;
        assert_eq!(docs_url.as_deref(), Some("https://example.com/faults?v=1"));
        assert_eq!(bounds, InspectionLimits { timeout_seconds: 7, ..InspectionLimits::default() });
        assert_eq!((key.as_str(), image_tags, depth), ("team:runs-on", false, Depth::Manifest));
        assert_eq!(default_runtimes, [Runtime::EcsAmd64, Runtime::AppRunner]);
    }

    #[test]
    fn bad_values_name_the_variable_the_value_and_what_is_allowed() {
        for (name, value, message) in [
            ("PREFLIGHT_VERDICT_TAGS", "yes", "PREFLIGHT_VERDICT_TAGS is `yes`; allowed: never, failures or all"),
            ("PREFLIGHT_INSPECT", "deep", "PREFLIGHT_INSPECT is `deep`; allowed: manifest, config or program"),
            ("PREFLIGHT_IMAGE_TAGS", "1", "PREFLIGHT_IMAGE_TAGS is `1`; allowed: read or ignore"),
            ("PREFLIGHT_LOG_LEVEL", "loud", "PREFLIGHT_LOG_LEVEL is `loud`; allowed: error, warn or info"),
            (
                "PREFLIGHT_DECLARATION_KEY",
                "a b",
                "PREFLIGHT_DECLARATION_KEY is `a b`; allowed: 1 to 128 of letters, digits and _ . : / = + - @",
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
            (
                "PREFLIGHT_DOCS_URL",
                "https://example.com/#faults",
                "PREFLIGHT_DOCS_URL is `https://example.com/#faults`; allowed: an https URL of at most 200 characters, without a fragment",
            ),
            (
                "PREFLIGHT_VERDICT_TAG",
                "never",
                "PREFLIGHT_VERDICT_TAG is no setting; did you mean PREFLIGHT_VERDICT_TAGS?",
            ),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }
}
