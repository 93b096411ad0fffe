//! Fetching a blob from the presigned address that ECR hands out.
//!
//! Does not follow redirects. Errors name the blob by its digest and never the address.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::byte_stream::ByteStream;

use super::super::{Answer, RegistryError};
use crate::reference::Digest;

/// How long one transfer may take from request to last byte. Config blobs are a few kilobytes; S3 answers in tens of
/// milliseconds, and what is slower by two orders of magnitude has stalled.
const DEADLINE: Duration = Duration::from_secs(10);

/// Fetches a blob of at most `limit` bytes. A larger one is refused, unread; all else that goes wrong is a failed
/// transfer, worth a fresh address: an expired one answers 403.
pub(super) async fn fetch(
    http: &SharedHttpConnector,
    url: &str,
    digest: &Digest,
    limit: usize,
) -> Result<Answer<Vec<u8>>, RegistryError> {
    let failed = |reason: String| RegistryError::Transfer { digest: digest.clone(), reason };
    let transfer = tokio::time::timeout(DEADLINE, get(http, url, limit)).await;
    let outcome = transfer.unwrap_or_else(|_| Err(format!("it took more than {} s", DEADLINE.as_secs())));
    outcome.map_err(failed)
}

async fn get(http: &SharedHttpConnector, url: &str, limit: usize) -> Result<Answer<Vec<u8>>, String> {
    let mut body = open(http, url).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await.map_err(|_| format!("it broke off after {} bytes", bytes.len()))? {
        if bytes.len() + chunk.len() > limit {
            return Ok(Answer::Refused(format!("it holds more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer::Found(bytes))
}

/// Asks for the blob at an address; the body is still to come.
///
/// # Errors
/// Says what went wrong, without the address.
pub(super) async fn open(http: &SharedHttpConnector, url: &str) -> Result<ByteStream, String> {
    if !is_trusted(url) {
        return Err("its address is not an https one".to_owned());
    }
    let request = Request::get(url).map_err(|_| "its address cannot be read".to_owned())?;
    let response = http.call(request).await.map_err(|error| match (error.is_timeout(), error.is_io()) {
        (true, _) => "the storage service did not answer in time".to_owned(),
        (_, true) => "the connection broke".to_owned(),
        // The connector's own text may hold the address.
        _ => "the connection could not be used".to_owned(),
    })?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(format!("the storage service answered with status {status}"));
    }
    Ok(ByteStream::new(response.into_body()))
}

/// Whether an address may be fetched: over TLS, or on this very machine, where an emulator of AWS answers.
fn is_trusted(url: &str) -> bool {
    let loopback = |authority: &str| {
        if authority.contains('@') {
            return false;
        }
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        host == "localhost" || host == "[::1]" || host.starts_with("127.") && host.parse::<std::net::Ipv4Addr>().is_ok()
    };
    match url.split_once("://") {
        Some(("https", _)) => true,
        Some(("http", rest)) => loopback(rest.split(['/', '?', '#']).next().unwrap_or_default()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_trusted;

    #[test]
    fn only_tls_and_this_machine_are_trusted() {
        for good in ["https://bucket.s3.us-west-2.amazonaws.com/x?y", "http://127.0.0.1:4566/v2", "http://localhost/x"]
        {
            assert!(is_trusted(good), "{good}");
        }
        for bad in [
            "http://bucket.s3.amazonaws.com/x",
            "http://127.0.0.1.evil.example/x",
            "http://127.0.0.1@evil.example/x",
            "http://localhost@evil.example:80/",
            "http://127.0.0.1:80@evil.example",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_trusted(bad), "{bad}");
        }
    }
}
