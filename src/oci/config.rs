//! Parses the config of an image. Unknown fields and fields with unexpected values are ignored.

use serde::Deserialize;

use super::config_fields::{WireArguments, WireEnvironment, WireLabels, WireVolumes};
use super::layer::MAX_LAYERS;
use super::lenient_json::{LenientList, LenientObject, LenientString, parse_object};
use super::process_config::{ProcessConfig, find_build_hints};
use crate::platform::Platform;

/// The part of a config that a verdict needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ImageConfig {
    pub(super) platform: Platform,
    /// Entrypoint and command, truncated for messages.
    pub(super) shown_command: Vec<String>,
    pub(super) process: ProcessConfig,
    /// The digests of the uncompressed layers, at most [`MAX_LAYERS`], and their number in the document.
    pub(super) diff_ids: Vec<String>,
    pub(super) diff_id_count: usize,
    pub(super) created: Option<String>,
    labels: Vec<(String, String)>,
}

/// How many steps of the history are read: many more than in real images.
const MAX_HISTORY_ENTRIES: usize = 500;

/// How many build hints are kept.
const MAX_BUILD_HINTS: usize = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireConfig {
    os: LenientString,
    architecture: LenientString,
    variant: LenientString,
    created: LenientString,
    config: LenientObject<WireContainerConfig>,
    rootfs: LenientObject<WireRootfs>,
    history: LenientList<WireHistoryEntry, MAX_HISTORY_ENTRIES>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireRootfs {
    diff_ids: LenientList<LenientString, MAX_LAYERS>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireHistoryEntry {
    created_by: LenientString,
}

impl ImageConfig {
    /// Parses a config; the error is the reason why the document is not valid.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wire: WireConfig = parse_object(bytes).map_err(|error| format!("its config is not valid: {error}"))?;
        let container = wire.config.0.unwrap_or_default();
        let platform = Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0);
        // Docker Engine ignores an entrypoint of one empty word; containerd runs it.
        let is_blank = container.entrypoint.values.first().is_some_and(String::is_empty);
        let is_invalid = container.entrypoint.is_invalid || container.cmd.is_invalid || container.volumes.is_invalid;
        let steps = wire.history.items.iter().map(|entry| &entry.created_by.0);
        let mut build_hints: Vec<_> = steps.flat_map(|step| find_build_hints(step, platform.architecture())).collect();
        build_hints.sort();
        build_hints.dedup();
        build_hints.truncate(MAX_BUILD_HINTS);
        let process = ProcessConfig {
            entrypoint_words: container.entrypoint.values.len(),
            argv: container.entrypoint.values.into_iter().chain(container.cmd.values).collect(),
            path: container.env.path,
            has_environment: container.env.is_set,
            environment_defect: container.env.defect,
            has_startup_variables: container.env.has_startup_variables,
            has_preload: container.env.has_preload,
            has_nvidia_variables: container.env.has_nvidia_variables,
            has_node_hooks: container.env.has_node_hooks,
            working_directory: container.working_dir.0,
            user: container.user.0,
            volumes: container.volumes.names,
            build_hints,
            invalid_reason: (is_invalid || is_blank)
                .then(|| "its config has an invalid command or invalid volumes".to_owned()),
        };
        let shown_command = process.shown_command();
        let diff_ids = wire.rootfs.0.unwrap_or_default().diff_ids;
        Ok(Self {
            platform,
            shown_command,
            process,
            diff_id_count: diff_ids.total.unwrap_or_default(),
            diff_ids: diff_ids.items.into_iter().map(|diff_id| diff_id.0).collect(),
            created: Some(wire.created.0).filter(|date| is_date(date)),
            labels: container.labels.0,
        })
    }

    /// Returns the value of a label. A blank value removes a label of the base image, so it counts as missing.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(name, _)| name == key);
        label.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// Returns whether it has no platform and no command, which is how tools store bundles of files in registries.
    pub(super) fn is_blank(&self) -> bool {
        self.platform == Platform::default() && self.shown_command.is_empty()
    }
}

/// Returns whether the text consists of characters of an RFC 3339 date. It is printed unchanged.
fn is_date(text: &str) -> bool {
    /// The length of a date with nanoseconds and a time zone.
    const MAX_DATE_BYTES: usize = 35;
    let is_date_byte = |byte: u8| byte.is_ascii_digit() || b"-+:.TZtz".contains(&byte);
    (1..=MAX_DATE_BYTES).contains(&text.len()) && text.bytes().all(is_date_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::process_config::{BuildHint, EnvironmentDefect};

    #[test]
    fn platform_command_and_labels_are_read() {
        let config = ImageConfig::parse(
            br#"{"os":"linux","architecture":"x86_64","config":{"Entrypoint":["/app"],"Cmd":["-v"],"Labels":{"a":"b"}}}"#,
        );
        let config = config.unwrap();
        assert_eq!(config.platform, Platform::linux("amd64"));
        assert_eq!(config.shown_command, ["/app", "-v"]);
        assert_eq!((config.label("a"), config.label("b")), (Some("b"), None));
    }

    #[test]
    fn only_dates_are_kept_as_creation() {
        for (created, kept) in [
            (r#""2026-11-20T10:11:12.123456789Z""#, true),
            (r#""2026-11-20T10:11:12+01:00""#, true),
            (r#""<b>""#, false),
            (r#""""#, false),
            ("7", false),
        ] {
            let config = ImageConfig::parse(format!(r#"{{"created":{created}}}"#).as_bytes()).unwrap();
            assert_eq!(config.created.is_some(), kept, "{created}");
        }
    }

    #[test]
    fn the_process_is_kept_in_full() {
        let long = "x".repeat(1000);
        let config = format!(
            r#"{{"architecture":"arm64","config":{{"Entrypoint":["/app"],"Cmd":["{long}"],"Env":["A=b","PATH=/a","PATH=/b:/c","NVIDIA_VISIBLE_DEVICES=all"],
            "WorkingDir":"/srv","User":"7:8","Volumes":{{"/data":{{}}}}}},
            "history":[{{"created_by":"RUN GOARCH=amd64 go build"}},{{"created_by":"RUN GOARCH=amd64 go vet"}}]}}"#
        );
        let process = ImageConfig::parse(config.as_bytes()).unwrap().process;
        let expected = ProcessConfig {
            entrypoint_words: 1,
            argv: vec!["/app".to_owned(), long],
            path: Some("/b:/c".to_owned()),
            has_environment: true,
            environment_defect: None,
            has_startup_variables: false,
            has_preload: false,
            has_nvidia_variables: true,
            has_node_hooks: false,
            working_directory: "/srv".to_owned(),
            user: "7:8".to_owned(),
            volumes: vec!["/data".to_owned()],
            build_hints: vec![BuildHint::FixedArchitecture("GOARCH=amd64".to_owned())],
            invalid_reason: None,
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn defective_variables_are_found() {
        for (variables, defect) in [
            (r#""A=b","B="#, None),
            (r#""A=b","PATH"#, Some(EnvironmentDefect::NoValue)),
            (r#""","A=b"#, Some(EnvironmentDefect::NoValue)),
            (r#""A","=x"#, Some(EnvironmentDefect::EmptyName)),
            (r#""A=\u0000"#, Some(EnvironmentDefect::NulByte)),
        ] {
            let config = format!(r#"{{"config":{{"Env":[{variables}"]}}}}"#);
            assert_eq!(ImageConfig::parse(config.as_bytes()).unwrap().process.environment_defect, defect, "{config}");
        }
    }

    #[test]
    fn commands_must_be_lists_of_strings() {
        for (config, is_invalid) in [
            (r#"{"Entrypoint":"/app"}"#, true),
            (r#"{"Cmd":["a",7]}"#, true),
            (r#"{"Entrypoint":7}"#, true),
            (r#"{"Entrypoint":[""],"Cmd":["a"]}"#, true),
            (r#"{"Entrypoint":null,"Cmd":[]}"#, false),
            (r"{}", false),
        ] {
            let config = ImageConfig::parse(format!(r#"{{"config":{config}}}"#).as_bytes()).unwrap();
            assert_eq!(config.process.invalid_reason.is_some(), is_invalid);
        }
    }

    #[test]
    fn unexpected_fields_do_not_hide_others() {
        for config in [
            r#"{"os":7,"architecture":"arm64"}"#,
            r#"{"architecture":"arm64","config":null}"#,
            r#"{"architecture":"arm64","config":{"Entrypoint":"/app","Cmd":{},"Labels":[]}}"#,
            r#"{"architecture":"arm64","config":{"Labels":{"a":{}}},"rootfs":"?"}"#,
        ] {
            let config = ImageConfig::parse(config.as_bytes()).unwrap();
            assert_eq!(config.platform.architecture(), "arm64", "{config:?}");
            assert!(config.shown_command.is_empty() && config.labels.is_empty(), "{config:?}");
        }
    }

    #[test]
    fn invalid_documents_are_rejected() {
        for bad in ["", "[]", "7", "\"x\"", "{", "\u{1f}\u{8b}"] {
            assert!(ImageConfig::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn shown_arguments_and_labels_are_bounded() {
        let long = format!(r#"{{"config":{{"Cmd":["{}"]}}}}"#, "é".repeat(1000));
        assert_eq!(ImageConfig::parse(long.as_bytes()).unwrap().shown_command[0].chars().count(), 120);
        let labels = ImageConfig::parse(br#"{"config":{"Labels":{"a":"x\ny","b":"","c":7}}}"#).unwrap();
        assert_eq!((labels.label("a"), labels.label("b"), labels.label("c")), (Some("x y"), None, None));
    }
}
