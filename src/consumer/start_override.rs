//! What a consumer changes in the process that an image starts.

use serde::{Deserialize, Serialize};

use super::environment_effects::EnvironmentEffects;
use crate::oci::ProcessConfig;

/// Why a start is unknown whose arguments are.
const COMMAND_IS_AMBIGUOUS: &str =
    "it is not documented whether the image's command still counts if the definition sets only an entry point";

/// What a consumer starts instead of what the image declares. Of its environment only `PATH` and what the variables do
/// to the start are kept.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StartOverride {
    /// The entrypoint; empty to keep that of the image.
    pub entrypoint: Vec<String>,
    /// The command; empty to keep that of the image.
    pub command: Vec<String>,
    /// The working directory, if it is another one.
    pub working_directory: Option<String>,
    /// The user, if it is another one.
    pub user: Option<String>,
    /// The value of `PATH`, if it is set.
    pub path: Option<String>,
    /// What its other variables do.
    pub effects: EnvironmentEffects,
    /// The paths in the container at which the consumer mounts something.
    pub mounts: Vec<String>,
    /// Whether it is unknown if the image's command still counts when the consumer sets only an entrypoint.
    pub is_command_ambiguous: bool,
    /// Whether each start may replace the command: a job of AWS Batch, or `RunTask` of Amazon ECS.
    pub is_command_replaceable: bool,
    /// Why it is unknown what starts, if it is.
    pub unknown: Option<String>,
}

impl StartOverride {
    /// Returns whether the consumer starts exactly what the image declares.
    pub fn is_none(&self) -> bool {
        let flags = Self {
            is_command_ambiguous: self.is_command_ambiguous,
            is_command_replaceable: self.is_command_replaceable,
            ..Self::default()
        };
        *self == flags
    }

    /// Returns the process that the consumer starts, by the rules of Docker Engine (`merge` in `daemon/commit.go`): with an
    /// entrypoint of the consumer, the image's command does not count. Amazon ECS passes both to Docker on EC2. For AWS
    /// Fargate no other rule is documented.
    pub fn apply(&self, image: &ProcessConfig) -> ProcessConfig {
        let (image_entrypoint, image_command) = image.argv.split_at(image.entrypoint_words.min(image.argv.len()));
        let keeps_entrypoint = self.entrypoint.is_empty();
        let entrypoint = if keeps_entrypoint { image_entrypoint } else { &self.entrypoint };
        let keeps_command = keeps_entrypoint && self.command.is_empty();
        let command = if keeps_command { image_command } else { &self.command };
        let is_ambiguous =
            self.is_command_ambiguous && !keeps_entrypoint && self.command.is_empty() && !image_command.is_empty();
        let ambiguity = || is_ambiguous.then(|| COMMAND_IS_AMBIGUOUS.to_owned());
        self.effects.apply(ProcessConfig {
            argv: [entrypoint, command].concat(),
            entrypoint_words: entrypoint.len(),
            path: self.path.clone().or_else(|| image.path.clone()),
            has_environment: image.has_environment || self.path.is_some(),
            working_directory: self.working_directory.clone().unwrap_or_else(|| image.working_directory.clone()),
            user: self.user.clone().unwrap_or_else(|| image.user.clone()),
            volumes: image.volumes.iter().cloned().chain(self.mounts.iter().map(|path| clean_path(path))).collect(),
            invalid_reason: self.unknown.clone().or_else(ambiguity).or_else(|| image.invalid_reason.clone()),
            ..image.clone()
        })
    }
}

/// Removes `.` and `..` from the path of a mount, as container runtimes do (`filepath.Clean` of Go).
fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entrypoint_of_the_consumer_drops_the_command_of_the_image() {
        for (image, overrides, argv, entrypoint_words) in [
            (("/e", "c"), ("", ""), "/e c", 1),
            (("/e", "c"), ("", "d x"), "/e d x", 1),
            (("/e", "c"), ("/f y", ""), "/f y", 2),
            (("/e", "c"), ("/f", "d"), "/f d", 1),
            (("", "c"), ("", "d"), "d", 0),
            (("", ""), ("", ""), "", 0),
        ] {
            let (entrypoint, command) = (words(image.0), words(image.1));
            let image = ProcessConfig {
                entrypoint_words: entrypoint.len(),
                argv: [entrypoint, command].concat(),
                ..ProcessConfig::default()
            };
            let start = StartOverride {
                entrypoint: words(overrides.0),
                command: words(overrides.1),
                ..StartOverride::default()
            };
            let process = start.apply(&image);
            assert_eq!((process.argv, process.entrypoint_words), (words(argv), entrypoint_words), "{overrides:?}");
        }
    }

    #[test]
    fn ambiguous_command_makes_the_start_unknown_only_if_the_image_has_one() {
        let start = |entrypoint: &str, command: &str| StartOverride {
            entrypoint: words(entrypoint),
            command: words(command),
            is_command_ambiguous: true,
            ..StartOverride::default()
        };
        let image = |command: &str| ProcessConfig { argv: words(command), ..ProcessConfig::default() };
        assert!(start("/e", "").apply(&image("c")).invalid_reason.is_some());
        for (entrypoint, command, of_image) in [("/e", "", ""), ("/e", "d", "c"), ("", "d", "c"), ("", "", "c")] {
            assert_eq!(
                start(entrypoint, command).apply(&image(of_image)).invalid_reason,
                None,
                "{entrypoint} {command}"
            );
        }
        assert!(start("", "").is_none() && !start("/e", "").is_none());
    }

    #[test]
    fn other_fields_replace_those_of_the_image() {
        let image = ProcessConfig {
            path: Some("/bin".to_owned()),
            user: "app".to_owned(),
            working_directory: "/app".to_owned(),
            volumes: vec!["/data".to_owned()],
            ..ProcessConfig::default()
        };
        assert_eq!(StartOverride::default().apply(&image), image);
        let start = StartOverride {
            path: Some("/opt/bin".to_owned()),
            user: Some("1000".to_owned()),
            working_directory: Some("/srv".to_owned()),
            mounts: vec!["/a/../cache/.".to_owned()],
            unknown: Some("a reason".to_owned()),
            ..StartOverride::default()
        };
        let expected = ProcessConfig {
            path: start.path.clone(),
            has_environment: true,
            user: "1000".to_owned(),
            working_directory: "/srv".to_owned(),
            volumes: vec!["/data".to_owned(), "/cache".to_owned()],
            invalid_reason: start.unknown.clone(),
            ..ProcessConfig::default()
        };
        assert_eq!(start.apply(&image), expected);
    }
}
