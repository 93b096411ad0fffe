//! The payload of an invocation: one event, a batch of messages of the queue, each of which holds an event, or the call of
//! a gate.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::report::Report;

/// The payload of an invocation.
#[derive(Debug)]
pub enum Payload {
    /// An event: from the rule for audits, `aws lambda invoke` or `sam local invoke`.
    Event(Box<EventBridgeEvent<Value>>),
    /// Messages of the queue: "Using Lambda with Amazon SQS" in the AWS Lambda developer guide.
    Batch(Vec<QueueMessage>),
    /// The call of a lifecycle hook by a deployment of Amazon ECS. It is kept as it is, because even one that is malformed
    /// needs an answer.
    EcsHook(Value),
}

/// The field by which a call of a lifecycle hook is recognized. No other payload has it.
const ECS_HOOK_FIELD: &str = "lifecycleStage";

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
        let value = Value::deserialize(deserializer)?;
        if value.get(ECS_HOOK_FIELD).is_some() {
            return Ok(Self::EcsHook(value));
        }
        if value.get("Records").is_none() {
            return serde_json::from_value(value).map(Self::Event).map_err(D::Error::custom);
        }
        let batch: SqsEvent = serde_json::from_value(value).map_err(D::Error::custom)?;
        let messages = batch.records.into_iter().map(QueueMessage::from_record).collect::<Option<_>>();
        messages.map(Self::Batch).ok_or_else(|| D::Error::custom("a record is not a message of an SQS queue"))
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

/// The response to an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The report about the image of an event; `None` if an event of an audit failed.
    Event(Option<Box<Report>>),
    /// The messages of a batch that failed. They stay in the queue, and the others are deleted: "Implementing partial
    /// batch responses" in the AWS Lambda developer guide.
    Batch(SqsBatchResponse),
    /// The answer to a lifecycle hook.
    EcsHook(Value),
}
