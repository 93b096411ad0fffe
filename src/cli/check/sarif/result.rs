//! One image's faults, and what could not be told of it, as results.
//!
//! Does not decide what is wrong.

use std::fmt::Write as _;

use super::rules::{UNTOLD, index};
use super::wire::{Artifact, Fingerprints, Found, Location, Logical, Physical, Region, Text};
use crate::name::Digest;
use crate::report::{FaultFace, Remedy, Report, RuntimeFace};
use crate::verdict::Verdict;

/// As many digits of a digest tell results apart.
const FINGERPRINT: usize = 16;

/// The results of one report, in its order.
pub(super) fn results(report: &Report, reference: &str, dockerfile: &str) -> Vec<Found> {
    let of = |runtime: &RuntimeFace| {
        let place = Place { report, runtime, reference, dockerfile };
        let mut found: Vec<Found> = runtime.faults.iter().map(|fault| place.fault(fault)).collect();
        // Where a declaration cannot be read, that it is so is all there is to know.
        if runtime.faults.is_empty() && runtime.verdict == Verdict::Unknown {
            found.push(place.untold());
        }
        found
    };
    report.runtimes().flat_map(of).collect()
}

/// What a result is about.
struct Place<'a> {
    report: &'a Report,
    runtime: &'a RuntimeFace,
    reference: &'a str,
    dockerfile: &'a str,
}

impl Place<'_> {
    fn fault(&self, fault: &FaultFace) -> Found {
        let FaultFace { evidence, symptom, remedy, .. } = fault;
        let mut text = self.said(evidence);
        let mut markdown = escaped(&text);
        if let Some(symptom) = symptom {
            let _ = write!(text, "\nYou would meet: {symptom}");
            let _ = write!(markdown, "\n\nYou would meet: {}", code(symptom));
        }
        if !remedy.is_empty() {
            text.push_str("\nWhat to do:");
            markdown.push_str("\n\nWhat to do:\n");
        }
        for (number, Remedy { advice, command }) in (1..).zip(remedy) {
            let end = if command.is_some() { ":" } else { "" };
            let _ = write!(text, "\n{number}. {advice}{end}");
            let _ = write!(markdown, "\n{number}. {advice}{end}");
            if let Some(command) = command {
                let _ = write!(text, "\n   {command}");
                let _ = write!(markdown, "\n\n   ```\n   {command}\n   ```");
            }
        }
        let level = if self.runtime.verdict == Verdict::Fails { "error" } else { "warning" };
        self.found(fault.code.as_str(), level, Text { text, markdown: Some(markdown) })
    }

    fn untold(&self) -> Found {
        self.found(UNTOLD, "warning", Text::plain(self.said(&self.runtime.unknown.join("; "))))
    }

    fn said(&self, what: &str) -> String {
        format!("{} on {}: {what}", self.report.subject(), self.runtime.subject.title())
    }

    fn found(&self, rule: &'static str, level: &'static str, message: Text) -> Found {
        let (reference, runtime) = (self.reference, self.runtime.subject.name());
        // Of the image as it is named, not of its digest: the next build is to have the same alert, or to close it.
        let named = format!("{reference}\n{rule}\n{runtime}");
        let fingerprint = Digest::of(named.as_bytes()).hex()[..FINGERPRINT].to_owned();
        let digest = self.report.image.as_ref().map(|image| format!("@{}", image.digest)).unwrap_or_default();
        let uri = uri(self.dockerfile);
        Found {
            rule_id: rule,
            rule_index: index(rule),
            level,
            message,
            locations: [Location {
                physical_location: Physical { artifact_location: Artifact { uri }, region: Region { start_line: 1 } },
                logical_locations: [Logical {
                    name: reference.to_owned(),
                    fully_qualified_name: format!("{reference}{digest} on {runtime}"),
                    kind: "resource",
                }],
            }],
            partial_fingerprints: Fingerprints { line: format!("{fingerprint}:1"), own: fingerprint },
        }
    }
}

/// Without what would be a link, an image or markup: names of an image's own files stand in evidence.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if "\\<>[]*_#!".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Between backticks, whatever it holds.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::{escaped, uri};

    #[test]
    fn names_of_files_are_no_markup() {
        let evil = "/![x](https://example.com/a_b) <b>";
        assert_eq!(escaped(evil), r"/\!\[x\](https://example.com/a\_b) \<b\>");
    }

    #[test]
    fn paths_are_relative_references() {
        for (path, expected) in [
            ("Dockerfile", "Dockerfile"),
            ("./api/Dockerfile", "api/Dockerfile"),
            ("a b/Dockerfile.é", "a%20b/Dockerfile.%C3%A9"),
            ("a:b", "a%3Ab"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
