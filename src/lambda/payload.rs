//! The payload of an invocation: one event, or a batch of messages of the queue, each of which holds an event.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The payload of an invocation.
#[derive(Debug)]
pub enum Payload {
    /// An event: from the rule for audits, `aws lambda invoke` or `sam local invoke`.
    Event(Box<EventBridgeEvent<Value>>),
    /// Messages of the queue: "Using Lambda with Amazon SQS" in the AWS Lambda developer guide.
    Batch(Vec<QueueMessage>),
}

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
