//! Responds to an invocation: handles its event, or each event of a batch, and reports those that failed.

use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde_json::Value;

use super::handler::{DeliveryContext, EventHandler};
use super::image_table::ImageTable;
use super::log::failure_line;
use super::notify::Notifier;
use super::payload::{Payload, QueueMessage};
use super::response::Response;
use super::verdict_tag::VerdictTagger;
use crate::event;
use crate::name::Repository;
use crate::registry::Registry;
use crate::text::error_chain;

impl<R, T, N, Images, OpenRegistry, OpenTagger> EventHandler<OpenRegistry, N, OpenTagger, Images>
where
    R: Registry,
    T: VerdictTagger,
    N: Notifier,
    Images: ImageTable,
    OpenRegistry: Fn(&Repository) -> R,
    OpenTagger: Fn(&Repository) -> T,
{
    /// Handles the events of an invocation. `time_left` returns the rest of its time.
    ///
    /// # Errors
    /// Returns the error of a single event. An event of a batch that failed is part of the response instead. The error
    /// is logged in both cases.
    pub async fn respond(&self, payload: Payload, time_left: impl Fn() -> Duration) -> Result<Response, String> {
        match payload {
            Payload::Event(event) => self.respond_to_event(&event, time_left()).await,
            Payload::Batch(messages) => Ok(Response::Batch(self.respond_to_batch(&messages, time_left).await)),
        }
    }

    async fn respond_to_event(&self, event: &EventBridgeEvent<Value>, time_left: Duration) -> Result<Response, String> {
        let delivery = DeliveryContext { time_left: Some(time_left), is_repeated: false };
        let error = match self.handle(event, delivery).await {
            Ok(report) => return Ok(Response::Event(Some(Box::new(report)))),
            Err(error) => error_chain(&error),
        };
        // The audit reads this line and sends the event again.
        if event::is_audit(event) {
            tracing::error!(event_id = event.id, error, "failed; the audit sends the event again");
            return Ok(Response::Event(None));
        }
        tracing::error!(event_id = event.id, error, "failed");
        Err(error)
    }

    /// Handles one message after another. Each gets an equal share of the time that is left, so that a large image does
    /// not use up the time of the others.
    async fn respond_to_batch(&self, messages: &[QueueMessage], time_left: impl Fn() -> Duration) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        for (message, remaining) in messages.iter().zip((1..=count).rev()) {
            if let Err((event_id, error)) = self.handle_message(message, time_left() / remaining).await {
                (self.write_metrics)(&failure_line(
                    self.settings.stack.as_deref(),
                    message,
                    event_id.as_deref(),
                    &error,
                ));
                response.add_failure(&message.id);
            }
        }
        response
    }

    /// Handles the event in a message. Returns its ID, if it has one, with the error.
    async fn handle_message(
        &self,
        message: &QueueMessage,
        time_left: Duration,
    ) -> Result<(), (Option<String>, String)> {
        let event = message.parse_event().map_err(|error| (None, format!("not an EventBridge event: {error}")))?;
        let is_repeated = message.attempt.is_some_and(|attempt| attempt > 1);
        let result = self.handle(&event, DeliveryContext { time_left: Some(time_left), is_repeated }).await;
        result.map(drop).map_err(|error| (event.id, error_chain(&error)))
    }
}
