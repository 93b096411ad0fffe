//! A blob that is read while it arrives from its presigned address.
//!
//! Does not follow redirects. Errors name the blob by its digest and never the address.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use super::super::body::stream_body;
use super::super::{BlobReader, RegistryError};
use super::blob::open_download;
use crate::name::Digest;

/// Begins to fetch a blob; each piece of it may take as long as `patience`.
pub(super) async fn open_blob_reader(
    http: &SharedHttpConnector,
    url: &str,
    digest: &Digest,
    patience: Duration,
) -> Result<BlobReader, RegistryError> {
    let failed = |reason: String| RegistryError::Transfer { digest: digest.clone(), reason };
    let opened = tokio::time::timeout(patience, open_download(http, url)).await;
    let body =
        opened.unwrap_or_else(|_| Err("the storage service did not answer in time".to_owned())).map_err(failed)?;
    Ok(stream_body(body, patience))
}
