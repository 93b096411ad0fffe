//! The response to an invocation.

use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde::Serialize;

use crate::report::Report;

/// The response to an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The report about the image of an event; `None` if an event of an audit failed.
    Event(Option<Box<Report>>),
    /// The messages of a batch that failed. They stay in the queue, and the others are deleted: "Implementing partial
    /// batch responses" in the AWS Lambda developer guide.
    Batch(SqsBatchResponse),
}
