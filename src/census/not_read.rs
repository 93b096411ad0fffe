//! What could not be read, and why.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::service_error::{BoxError, convert_sdk_error};
use crate::consumer::ConsumerService;

/// A call that failed, after the retries of the SDK: what it would have answered is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed")]
pub struct NotRead {
    /// The service.
    pub service: ConsumerService,
    /// The action, as IAM policies name it.
    pub action: &'static str,
    /// How many calls failed for this reason.
    pub count: usize,
    /// The ARN or name of the first resource; empty if the call is about all.
    pub resource: String,
    /// Why it failed.
    pub source: BoxError,
}

impl NotRead {
    /// Creates the record of a call that failed.
    pub(super) fn new<E>(
        service: ConsumerService,
        action: &'static str,
        resource: &str,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Self { service, action, count: 1, resource: resource.to_owned(), source: convert_sdk_error(error) }
    }

    /// Creates the record of what is unknown for another reason than a call that failed.
    pub(super) fn unknown(service: ConsumerService, action: &'static str, resource: &str, reason: &str) -> Self {
        Self { service, action, count: 1, resource: resource.to_owned(), source: reason.into() }
    }

    /// Creates the record of what exceeds a limit.
    pub(super) fn beyond_limit(service: ConsumerService, action: &'static str, limit: &str) -> Self {
        Self::unknown(service, action, "", &format!("more than {limit}"))
    }

    /// Returns whether another call failed in the same way.
    pub(super) fn is_same_failure(&self, other: &Self) -> bool {
        self.service == other.service
            && self.action == other.action
            && self.source.to_string() == other.source.to_string()
    }
}
