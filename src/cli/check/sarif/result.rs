//! The faults and unknown results of one image, as SARIF results.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::rules::{UNKNOWN_RULE, rule_index};
use crate::name::Digest;
use crate::report::{FaultReport, Remedy, Report, RuntimeReport};
use crate::verdict::Verdict;

/// The length of a fingerprint, in hexadecimal digits.
const FINGERPRINT_DIGITS: usize = 16;

/// The results of one report, in its order.
pub(super) fn build_results(report: &Report, reference: &str, dockerfile: &str) -> Vec<Value> {
    let build = |runtime: &RuntimeReport| {
        let context = SarifContext { report, runtime, reference, dockerfile };
        let mut results: Vec<Value> = runtime.faults.iter().map(|fault| context.build_fault_result(fault)).collect();
        // An invalid declaration is a fault and unknown, but one result is enough.
        if runtime.faults.is_empty() && runtime.verdict == Verdict::Unknown {
            let text = context.message_text(&runtime.unknown.join("; "));
            results.push(context.build_result(UNKNOWN_RULE, "warning", &json!({"text": text})));
        }
        results
    };
    report.runtimes().flat_map(build).collect()
}

/// The image and the runtime of a result.
struct SarifContext<'a> {
    report: &'a Report,
    runtime: &'a RuntimeReport,
    reference: &'a str,
    dockerfile: &'a str,
}

impl SarifContext<'_> {
    fn build_fault_result(&self, fault: &FaultReport) -> Value {
        let FaultReport { evidence, symptom, remedy, .. } = fault;
        let mut text = self.message_text(evidence);
        let mut markdown = escape_markdown(&text);
        if let Some(symptom) = symptom {
            let _ = write!(text, "\nExpected error: {symptom}");
            let _ = write!(markdown, "\n\nExpected error: {}", code_span(symptom));
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
        self.build_result(fault.code.as_str(), level, &json!({"text": text, "markdown": markdown}))
    }

    fn message_text(&self, problem: &str) -> String {
        format!("{} on {}: {problem}", self.report.display_name(), self.runtime.subject.title())
    }

    fn build_result(&self, rule: &str, level: &str, message: &Value) -> Value {
        let (reference, runtime) = (self.reference, self.runtime.subject.name());
        // Derived from the image's name, not its digest, so that the next build keeps the same alert or closes it.
        let identity = format!("{reference}\n{rule}\n{runtime}");
        let identity = Digest::of(identity.as_bytes());
        let fingerprint = &identity.hex()[..FINGERPRINT_DIGITS];
        let digest = self.report.image.as_ref().map(|image| format!("@{}", image.digest)).unwrap_or_default();
        let qualified_name = format!("{reference}{digest} on {runtime}");
        json!({
            "ruleId": rule,
            "ruleIndex": rule_index(rule),
            "level": level,
            "message": message,
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": {"uri": relative_uri(self.dockerfile)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {"name": reference, "fullyQualifiedName": qualified_name, "kind": "resource"},
                ],
            }],
            "partialFingerprints": {
                // The fingerprint that GitHub compares. Its uploader would derive it from the source line, which is the
                // same for all images.
                "primaryLocationLineHash": format!("{fingerprint}:1"),
                "imageRuleRuntime/v1": fingerprint,
            },
        })
    }
}

/// Escapes links, images and other markup: evidence holds names of the image's own files.
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

/// Quotes text with backticks.
fn code_span(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// Converts a path to a relative reference (RFC 3986).
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
    fn file_names_are_not_markup() {
        let evil = "/![x](https://example.com/a_b) <b>";
        assert_eq!(escape_markdown(evil), r"/\!\[x\](https://example.com/a\_b) \<b\>");
    }

    #[test]
    fn path_becomes_a_relative_reference() {
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
