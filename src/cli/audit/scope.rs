//! Which images an audit checks, with which settings, and how both are described.

use std::cell::{Cell, RefCell};
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::arguments::AuditArguments;
use crate::cli::suggest;
use crate::name::Repository;
use crate::runtime::Runtime;
use crate::settings::CheckSettings;
use crate::text::sanitize_quoted;

/// How many repository names are kept to find the nearest one to a mistyped one, which is usually among the first.
const MAX_KEPT_NAMES: usize = 3000;

/// The characters of glob patterns, which no repository name contains.
const PATTERN_CHARACTERS: [char; 3] = ['*', '?', '['];

/// The part of an RFC 3339 date up to the minute.
const MINUTE_PRECISION: usize = "2026-11-21T15:21".len();

/// Which images are checked.
#[derive(Debug, Clone, Default)]
pub(super) struct AuditScope {
    /// The region of the registry.
    pub(super) region: String,
    /// The prefix of repository names; empty for all repositories.
    pub(super) prefix: String,
    /// The only repositories; empty for all repositories.
    pub(super) repositories: Vec<String>,
    /// Resource tags that a repository must have.
    pub(super) resource_tags: Vec<(String, String)>,
    /// How many images of each repository are checked, the last pushed first; `None` for all images.
    pub(super) newest: Option<usize>,
    /// Whether image tags declare nothing, so that all tags of an image share one result.
    pub(super) ignores_tag_declarations: bool,
}

impl AuditScope {
    /// Creates the scope that the command line selects.
    pub(super) fn new(arguments: &AuditArguments, region: String, settings: &CheckSettings) -> Self {
        Self {
            region,
            prefix: arguments.prefix.clone().unwrap_or_default(),
            repositories: arguments.repositories.clone(),
            resource_tags: arguments.resource_tags.clone(),
            newest: (!arguments.all).then_some(arguments.newest),
            // The function has its own settings.
            ignores_tag_declarations: !(arguments.runtimes.is_empty()
                && (settings.read_image_tags || arguments.via_lambda)),
        }
    }

    /// Whether all repositories of the registry are audited.
    pub(super) fn is_whole_registry(&self) -> bool {
        self.prefix.is_empty() && self.repositories.is_empty() && self.resource_tags.is_empty()
    }
}

/// What is counted while images are listed.
#[derive(Debug, Default)]
pub(super) struct ListingCounts {
    pub(super) repositories_found: Cell<u64>,
    /// Repositories whose images are listed, or could not be.
    pub(super) repositories_listed: Cell<u64>,
    /// Images that were handed on to be checked.
    pub(super) images_found: Cell<u64>,
    /// Charts, signatures and other artifacts, known by their media type.
    pub(super) artifacts: Cell<u64>,
    /// Archived images.
    pub(super) archived: Cell<u64>,
    /// Repositories in scope, including those whose images could not be listed.
    pub(super) repositories_in_scope: Cell<u64>,
    /// The first names that were listed, in scope or not.
    pub(super) repository_names: RefCell<Vec<String>>,
    /// Whether the listing is complete.
    pub(super) is_complete: Cell<bool>,
}

impl ListingCounts {
    pub(super) fn record_names(&self, repositories: &[Repository]) {
        let mut names = self.repository_names.borrow_mut();
        let room = MAX_KEPT_NAMES.saturating_sub(names.len());
        names.extend(repositories.iter().take(room).map(|repository| repository.name().to_owned()));
    }
}

/// Adds one.
pub(super) fn increment(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// Describes a scope without repositories, which is usually mistyped: the error and the hint.
pub(super) fn describe_empty_scope(scope: &AuditScope, counts: &ListingCounts) -> (String, String) {
    let AuditScope { region, prefix, resource_tags, .. } = scope;
    let name = match prefix.as_str() {
        "" => String::new(),
        prefix => format!(" whose name begins with `{}`", sanitize_quoted(prefix)),
    };
    let pair = |(key, value): &(String, String)| format!("`{}`", sanitize_quoted(&format!("{key}={value}")));
    let tags = match resource_tags.as_slice() {
        [] => String::new(),
        [one] => format!(" with the resource tag {}", pair(one)),
        all => format!(" with the resource tags {}", all.iter().map(pair).collect::<Vec<_>>().join(" and ")),
    };
    let message = format!("there is no repository{name}{tags} in {}", sanitize_quoted(region));
    let names = counts.repository_names.borrow();
    let hint = if names.is_empty() && scope.repositories.is_empty() {
        "choose another region with `--region`, or another account with AWS_PROFILE".to_owned()
    } else if counts.repositories_found.get() > 0 {
        "keys and values are case-sensitive: `aws ecr list-tags-for-resource` shows those of a repository".to_owned()
    } else if let Some((before, _)) = prefix.split_once(PATTERN_CHARACTERS) {
        format!("a prefix is not a pattern: `--prefix {}` is enough", sanitize_quoted(before))
    } else {
        suggest::suggest_existing("repositories", prefix, Some(&names), region, "")
    };
    (message, hint)
}

/// Returns the settings that a result depends on, as words; those at their defaults are left out, so that a line of a run
/// with default settings is what the function would write.
pub(super) fn describe_settings(settings: &CheckSettings, runtimes: &[Runtime]) -> String {
    let defaults = CheckSettings::default();
    let names = |runtimes: &[Runtime]| runtimes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let words = [
        (!runtimes.is_empty(), format!("runtime={}", names(runtimes))),
        (!settings.default_runtimes.is_empty(), format!("default={}", names(&settings.default_runtimes))),
        (settings.declaration_key != defaults.declaration_key, format!("declaration-key={}", settings.declaration_key)),
        (settings.read_image_tags != defaults.read_image_tags, "image-tags=ignore".to_owned()),
        (settings.depth != defaults.depth, format!("inspect={}", settings.depth.as_str())),
        (settings.limits != defaults.limits, settings.limits.to_string()),
    ];
    words.into_iter().filter_map(|(is_changed, word)| is_changed.then_some(word)).collect::<Vec<_>>().join(" ")
}

/// Describes a run for the page: names and values.
pub(super) fn describe_run(scope: &AuditScope, settings: &str) -> Vec<(String, String)> {
    let tags: Vec<String> = scope.resource_tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let images = match scope.newest {
        Some(newest) => format!("the newest {newest} of each repository"),
        None => "all that are tagged".to_owned(),
    };
    let prefix = if scope.prefix.is_empty() { String::new() } else { format!("{}\u{2026}", scope.prefix) };
    let facts = [
        ("Prefix", prefix),
        ("Only", scope.repositories.join(", ")),
        ("Resource tags", tags.join(", ")),
        ("Selected", images),
        ("Settings", settings.to_owned()),
    ];
    let present = facts.into_iter().filter(|(_, value)| !value.is_empty());
    present.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Formats a time for people, in UTC.
pub(super) fn format_time(time: SystemTime) -> Option<String> {
    let date = DateTime::from(time).fmt(Format::DateTime).ok()?;
    Some(format!("{} UTC", date.get(..MINUTE_PRECISION)?.replace('T', " ")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::InspectionDepth;

    #[test]
    fn settings_at_their_defaults_are_left_out() {
        type SettingsChange = fn(&mut CheckSettings);
        let cases: [(SettingsChange, &[Runtime], &str); 5] = [
            (|_| {}, &[], ""),
            (|_| {}, &[Runtime::EcsAmd64, Runtime::AppRunner], "runtime=ecs/amd64,apprunner"),
            (
                |settings| (settings.depth, settings.read_image_tags) = (InspectionDepth::Manifest, false),
                &[],
                "image-tags=ignore inspect=manifest",
            ),
            (
                |settings| {
                    settings.declaration_key = "k".to_owned();
                    settings.default_runtimes = vec![Runtime::EcsArm64];
                },
                &[],
                "default=ecs/arm64 declaration-key=k",
            ),
            (|settings| settings.limits.timeout_seconds = 7, &[], "seconds=7"),
        ];
        for (change, runtimes, expected) in cases {
            let mut settings = CheckSettings::default();
            change(&mut settings);
            assert_eq!(describe_settings(&settings, runtimes), expected);
        }
    }

    #[test]
    fn run_is_described_for_people() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_780_000_000_123);
        assert_eq!(format_time(time).as_deref(), Some("2026-05-28 20:26 UTC"));
        let scope = AuditScope {
            prefix: "team/".to_owned(),
            resource_tags: vec![("env".to_owned(), "prod".to_owned())],
            newest: Some(10),
            ..AuditScope::default()
        };
        let describe = |scope: &AuditScope, settings: &str| {
            let facts = describe_run(scope, settings);
            facts.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(describe(&AuditScope::default(), ""), "Selected: all that are tagged");
        assert_eq!(
            describe(&scope, "inspect=manifest"),
            "Prefix: team/\u{2026}; Resource tags: env=prod; Selected: the newest 10 of each repository; Settings: inspect=manifest"
        );
    }
}
