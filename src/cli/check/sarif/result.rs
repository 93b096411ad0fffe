//! One image's faults, and what could not be told of it, as results.
//!
//! Does not decide what is wrong.

use std::fmt::Write as _;

use super::model::{
    SarifArtifactLocation, SarifFingerprints, SarifLocation, SarifLogicalLocation, SarifMessage, SarifPhysicalLocation,
    SarifRegion, SarifResult,
};
use super::rules::{UNKNOWN_RULE, rule_index};
use crate::name::Digest;
use crate::report::{FaultReport, Remedy, Report, RuntimeReport};
use crate::verdict::Verdict;

/// As many digits of a digest tell results apart.
const FINGERPRINT_DIGITS: usize = 16;

/// The results of one report, in its order.
pub(super) fn build_results(report: &Report, reference: &str, dockerfile: &str) -> Vec<SarifResult> {
    let of = |runtime: &RuntimeReport| {
        let place = SarifContext { report, runtime, reference, dockerfile };
        let mut found: Vec<SarifResult> = runtime.faults.iter().map(|fault| place.build_fault_result(fault)).collect();
        // Where a declaration cannot be read, that it is so is all there is to know.
        if runtime.faults.is_empty() && runtime.verdict == Verdict::Unknown {
            found.push(place.build_unknown_result());
        }
        found
    };
    report.runtimes().flat_map(of).collect()
}

/// What a result is about.
struct SarifContext<'a> {
    report: &'a Report,
    runtime: &'a RuntimeReport,
    reference: &'a str,
    dockerfile: &'a str,
}

impl SarifContext<'_> {
    fn build_fault_result(&self, fault: &FaultReport) -> SarifResult {
        let FaultReport { evidence, symptom, remedy, .. } = fault;
        let mut text = self.message_text(evidence);
        let mut markdown = escape_markdown(&text);
        if let Some(symptom) = symptom {
            let _ = write!(text, "\nYou would meet: {symptom}");
            let _ = write!(markdown, "\n\nYou would meet: {}", code_span(symptom));
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
        self.build_result(fault.code.as_str(), level, SarifMessage { text, markdown: Some(markdown) })
    }

    fn build_unknown_result(&self) -> SarifResult {
        self.build_result(
            UNKNOWN_RULE,
            "warning",
            SarifMessage::plain(self.message_text(&self.runtime.unknown.join("; "))),
        )
    }

    fn message_text(&self, what: &str) -> String {
        format!("{} on {}: {what}", self.report.display_name(), self.runtime.subject.title())
    }

    fn build_result(&self, rule: &'static str, level: &'static str, message: SarifMessage) -> SarifResult {
        let (reference, runtime) = (self.reference, self.runtime.subject.name());
        // Of the image as it is named, not of its digest: the next build is to have the same alert, or to close it.
        let named = format!("{reference}\n{rule}\n{runtime}");
        let fingerprint = Digest::of(named.as_bytes()).hex()[..FINGERPRINT_DIGITS].to_owned();
        let digest = self.report.image.as_ref().map(|image| format!("@{}", image.digest)).unwrap_or_default();
        let uri = relative_uri(self.dockerfile);
        SarifResult {
            rule_id: rule,
            rule_index: rule_index(rule),
            level,
            message,
            locations: [SarifLocation {
                physical_location: SarifPhysicalLocation {
                    artifact_location: SarifArtifactLocation { uri },
                    region: SarifRegion { start_line: 1 },
                },
                logical_locations: [SarifLogicalLocation {
                    name: reference.to_owned(),
                    fully_qualified_name: format!("{reference}{digest} on {runtime}"),
                    kind: "resource",
                }],
            }],
            partial_fingerprints: SarifFingerprints {
                primary_location: format!("{fingerprint}:1"),
                image_rule_runtime: fingerprint,
            },
        }
    }
}

/// Without what would be a link, an image or markup: names of an image's own files stand in evidence.
fn escape_markdown(text: &str) -> String {
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
fn code_span(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// A path as a relative reference of RFC 3986.
fn relative_uri(path: &str) -> String {
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
    use super::{escape_markdown, relative_uri};

    #[test]
    fn names_of_files_are_no_markup() {
        let evil = "/![x](https://example.com/a_b) <b>";
        assert_eq!(escape_markdown(evil), r"/\!\[x\](https://example.com/a\_b) \<b\>");
    }

    #[test]
    fn paths_are_relative_references() {
        for (path, expected) in [
            ("Dockerfile", "Dockerfile"),
            ("./api/Dockerfile", "api/Dockerfile"),
            ("a b/Dockerfile.é", "a%20b/Dockerfile.%C3%A9"),
            ("a:b", "a%3Ab"),
        ] {
            assert_eq!(relative_uri(path), expected);
        }
    }
}
