//! Which failures of a call pass by themselves: the service is busy or throttles, or the network loses something.
//!
//! Does not wait, nor try again.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cli::audit::throttle::THROTTLING_CODES;

/// Whether the same call may well succeed a while later. What the SDK retries within a call is tried there first.
pub(super) fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        // Neither of these is that there are no credentials.
        SdkError::DispatchFailure(failure) => failure.is_timeout() || failure.is_io() || failure.as_other().is_some(),
        SdkError::ServiceError(context) => {
            let status = context.raw().status();
            let is_throttled = context.err().code().is_some_and(|code| THROTTLING_CODES.contains(&code));
            !status.is_client_error() || status.as_u16() == 429 || is_throttled
        }
        _ => false,
    }
}
