//! The environment variables, and the settings parsed from them.

use super::choice::{
    IMAGE_TAGS, INSPECTION_DEPTHS, InspectionDepth, LOG_LEVELS, VERDICT_TAGS, VerdictTags, parse_choice,
};
use super::inspection_limits::InspectionLimits;
use crate::runtime::{RUNTIMES, Runtime, RuntimeError};
use crate::text::{sanitize, sanitize_quoted};

/// The settings of the function; the command line shares most of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The SNS topic to notify; `None` if only verdict tags are written.
    pub topic_arn: Option<String>,
    /// Which images get verdict tags.
    pub verdict_tags: VerdictTags,
    /// How images are checked.
    pub check: CheckSettings,
    /// The least severe log lines that are written. The line with the result of an event is always written.
    pub log_level: tracing::Level,
}

/// How images are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// The key of the resource tag and the label that declare intended runtimes.
    pub declaration_key: String,
    /// Whether image tags declare intended runtimes.
    pub read_image_tags: bool,
    /// The runtimes of images for which nothing else is declared.
    pub default_runtimes: Vec<Runtime>,
    /// How far an image is read.
    pub depth: InspectionDepth,
    /// The limits of inspections.
    pub limits: InspectionLimits,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            declaration_key: "intended-runtime".to_owned(),
            read_image_tags: true,
            default_runtimes: Vec::new(),
            depth: InspectionDepth::Program,
            limits: InspectionLimits::default(),
        }
    }
}

/// One environment variable.
#[derive(Debug)]
pub struct SettingVariable {
    /// Its name.
    pub name: &'static str,
    /// Parses a value and sets it. The error describes the allowed values.
    set: fn(&mut Settings, &str) -> Result<(), String>,
}

/// The prefix of every variable. A variable with this prefix that is not in [`VARIABLES`] is an error.
pub const VARIABLE_PREFIX: &str = "PREFLIGHT_";

/// Every variable.
pub const VARIABLES: [SettingVariable; 8] = [
    SettingVariable {
        name: "PREFLIGHT_TOPIC_ARN",
        set: |settings, value| parse_topic_arn(value).map(|arn| settings.topic_arn = Some(arn)),
    },
    SettingVariable {
        name: "PREFLIGHT_VERDICT_TAGS",
        set: |settings, value| parse_choice(value, &VERDICT_TAGS).map(|tags| settings.verdict_tags = tags),
    },
    SettingVariable {
        name: "PREFLIGHT_DEFAULT_RUNTIME",
        set: |settings, value| parse_runtimes(value).map(|runtimes| settings.check.default_runtimes = runtimes),
    },
    SettingVariable {
        name: "PREFLIGHT_DECLARATION_KEY",
        set: |settings, value| parse_declaration_key(value).map(|key| settings.check.declaration_key = key),
    },
    SettingVariable {
        name: "PREFLIGHT_IMAGE_TAGS",
        set: |settings, value| parse_choice(value, &IMAGE_TAGS).map(|read| settings.check.read_image_tags = read),
    },
    SettingVariable {
        name: "PREFLIGHT_INSPECT",
        set: |settings, value| parse_choice(value, &INSPECTION_DEPTHS).map(|depth| settings.check.depth = depth),
    },
    SettingVariable {
        name: "PREFLIGHT_LIMITS",
        set: |settings, value| InspectionLimits::parse(value).map(|limits| settings.check.limits = limits),
    },
    SettingVariable {
        name: "PREFLIGHT_LOG_LEVEL",
        set: |settings, value| parse_choice(value, &LOG_LEVELS).map(|level| settings.log_level = level),
    },
];

/// A variable is invalid, or the settings together are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum SettingsError {
    #[error("{name} is `{value}`; allowed: {allowed}")]
    Value { name: &'static str, value: String, allowed: String },
    #[error("unknown setting {0}; did you mean {1}?")]
    Unknown(String, &'static str),
    #[error("results would not reach anybody: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_VERDICT_TAGS to failures or all")]
    NoOutput,
}

impl Settings {
    /// Parses the settings among these variables; all other variables are ignored.
    ///
    /// # Errors
    /// If a value is invalid or a variable with our prefix is unknown.
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
                let nearest = VARIABLES.iter().min_by_key(distance).expect("the table is not empty");
                return Err(SettingsError::Unknown(sanitize_quoted(&name), nearest.name));
            };
            let value = value.trim();
            // An empty value is a parameter of the template that was left empty: the default applies.
            if !value.is_empty() {
                (variable.set)(&mut settings, value).map_err(|allowed| SettingsError::Value {
                    name: variable.name,
                    value: sanitize(value, 200),
                    allowed,
                })?;
            }
        }
        Ok(settings)
    }

    /// Returns the settings if the function can report what it finds.
    ///
    /// # Errors
    /// If there is neither a topic nor verdict tags.
    pub fn require_output(self) -> Result<Self, SettingsError> {
        if self.topic_arn.is_none() && self.verdict_tags == VerdictTags::Never {
            Err(SettingsError::NoOutput)
        } else {
            Ok(self)
        }
    }
}

/// Parses runtimes separated by spaces or commas.
fn parse_runtimes(value: &str) -> Result<Vec<Runtime>, String> {
    let allowed = |error: RuntimeError| format!("{} ({error})", RUNTIMES.map(|profile| profile.name).join(", "));
    value.split([' ', ',']).filter(|word| !word.is_empty()).map(|word| word.parse().map_err(allowed)).collect()
}

/// Parses the ARN of a standard topic. Amazon Q Developer cannot subscribe to a FIFO topic.
fn parse_topic_arn(value: &str) -> Result<String, String> {
    let is_valid = match value.split(':').collect::<Vec<_>>()[..] {
        ["arn", partition, "sns", region, account, name] => {
            partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|c| c.is_ascii_digit())
                && !name.is_empty()
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        }
        _ => false,
    };
    if is_valid { Ok(value.to_owned()) } else { Err("the ARN of a standard SNS topic".to_owned()) }
}

fn parse_declaration_key(value: &str) -> Result<String, String> {
    let is_valid = value.len() <= 128 && value.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&c));
    if is_valid { Ok(value.to_owned()) } else { Err("1 to 128 letters, digits and _ . : / = + - @".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn empty_variables_mean_defaults() {
        let settings =
            parse(&[("PATH", "/bin"), ("PREFLIGHT_VERDICT_TAGS", ""), ("PREFLIGHT_DEFAULT_RUNTIME", " ")]).unwrap();
        assert_eq!((settings.verdict_tags, settings.check.clone()), (VerdictTags::Never, CheckSettings::default()));
        assert_eq!(settings.require_output(), Err(SettingsError::NoOutput));
    }

    #[test]
    fn valid_values_are_set() {
        let settings = parse(&[
            ("PREFLIGHT_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"),
            ("PREFLIGHT_VERDICT_TAGS", "All"),
            ("PREFLIGHT_DEFAULT_RUNTIME", "ecs/x86_64  apprunner"),
            ("PREFLIGHT_DECLARATION_KEY", "team:runs-on"),
            ("PREFLIGHT_IMAGE_TAGS", "ignore"),
            ("PREFLIGHT_INSPECT", "manifest"),
            ("PREFLIGHT_LIMITS", "seconds=7"),
            ("PREFLIGHT_LOG_LEVEL", "warn"),
        ]);
        let settings = settings.unwrap().require_output().unwrap();
        assert_eq!(settings.topic_arn.as_deref(), Some("arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"));
        assert_eq!((settings.verdict_tags, settings.log_level), (VerdictTags::All, tracing::Level::WARN));
        let expected = CheckSettings {
            declaration_key: "team:runs-on".to_owned(),
            read_image_tags: false,
            default_runtimes: vec![Runtime::EcsAmd64, Runtime::AppRunner],
            depth: InspectionDepth::Manifest,
            limits: InspectionLimits { timeout_seconds: 7, ..InspectionLimits::default() },
        };
        assert_eq!(settings.check, expected);
    }

    #[test]
    fn invalid_values_are_rejected_with_what_is_allowed() {
        for (name, value, message) in [
            ("PREFLIGHT_VERDICT_TAGS", "yes", "PREFLIGHT_VERDICT_TAGS is `yes`; allowed: never, failures or all"),
            ("PREFLIGHT_INSPECT", "deep", "PREFLIGHT_INSPECT is `deep`; allowed: manifest, config or program"),
            ("PREFLIGHT_IMAGE_TAGS", "1", "PREFLIGHT_IMAGE_TAGS is `1`; allowed: read or ignore"),
            ("PREFLIGHT_LOG_LEVEL", "loud", "PREFLIGHT_LOG_LEVEL is `loud`; allowed: error, warn or info"),
            (
                "PREFLIGHT_DECLARATION_KEY",
                "a b",
                "PREFLIGHT_DECLARATION_KEY is `a b`; allowed: 1 to 128 letters, digits and _ . : / = + - @",
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
                 lambda/arm64, linux/amd64, linux/arm64 (unknown runtime `ecs`; did you mean `ecs/amd64` or `ecs/arm64`?)",
            ),
            (
                "PREFLIGHT_VERDICT_TAG",
                "never",
                "unknown setting PREFLIGHT_VERDICT_TAG; did you mean PREFLIGHT_VERDICT_TAGS?",
            ),
        ] {
            assert_eq!(parse(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }
}
