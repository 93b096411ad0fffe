//! What the page of an audit says of the run: when, of what, and how.
//!
//! Does not say what is missing.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::lister::AuditScope;

/// How much of an RFC 3339 date people read: up to the minute.
const MINUTE_PRECISION: usize = "2026-11-21T15:21".len();

/// A time as people read it, in UTC.
pub(super) fn format_time(time: SystemTime) -> Option<String> {
    let date = DateTime::from(time).fmt(Format::DateTime).ok()?;
    Some(format!("{} UTC", date.get(..MINUTE_PRECISION)?.replace('T', " ")))
}

/// Which images were asked about, and with what settings: names and values.
pub(super) fn describe_run(scope: &AuditScope, settings: &str) -> Vec<(String, String)> {
    let tagged = scope.resource_tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
    let images = match scope.newest {
        Some(newest) => format!("the newest {newest} of each repository"),
        None => "all that are tagged".to_owned(),
    };
    let begins = if scope.prefix.is_empty() { String::new() } else { format!("{}\u{2026}", scope.prefix) };
    let facts = [
        ("Names", begins),
        ("Only", scope.repositories.join(", ")),
        ("With the tags", tagged),
        ("Chosen", images),
        ("Settings", settings.to_owned()),
    ];
    let said = facts.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_is_described_as_people_read_it() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_780_000_000_123);
        assert_eq!(format_time(time).as_deref(), Some("2026-05-28 20:26 UTC"));
        let scope = AuditScope {
            prefix: "team/".to_owned(),
            resource_tags: vec![("env".to_owned(), "prod".to_owned())],
            newest: Some(10),
            ..AuditScope::default()
        };
        for (scope, settings, expected) in [
            (AuditScope::default(), "", "Chosen: all that are tagged"),
            (
                scope,
                "inspect=manifest",
                "Names: team/\u{2026}; With the tags: env=prod; Chosen: the newest 10 of each repository; Settings: inspect=manifest",
            ),
        ] {
            let facts: Vec<String> =
                describe_run(&scope, settings).iter().map(|(name, value)| format!("{name}: {value}")).collect();
            assert_eq!(facts.join("; "), expected);
        }
    }
}
