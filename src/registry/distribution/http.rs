//! Sends a request, again where it fails on the way or the other side says that it failed.
//!
//! Does not follow redirects or sign in. No address stands in an error.

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::byte_stream::ByteStream;

use super::super::{Lookup, body};
use super::error::DistributionError;

/// How often a request is sent that fails on the way or in the registry, and the pause after the first; it doubles.
const MAX_ATTEMPTS: u32 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);

/// As much of an error's body as is read.
const MAX_ERROR_BODY: usize = 64 * 1024;

const USER_AGENT: &str = concat!("ecr-preflight/", env!("CARGO_PKG_VERSION"));

/// Sends what `request` makes, once for each attempt; `who` is asked.
pub(super) async fn send_with_retries(
    http: &SharedHttpConnector,
    who: &'static str,
    request: impl Fn() -> Option<Request>,
) -> Result<HttpResponse, DistributionError> {
    let mut pause = INITIAL_BACKOFF;
    for attempt in 1.. {
        let mut request =
            request().ok_or_else(|| DistributionError::failure(format!("{who} cannot be asked that way")))?;
        request.headers_mut().insert("user-agent", USER_AGENT);
        match http.call(request).await {
            Ok(response) if attempt == MAX_ATTEMPTS || !matches!(response.status().as_u16(), 500 | 502..=504) => {
                return Ok(response);
            }
            Err(error) if attempt == MAX_ATTEMPTS => return Err(connection_error(who, &error)),
            _ => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

/// The words of the innermost cause, such as "Connection refused"; those around it may hold the address.
fn connection_error(who: &str, error: &ConnectorError) -> DistributionError {
    if error.is_timeout() {
        return DistributionError::failure(format!("{who} did not answer in time"));
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let said = cause.to_string();
    let said = if said.contains("://") { String::new() } else { format!(": {said}") };
    DistributionError::failure(format!("{who} cannot be reached{said}"))
}

/// Reads the body of what is no success, so that the connection can be used again; nothing, where it is too long.
pub(super) async fn drain_body(response: HttpResponse) -> Vec<u8> {
    match body::read_body(ByteStream::new(response.into_body()), MAX_ERROR_BODY).await {
        Ok(Lookup::Found(body)) => body,
        _ => Vec::new(),
    }
}
