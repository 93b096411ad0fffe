//! The payload of an invocation: one event, a batch of messages of the queue, each of which holds an event, or a hook
//! that a service sends to a gate.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The payload of an invocation.
#[derive(Debug)]
pub enum Payload {
    /// An event: from the rule for audits, `aws lambda invoke` or `sam local invoke`.
    Event(Box<EventBridgeEvent<Value>>),
    /// Messages of the queue: "Using Lambda with Amazon SQS" in the AWS Lambda developer guide.
    Batch(Vec<QueueMessage>),
    /// A hook of AWS `CloudFormation`.
    Hook(Box<Value>),
    /// A lifecycle hook of a deployment of Amazon ECS. It is kept as it is, because even one that is malformed needs an answer.
    EcsHook(Box<Value>),
}

/// The members by which the payload of a hook is recognized ("Create Lambda functions to evaluate resources for Lambda Hooks"
/// in the AWS `CloudFormation` Hooks user guide).
const HOOK_MEMBERS: [&str; 2] = ["hookTypeName", "actionInvocationPoint"];

/// The member by which the payload of a lifecycle hook is recognized ("Lambda hooks for Amazon ECS service deployments" in the
/// Amazon ECS developer guide).
const ECS_HOOK_MEMBER: &str = "lifecycleStage";

/// A message of the queue.
#[derive(Debug)]
pub struct QueueMessage {
    /// The ID by which a failure is reported.
    pub id: String,
    /// The number of times that the message was received, including this one.
    pub attempt: Option<u32>,
    body: String,
}

impl<'de> Deserialize<'de> for Payload {
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
        if value.get("Records").is_none() {
            return serde_json::from_value(value).map(Self::Event).map_err(D::Error::custom);
        }
        let batch: SqsEvent = serde_json::from_value(value).map_err(D::Error::custom)?;
        let messages = batch.records.into_iter().map(QueueMessage::from_record).collect::<Option<_>>();
        messages.map(Self::Batch).ok_or_else(|| D::Error::custom("a record is not a message of an SQS queue"))
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

impl Payload {
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

impl QueueMessage {
    fn from_record(record: SqsMessage) -> Option<Self> {
        let attempt = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        Some(Self { id: record.message_id?, attempt, body: record.body? })
    }

    /// Parses the event in the message. `EventBridge` sends the whole event as the body.
    ///
    /// # Errors
    /// The body is not an event.
    pub fn parse_event(&self) -> Result<EventBridgeEvent<Value>, serde_json::Error> {
        serde_json::from_str(&self.body)
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
            match serde_json::from_str::<Payload>(&hook) {
                Ok(Payload::Hook(payload)) => assert_eq!(*payload, json!({"clientRequestToken": "t"}), "{value:.9}"),
                other => panic!("{value:.9}: {other:?}"),
            }
            let hook = format!(r#"{{"lifecycleStage":"PRE_SCALE_UP","hookDetails":{value}}}"#);
            assert!(matches!(serde_json::from_str(&hook), Ok(Payload::EcsHook(_))), "{value:.9}");
            // An event is retried, and then kept for people.
            let event = format!(r#"{{"source":"aws.ecr","detail":{value}}}"#);
            assert!(serde_json::from_str::<Payload>(&event).is_err(), "{value:.9}");
        }
    }
}
