//! What a gate decided, and its log line.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::log::{directive, milliseconds, unix_time};
use super::finding::{GateFinding, GateOutcome};
use crate::report::{self, Report};
use crate::text::sanitize;

/// The longest reason in a log line, in characters.
const MAX_REASON: usize = 500;

/// The most reasons in a log line. A container name and a reason need less than 1 KB, and the line then fits into an event
/// of CloudWatch Logs.
const MAX_REASONS: usize = 20;

/// What a gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateDecision {
    /// Nothing is wrong with the images that were judged, at least one.
    Passed,
    /// A fault is certain, and stops the deployment.
    Stopped,
    /// A fault is certain, but the gate only warns.
    WouldStop,
    /// No image was judged.
    Skipped,
    /// The time did not suffice. The gate is called again.
    Pending,
}

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateResult {
    /// The decision.
    pub decision: GateDecision,
    /// The reasons: what is wrong, or why an image was not judged.
    pub reasons: Vec<String>,
}

impl GateResult {
    /// Creates the result of a gate that judged nothing.
    pub fn skipped(reason: String) -> Self {
        Self { decision: GateDecision::Skipped, reasons: vec![sanitize(&reason, MAX_REASON)] }
    }

    /// Decides by the findings. `stops` is whether a certain fault stops the deployment.
    pub fn from_findings(findings: &[GateFinding], stops: bool) -> Self {
        let has = |matches: fn(&GateOutcome) -> bool| findings.iter().any(|finding| matches(&finding.outcome));
        let decision = if has(GateOutcome::fails) {
            if stops { GateDecision::Stopped } else { GateDecision::WouldStop }
        } else if has(|outcome| matches!(outcome, GateOutcome::OutOfTime)) {
            GateDecision::Pending
        } else if has(|outcome| matches!(outcome, GateOutcome::Passes(_))) {
            GateDecision::Passed
        } else {
            GateDecision::Skipped
        };
        let mut result = Self { decision, reasons: Vec::new() };
        for finding in findings {
            let reason = describe_outcome(&finding.outcome);
            result.add_reasons(finding.consumers.iter().map(|consumer| (consumer.container.as_str(), reason.as_str())));
        }
        result
    }

    /// Adds reasons, each with the name of its container.
    pub fn add_reasons<'a>(&mut self, reasons: impl Iterator<Item = (&'a str, &'a str)>) {
        let room = MAX_REASONS.saturating_sub(self.reasons.len());
        let format = |(container, reason)| sanitize(&format!("{container}: {reason}"), MAX_REASON);
        self.reasons.extend(reasons.take(room).map(format));
    }

    /// Builds the log line, with the metric `GateDecisions`. `gate` names the gate, and `subject` what is deployed.
    pub fn log_line(&self, stack: Option<&str>, gate: &str, subject: &str, duration: Duration) -> Value {
        let metrics = json!([{"Name": "GateDecisions", "Unit": "Count"}]);
        let decision = serde_json::to_value(self.decision).unwrap_or_default();
        let mut line = json!({
            "_aws": {
                "Timestamp": milliseconds(unix_time()),
                "CloudWatchMetrics": [directive(stack, Some("decision"), &metrics)],
            },
            "level": "INFO",
            "message": format!("{}: {}", sanitize(subject, MAX_REASON), decision.as_str().unwrap_or_default()),
            "gate": gate,
            "decision": decision,
            "reasons": self.reasons,
            "duration_ms": milliseconds(duration),
            "GateDecisions": 1,
        });
        if let Some(stack) = stack {
            line["stack"] = stack.into();
        }
        line
    }
}

fn describe_outcome(outcome: &GateOutcome) -> String {
    match outcome {
        GateOutcome::Fails(report) => describe_faults(report),
        GateOutcome::Passes(report) => report::format_headline(report),
        GateOutcome::Skipped(reason) => reason.clone(),
        GateOutcome::OutOfTime => "the time did not suffice to read the image".to_owned(),
    }
}

/// Describes what is wrong: the faults that count, each with its evidence.
fn describe_faults(report: &Report) -> String {
    let faults = report.faults().filter(|fault| fault.waived.is_none());
    let faults: Vec<String> =
        faults.map(|fault| format!("{} ({})", fault.evidence.trim_end_matches('.'), fault.code.as_str())).collect();
    format!("{}: {}", report::format_headline(report), faults.join("; "))
}
