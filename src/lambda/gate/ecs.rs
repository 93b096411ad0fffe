//! The gate that a deployment of Amazon ECS calls before the first task of a new service revision starts: a lifecycle hook.
//!
//! Amazon ECS rolls the deployment back for `FAILED`, and also if the function fails or gives no valid answer. So everything
//! except a certain fault is answered with `SUCCEEDED`, also an error of this program.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;

use super::decision::{GateDecision, describe_findings};
use super::deployment::DeploymentReader;
use super::ecs_hook::{EcsHookAnswer, EcsHookPayload};
use super::finding::{GateFinding, GateOutcome};
use super::hook_answer::{MAX_MESSAGE, shorten};
use super::judge::GateJudge;
use crate::consumer::RevisionContainers;
use crate::lambda::log::{DecisionRecord, decision_line};
use crate::name::Repository;
use crate::registry::Registry;
use crate::report::Report;
use crate::text::{collect_unique, error_chain};

/// The most time for an answer. How long Amazon ECS waits is not documented; AWS `CloudFormation` waits 30 seconds for the
/// function of a hook.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// The part of the function's own time limit that is kept for the answer: what remains of a step that was under way at the
/// deadline, and the way back.
const ANSWERING_RESERVE: Duration = Duration::from_secs(5);

/// How to deploy an image in spite of a fault.
const OVERRIDE: &str = "To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service";

/// What the gate answers, and what the log says about it. Without a decision, there will be another invocation.
struct EcsHookResult {
    answer: EcsHookAnswer,
    decision: Option<GateDecision>,
    findings: Vec<GateFinding>,
    message: String,
}

/// Answers a lifecycle hook, within [`ANSWER_WITHIN`] and `time_left`. `write_metrics` writes the log line of a decision.
pub async fn answer_ecs_hook<R: Registry, OpenRegistry: Fn(&Repository) -> R>(
    judge: &GateJudge<'_, OpenRegistry>,
    deployments: &DeploymentReader,
    payload: &Value,
    time_left: Duration,
    write_metrics: fn(&Value),
) -> EcsHookAnswer {
    let started = Instant::now();
    let payload = EcsHookPayload::from_value(payload);
    let deadline = started + ANSWER_WITHIN.min(time_left.saturating_sub(ANSWERING_RESERVE));
    let result = AssertUnwindSafe(Box::pin(evaluate(judge, deployments, &payload, deadline))).catch_unwind().await;
    let result = result.unwrap_or_else(|_panic| {
        tracing::error!(service = payload.service_arn, "the gate panicked");
        EcsHookResult::skipped("the gate ended with an internal error; see its log".to_owned())
    });
    let faults = result.findings.iter().filter_map(GateFinding::failure).flat_map(Report::faults);
    let faults = faults.filter(|fault| fault.waived.is_none()).map(|fault| fault.code.as_str());
    let record = DecisionRecord {
        gate: "ecs",
        decision: result.decision.map(GateDecision::as_str),
        message: &shorten(&result.message, MAX_MESSAGE),
        target: payload.service_arn.clone(),
        deployment: payload.deployment_arn.clone(),
        attempt: payload.attempt(),
        images: result.findings.len(),
        faults: collect_unique(faults),
        duration: started.elapsed(),
    };
    write_metrics(&decision_line(judge.settings.stack.as_deref(), &record));
    result.answer
}

/// Judges the deployment.
async fn evaluate<R: Registry, OpenRegistry: Fn(&Repository) -> R>(
    judge: &GateJudge<'_, OpenRegistry>,
    deployments: &DeploymentReader,
    payload: &EcsHookPayload,
    deadline: Instant,
) -> EcsHookResult {
    let revision_arn = match payload.revision_to_check() {
        Ok(arn) => arn,
        Err(reason) => return EcsHookResult::skipped(reason),
    };
    let RevisionContainers { needed, optional } =
        match tokio::time::timeout_at(deadline.into(), deployments.read(revision_arn)).await {
            Ok(Ok(containers)) => containers,
            Ok(Err(error)) => {
                let message = format!("the deployment could not be read: {}", error_chain(&error));
                return EcsHookResult::skipped(message);
            }
            Err(_elapsed) => return EcsHookResult::skipped("there was no time to read the deployment".to_owned()),
        };
    let findings = judge.judge(needed, deadline).await;
    let decision = GateDecision::from_findings(&findings, judge.settings.gate_mode());
    let has = |matches: fn(&GateOutcome) -> bool| findings.iter().any(|finding| matches(&finding.outcome));
    let is_late = has(|outcome| *outcome == GateOutcome::OutOfTime) && !has(GateOutcome::fails);
    if is_late && let Some(answer) = payload.ask_again() {
        return EcsHookResult {
            answer,
            decision: None,
            findings,
            message: "the images are still being read".to_owned(),
        };
    }
    let notes: Vec<String> =
        optional.iter().map(|name| format!("container {name}: its failure does not affect the task")).collect();
    let mut message = describe_findings(&findings, decision, &notes, OVERRIDE);
    if message.is_empty() {
        "it runs no image".clone_into(&mut message);
    }
    let answer = if decision == GateDecision::Stopped { EcsHookAnswer::FAILED } else { EcsHookAnswer::SUCCEEDED };
    EcsHookResult { answer, decision: Some(decision), findings, message }
}

impl EcsHookResult {
    fn skipped(message: String) -> Self {
        Self { answer: EcsHookAnswer::SUCCEEDED, decision: Some(GateDecision::Skipped), findings: Vec::new(), message }
    }
}
