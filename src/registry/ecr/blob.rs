//! Downloads a blob from a presigned URL of ECR. Redirects are not followed, and no error contains the URL.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::byte_stream::ByteStream;

use crate::name::Digest;
use crate::registry::transfer::{describe_connector_error, read_body, stream_body};
use crate::registry::url_policy::is_https_or_loopback;
use crate::registry::{BlobReader, Lookup, RegistryError};

/// Downloads a blob of at most `limit` bytes within `timeout`; a larger blob is [`Lookup::Unavailable`]. Any other
/// failure is [`RegistryError::Transfer`], so that a new URL is tried: an expired URL returns 403.
pub(super) async fn download_blob(
    http: &SharedHttpConnector,
    url: &str,
    digest: &Digest,
    limit: usize,
    timeout: Duration,
) -> Result<Lookup<Vec<u8>>, RegistryError> {
    let download = async { read_body(request_blob(http, url).await?, limit).await };
    with_timeout(download, digest, timeout).await
}

/// Starts to download a blob; `timeout` limits the response and each chunk.
pub(super) async fn open_blob_reader(
    http: &SharedHttpConnector,
    url: &str,
    digest: &Digest,
    timeout: Duration,
) -> Result<BlobReader, RegistryError> {
    Ok(stream_body(with_timeout(request_blob(http, url), digest, timeout).await?, timeout))
}

async fn with_timeout<T>(
    work: impl Future<Output = Result<T, String>>,
    digest: &Digest,
    timeout: Duration,
) -> Result<T, RegistryError> {
    let late = |_| Err(format!("it took more than {} s", timeout.as_secs()));
    let result = tokio::time::timeout(timeout, work).await.unwrap_or_else(late);
    result.map_err(|reason| RegistryError::Transfer { digest: digest.clone(), reason })
}

/// Requests the blob and returns the body of the response.
async fn request_blob(http: &SharedHttpConnector, url: &str) -> Result<ByteStream, String> {
    if !is_https_or_loopback(url) {
        return Err("its URL is not HTTPS".to_owned());
    }
    let request = Request::get(url).map_err(|_| "its URL is not valid".to_owned())?;
    let response = http.call(request).await;
    let response = response.map_err(|error| describe_connector_error("the storage service", &error))?;
    match response.status().as_u16() {
        200 => Ok(ByteStream::new(response.into_body())),
        status => Err(format!("the storage service returned status {status}")),
    }
}
