//! Interprets replies of the ECR API. For the codes, see `ImageFailure` and the actions in the ECR API reference.

use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{Image, ImageFailure, ImageFailureCode, ImageIdentifier};

use crate::aws::service_error::convert_sdk_error;
use crate::name::{Digest, Selector, Tag};
use crate::registry::{Lookup, MAX_MANIFEST, Manifest, RegistryError};

/// A successful reply that is incomplete or malformed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EcrResponseError {
    #[error("the reply contains neither the image nor a failure")]
    NoResult,
    #[error("the reply contains no URL")]
    MissingUrl,
    #[error("the reply reports {0}{1}")]
    FailureCode(String, String),
    #[error("the reply contains a manifest of {0} bytes, more than ECR stores")]
    ManifestTooLarge(usize),
    #[error("the reply contains an invalid digest")]
    InvalidDigest(#[from] crate::name::DigestError),
    #[error("the reply contains an invalid tag")]
    InvalidTag(#[from] crate::name::TagError),
    #[cfg(feature = "cli")]
    #[error("the reply lists an image without a digest")]
    MissingDigest,
    #[error("the reply contains an invalid repository: {0}")]
    InvalidRepository(#[from] crate::name::RepositoryError),
    #[cfg(feature = "cli")]
    #[error("the reply does not contain the repository")]
    MissingRepository,
    #[cfg(feature = "cli")]
    #[error("there are more than {0} pages")]
    TooManyPages(u32),
}

impl EcrResponseError {
    /// Converts to the error of an action on a resource.
    pub(super) fn into_registry_error(self, action: &'static str, resource: String) -> RegistryError {
        RegistryError::UnexpectedReply { action, resource, source: self.into() }
    }
}

/// Converts an error of the API to the error of an action on a resource.
pub(crate) fn to_registry_error<E>(action: &'static str, resource: String, error: SdkError<E>) -> RegistryError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let source = convert_sdk_error(error);
    match code.as_deref() {
        Some("AccessDeniedException") => RegistryError::Denied { action, resource, source },
        Some("RepositoryNotFoundException") => RegistryError::RepositoryNotFound { action, resource, source },
        _ => RegistryError::Failed { action, resource, source },
    }
}

/// Returns whether the identifier in a reply matches. A tag is only compared without a digest: a failure may omit it.
pub(super) fn matches_selector(id: &ImageIdentifier, selector: &Selector) -> bool {
    match selector.digest() {
        Some(digest) => id.image_digest() == Some(digest.as_str()),
        None => id.image_tag() == selector.tag().map(Tag::as_str),
    }
}

/// Parses the manifest of an image in the reply.
pub(super) fn parse_manifest(image: &Image, selector: &Selector) -> Result<Manifest, EcrResponseError> {
    let text = image.image_manifest().ok_or(EcrResponseError::NoResult)?;
    if text.len() > MAX_MANIFEST {
        return Err(EcrResponseError::ManifestTooLarge(text.len()));
    }
    let digest = match (selector.digest(), image.image_id().and_then(ImageIdentifier::image_digest)) {
        (Some(digest), _) => digest.clone(),
        (None, Some(digest)) => digest.parse()?,
        (None, None) => Digest::of(text.as_bytes()),
    };
    let media_type = image.image_manifest_media_type().unwrap_or_default().to_owned();
    Ok(Manifest { digest, media_type, bytes: text.as_bytes().to_vec() })
}

/// Interprets a failure. A problem of the image or its upstream is a result. Any other failure may be temporary or a
/// bug of ours, so it is retried, then sent to the failure queue.
pub(super) fn interpret_failure(failure: &ImageFailure) -> Result<Lookup<Manifest>, EcrResponseError> {
    let reason = failure.failure_reason().filter(|reason| !reason.is_empty());
    let suffix = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    match failure.failure_code() {
        Some(ImageFailureCode::ImageNotFound) => Ok(Lookup::NotFound),
        Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(Lookup::TagMoved),
        Some(
            code @ (ImageFailureCode::KmsError
            | ImageFailureCode::ImageInaccessible
            | ImageFailureCode::UpstreamAccessDenied),
        ) => Ok(Lookup::Unavailable(format!("ECR refused the manifest ({}{suffix})", code.as_str()))),
        Some(code) => Err(EcrResponseError::FailureCode(code.as_str().to_owned(), suffix)),
        None => Err(EcrResponseError::NoResult),
    }
}
