//! Fetching a blob from the presigned address that ECR hands out.
//!
//! Does not follow redirects. Errors name the blob by its digest and never the address.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::byte_stream::ByteStream;

use super::super::body::read_body;
use super::super::url_policy::is_https_or_loopback;
use super::super::{Lookup, RegistryError};
use crate::name::Digest;

/// Fetches a blob of at most `limit` bytes, which may take as long as `patience` in all. A larger one is refused, unread; all else that goes wrong is a failed
/// transfer, worth a fresh address: an expired one answers 403.
pub(super) async fn fetch_blob(
    http: &SharedHttpConnector,
    url: &str,
    digest: &Digest,
    limit: usize,
    patience: Duration,
) -> Result<Lookup<Vec<u8>>, RegistryError> {
    let failed = |reason: String| RegistryError::Transfer { digest: digest.clone(), reason };
    let transfer = tokio::time::timeout(patience, download(http, url, limit)).await;
    let outcome = transfer.unwrap_or_else(|_| Err(format!("it took more than {} s", patience.as_secs())));
    outcome.map_err(failed)
}

async fn download(http: &SharedHttpConnector, url: &str, limit: usize) -> Result<Lookup<Vec<u8>>, String> {
    read_body(open_download(http, url).await?, limit).await
}

/// Asks for the blob at an address; the body is still to come.
///
/// # Errors
/// Says what went wrong, without the address.
pub(super) async fn open_download(http: &SharedHttpConnector, url: &str) -> Result<ByteStream, String> {
    if !is_https_or_loopback(url) {
        return Err("its address is not an https one".to_owned());
    }
    let request = Request::get(url).map_err(|_| "its address cannot be read".to_owned())?;
    let response = http.call(request).await.map_err(|error| match (error.is_timeout(), error.is_io()) {
        (true, _) => "the storage service did not answer in time".to_owned(),
        (_, true) => "the storage service could not be reached".to_owned(),
        // The connector's own text may hold the address.
        _ => "the connection could not be used".to_owned(),
    })?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(format!("the storage service answered with status {status}"));
    }
    Ok(ByteStream::new(response.into_body()))
}
