//! The answer to AWS `CloudFormation`, within the limits of its members ("Response input" in the same page as the request, and
//! "Annotation" in the AWS `CloudFormation` API reference).

use serde::Serialize;

use crate::report::{FaultReport, Remedy, Report};
use crate::text::sanitize;

/// The longest message, in characters, for operations of `CloudFormation` and of the Cloud Control API. Longer ones are cut.
pub(super) const MAX_MESSAGE: usize = 4096;
const MAX_CLOUD_CONTROL_MESSAGE: usize = 1024;

/// The most annotations, the longest text of one, in characters, and the longest link, in bytes. The limits of the API are
/// 16,384 characters and 5,120; how large all may be together is not documented.
const MAX_ANNOTATIONS: usize = 16;
const MAX_ANNOTATION_TEXT: usize = 2000;
const MAX_LINK: usize = 5120;

/// The names in snippets of task definitions, and the properties in templates.
const PROPERTIES: [(&str, &str); 3] = [
    ("\"runtimePlatform\"", "\"RuntimePlatform\""),
    ("\"cpuArchitecture\"", "\"CpuArchitecture\""),
    ("\"operatingSystemFamily\"", "\"OperatingSystemFamily\""),
];

/// The pause before the next invocation. The function is frozen meanwhile, so that waiting longer helps nothing.
const CALLBACK_DELAY_SECONDS: u32 = 1;

/// The status of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum HookStatus {
    Success,
    Failed,
    InProgress,
}

/// The answer to a hook.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookAnswer {
    pub(super) hook_status: HookStatus,
    /// Required if the status is `FAILED`.
    pub(super) error_code: Option<&'static str>,
    pub(super) message: String,
    pub(super) client_request_token: Option<String>,
    pub(super) callback_delay_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) annotations: Vec<Annotation>,
}

/// What was found, for `GetHookResult` and the console.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation {
    #[serde(rename = "annotationName")]
    name: &'static str,
    status: &'static str,
    status_message: String,
    remediation_message: Option<String>,
    remediation_link: Option<String>,
    severity_level: &'static str,
}

impl HookAnswer {
    /// Creates an answer. `is_cloud_control` is whether the operation is one of the Cloud Control API.
    pub(super) fn new(hook_status: HookStatus, message: &str, token: Option<&str>, is_cloud_control: bool) -> Self {
        let limit = if is_cloud_control { MAX_CLOUD_CONTROL_MESSAGE } else { MAX_MESSAGE };
        Self {
            hook_status,
            error_code: (hook_status == HookStatus::Failed).then_some("NonCompliant"),
            message: shorten(message, limit),
            client_request_token: token.map(str::to_owned),
            callback_delay_seconds: (hook_status == HookStatus::InProgress).then_some(CALLBACK_DELAY_SECONDS),
            annotations: Vec::new(),
        }
    }

    /// Adds the faults of a report that count. `name` is the consumer's.
    pub(super) fn annotate(&mut self, name: &str, report: &Report) {
        let faults = report.faults().filter(|fault| fault.waived.is_none());
        let free = MAX_ANNOTATIONS.saturating_sub(self.annotations.len());
        self.annotations.extend(faults.take(free).map(|fault| Annotation {
            name: fault.code.as_str(),
            status: "FAILED",
            status_message: shorten(&format!("{name}: {}", describe_fault(fault)), MAX_ANNOTATION_TEXT),
            remediation_message: describe_remedies(fault).map(|text| shorten(&text, MAX_ANNOTATION_TEXT)),
            remediation_link:
                report.docs_url.as_ref().map(|url| fault.code.docs_link(url)).filter(|link| link.len() <= MAX_LINK),
            severity_level: "HIGH",
        }));
    }
}

/// Describes a fault, the error that it leads to, and the waiver that expired, if there was one.
pub(super) fn describe_fault(fault: &FaultReport) -> String {
    let symptom = fault.symptom.as_ref().map(|symptom| format!(" (expected error: {symptom})"));
    let expired = fault.expired_waiver.as_ref().and_then(|waiver| waiver.expires);
    let expired = expired.map(|day| format!("; its waiver expired on {day}"));
    format!("{}{}{}", fault.evidence, symptom.unwrap_or_default(), expired.unwrap_or_default())
}

/// Describes what fixes a fault, the most likely remedy first; `None` if nothing is known.
pub(super) fn describe_remedies(fault: &FaultReport) -> Option<String> {
    let remedies = fault.remedy.iter().map(|Remedy { advice, command }| match command {
        Some(command) => format!("{advice}: `{command}`"),
        None => advice.clone(),
    });
    let text = remedies.collect::<Vec<_>>().join(". ");
    let in_template = |text: String, (name, property): &(&str, &str)| text.replace(name, property);
    (!text.is_empty()).then(|| PROPERTIES.iter().fold(text, in_template))
}

/// Cuts a text, with an ellipsis at the end, and replaces control characters.
pub(super) fn shorten(text: &str, max_chars: usize) -> String {
    let sanitized = sanitize(text, max_chars);
    if text.chars().nth(max_chars).is_none() {
        return sanitized;
    }
    sanitized.chars().take(max_chars - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_to_the_limits_of_the_operation() {
        let answer = |length: usize, is_cloud_control| {
            let message = "é".repeat(length);
            HookAnswer::new(HookStatus::Success, &message, Some("token"), is_cloud_control).message.chars().count()
        };
        assert_eq!(
            [answer(10, false), answer(4096, false), answer(4097, false), answer(5000, true)],
            [10, 4096, 4096, 1024]
        );
        assert!(HookAnswer::new(HookStatus::Success, &"a".repeat(2000), None, true).message.ends_with("a…"));
        let value = |status| serde_json::to_value(HookAnswer::new(status, "text", Some("t"), false)).unwrap();
        assert_eq!(
            value(HookStatus::Failed),
            serde_json::json!({"hookStatus": "FAILED", "errorCode": "NonCompliant", "message": "text",
                "clientRequestToken": "t"})
        );
        assert_eq!(
            value(HookStatus::InProgress),
            serde_json::json!({"hookStatus": "IN_PROGRESS", "message": "text", "clientRequestToken": "t",
                "callbackDelaySeconds": 1})
        );
    }
}
