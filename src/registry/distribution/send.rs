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

use super::super::{Answer, pieces};
use super::fault::Fault;

/// How often a request is sent that fails on the way or in the registry, and the pause after the first; it doubles.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// As much of an error's body as is read.
const MAX_ERROR: usize = 64 * 1024;

const AGENT: &str = concat!("ecr-preflight/", env!("CARGO_PKG_VERSION"));

/// Sends what `request` makes, once for each attempt; `who` is asked.
pub(super) async fn send(
    http: &SharedHttpConnector,
    who: &'static str,
    request: impl Fn() -> Option<Request>,
) -> Result<HttpResponse, Fault> {
    let mut pause = PAUSE;
    for attempt in 1.. {
        let mut request = request().ok_or_else(|| Fault::failed(format!("{who} cannot be asked that way")))?;
        request.headers_mut().insert("user-agent", AGENT);
        match http.call(request).await {
            Ok(response) if attempt == ATTEMPTS || !matches!(response.status().as_u16(), 500 | 502..=504) => {
                return Ok(response);
            }
            Err(error) if attempt == ATTEMPTS => return Err(unreachable(who, &error)),
            _ => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

/// The words of the innermost cause, such as "Connection refused"; those around it may hold the address.
fn unreachable(who: &str, error: &ConnectorError) -> Fault {
    if error.is_timeout() {
        return Fault::failed(format!("{who} did not answer in time"));
    }
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let said = cause.to_string();
    let said = if said.contains("://") { String::new() } else { format!(": {said}") };
    Fault::failed(format!("{who} cannot be reached{said}"))
}

/// Reads the body of what is no success, so that the connection can be used again; nothing, where it is too long.
pub(super) async fn drain(response: HttpResponse) -> Vec<u8> {
    match pieces::whole(ByteStream::new(response.into_body()), MAX_ERROR).await {
        Ok(Answer::Found(body)) => body,
        _ => Vec::new(),
    }
}
