//! Where an image is read: manifests and blobs, by digest, every byte verified.
//!
//! Does not know what they say. Backends give primitive reads; what is derived from them is written here, once.

pub mod ecr;
pub mod oci_layout;
pub mod layout_index;
#[cfg(feature = "cli")]
pub mod archive;
#[cfg(feature = "cli")]
pub mod distribution;
pub mod counting;
pub(crate) mod media_types;
mod body;
mod url_policy;
mod schema1_digest;

use std::io::{self, Read};
use std::path::Path;

use crate::aws::service_error::BoxError;
use crate::name::{Digest, Selector};
use crate::text::sanitize;

/// The largest manifest, in bytes: Amazon ECR takes no larger one (service quotas, "Maximum manifest size").
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// How often a blob is asked for before its transfer counts as failed: a truncated body or an expired URL is mended by
/// one fresh request; what fails twice is left to the retry of the whole event.
const BLOB_ATTEMPTS: usize = 2;

/// The bytes of a blob, read outside of the asynchronous runtime: reading waits for them. Dropped, the transfer ends.
pub type BlobReader = Box<dyn Read + Send>;

/// The images of one repository.
pub trait Registry {
    /// The manifests of these images: as many answers as selectors, in their order. Not verified.
    ///
    /// # Errors
    /// Where the registry could not be asked; then nothing is known and the whole event is to be retried.
    fn fetch_manifests(&self, which: &[Selector])
    -> impl Future<Output = Result<Vec<Lookup<Manifest>>, RegistryError>>;

    /// One blob of at most `limit` bytes. Not verified.
    ///
    /// # Errors
    /// As above; [`RegistryError::Transfer`] where a second request may well succeed.
    fn fetch_blob(&self, digest: &Digest, limit: usize)
    -> impl Future<Output = Result<Lookup<Vec<u8>>, RegistryError>>;

    /// One blob as it arrives, however large. Not verified.
    ///
    /// # Errors
    /// As above. Where the transfer fails later, the stream does.
    fn open_blob(&self, digest: &Digest) -> impl Future<Output = Result<Lookup<BlobReader>, RegistryError>>;

    /// The value of the repository's resource tag of this key, where it has one.
    ///
    /// # Errors
    /// As above.
    fn fetch_resource_tag(&self, key: &str) -> impl Future<Output = Result<Option<String>, RegistryError>>;
}

impl<R: Registry> Registry for &R {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        (**self).fetch_manifests(which).await
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        (**self).fetch_blob(digest, limit).await
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        (**self).open_blob(digest).await
    }

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        (**self).fetch_resource_tag(key).await
    }
}

impl<T> Lookup<T> {
    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(value) => Lookup::Found(change(value)),
            Self::NotFound => Lookup::NotFound,
            Self::TagMoved => Lookup::TagMoved,
            Self::Unavailable(reason) => Lookup::Unavailable(reason),
        }
    }
}

/// What a registry says when it answers at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Here it is.
    Found(T),
    /// It is not there.
    NotFound,
    /// It is there, but the tag points at another image.
    TagMoved,
    /// It is there, but cannot be had, because …
    Unavailable(String),
}

/// A manifest as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type that the registry names; empty where it names none.
    pub media_type: String,
    /// The bytes that the digest is of.
    pub bytes: Vec<u8>,
}

/// Nothing is known: the event is to be retried.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A permission is missing.
    #[error("{action} on {resource} was denied: allow the caller this action on this resource")]
    #[allow(missing_docs, reason = "the message says it")]
    Denied { action: &'static str, resource: String, source: BoxError },
    /// The repository is not there.
    #[error("{action}: {resource} does not exist")]
    #[allow(missing_docs, reason = "the message says it")]
    RepositoryNotFound { action: &'static str, resource: String, source: BoxError },
    /// The registry failed or was too slow, after the client's own retries.
    #[error("{action} on {resource} failed")]
    #[allow(missing_docs, reason = "the message says it")]
    Failed { action: &'static str, resource: String, source: BoxError },
    /// The registry answered, but did not say what became of one of the images.
    #[error("{action} on {resource} failed")]
    #[allow(missing_docs, reason = "the message says it")]
    UnexpectedReply { action: &'static str, resource: String, source: BoxError },
    /// A file of a layout is not what it should be.
    #[error("{path} cannot be read")]
    #[allow(missing_docs, reason = "the message says it")]
    File { path: String, source: std::io::Error },
    /// A blob did not arrive whole.
    #[error("blob {digest} did not arrive whole: {reason}")]
    #[allow(missing_docs, reason = "the message says it")]
    Transfer { digest: Digest, reason: String },
    /// A manifest is not what its digest names.
    #[error("manifest {expected} arrived as {actual}")]
    #[allow(missing_docs, reason = "the message says it")]
    DigestMismatch { expected: Digest, actual: Digest },
}

/// Reads manifests and verifies each against its digest.
///
/// # Errors
/// As the registry's, and where a digest does not match.
pub async fn fetch_verified_manifests(
    registry: &impl Registry,
    which: &[Selector],
) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
    let answers = registry.fetch_manifests(which).await?;
    for (answer, selector) in answers.iter().zip(which) {
        let Lookup::Found(manifest) = answer else { continue };
        let expected = selector.digest().unwrap_or(&manifest.digest);
        let arrived = Digest::of(&manifest.bytes);
        if arrived != *expected && schema1_digest::compute_payload_digest(&manifest.bytes).as_ref() != Some(expected) {
            return Err(RegistryError::DigestMismatch { expected: expected.clone(), actual: arrived });
        }
    }
    Ok(answers)
}

/// Reads one blob whole and verifies it; asks once more where its transfer failed.
///
/// # Errors
/// As the registry's, and where the digest does not match twice.
pub async fn fetch_verified_blob(
    registry: &impl Registry,
    digest: &Digest,
    limit: usize,
) -> Result<Lookup<Vec<u8>>, RegistryError> {
    let mut failed = None;
    for _ in 0..BLOB_ATTEMPTS {
        match registry.fetch_blob(digest, limit).await {
            Ok(Lookup::Found(bytes)) if Digest::of(&bytes) != *digest => {
                let reason = format!("its {} bytes have another digest", bytes.len());
                failed = Some(RegistryError::Transfer { digest: digest.clone(), reason });
            }
            Err(error @ RegistryError::Transfer { .. }) => failed = Some(error),
            other => return other,
        }
    }
    Err(failed.expect("at least one attempt was made"))
}

/// The bytes of something in a file, where it holds at most `limit`.
fn read_at_most(from: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("holds more than {limit} bytes")));
    }
    Ok(bytes)
}

fn file_error(path: &Path, source: io::Error) -> RegistryError {
    RegistryError::File { path: display_path(path), source }
}

/// A path as it is told to people, whose terminal its name is not to command.
fn display_path(path: &Path) -> String {
    sanitize(&path.display().to_string(), usize::MAX)
}
