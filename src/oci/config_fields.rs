//! The fields of a config's `config` object, parsed leniently and up to a limit.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::lenient_json::{LenientString, LenientValue, deserialize_leniently};
use super::process_config::{
    EnvironmentDefect, is_node_hook, is_nvidia_variable, is_preload_variable, is_startup_variable,
};
use crate::text::sanitize;

/// How many arguments and volumes are kept: many more than in real images. Without a limit, a config of a megabyte
/// could cause a hundred thousand allocations.
const MAX_ARGUMENTS: usize = 500;
const MAX_VOLUMES: usize = 100;

/// How many characters of a label are kept: the longest value of an ECR resource tag.
const MAX_LABEL: usize = 256;

/// How many labels are kept; real images have a few tens.
const MAX_LABELS: usize = 200;

deserialize_leniently!([] WireArguments, [] WireArgument, [] WireEnvironment, [] WireVolumes, [] WireLabels);

/// `Entrypoint` or `Cmd`, which must be a list of strings.
#[derive(Debug, Default)]
pub(super) struct WireArguments {
    pub(super) values: Vec<String>,
    /// Whether it is not a list of strings, or too long.
    pub(super) is_invalid: bool,
}

impl LenientValue for WireArguments {
    fn from_text(_: &str) -> Self {
        Self { values: Vec::new(), is_invalid: true }
    }

    fn from_number(_: u64) -> Self {
        Self::from_text("")
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut arguments = Self::default();
        while let Some(WireArgument(argument)) = elements.next_element()? {
            let is_full = arguments.values.len() == MAX_ARGUMENTS;
            arguments.is_invalid |= argument.is_none() || is_full;
            arguments.values.extend(argument.filter(|_| !is_full));
        }
        Ok(arguments)
    }
}

/// An element of a command; `None` if it is not a string.
#[derive(Debug, Default)]
struct WireArgument(Option<String>);

impl LenientValue for WireArgument {
    fn from_text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// `Env`: the value of `PATH`, and whether there are any, defective or startup variables, or variables of the NVIDIA
/// container runtime. In runc, the last `PATH` counts.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an independent fact about the environment")]
pub(super) struct WireEnvironment {
    pub(super) path: Option<String>,
    pub(super) is_set: bool,
    pub(super) defect: Option<EnvironmentDefect>,
    pub(super) has_node_hooks: bool,
    pub(super) has_startup_variables: bool,
    pub(super) has_preload: bool,
    pub(super) has_nvidia_variables: bool,
}

impl LenientValue for WireEnvironment {
    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut environment = Self::default();
        while let Some(LenientString(variable)) = elements.next_element()? {
            environment.is_set = true;
            environment.defect = [environment.defect, EnvironmentDefect::detect(&variable)].into_iter().flatten().min();
            environment.has_node_hooks |= is_node_hook(&variable);
            environment.has_startup_variables |= is_startup_variable(&variable);
            environment.has_preload |= is_preload_variable(&variable);
            environment.has_nvidia_variables |= is_nvidia_variable(&variable);
            environment.path = variable.strip_prefix("PATH=").map(str::to_owned).or(environment.path);
        }
        Ok(environment)
    }
}

/// `Volumes`: the keys of an object.
#[derive(Debug, Default)]
pub(super) struct WireVolumes {
    pub(super) names: Vec<String>,
    /// Whether there are too many.
    pub(super) is_invalid: bool,
}

impl LenientValue for WireVolumes {
    fn from_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut volumes = Self::default();
        while let Some((LenientString(name), IgnoredAny)) = entries.next_entry()? {
            let is_full = volumes.names.len() == MAX_VOLUMES;
            volumes.is_invalid |= is_full;
            volumes.names.extend(Some(name).filter(|_| !is_full));
        }
        Ok(volumes)
    }
}

/// `Labels`: names and non-empty values.
#[derive(Debug, Default)]
pub(super) struct WireLabels(pub(super) Vec<(String, String)>);

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
