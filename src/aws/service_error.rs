//! What an AWS service said when it refused: its code and its message, where it answered at all.
//!
//! Does not know which service, nor what the code means.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

/// What lay beneath an error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A service's own words.
#[derive(Debug, thiserror::Error)]
#[error("{code}{}{message}", if message.is_empty() { "" } else { ": " })]
pub(crate) struct ServiceError {
    code: String,
    message: String,
}

/// The service's own code, where it answered.
#[cfg(feature = "cli")]
pub(crate) fn service_error_code(cause: &BoxError) -> Option<&str> {
    cause.downcast_ref::<ServiceError>().map(ServiceError::code)
}

impl ServiceError {
    /// By what the service names the error, such as `AccessDeniedException`.
    #[cfg(feature = "cli")]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

/// An answer that is neither what was asked for nor an error in the service's own form: a gateway's, for example.
#[derive(Debug, thiserror::Error)]
enum UnexpectedResponse {
    #[error("it answered with status {0}{colon}{1}", colon = if .1.is_empty() { "" } else { ": " })]
    Status(u16, String),
    #[error("it answered with status {0}, but what it says cannot be read")]
    Unreadable(u16),
}

/// The cause in the service's own words; in the client's, where the service did not answer.
pub(crate) fn convert_sdk_error<E>(error: SdkError<E, HttpResponse>) -> BoxError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let said = |error: &E| {
        let message = error.message().unwrap_or_default().to_owned();
        error.code().map(|code| ServiceError { code: code.to_owned(), message })
    };
    match (error.as_service_error().and_then(said), &error) {
        (Some(said), _) => said.into(),
        (None, SdkError::ServiceError(context)) => {
            let status = context.raw().status();
            let unnamed = context.err().source().and_then(|source| source.downcast_ref::<ErrorMetadata>());
            let message = unnamed.and_then(ErrorMetadata::message).unwrap_or_default().to_owned();
            if status.is_success() {
                UnexpectedResponse::Unreadable(status.as_u16())
            } else {
                UnexpectedResponse::Status(status.as_u16(), message)
            }
            .into()
        }
        (None, _) => error.into(),
    }
}
