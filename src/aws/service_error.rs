//! Errors of AWS calls.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

/// The cause of an error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A write failed, and it is unknown whether it had an effect.
#[derive(Debug, thiserror::Error)]
#[error("{action} on {resource} {problem}")]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct CallError {
    pub action: &'static str,
    /// The ARN of the resource.
    pub resource: String,
    /// How the call failed and, if known, what to do.
    pub problem: &'static str,
    pub source: BoxError,
}

impl CallError {
    /// Creates the error of a call that failed for this cause.
    pub(crate) fn new(action: &'static str, resource: String, source: impl Into<BoxError>) -> Self {
        Self { action, resource, problem: "failed", source: source.into() }
    }
}

/// An error that a service returned.
#[derive(Debug, thiserror::Error)]
#[error("{code}{}{message}", if message.is_empty() { "" } else { ": " })]
pub(crate) struct ServiceError {
    /// The error code of the service, for example `AccessDeniedException`.
    pub(crate) code: String,
    message: String,
}

/// Returns the error code of the service; `None` if it did not respond.
#[cfg(feature = "consumers")]
pub(crate) fn service_error_code(cause: &BoxError) -> Option<&str> {
    cause.downcast_ref::<ServiceError>().map(|error| error.code.as_str())
}

/// A response that is neither a result nor an error of the service, for example from a gateway.
#[derive(Debug, thiserror::Error)]
enum UnexpectedResponse {
    #[error("the response has status {0}{colon}{1}", colon = if .1.is_empty() { "" } else { ": " })]
    Status(u16, String),
    #[error("the response with status {0} is malformed")]
    Malformed(u16),
}

/// A call that has no valid reply: the request was not sent, or its answer is missing, late or malformed. Displays the
/// error of the client.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(crate) struct UnansweredCallError {
    /// Whether the time limit of the call or of an attempt was exceeded.
    pub(crate) is_timeout: bool,
    /// The error of the client.
    pub(crate) source: BoxError,
}

/// Converts an SDK error to the error of the service, if it responded, otherwise to [`UnansweredCallError`].
pub(crate) fn convert_sdk_error<E>(error: SdkError<E, HttpResponse>) -> BoxError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(context) = &error else {
        let is_timeout = matches!(error, SdkError::TimeoutError(_));
        return UnansweredCallError { is_timeout, source: error.into() }.into();
    };
    if let Some(code) = context.err().code() {
        let message = context.err().message().unwrap_or_default().to_owned();
        return ServiceError { code: code.to_owned(), message }.into();
    }
    let status = context.raw().status();
    if status.is_success() {
        return UnexpectedResponse::Malformed(status.as_u16()).into();
    }
    let metadata = context.err().source().and_then(|source| source.downcast_ref::<ErrorMetadata>());
    let message = metadata.and_then(ErrorMetadata::message).unwrap_or_default().to_owned();
    UnexpectedResponse::Status(status.as_u16(), message).into()
}
