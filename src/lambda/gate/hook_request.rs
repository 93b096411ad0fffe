//! The payload with which AWS `CloudFormation` invokes a Lambda hook for a resource ("Create Lambda functions to evaluate
//! resources for Lambda Hooks" in the AWS `CloudFormation` Hooks user guide).

use serde_json::Value;

use crate::text::sanitize;

/// The last invocation for a resource: a hook may answer `IN_PROGRESS` three times, and fails if it does so the third time.
const LAST_INVOCATION: u64 = 3;

/// The longest name in messages and the log, in characters: logical IDs have at most 255.
const MAX_NAME: usize = 255;

/// The longest token, in bytes, that is sent back. They are UUIDs.
const MAX_TOKEN: usize = 1024;

/// A request to judge a resource. Its parts are read leniently: what is malformed is as if it were missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct HookRequest<'a>(pub(super) &'a Value);

impl<'a> HookRequest<'a> {
    /// Returns the token, which is sent back as it is.
    pub(super) fn token(self) -> Option<&'a str> {
        self.0["clientRequestToken"].as_str().filter(|token| token.len() <= MAX_TOKEN)
    }

    /// Returns the type of the resource, or `STACK` or `CHANGE_SET`.
    pub(super) fn target_name(self) -> &'a str {
        self.0["requestData"]["targetName"].as_str().unwrap_or_default()
    }

    /// Returns the name of the resource in its template, sanitized.
    pub(super) fn logical_id(self) -> String {
        sanitize(self.0["requestData"]["targetLogicalId"].as_str().unwrap_or_default(), MAX_NAME)
    }

    /// Returns the ARN of the stack, sanitized; empty for an operation of the Cloud Control API.
    pub(super) fn stack_id(self) -> String {
        sanitize(self.0["stackId"].as_str().unwrap_or_default(), MAX_NAME)
    }

    /// Returns the proposed properties of the resource; null if there are none.
    pub(super) fn properties(self) -> &'a Value {
        &self.0["requestData"]["targetModel"]["resourceProperties"]
    }

    /// Returns whether the resource is about to be deleted.
    pub(super) fn is_deletion(self) -> bool {
        self.0["actionInvocationPoint"].as_str().is_some_and(|point| point.starts_with("DELETE"))
    }

    /// Returns the number of the invocation for this resource, from 1 on. An unknown number is as the last one.
    pub(super) fn invocation(self) -> u64 {
        self.0["requestContext"]["invocation"].as_u64().unwrap_or(LAST_INVOCATION)
    }

    /// Returns whether there may be another invocation for this resource.
    pub(super) fn may_continue(self) -> bool {
        (1..LAST_INVOCATION).contains(&self.invocation())
    }
}
