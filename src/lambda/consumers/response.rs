//! The response to an invocation of the function for consumers.

use serde::Serialize;
use serde_json::Value;

use crate::lambda::gate::{EcsHookAnswer, HookAnswer};

/// The response to an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ConsumersResponse {
    /// The answer to a hook of AWS `CloudFormation`.
    Hook(Box<HookAnswer>),
    /// The answer to a lifecycle hook of Amazon ECS.
    EcsHook(EcsHookAnswer),
    /// What was done because of an event: its log line.
    Done(Value),
}
