//! Reports as a SARIF 2.1.0 log for GitHub code scanning: a rule for each fault code, one for unknown results and one for
//! starts that are not verified, a result for each of these, and a notification for each image that could not be read and
//! for each waived fault.
//!
//! A waived fault is not a result with `suppressions` (section 3.27.23 of SARIF 2.1.0), because GitHub opens an alert for it
//! all the same: github/codeql-action issue 1230.
//!
//! An image has no source lines, so its results are shown at the first line of its Dockerfile, and those of a container
//! at its image in the task definition. The format is that of
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::checker::{CheckRecord, CheckResult};
use crate::cli::error_text::describe_error_in_line;
use crate::name::Digest;
use crate::report::{FaultReport, Remedy, Report, RuntimeReport, WaiverReport, format_headline};
use crate::verdict::{FaultCode, FaultInfo, Verdict};

/// The rule of an unknown result.
const UNKNOWN_RULE: FaultInfo = FaultInfo {
    name: "unknown",
    title: "unknown whether the image starts",
    explanation: "the answer depends on something that could not be read, or that the image alone does not decide; this is \
                  neither a fault nor a pass",
    fix: "The message names the reason. Check the image again when it can be read, or start it once on the runtime.",
};

/// The rule of a start that is not verified.
const NOT_VERIFIED_RULE: FaultInfo = FaultInfo {
    name: "not-verified",
    title: "start not verified",
    explanation: "the image has the right architecture, but its program could not be followed to an answer",
    fix: "The message names the reason. Start the image once on the runtime, or let `--strict` stop such images.",
};

/// The length of a fingerprint, in hexadecimal digits.
const FINGERPRINT_DIGITS: usize = 16;

/// Formats the log of several checks; `dockerfile` is the file at which results are shown.
pub(super) fn format_sarif(records: &[CheckRecord<'_>], dockerfile: &str) -> String {
    let mut results = Vec::new();
    let mut notifications = Vec::new();
    let mut docs_url = None;
    let mut notify = |level: &str, text: String| notifications.push(build_notification(level, &text));
    for CheckRecord { reference, container, outcome } in records {
        let place = container.map_or(Place { file: dockerfile, line: 1 }, |container| Place {
            file: &container.file,
            line: container.line,
        });
        match outcome.as_ref().map(|checked| &checked.result) {
            Ok(CheckResult::Report(report)) if report.verdict == Verdict::Ignored => {
                notify("note", format_headline(report));
            }
            Ok(CheckResult::Report(report)) => {
                docs_url = report.docs_url.as_deref();
                list_waived(report).into_iter().for_each(|waived| notify("note", waived));
                results.extend(build_results(report, reference, place));
            }
            Ok(CheckResult::Platforms(_)) => {}
            Err(unread) => {
                let error = describe_error_in_line(&unread.error);
                let image = if error.contains(reference) { String::new() } else { format!("{reference}: ") };
                let hint = unread.hint.as_ref().map(|hint| format!(". Hint: {hint}")).unwrap_or_default();
                notify("error", format!("{image}{error}{hint}"));
            }
        }
    }
    let is_complete = records.iter().all(|record| record.outcome.is_ok());
    format_log(&results, &notifications, is_complete, docs_url)
}

/// Formats the log of one report on the image of this reference.
pub fn report_to_sarif(report: &Report, reference: &str, dockerfile: &str) -> String {
    let notes: Vec<Value> = list_waived(report).into_iter().map(|waived| build_notification("note", &waived)).collect();
    format_log(
        &build_results(report, reference, Place { file: dockerfile, line: 1 }),
        &notes,
        true,
        report.docs_url.as_deref(),
    )
}

fn format_log(results: &[Value], notifications: &[Value], is_complete: bool, docs_url: Option<&str>) -> String {
    let mut invocation = json!({"executionSuccessful": is_complete});
    if !notifications.is_empty() {
        invocation["toolExecutionNotifications"] = notifications.into();
    }
    let driver = json!({"name": "ecr-preflight", "version": env!("CARGO_PKG_VERSION"), "rules": build_rules(docs_url)});
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "invocations": [invocation], "results": results}],
    });
    format!("{log:#}")
}

fn build_notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": text}})
}

/// Every rule, in the order of the codes; `docs_url` is the address of the page with the fault table.
fn build_rules(docs_url: Option<&str>) -> Vec<Value> {
    let build = |code: &FaultCode| {
        let level = if *code == FaultCode::InvalidDeclaration { "warning" } else { "error" };
        build_rule(code.info(), level, docs_url.map(|url| code.docs_link(url)))
    };
    let others = [build_rule(UNKNOWN_RULE, "warning", None), build_rule(NOT_VERIFIED_RULE, "note", None)];
    FaultCode::ALL.iter().map(build).chain(others).collect()
}

/// Builds a `reportingDescriptor`.
fn build_rule(info: FaultInfo, level: &str, help_uri: Option<String>) -> Value {
    let mut rule = json!({
        "id": info.name,
        "shortDescription": {"text": capitalize(info.title)},
        "fullDescription": {"text": format!("{}.", capitalize(info.explanation))},
        "help": {"text": info.fix, "markdown": info.fix},
        "defaultConfiguration": {"level": level},
    });
    if let Some(uri) = help_uri {
        rule["helpUri"] = uri.into();
    }
    rule
}

fn capitalize(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

/// A sentence for each waived fault of a report, in its order.
fn list_waived(report: &Report) -> Vec<String> {
    let describe = |runtime: &RuntimeReport| {
        let waived = runtime.faults.iter().filter_map(|fault| Some((fault, fault.waived.as_ref()?)));
        let sentence = |(fault, waiver): (&FaultReport, &WaiverReport)| {
            let (code, problem) = (fault.code.as_str(), message_text(report, runtime, &fault.evidence));
            format!("{problem} ({code}; {}: {})", waiver.title(), waiver.reason)
        };
        waived.map(sentence).collect::<Vec<_>>()
    };
    report.runtimes().flat_map(describe).collect()
}

fn message_text(report: &Report, runtime: &RuntimeReport, problem: &str) -> String {
    let consumer = report.consumer.as_ref().map(|consumer| format!(" ({})", consumer.title)).unwrap_or_default();
    format!("{} on {}{consumer}: {problem}", report.display_name(), runtime.subject.title())
}

/// The results of one report, in its order, without waived faults.
fn build_results(report: &Report, reference: &str, place: Place<'_>) -> Vec<Value> {
    let build = |runtime: &RuntimeReport| {
        let context = SarifContext { report, runtime, reference, place };
        let faults: Vec<&FaultReport> = runtime.faults.iter().filter(|fault| fault.waived.is_none()).collect();
        let mut results: Vec<Value> = faults.iter().map(|fault| context.build_fault_result(fault)).collect();
        // An invalid declaration is a fault and unknown, but one result is enough.
        if faults.is_empty() && runtime.unwaived_verdict() == Verdict::Unknown {
            let text = context.message_text(&runtime.unknown.join("; "));
            results.push(context.build_result(UNKNOWN_RULE.name, "warning", &json!({"text": text})));
        }
        results.extend(runtime.warnings.iter().map(|warning| {
            let text = context.message_text(&warning.evidence);
            context.build_result(warning.code.as_str(), "warning", &json!({"text": text}))
        }));
        if let Some(reason) = &runtime.not_verified {
            let text = context.message_text(&format!("right architecture, but the start is not verified: {reason}"));
            results.push(context.build_result(NOT_VERIFIED_RULE.name, "note", &json!({"text": text})));
        }
        results
    };
    report.runtimes().flat_map(build).collect()
}

/// Where a result is shown.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    /// From 1.
    line: usize,
}

/// The image and the runtime of a result.
struct SarifContext<'a> {
    report: &'a Report,
    runtime: &'a RuntimeReport,
    reference: &'a str,
    place: Place<'a>,
}

impl SarifContext<'_> {
    fn build_fault_result(&self, fault: &FaultReport) -> Value {
        let FaultReport { evidence, symptom, remedy, .. } = fault;
        let mut text = self.message_text(evidence);
        let mut markdown = escape_markdown(&text);
        if let Some(symptom) = symptom {
            let _ = write!(text, "\nExpected error: {symptom}");
            let _ = write!(markdown, "\n\nExpected error: `{}`", symptom.replace('`', "'"));
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
        message_text(self.report, self.runtime, problem)
    }

    fn build_result(&self, rule: &str, level: &str, message: &Value) -> Value {
        let (reference, runtime) = (self.reference, self.runtime.subject.name());
        let consumer =
            self.report.consumer.as_ref().map(|consumer| format!("\n{}", consumer.title)).unwrap_or_default();
        // Derived from the image's name, not its digest, so that the next build keeps the same alert or closes it.
        let identity = format!("{reference}\n{rule}\n{runtime}{consumer}");
        let identity = Digest::of(identity.as_bytes());
        let fingerprint = &identity.hex()[..FINGERPRINT_DIGITS];
        let mut rules =
            FaultCode::ALL.iter().map(|code| code.as_str()).chain([UNKNOWN_RULE.name, NOT_VERIFIED_RULE.name]);
        let digest = self.report.image.as_ref().map(|image| format!("@{}", image.digest)).unwrap_or_default();
        let qualified_name = format!("{reference}{digest} on {runtime}");
        json!({
            "ruleId": rule,
            "ruleIndex": rules.position(|name| name == rule),
            "level": level,
            "message": message,
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": {"uri": relative_uri(self.place.file)},
                    "region": {"startLine": self.place.line},
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
    let escape = |c: char| "\\<>[]*_#!".contains(c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escape).collect()
}

/// Converts a path to a relative reference (RFC 3986).
fn relative_uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.trim_start_matches("./").bytes().map(encode).collect()
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
