//! What an AWS service said when it refused: its code and its message, where it answered at all.
//!
//! Does not know which service, nor what the code means.

use std::error::Error;
use std::fmt::Debug;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What lay beneath an error.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A service's own words.
#[derive(Debug, thiserror::Error)]
#[error("{code}{}{message}", if message.is_empty() { "" } else { ": " })]
pub(crate) struct Said {
    code: String,
    message: String,
}

impl Said {
    /// By what the service names the error, such as `AccessDeniedException`.
    #[cfg(feature = "cli")]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }
}

/// The cause in the service's own words; in the client's, where the service did not answer.
pub(crate) fn cause<E, R>(error: SdkError<E, R>) -> Cause
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    let said = |error: &E| {
        let message = error.message().unwrap_or_default().to_owned();
        error.code().map(|code| Said { code: code.to_owned(), message })
    };
    match error.as_service_error().and_then(said) {
        Some(said) => said.into(),
        None => error.into(),
    }
}
