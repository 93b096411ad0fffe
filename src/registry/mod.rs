//! Reads images from registries: manifests and blobs. Backends only fetch; this module verifies the digests.

pub mod ecr;
pub mod oci_layout;
pub mod layout_index;
#[cfg(feature = "cli")]
pub mod archive;
#[cfg(feature = "cli")]
pub mod docker_endpoint;
#[cfg(feature = "cli")]
pub mod docker_engine;
#[cfg(feature = "cli")]
pub mod distribution;
pub mod counting;
pub(crate) mod media_types;
mod transfer;
mod url_policy;
pub(crate) mod schema1_payload;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::aws::service_error::BoxError;
use crate::name::{Digest, Selector};
use crate::text::sanitize;

/// The largest manifest that Amazon ECR stores, in bytes (service quotas, "Maximum manifest size").
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// How often a blob is requested. A second request helps if the body was truncated or the URL expired.
const BLOB_ATTEMPTS: usize = 2;

/// The bytes of a blob. Reading blocks, so it must happen outside of the async runtime. Dropping it ends the transfer.
pub type BlobReader = Box<dyn Read + Send>;

/// The images of one repository.
pub trait Registry {
    /// Fetches the manifests of these images, not verified: one result for each selector, in their order.
    ///
    /// # Errors
    /// Returns an error if the result is unknown; the whole event must be retried.
    fn fetch_manifests(
        &self,
        selectors: &[Selector],
    ) -> impl Future<Output = Result<Vec<Lookup<Manifest>>, RegistryError>>;

    /// Fetches a blob of at most `limit` bytes, not verified.
    ///
    /// # Errors
    /// Same as [`Self::fetch_manifests`]; [`RegistryError::Transfer`] if a second request may succeed.
    fn fetch_blob(&self, digest: &Digest, limit: usize)
    -> impl Future<Output = Result<Lookup<Vec<u8>>, RegistryError>>;

    /// Opens a blob of any size for streaming, not verified.
    ///
    /// # Errors
    /// Same as [`Self::fetch_blob`]. If the transfer fails later, reading fails.
    fn open_blob(&self, digest: &Digest) -> impl Future<Output = Result<Lookup<BlobReader>, RegistryError>>;

    /// Returns whether a blob is missing, if that takes no request. A registry refuses a manifest whose layers are missing
    /// (Amazon ECR API, `PutImage`, `LayersNotFoundException`), but the files of a layout may be incomplete.
    fn is_blob_file_missing(&self, _digest: &Digest) -> bool {
        false
    }

    /// Fetches the repository's resource tags, as keys and values. If a source has only one for the declaration,
    /// `declaration_key` is its key.
    ///
    /// # Errors
    /// Same as [`Self::fetch_manifests`].
    fn fetch_resource_tags(
        &self,
        declaration_key: &str,
    ) -> impl Future<Output = Result<Vec<(String, String)>, RegistryError>>;
}

/// The result of looking up a manifest or a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It exists.
    Found(T),
    /// It does not exist.
    NotFound,
    /// It exists, but the tag points at another image.
    TagMoved,
    /// It exists but is unavailable, for this reason.
    Unavailable(String),
}

impl<T> Lookup<T> {
    /// Returns the value, or any other result with another type of value.
    pub(crate) fn found<U>(self) -> Result<T, Lookup<U>> {
        match self {
            Self::Found(value) => Ok(value),
            Self::NotFound => Err(Lookup::NotFound),
            Self::TagMoved => Err(Lookup::TagMoved),
            Self::Unavailable(reason) => Err(Lookup::Unavailable(reason)),
        }
    }

    /// Converts the value, if there is one.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        self.found().map_or_else(|other| other, |value| Lookup::Found(change(value)))
    }
}

/// A manifest as the registry stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type that the registry returns; empty if there is none.
    pub media_type: String,
    /// The bytes of the document.
    pub bytes: Vec<u8>,
}

/// The result is unknown, and the event must be retried.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum RegistryError {
    #[error("{action} on {resource} was denied: allow the caller this action on this resource")]
    Denied { action: &'static str, resource: String, source: BoxError },
    #[error("{action}: {resource} does not exist")]
    RepositoryNotFound { action: &'static str, resource: String, source: BoxError },
    /// The registry failed or was too slow, after the client's own retries.
    #[error("{action} on {resource} failed")]
    Failed { action: &'static str, resource: String, source: BoxError },
    /// The reply of the registry is malformed or incomplete.
    #[error("{action} on {resource} failed")]
    UnexpectedReply { action: &'static str, resource: String, source: BoxError },
    /// A file of a layout or an archive is missing or invalid.
    #[error("cannot read {path}")]
    File { path: String, source: io::Error },
    #[error("download of blob {digest} failed: {reason}")]
    Transfer { digest: Digest, reason: String },
    #[error("manifest {expected} was requested, but the registry sent {actual}")]
    DigestMismatch { expected: Digest, actual: Digest },
}

/// Fetches manifests and verifies each against its digest, or fails with [`RegistryError::DigestMismatch`].
pub(crate) async fn fetch_verified_manifests(
    registry: &impl Registry,
    selectors: &[Selector],
) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
    let replies = registry.fetch_manifests(selectors).await?;
    for (reply, selector) in replies.iter().zip(selectors) {
        let Lookup::Found(manifest) = reply else { continue };
        let expected = selector.digest().unwrap_or(&manifest.digest);
        let actual = Digest::of(&manifest.bytes);
        if actual != *expected && schema1_payload::compute_payload_digest(&manifest.bytes).as_ref() != Some(expected) {
            return Err(RegistryError::DigestMismatch { expected: expected.clone(), actual });
        }
    }
    Ok(replies)
}

/// Fetches a blob and verifies it, with a second request if the transfer fails or the digest does not match. If it does
/// not match again, the error is [`RegistryError::Transfer`].
pub(crate) async fn fetch_verified_blob(
    registry: &impl Registry,
    digest: &Digest,
    limit: usize,
) -> Result<Lookup<Vec<u8>>, RegistryError> {
    let mut last_error = None;
    for _ in 0..BLOB_ATTEMPTS {
        match registry.fetch_blob(digest, limit).await {
            Ok(Lookup::Found(bytes)) if Digest::of(&bytes) != *digest => {
                let reason = format!("its {} bytes have another digest", bytes.len());
                last_error = Some(RegistryError::Transfer { digest: digest.clone(), reason });
            }
            Err(error @ RegistryError::Transfer { .. }) => last_error = Some(error),
            other => return other,
        }
    }
    Err(last_error.expect("at least one attempt was made"))
}

/// Reads at most `limit` bytes; fails with [`io::ErrorKind::FileTooLarge`] if there are more.
fn read_at_most(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// Opens a regular file, and refuses anything else before it is opened: opening a named pipe waits for a writer
/// (`fifo(7)`), and opening a device can have effects.
pub(crate) fn open_regular_file(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("not a regular file")) }
}

fn file_error(path: &Path, source: io::Error) -> RegistryError {
    RegistryError::File { path: display_path(path), source }
}

/// Formats a path and sanitizes it: file names may contain control characters.
fn display_path(path: &Path) -> String {
    sanitize(&path.display().to_string(), usize::MAX)
}
