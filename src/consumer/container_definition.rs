//! A container of a task definition of Amazon ECS or a job definition of AWS Batch: its image and what it starts.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::environment_effects::EnvironmentEffects;
use super::start_override::StartOverride;

/// Variables that make shells or the loader run other code first.
const STARTUP_VARIABLES: [&str; 5] = ["LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "NODE_OPTIONS"];

/// The fields of `ContainerDefinition` in the Amazon ECS API reference that change what starts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerDefinition {
    pub(crate) name: Option<String>,
    pub(crate) image: String,
    pub(crate) entry_point: Option<Vec<String>>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) working_directory: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) environment: Option<Vec<Variable>>,
    pub(crate) secrets: Option<Vec<Variable>>,
    pub(crate) environment_files: Option<Vec<IgnoredAny>>,
    pub(crate) mount_points: Option<Vec<MountPoint>>,
    pub(crate) volumes_from: Option<Vec<IgnoredAny>>,
    pub(crate) resource_requirements: Option<Vec<ResourceRequirement>>,
}

/// A resource of the host that a container needs.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ResourceRequirement {
    pub(crate) r#type: Option<String>,
}

/// A variable. Of its value only that of `PATH` and what it does to the start are kept: it may be a secret.
#[derive(Debug, Deserialize)]
#[serde(from = "WireVariable")]
pub(crate) struct Variable {
    name: Option<String>,
    path: Option<String>,
    effects: EnvironmentEffects,
}

#[derive(Debug, Deserialize)]
struct WireVariable {
    name: Option<String>,
    value: Option<String>,
}

impl From<WireVariable> for Variable {
    fn from(WireVariable { name, value }: WireVariable) -> Self {
        Self::new(name.as_deref(), value.as_deref())
    }
}

impl Variable {
    /// Creates a variable.
    pub(crate) fn new(name: Option<&str>, value: Option<&str>) -> Self {
        let path = value.filter(|_| name == Some("PATH")).map(str::to_owned);
        let effects = EnvironmentEffects::of(name.unwrap_or_default(), value.unwrap_or_default());
        Self { name: name.map(str::to_owned), path, effects }
    }
}

/// A place in a container at which something is mounted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MountPoint {
    pub(crate) container_path: Option<String>,
}

/// Returns whether a variable with this name may make a shell, an interpreter or the loader run other code first.
pub(super) fn is_startup_variable(name: &str) -> bool {
    STARTUP_VARIABLES.contains(&name) || name.starts_with("BASH_FUNC_")
}

impl ContainerDefinition {
    /// Returns what the container starts instead of what its image declares.
    pub(crate) fn into_start(self) -> StartOverride {
        let unknown = self.find_unknown();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        // Of several, the last counts, as in runc.
        let environment = self.environment.unwrap_or_default();
        let path = environment.iter().rfind(|variable| variable.name.as_deref() == Some("PATH"));
        let mut effects = environment.iter().fold(EnvironmentEffects::default(), |all, one| all.and(one.effects));
        let mut requirements = self.resource_requirements.iter().flatten();
        // The agent of Amazon ECS sets this variable for containers with GPUs ("Amazon ECS task definitions for GPU
        // workloads" in the Amazon ECS developer guide).
        if requirements.any(|one| one.r#type.as_deref() == Some("GPU")) {
            effects = effects.and(EnvironmentEffects::of("NVIDIA_VISIBLE_DEVICES", "0"));
        }
        StartOverride {
            entrypoint: self.entry_point.unwrap_or_default(),
            command: self.command.unwrap_or_default(),
            working_directory: given(self.working_directory),
            user: given(self.user),
            path: path.and_then(|variable| variable.path.clone()),
            effects,
            mounts: self.mount_points.into_iter().flatten().filter_map(|mount| mount.container_path).collect(),
            is_command_ambiguous: false,
            is_command_replaceable: false,
            unknown,
        }
    }

    /// Returns why it is unknown what the container starts, if it is.
    fn find_unknown(&self) -> Option<String> {
        let has = |list: &Option<Vec<IgnoredAny>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let names = |list: &Option<Vec<Variable>>, matches: &dyn Fn(&str) -> bool| {
            list.iter().flatten().filter_map(|variable| variable.name.as_deref()).any(matches)
        };
        let reason = if has(&self.environment_files) {
            "its definition reads environment variables from files"
        } else if has(&self.volumes_from) {
            "its definition mounts the volumes of another container"
        } else if names(&self.secrets, &|name| name == "PATH" || is_startup_variable(name)) {
            "its definition sets PATH, or a variable that runs other code first, from a secret"
        } else if self.entry_point.iter().flatten().next().is_some_and(String::is_empty) {
            "its definition has an entry point that begins with an empty word"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }
}
