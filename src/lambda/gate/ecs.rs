//! The gate of deployments of Amazon ECS: before the first task of a service revision starts, it judges the images of the
//! revision's containers.
//!
//! Amazon ECS rolls a deployment back if the function returns anything but a valid answer in time. Therefore every error is
//! answered with `SUCCEEDED`, as is anything unknown.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::decision::{GateDecision, GateResult};
use super::deployment::DeploymentReader;
use super::ecs_hook::{EcsHookAnswer, EcsHookPayload};
use super::judge::GateJudge;
use crate::consumer::RevisionContainers;
use crate::name::Repository;
use crate::registry::Registry;
use crate::text::error_chain;

/// The most time for an answer. How long Amazon ECS waits is not documented; AWS CloudFormation waits 30 seconds for the
/// function of a hook.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// The part of the function's own time that is reserved for the answer: what remains of a step that was under way at the
/// deadline, and the way back.
const RESERVE: Duration = Duration::from_secs(5);

/// The gate. Its fields are its dependencies.
#[derive(Debug, Clone, Copy)]
pub struct EcsGate<'a, OpenRegistry> {
    /// Judges the images.
    pub judge: GateJudge<'a, OpenRegistry>,
    /// Reads what a deployment starts.
    pub deployments: &'a DeploymentReader,
    /// Whether a certain fault stops the deployment.
    pub stops: bool,
}

impl<R: Registry, OpenRegistry: Fn(&Repository) -> R> EcsGate<'_, OpenRegistry> {
    /// Answers a payload. `time_left` is the rest of the invocation's time.
    pub async fn answer(&self, payload: &EcsHookPayload, time_left: Duration) -> (EcsHookAnswer, GateResult) {
        let deadline = Instant::now() + ANSWER_WITHIN.min(time_left.saturating_sub(RESERVE));
        let decided = AssertUnwindSafe(Box::pin(self.decide(payload, deadline))).catch_unwind().await;
        decided.unwrap_or_else(|_panic| {
            let reason = "the gate ended with an internal error; see its log";
            (EcsHookAnswer::SUCCEEDED, GateResult::skipped(reason.to_owned()))
        })
    }

    async fn decide(&self, payload: &EcsHookPayload, deadline: Instant) -> (EcsHookAnswer, GateResult) {
        let RevisionContainers { needed, optional } = match self.read_containers(payload, deadline).await {
            Ok(containers) => containers,
            Err(reason) => return (EcsHookAnswer::SUCCEEDED, GateResult::skipped(reason)),
        };
        let findings = self.judge.judge(needed, deadline).await;
        let mut result = GateResult::from_findings(&findings, self.stops);
        result.add_reasons(optional.iter().map(|name| (name.as_str(), "its failure does not affect the task")));
        let answer = match result.decision {
            GateDecision::Stopped => EcsHookAnswer::FAILED,
            GateDecision::Pending => match payload.ask_again() {
                Some(answer) => answer,
                None => {
                    result.decision = GateDecision::Skipped;
                    EcsHookAnswer::SUCCEEDED
                }
            },
            GateDecision::Passed | GateDecision::WouldStop | GateDecision::Skipped => EcsHookAnswer::SUCCEEDED,
        };
        (answer, result)
    }

    /// Reads the containers of the revision, or returns why they are not judged.
    async fn read_containers(&self, payload: &EcsHookPayload, deadline: Instant) -> Result<RevisionContainers, String> {
        let revision = payload.revision_to_check()?;
        match tokio::time::timeout_at(deadline.into(), self.deployments.read(revision)).await {
            Ok(Ok(containers)) => Ok(containers),
            Ok(Err(error)) => {
                tracing::warn!(error = error_chain(&error), "not judged");
                Err(format!("the deployment could not be read: {}", error_chain(&error)))
            }
            Err(_elapsed) => Err("there was no time to read the deployment".to_owned()),
        }
    }
}
