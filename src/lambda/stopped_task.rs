//! A task that stopped, as the census describes it in an event.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::consumer::Consumer;
use crate::event::{OWN_SOURCE, STOPPED_DETAIL_TYPE};
use crate::report::StoppedReport;

/// A container that stopped. It is the member `stopped` of the event's detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "the census creates it")]
pub struct StoppedTask {
    /// What ran, with the command that it started.
    pub consumer: Consumer,
    /// The ARN of the task.
    pub task: String,
    /// The exit code of the container.
    pub exit_code: Option<i64>,
    /// Why it stopped, in the words of Amazon ECS.
    pub reason: Option<String>,
}

impl StoppedTask {
    /// Returns the task that an event is about; `None` for another event.
    ///
    /// # Errors
    /// The event is about a stopped task, but does not describe it.
    pub(super) fn from_event(event: &EventBridgeEvent<Value>) -> Result<Option<Box<Self>>, serde_json::Error> {
        if event.source != OWN_SOURCE || event.detail_type != STOPPED_DETAIL_TYPE {
            return Ok(None);
        }
        let member = event.detail.get("stopped").unwrap_or(&Value::Null);
        Self::deserialize(member).map(|stopped| Some(Box::new(stopped)))
    }

    /// Returns the key of the table's item for it: the same image does not stop the same container twice.
    pub(super) fn key(&self, reference: &str) -> String {
        let Consumer { name, definition, container, .. } = &self.consumer;
        format!("{reference}#{name}#{definition}#{container}")
    }

    pub(super) fn report(&self) -> StoppedReport {
        StoppedReport::new(&self.task, self.exit_code, self.reason.as_deref())
    }
}
