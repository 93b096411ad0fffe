//! The gate that AWS `CloudFormation` calls before it creates or updates a resource: a Lambda hook.
//!
//! `CloudFormation` stops for `FAILED`, and also if the hook fails or gives no valid answer. So everything except a certain
//! fault is answered with `SUCCESS`, also an error of this program.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;

use super::decision::{GateDecision, describe_findings};
use super::finding::{GateFinding, GateOutcome};
use super::hook_answer::{HookAnswer, HookStatus};
use super::hook_request::HookRequest;
use super::judge::GateJudge;
use crate::consumer::{ResourceConsumers, parse_resource};
use crate::lambda::log::{DecisionRecord, decision_line};
use crate::name::Repository;
use crate::registry::Registry;
use crate::report::Report;
use crate::text::collect_unique;

/// The time for judging images. `CloudFormation` waits 30 seconds for an answer, including the start of the function.
const JUDGING_TIME: Duration = Duration::from_secs(20);

/// The part of the function's own time limit that is kept for the answer: two seconds by which a judge may exceed its time,
/// and as much again for a slow machine.
const ANSWERING_RESERVE: Duration = Duration::from_secs(4);

/// How to deploy an image in spite of a fault.
const OVERRIDE: &str = "To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, or set the parameter Hook to warn";

/// What the gate answers, and what the log says about it. Without a decision, there will be another invocation.
struct HookResult {
    decision: Option<GateDecision>,
    findings: Vec<GateFinding>,
    message: String,
}

/// Answers a hook, within [`JUDGING_TIME`] and `time_left`. `write_metrics` writes the log line of a decision.
pub async fn answer_hook<R: Registry, OpenRegistry: Fn(&Repository) -> R>(
    judge: &GateJudge<'_, OpenRegistry>,
    payload: &Value,
    time_left: Duration,
    write_metrics: fn(&Value),
) -> HookAnswer {
    let started = Instant::now();
    let request = HookRequest(payload);
    let deadline = started + JUDGING_TIME.min(time_left.saturating_sub(ANSWERING_RESERVE));
    let result = AssertUnwindSafe(evaluate(judge, request, deadline)).catch_unwind().await;
    let result = result.unwrap_or_else(|_panic| {
        tracing::error!(resource = request.logical_id(), "the gate panicked");
        HookResult::skipped("the gate ended with an internal error; see its log".to_owned())
    });
    let answer = result.answer(request);
    let stack = judge.settings.stack.as_deref();
    write_metrics(&decision_line(stack, &result.record(request, &answer.message, started)));
    answer
}

/// Answers a hook so that the operation goes on, for this reason.
pub fn pass_hook(payload: &Value, reason: &str) -> HookAnswer {
    HookResult::skipped(reason.to_owned()).answer(HookRequest(payload))
}

/// Judges the resource.
async fn evaluate<R: Registry, OpenRegistry: Fn(&Repository) -> R>(
    judge: &GateJudge<'_, OpenRegistry>,
    request: HookRequest<'_>,
    deadline: Instant,
) -> HookResult {
    if request.is_deletion() {
        return HookResult::skipped("a deletion is not judged".to_owned());
    }
    let resource = parse_resource(request.target_name(), &request.logical_id(), request.properties());
    let Some(ResourceConsumers { consumers, notes }) = resource else {
        return HookResult::skipped("this type of resource is not judged".to_owned());
    };
    let findings = judge.judge(consumers, deadline).await;
    let decision = GateDecision::from_findings(&findings, judge.settings.gate_mode());
    let is_late = findings.iter().any(|finding| finding.outcome == GateOutcome::OutOfTime);
    if is_late && !findings.iter().any(|finding| finding.outcome.fails()) && request.may_continue() {
        return HookResult { decision: None, findings, message: "the images are still being read".to_owned() };
    }
    let mut message = describe_findings(&findings, decision, &notes, OVERRIDE);
    if message.is_empty() {
        "it runs no image".clone_into(&mut message);
    }
    HookResult { decision: Some(decision), findings, message }
}

impl HookResult {
    fn skipped(message: String) -> Self {
        Self { decision: Some(GateDecision::Skipped), findings: Vec::new(), message }
    }

    fn answer(&self, request: HookRequest<'_>) -> HookAnswer {
        let status = match self.decision {
            None => HookStatus::InProgress,
            Some(GateDecision::Stopped) => HookStatus::Failed,
            Some(_) => HookStatus::Success,
        };
        let is_cloud_control = request.stack_id().is_empty();
        let message = format!("ecr-preflight: {}", self.message);
        let mut answer = HookAnswer::new(status, &message, request.token(), is_cloud_control);
        for (finding, report) in self.findings.iter().filter_map(|finding| Some((finding, finding.failure()?))) {
            answer.annotate(&finding.name(), report);
        }
        answer
    }

    fn record<'a>(&self, request: HookRequest<'a>, message: &'a str, started: Instant) -> DecisionRecord<'a> {
        let faults = self.findings.iter().filter_map(GateFinding::failure).flat_map(Report::faults);
        let faults = faults.filter(|fault| fault.waived.is_none()).map(|fault| fault.code.as_str());
        DecisionRecord {
            gate: "cloudformation",
            decision: self.decision.map(GateDecision::as_str),
            message,
            target: format!("{} {}", request.target_name(), request.logical_id()),
            deployment: request.stack_id(),
            attempt: request.invocation(),
            images: self.findings.len(),
            faults: collect_unique(faults),
            duration: started.elapsed(),
        }
    }
}
