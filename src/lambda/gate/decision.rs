//! The decision of a gate about a deployment, from what it found out about the images.

use super::finding::{GateFinding, GateOutcome};
use super::hook_answer::{describe_fault, describe_remedies};
use crate::consumer::{Consumer, ConsumerPlatform, PlatformSource};
use crate::report::{Report, format_headline};
use crate::settings::GateMode;

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateDecision {
    /// Nothing that was judged fails.
    Passed,
    /// The deployment is stopped, because of a certain fault.
    Stopped,
    /// A fault is certain, but the gate only warns.
    WouldStop,
    /// Nothing was judged.
    Skipped,
}

impl GateDecision {
    /// Returns the name in metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Stopped => "stopped",
            Self::WouldStop => "would-stop",
            Self::Skipped => "skipped",
        }
    }

    /// Decides about a deployment with these findings.
    pub fn from_findings(findings: &[GateFinding], mode: GateMode) -> Self {
        let passes = |finding: &GateFinding| matches!(finding.outcome, GateOutcome::Passes(_));
        match mode {
            GateMode::Fail if findings.iter().any(|finding| finding.outcome.fails()) => Self::Stopped,
            GateMode::Warn if findings.iter().any(|finding| finding.outcome.fails()) => Self::WouldStop,
            _ if findings.iter().any(passes) => Self::Passed,
            _ => Self::Skipped,
        }
    }
}

impl GateFinding {
    /// Names the consumers: the first, and how many others there are.
    pub fn name(&self) -> String {
        let first = self.consumers.first().map(Consumer::title);
        let first = first.unwrap_or_else(|| "the image".to_owned());
        match self.consumers.len() {
            0 | 1 => first,
            count => format!("{first} and {} more", count - 1),
        }
    }

    /// Returns what says on which architecture the consumers run, if it is known.
    pub fn architecture_source(&self) -> Option<PlatformSource> {
        match self.consumers.first()?.platform {
            ConsumerPlatform::Known(_, source) => Some(source),
            ConsumerPlatform::Unknown(_) | ConsumerPlatform::Windows => None,
        }
    }

    /// Returns the report about a certain fault.
    pub fn failure(&self) -> Option<&Report> {
        match &self.outcome {
            GateOutcome::Fails(report) => Some(report),
            _ => None,
        }
    }

    /// Describes the result in a sentence without a period, for a finding that stops nothing.
    pub fn describe(&self) -> String {
        let name = self.name();
        match &self.outcome {
            GateOutcome::Fails(report) | GateOutcome::Passes(report) => format!("{name}: {}", format_headline(report)),
            GateOutcome::Skipped(reason) => format!("Not judged: {name}: {reason}"),
            GateOutcome::OutOfTime => format!("Not judged: {name}: the image could not be read in time"),
        }
    }
}

/// Describes the findings in sentences: certain faults first, with what fixes them. `override_advice` says how to deploy in
/// spite of them.
pub(super) fn describe_findings(
    findings: &[GateFinding],
    decision: GateDecision,
    notes: &[String],
    override_advice: &str,
) -> String {
    let mut sentences = Vec::new();
    for (finding, report) in findings.iter().filter_map(|finding| Some((finding, finding.failure()?))) {
        let faults = report.faults().filter(|fault| fault.waived.is_none());
        let faults: Vec<String> =
            faults.map(|fault| format!("{}: {}", fault.code.as_str(), describe_fault(fault))).collect();
        let source = finding.architecture_source().map(|source| format!(" (architecture: {})", source.describe()));
        let headline = format!("{}{}", format_headline(report), source.unwrap_or_default());
        sentences.push(format!("{}: {headline}: {}", finding.name(), faults.join("; ")));
        sentences.extend(report.faults().find_map(describe_remedies).map(|remedy| format!("What to do: {remedy}")));
        // For example about a malformed waiver.
        sentences.extend(report.remarks.iter().cloned());
    }
    match decision {
        GateDecision::Stopped => sentences.push(override_advice.to_owned()),
        GateDecision::WouldStop => sentences.insert(0, "The gate would have stopped this, but only warns".to_owned()),
        GateDecision::Passed | GateDecision::Skipped => {}
    }
    let others = findings.iter().filter(|finding| !finding.outcome.fails());
    sentences.extend(others.map(GateFinding::describe));
    sentences.extend(notes.iter().map(|note| format!("Not judged: {note}")));
    sentences.join(". ")
}
