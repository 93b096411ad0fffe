//! What the replies of the ECR API mean: found, absent, moved, refused, or a failure to retry.
//!
//! Does not send anything. The codes are those of `ImageFailure` and of each action's errors in the ECR API reference.

use aws_sdk_ecr::error::SdkError;
use aws_sdk_ecr::operation::get_download_url_for_layer::GetDownloadUrlForLayerError;
use aws_sdk_ecr::types::{Image, ImageFailure, ImageFailureCode, ImageIdentifier};

use super::super::{Lookup, MAX_MANIFEST, Manifest};
use crate::name::{Digest, Selector};

/// A reply that answers nothing, though it is no error.
#[derive(Debug, thiserror::Error)]
pub(super) enum EcrResponseError {
    #[error("the reply names neither the image nor a failure")]
    NoResult,
    #[error("the reply names no address")]
    MissingUrl,
    #[error("the reply names {0}{1}")]
    FailureCode(String, String),
    #[error("the reply's manifest holds {0} bytes, more than ECR stores")]
    ManifestTooLarge(usize),
    #[error("the reply's digest cannot be read")]
    InvalidDigest(#[from] crate::name::DigestError),
    #[cfg(feature = "cli")]
    #[error("the reply's tag cannot be read")]
    InvalidTag(#[from] crate::name::TagError),
    #[cfg(feature = "cli")]
    #[error("the reply does not name what it lists")]
    MissingDigest,
}

/// Whether the reply's identifier is the one asked for. By digest where one was asked for: a failure may leave the tag
/// out.
pub(super) fn matches_selector(id: &ImageIdentifier, asked: &Selector) -> bool {
    match asked.digest() {
        Some(digest) => id.image_digest() == Some(digest.as_str()),
        None => id.image_tag() == asked.tag().map(crate::name::Tag::as_str),
    }
}

/// The manifest of an image that the reply holds.
pub(super) fn parse_manifest(image: &Image, asked: &Selector) -> Result<Manifest, EcrResponseError> {
    let text = image.image_manifest().ok_or(EcrResponseError::NoResult)?;
    if text.len() > MAX_MANIFEST {
        return Err(EcrResponseError::ManifestTooLarge(text.len()));
    }
    let named = image.image_id().and_then(ImageIdentifier::image_digest);
    let digest = match (asked.digest(), named) {
        (Some(digest), _) => digest.clone(),
        (None, Some(digest)) => digest.parse()?,
        (None, None) => Digest::of(text.as_bytes()),
    };
    let media_type = image.image_manifest_media_type().unwrap_or_default().to_owned();
    Ok(Manifest { digest, media_type, bytes: text.as_bytes().to_vec() })
}

/// What one failure means. What may pass by itself, and what only a fault of ours could cause, is to be retried and in
/// the end to land in the failure queue; what lies with the image or its upstream is an answer.
pub(super) fn interpret_failure(failure: &ImageFailure) -> Result<Lookup<Manifest>, EcrResponseError> {
    let reason = failure.failure_reason().filter(|reason| !reason.is_empty());
    let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    match failure.failure_code() {
        Some(ImageFailureCode::ImageNotFound) => Ok(Lookup::NotFound),
        Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(Lookup::TagMoved),
        Some(
            code @ (ImageFailureCode::KmsError
            | ImageFailureCode::ImageInaccessible
            | ImageFailureCode::UpstreamAccessDenied),
        ) => Ok(Lookup::Unavailable(format!("ECR does not hand out the manifest ({}{said})", code.as_str()))),
        Some(code) => Err(EcrResponseError::FailureCode(code.as_str().to_owned(), said)),
        None => Err(EcrResponseError::NoResult),
    }
}

/// What an error of `GetDownloadUrlForLayer` says of the blob itself; `None` where it says nothing of it.
pub(super) fn interpret_layer_error<T>(error: &SdkError<GetDownloadUrlForLayerError>) -> Option<Lookup<T>> {
    match error.as_service_error()? {
        GetDownloadUrlForLayerError::LayersNotFoundException(_) => Some(Lookup::NotFound),
        GetDownloadUrlForLayerError::LayerInaccessibleException(_) => {
            Some(Lookup::Unavailable("ECR does not hand it out (LayerInaccessibleException)".to_owned()))
        }
        _ => None,
    }
}
