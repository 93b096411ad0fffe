//! Sends a request, with retries and without following redirects. No error contains a URL.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Request;

use super::error::DistributionError;
use crate::backoff::Backoff;
use crate::registry::Lookup;
use crate::registry::transfer::{describe_connector_error, read_body};

/// The names of peers in messages.
pub(super) const REGISTRY: &str = "the registry";
pub(super) const STORAGE_SERVICE: &str = "the storage service";
pub(super) const TOKEN_SERVICE: &str = "the token service";

/// How often a request is sent if the connection or the server fails, and the pauses between the attempts.
const MAX_ATTEMPTS: u32 = 3;
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

const USER_AGENT: &str = concat!("ecr-preflight/", env!("CARGO_PKG_VERSION"));

/// Sends a request to `peer`; `build` is called for each attempt.
pub(super) async fn send_with_retries(
    http: &SharedHttpConnector,
    peer: &'static str,
    build: impl Fn() -> Option<Request>,
) -> Result<HttpResponse, DistributionError> {
    let mut backoff = Backoff::new(MIN_PAUSE, MAX_PAUSE);
    for attempt in 1.. {
        let invalid = || DistributionError::failure(format!("the request to {peer} has an invalid URL or header"));
        let mut request = build().ok_or_else(invalid)?;
        request.headers_mut().insert("user-agent", USER_AGENT);
        match http.call(request).await {
            Ok(response) if attempt == MAX_ATTEMPTS || !matches!(response.status().as_u16(), 500 | 502..=504) => {
                return Ok(response);
            }
            Err(error) if attempt == MAX_ATTEMPTS => {
                return Err(DistributionError::unreachable(describe_connector_error(peer, &error)));
            }
            _ => tokio::time::sleep(backoff.next_pause()).await,
        }
    }
    unreachable!("the last attempt returns")
}

/// Returns `Retry-After` (RFC 9110) in seconds; registries do not send dates.
pub(super) fn retry_after_seconds(response: &HttpResponse) -> Option<u64> {
    response.headers().get("retry-after")?.trim().parse().ok()
}

/// Reads the body of a response, so that the connection can be reused; empty if it is too large.
pub(super) async fn drain_body(response: HttpResponse) -> Vec<u8> {
    match read_body(response.into_body(), MAX_ERROR_BODY).await {
        Ok(Lookup::Found(body)) => body,
        _ => Vec::new(),
    }
}
