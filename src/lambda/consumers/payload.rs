//! The payload of an invocation of the function for consumers: a hook that a service sends to a gate, or an event.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The payload of an invocation.
#[derive(Debug)]
pub enum ConsumersPayload {
    /// A hook of AWS `CloudFormation`.
    Hook(Box<Value>),
    /// A lifecycle hook of a deployment of Amazon ECS. It is kept as it is, because even one that is malformed needs an answer.
    EcsHook(Box<Value>),
    /// An event: the schedule of the census, or a change of what runs an image.
    Event(Box<EventBridgeEvent<Value>>),
}

/// The members by which the payload of a hook is recognized ("Create Lambda functions to evaluate resources for Lambda Hooks"
/// in the AWS `CloudFormation` Hooks user guide).
const HOOK_MEMBERS: [&str; 2] = ["hookTypeName", "actionInvocationPoint"];

/// The member by which the payload of a lifecycle hook is recognized ("Lambda hooks for Amazon ECS service deployments" in the
/// Amazon ECS developer guide).
const ECS_HOOK_MEMBER: &str = "lifecycleStage";

impl<'de> Deserialize<'de> for ConsumersPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Box<RawValue>>::deserialize(deserializer)?;
        let value: Value = match serde_json::from_str(text.get()) {
            Ok(value) => value,
            Err(error) => return Self::from_unreadable(text.get()).ok_or_else(|| D::Error::custom(error)),
        };
        if HOOK_MEMBERS.iter().all(|member| value.get(member).is_some()) {
            return Ok(Self::Hook(Box::new(value)));
        }
        if value.get(ECS_HOOK_MEMBER).is_some() {
            return Ok(Self::EcsHook(Box::new(value)));
        }
        serde_json::from_value(value).map(Self::Event).map_err(D::Error::custom)
    }
}

/// The members of hooks that are read if nothing else can be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HookMembers {
    client_request_token: Option<String>,
    hook_type_name: Option<IgnoredAny>,
    action_invocation_point: Option<IgnoredAny>,
    lifecycle_stage: Option<IgnoredAny>,
}

impl ConsumersPayload {
    /// Recognizes the payload of a hook that is valid JSON but cannot be read, for example because it is nested too deeply. A
    /// hook without an answer stops a deployment, so it is answered like one that is empty.
    fn from_unreadable(text: &str) -> Option<Self> {
        let members: HookMembers = serde_json::from_str(text).ok()?;
        if members.hook_type_name.is_some() && members.action_invocation_point.is_some() {
            return Some(Self::Hook(Box::new(json!({"clientRequestToken": members.client_request_token}))));
        }
        members.lifecycle_stage.map(|_| Self::EcsHook(Box::new(json!({}))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_that_cannot_be_read_are_recognized() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for value in [deep.as_str(), "1e999", r#""\ud800""#] {
            let hook = format!(
                r#"{{"hookTypeName":"A","actionInvocationPoint":"B","clientRequestToken":"t","requestData":{value}}}"#
            );
            match serde_json::from_str::<ConsumersPayload>(&hook) {
                Ok(ConsumersPayload::Hook(payload)) => {
                    assert_eq!(*payload, json!({"clientRequestToken": "t"}), "{value:.9}");
                }
                other => panic!("{value:.9}: {other:?}"),
            }
            let hook = format!(r#"{{"lifecycleStage":"PRE_SCALE_UP","hookDetails":{value}}}"#);
            assert!(matches!(serde_json::from_str(&hook), Ok(ConsumersPayload::EcsHook(_))), "{value:.9}");
            // An event is retried, and then kept for people.
            let event = format!(r#"{{"source":"aws.ecr","detail":{value}}}"#);
            assert!(serde_json::from_str::<ConsumersPayload>(&event).is_err(), "{value:.9}");
        }
    }
}
