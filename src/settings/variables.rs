//! The environment variables, and the settings parsed from them.

use std::ffi::OsStr;

use super::choice::{
    CONSUMERS, ConsumerUse, DEPTHS, GATES, GateMode, IMAGE_TAGS, InspectionDepth, LOG_LEVELS, VERDICT_TAGS,
    VerdictTags, parse_choice,
};
use super::limits::InspectionLimits;
use crate::name::Repository;
use crate::runtime::{RUNTIMES, Runtime, RuntimeError};
use crate::text::{sanitize, sanitize_quoted};

/// The settings of the function; the command line shares most of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The SNS topic to notify; `None` if only verdict tags are written.
    pub topic_arn: Option<String>,
    /// Which images get verdict tags.
    pub verdict_tags: VerdictTags,
    /// What gates do if an image certainly does not start; `None` if it is not set.
    pub gates: Option<GateMode>,
    /// Whether pushes are judged by what runs their images.
    pub consumers: ConsumerUse,
    /// The table that the census writes and pushes read; `None` if there is none.
    pub table: Option<String>,
    /// How images are checked.
    pub check: CheckSettings,
    /// Images in repositories whose names begin with one of these are ignored.
    pub excluded_repositories: Vec<String>,
    /// The name of the stack, a dimension of the metrics.
    pub stack: Option<String>,
    /// The lowest level of log lines that are written. The line with the result of an event is always written.
    pub log_level: tracing::Level,
}

/// How images are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// The key of the resource tag and the label that declare intended runtimes.
    pub declaration_key: String,
    /// Whether image tags declare intended runtimes.
    pub read_image_tags: bool,
    /// The runtimes of images without a declaration.
    pub default_runtimes: Vec<Runtime>,
    /// How far an image is read.
    pub depth: InspectionDepth,
    /// The limits of inspections.
    pub limits: InspectionLimits,
    /// The URL of the page with the fault table, to which reports link; by default, this project's repository.
    pub docs_url: Option<String>,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            declaration_key: "intended-runtime".to_owned(),
            read_image_tags: true,
            default_runtimes: Vec::new(),
            depth: InspectionDepth::Program,
            limits: InspectionLimits::default(),
            docs_url: parse_docs_url(env!("CARGO_PKG_REPOSITORY")).ok(),
        }
    }
}

/// One environment variable.
#[derive(Debug)]
pub struct SettingVariable {
    /// Its name.
    pub name: &'static str,
    set: Setter,
}

/// Parses a value and sets it. The error describes the allowed values.
type Setter = fn(&mut Settings, &str) -> Result<(), String>;

/// The prefix of all variables. An unknown variable with this prefix is an error.
const VARIABLE_PREFIX: &str = "PREFLIGHT_";

/// The variable with the function's memory in MiB, which Lambda sets.
const FUNCTION_MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Every variable.
pub const VARIABLES: [SettingVariable; 14] = [
    variable("PREFLIGHT_TOPIC_ARN", |to, text| parse_topic_arn(text).map(|arn| to.topic_arn = Some(arn))),
    variable("PREFLIGHT_VERDICT_TAGS", |to, text| parse_choice(text, &VERDICT_TAGS).map(|tags| to.verdict_tags = tags)),
    variable("PREFLIGHT_GATES", |to, text| parse_choice(text, &GATES).map(|mode| to.gates = Some(mode))),
    variable("PREFLIGHT_CONSUMERS", |to, text| parse_choice(text, &CONSUMERS).map(|how| to.consumers = how)),
    variable("PREFLIGHT_TABLE", |to, text| parse_table_name(text).map(|name| to.table = Some(name))),
    variable("PREFLIGHT_DEFAULT_RUNTIME", |to, text| parse_runtimes(text).map(|list| to.check.default_runtimes = list)),
    variable("PREFLIGHT_DECLARATION_KEY", |to, text| parse_tag_key(text).map(|key| to.check.declaration_key = key)),
    variable("PREFLIGHT_IMAGE_TAGS", |to, text| {
        parse_choice(text, &IMAGE_TAGS).map(|read| to.check.read_image_tags = read)
    }),
    variable("PREFLIGHT_INSPECT", |to, text| parse_choice(text, &DEPTHS).map(|depth| to.check.depth = depth)),
    variable("PREFLIGHT_LIMITS", |to, text| to.check.limits.with(text).map(|limits| to.check.limits = limits)),
    variable("PREFLIGHT_DOCS_URL", |to, text| parse_docs_url(text).map(|url| to.check.docs_url = Some(url))),
    variable("PREFLIGHT_EXCLUDED_REPOSITORIES", |to, text| {
        parse_prefixes(text).map(|list| to.excluded_repositories = list)
    }),
    variable("PREFLIGHT_STACK", |to, text| parse_stack_name(text).map(|name| to.stack = Some(name))),
    variable("PREFLIGHT_LOG_LEVEL", |to, text| parse_choice(text, &LOG_LEVELS).map(|level| to.log_level = level)),
];

const fn variable(name: &'static str, set: Setter) -> SettingVariable {
    SettingVariable { name, set }
}

/// A variable is invalid or unknown, or no output is set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum SettingsError {
    #[error("{name} is `{value}`; allowed: {allowed}")]
    Value { name: &'static str, value: String, allowed: String },
    #[error("unknown setting {0}; did you mean {1}?")]
    Unknown(String, &'static str),
    #[error("results would not be reported: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_VERDICT_TAGS to failures or all")]
    NoOutput,
    #[error("PREFLIGHT_CONSUMERS needs PREFLIGHT_TABLE, the table that the census writes")]
    NoTable,
}

impl Settings {
    /// Parses the settings among these variables and ignores the others.
    ///
    /// # Errors
    /// Returns an error if a value is invalid, or a variable with our prefix is unknown.
    pub fn from_variables(
        variables: impl Iterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self {
            topic_arn: None,
            verdict_tags: VerdictTags::Never,
            gates: None,
            consumers: ConsumerUse::Off,
            table: None,
            check: CheckSettings::default(),
            excluded_repositories: Vec::new(),
            stack: None,
            log_level: tracing::Level::INFO,
        };
        let variables: Vec<_> = variables.collect();
        let is_memory = |(name, _): &&(_, _)| AsRef::<OsStr>::as_ref(name) == FUNCTION_MEMORY;
        let memory = variables.iter().find(is_memory).and_then(|(_, value)| value.as_ref().to_str()?.parse().ok());
        if let Some(mebibytes) = memory {
            settings.check.limits = InspectionLimits::for_function_memory(mebibytes);
        }
        for (name, value) in &variables {
            let (name, value) = (name.as_ref().to_string_lossy(), value.as_ref().to_string_lossy());
            if !name.starts_with(VARIABLE_PREFIX) {
                continue;
            }
            let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
                let distance = |variable: &&SettingVariable| strsim::osa_distance(variable.name, &name);
                let nearest = VARIABLES.iter().min_by_key(distance).expect("the table is not empty");
                return Err(SettingsError::Unknown(sanitize_quoted(&name), nearest.name));
            };
            let value = value.trim();
            // A template parameter that is not set is an empty value: the default applies.
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

    /// Returns whether images in this repository are ignored.
    pub fn excludes(&self, repository: &Repository) -> bool {
        self.excluded_repositories.iter().any(|prefix| repository.name().starts_with(prefix.as_str()))
    }

    /// Returns what gates do.
    pub fn gate_mode(&self) -> GateMode {
        self.gates.unwrap_or(GateMode::Warn)
    }

    /// Returns the settings if they have an output for results.
    ///
    /// # Errors
    /// Returns [`SettingsError::NoTable`] if consumers are used without a table, and [`SettingsError::NoOutput`] without a topic and verdict tags.
    pub fn require_output(self) -> Result<Self, SettingsError> {
        if self.topic_arn.is_none() && self.verdict_tags == VerdictTags::Never {
            Err(SettingsError::NoOutput)
        } else if self.consumers != ConsumerUse::Off && self.table.is_none() {
            Err(SettingsError::NoTable)
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

/// Parses beginnings of repository names, separated by spaces or commas.
fn parse_prefixes(value: &str) -> Result<Vec<String>, String> {
    let is_valid = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._/-".contains(&c);
    let prefixes = value.split([' ', ',']).filter(|prefix| !prefix.is_empty());
    let parse = |prefix: &str| prefix.bytes().all(is_valid).then(|| prefix.to_owned());
    prefixes.map(parse).collect::<Option<_>>().ok_or_else(|| "the beginnings of repository names".to_owned())
}

/// Parses the name of a table: `TableName` of `CreateTable` in the Amazon `DynamoDB` API reference.
fn parse_table_name(value: &str) -> Result<String, String> {
    let is_valid = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    let is_valid = (3..=255).contains(&value.len()) && value.bytes().all(is_valid);
    if is_valid { Ok(value.to_owned()) } else { Err("the name of an Amazon DynamoDB table".to_owned()) }
}

/// Parses the name of a stack: `StackName` of `CreateStack` in the AWS `CloudFormation` API reference.
fn parse_stack_name(value: &str) -> Result<String, String> {
    let is_valid = value.len() <= 128 && value.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if is_valid { Ok(value.to_owned()) } else { Err("the name of a CloudFormation stack".to_owned()) }
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

fn parse_tag_key(value: &str) -> Result<String, String> {
    let is_valid = value.len() <= 128 && value.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.:/=+-@".contains(&c));
    if is_valid { Ok(value.to_owned()) } else { Err("1 to 128 letters, digits and _ . : / = + - @".to_owned()) }
}

/// The longest documentation URL, in bytes. A Slack card of at most 8000 characters contains it once for each fault.
const MAX_DOCS_URL: usize = 200;

/// Parses an https URL with characters of RFC 3986, to which `#` and the code of a fault can be appended.
fn parse_docs_url(value: &str) -> Result<String, String> {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?@!$&()*+,;=%".contains(&c);
    let has_host = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    match value.strip_prefix("https://").filter(has_host) {
        Some(rest) if value.len() <= MAX_DOCS_URL && rest.bytes().all(fits) => Ok(value.to_owned()),
        _ => Err(format!("an https URL of at most {MAX_DOCS_URL} characters, without a fragment")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(pairs.iter().copied())
    }

    #[test]
    fn function_memory_determines_the_budget_unless_it_is_set() {
        let memory = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024");
        let total = |pairs: &[(&str, &str)]| parse(pairs).unwrap().check.limits.total_memory >> 20;
        assert_eq!((total(&[]), total(&[memory])), (160, 320));
        assert_eq!(total(&[("PREFLIGHT_LIMITS", "cache=1M"), memory]), 320);
        assert_eq!(total(&[("PREFLIGHT_LIMITS", "total-memory=100M"), memory]), 100);
        assert_eq!(total(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much")]), 160);
    }

    #[test]
    fn empty_variables_mean_defaults() {
        let settings =
            parse(&[("PATH", "/bin"), ("PREFLIGHT_VERDICT_TAGS", ""), ("PREFLIGHT_DEFAULT_RUNTIME", " ")]).unwrap();
        assert_eq!((settings.verdict_tags, settings.check.clone()), (VerdictTags::Never, CheckSettings::default()));
        assert_eq!((settings.gates, settings.gate_mode()), (None, GateMode::Warn));
        assert_eq!(settings.require_output(), Err(SettingsError::NoOutput));
        let tags = ("PREFLIGHT_VERDICT_TAGS", "all");
        let without_table = parse(&[tags, ("PREFLIGHT_CONSUMERS", "on")]);
        assert_eq!(without_table.and_then(Settings::require_output), Err(SettingsError::NoTable));
    }

    #[test]
    fn valid_values_are_set() {
        let settings = parse(&[
            ("PREFLIGHT_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:123456789012:alerts_1"),
            ("PREFLIGHT_VERDICT_TAGS", "All"),
            ("PREFLIGHT_GATES", "fail"),
            ("PREFLIGHT_CONSUMERS", "required"),
            ("PREFLIGHT_TABLE", "preflight-Table_1.x"),
            ("PREFLIGHT_DEFAULT_RUNTIME", "ecs/x86_64  apprunner"),
            ("PREFLIGHT_DECLARATION_KEY", "team:runs-on"),
            ("PREFLIGHT_IMAGE_TAGS", "ignore"),
            ("PREFLIGHT_INSPECT", "manifest"),
            ("PREFLIGHT_LIMITS", "seconds=7"),
            ("PREFLIGHT_DOCS_URL", "https://example.com/faults?v=1"),
            ("PREFLIGHT_EXCLUDED_REPOSITORIES", "sandbox/,cache/"),
            ("PREFLIGHT_STACK", "preflight-2"),
            ("PREFLIGHT_LOG_LEVEL", "warn"),
        ]);
        let check = CheckSettings {
            declaration_key: "team:runs-on".to_owned(),
            read_image_tags: false,
            default_runtimes: vec![Runtime::EcsAmd64, Runtime::AppRunner],
            depth: InspectionDepth::Manifest,
            limits: InspectionLimits { timeout_seconds: 7, ..InspectionLimits::default() },
            docs_url: Some("https://example.com/faults?v=1".to_owned()),
        };
        let topic_arn = Some("arn:aws-cn:sns:cn-north-1:123456789012:alerts_1".to_owned());
        let expected = Settings {
            topic_arn,
            verdict_tags: VerdictTags::All,
            gates: Some(GateMode::Fail),
            consumers: ConsumerUse::Required,
            table: Some("preflight-Table_1.x".to_owned()),
            check,
            excluded_repositories: vec!["sandbox/".to_owned(), "cache/".to_owned()],
            stack: Some("preflight-2".to_owned()),
            log_level: tracing::Level::WARN,
        };
        assert_eq!(settings.and_then(Settings::require_output), Ok(expected));
    }

    #[test]
    fn invalid_values_are_rejected_with_what_is_allowed() {
        for (name, value, allowed) in [
            ("VERDICT_TAGS", "yes", "never, failures or all"),
            ("GATES", "off", "warn or fail"),
            ("INSPECT", "deep", "manifest, config or program"),
            ("IMAGE_TAGS", "1", "read or ignore"),
            ("EXCLUDED_REPOSITORIES", "team/ *", "the beginnings of repository names"),
            ("STACK", "a b", "the name of a CloudFormation stack"),
            ("LOG_LEVEL", "loud", "error, warn or info"),
            ("DECLARATION_KEY", "a b", "1 to 128 letters, digits and _ . : / = + - @"),
            ("TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:x.fifo", "the ARN of a standard SNS topic"),
            ("DOCS_URL", "https://example.com/#faults", "an https URL of at most 200 characters, without a fragment"),
            (
                "DEFAULT_RUNTIME",
                "ecs",
                "ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore, linux/amd64, linux/arm64 \
                 (unknown runtime `ecs`; did you mean `ecs/amd64` or `ecs/arm64`?)",
            ),
        ] {
            let name = format!("PREFLIGHT_{name}");
            let message = format!("{name} is `{value}`; allowed: {allowed}");
            assert_eq!(parse(&[(&name, value)]).unwrap_err().to_string(), message);
        }
        let message = "unknown setting PREFLIGHT_VERDICT_TAG; did you mean PREFLIGHT_VERDICT_TAGS?";
        assert_eq!(parse(&[("PREFLIGHT_VERDICT_TAG", "never")]).unwrap_err().to_string(), message);
    }
}
