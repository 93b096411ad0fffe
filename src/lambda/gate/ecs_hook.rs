//! The payload of a deployment lifecycle hook of Amazon ECS, and the answer: "Lambda hooks for Amazon ECS service
//! deployments" in the Amazon ECS developer guide.

use serde::Serialize;
use serde_json::Value;

/// The stage before the first task of a new revision starts. In later stages, a wrong image has already failed.
const CHECKED_STAGE: &str = "PRE_SCALE_UP";

/// The key of the number of earlier attempts in [`HookDetails`].
const ATTEMPTS: &str = "ecr-preflight-attempts";

/// The number of invocations for a stage. Most images are read in the first one. A deployment waits a minute at most for
/// the others.
const MAX_ATTEMPTS: u64 = 3;

/// The pause before the next invocation, in seconds: the default. Limits are not documented, so no other value is certain to
/// be accepted.
const CALLBACK_DELAY: u64 = 30;

/// The longest ARN, in bytes. An ARN of Amazon ECS has at most some hundreds: names of clusters and services have up to 255
/// characters.
const MAX_ARN: usize = 2048;

/// A payload. Fields that are missing or have another type are as good as absent, because a deployment is rolled back if the
/// function fails.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EcsHookPayload {
    /// The stage of the deployment.
    stage: String,
    /// The ARN of the service, for the log; empty if it is missing.
    pub(super) service_arn: String,
    /// The ARN of the deployment, for the log; empty if it is missing.
    pub(super) deployment_arn: String,
    /// The ARN of the revision that is deployed.
    revision_arn: Option<String>,
    /// The number of earlier invocations, from the `hookDetails`; `None` if they have anything else.
    earlier_attempts: Option<u64>,
}

/// The answer to a payload.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EcsHookAnswer {
    hook_status: HookStatus,
    call_back_delay: Option<u64>,
    hook_details: Option<HookDetails>,
}

/// What Amazon ECS passes from an answer `IN_PROGRESS` to the next invocation, as `hookDetails`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct HookDetails {
    #[serde(rename = "ecr-preflight-attempts")]
    attempts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum HookStatus {
    Succeeded,
    Failed,
    InProgress,
}

impl EcsHookPayload {
    /// Reads the payload.
    pub(super) fn from_value(payload: &Value) -> Self {
        let text = |value: &Value| value.as_str().filter(|text| text.len() <= MAX_ARN).map(str::to_owned);
        let execution = &payload["executionDetails"];
        Self {
            stage: text(&payload["lifecycleStage"]).unwrap_or_default(),
            service_arn: text(&execution["serviceArn"]).unwrap_or_default(),
            deployment_arn: text(&payload["resourceArn"]).unwrap_or_default(),
            revision_arn: text(&execution["targetServiceRevisionArn"]).filter(|arn| !arn.is_empty()),
            earlier_attempts: count_attempts(&payload["hookDetails"]),
        }
    }

    /// Returns the ARN of the revision to check, or why there is none.
    ///
    /// # Errors
    /// The stage is another one, or the payload has no usable ARN.
    pub(super) fn revision_to_check(&self) -> Result<&str, String> {
        if self.stage != CHECKED_STAGE {
            return Err(format!("only the stage {CHECKED_STAGE} is checked"));
        }
        self.revision_arn.as_deref().ok_or_else(|| "the payload has no targetServiceRevisionArn".to_owned())
    }

    /// Returns the number of this invocation for the deployment, from 1 on.
    pub(super) fn attempt(&self) -> u64 {
        self.earlier_attempts.unwrap_or(0).saturating_add(1)
    }

    /// Returns the answer that asks for another invocation; `None` if this is the last one. It is if the hook has details of
    /// its own: whether those replace the details of an answer is not documented, and nothing else limits invocations.
    pub(super) fn ask_again(&self) -> Option<EcsHookAnswer> {
        self.earlier_attempts?;
        let attempts = Some(self.attempt()).filter(|attempts| *attempts < MAX_ATTEMPTS)?;
        Some(EcsHookAnswer {
            hook_status: HookStatus::InProgress,
            call_back_delay: Some(CALLBACK_DELAY),
            hook_details: Some(HookDetails { attempts }),
        })
    }
}

/// Returns the number of earlier invocations; `None` if the details have anything else.
fn count_attempts(details: &Value) -> Option<u64> {
    match details {
        Value::Null => Some(0),
        Value::Object(members) if members.is_empty() => Some(0),
        Value::Object(members) if members.len() == 1 => members.get(ATTEMPTS)?.as_u64(),
        _ => None,
    }
}

impl EcsHookAnswer {
    /// The deployment goes on.
    pub const SUCCEEDED: Self = Self { hook_status: HookStatus::Succeeded, call_back_delay: None, hook_details: None };

    /// The deployment is rolled back.
    pub const FAILED: Self = Self { hook_status: HookStatus::Failed, call_back_delay: None, hook_details: None };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REVISION: &str = "arn:aws:ecs:us-west-2:123456789012:service-revision/prod/web/9313423515462893900";

    #[test]
    fn fields_of_another_type_are_absent() {
        for payload in [
            json!({"lifecycleStage": "PRE_SCALE_UP"}),
            json!({"lifecycleStage": "PRE_SCALE_UP", "executionDetails": {"targetServiceRevisionArn": ["x"]}}),
            json!({"lifecycleStage": "PRE_SCALE_UP", "executionDetails": "x", "hookDetails": 1}),
            json!({"lifecycleStage": "PRE_SCALE_UP", "executionDetails": {"targetServiceRevisionArn": "a".repeat(2049)}}),
            json!({"lifecycleStage": "POST_SCALE_UP", "executionDetails": {"targetServiceRevisionArn": REVISION}}),
            json!({"lifecycleStage": ["PRE_SCALE_UP"], "executionDetails": {"targetServiceRevisionArn": REVISION}}),
            json!({"lifecycleStage": null}),
        ] {
            assert!(EcsHookPayload::from_value(&payload).revision_to_check().is_err(), "{payload}");
        }
        let payload =
            json!({"lifecycleStage": "PRE_SCALE_UP", "executionDetails": {"targetServiceRevisionArn": REVISION}});
        assert_eq!(EcsHookPayload::from_value(&payload).revision_to_check(), Ok(REVISION));
    }

    #[test]
    fn invocations_are_limited() {
        let mut details = json!({});
        for attempts in 1..MAX_ATTEMPTS {
            let payload = EcsHookPayload::from_value(&json!({"lifecycleStage": "", "hookDetails": details}));
            let answer = serde_json::to_value(payload.ask_again().unwrap()).unwrap();
            let expected = json!({"ecr-preflight-attempts": attempts});
            assert_eq!(answer, json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 30, "hookDetails": expected}));
            details = answer["hookDetails"].clone();
        }
        for details in [
            details,
            json!({"team": "web"}),
            json!({"team": "web", "ecr-preflight-attempts": 1}),
            json!("{\"team\": \"web\"}"),
            json!({"ecr-preflight-attempts": -1}),
            json!({"ecr-preflight-attempts": "1"}),
            json!({"ecr-preflight-attempts": u64::MAX}),
        ] {
            let payload = EcsHookPayload::from_value(&json!({"lifecycleStage": "", "hookDetails": details}));
            assert_eq!(payload.ask_again(), None, "{details}");
        }
    }

    #[test]
    fn final_answers_have_a_status_only() {
        let value = |answer: EcsHookAnswer| serde_json::to_value(answer).unwrap();
        assert_eq!(value(EcsHookAnswer::SUCCEEDED), json!({"hookStatus": "SUCCEEDED"}));
        assert_eq!(value(EcsHookAnswer::FAILED), json!({"hookStatus": "FAILED"}));
    }
}
