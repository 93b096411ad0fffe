//! What the replies of the ECR API mean: found, absent, moved, refused, or a failure to retry.
//!
//! Does not send anything. The codes are those of `ImageFailure` and of each action's errors in the ECR API reference.

use aws_sdk_ecr::error::SdkError;
use aws_sdk_ecr::operation::get_download_url_for_layer::GetDownloadUrlForLayerError;
use aws_sdk_ecr::types::{Image, ImageFailure, ImageFailureCode, ImageIdentifier};

use super::super::{Answer, MAX_MANIFEST, Manifest};
use crate::name::{Digest, Selector};

/// A reply that answers nothing, though it is no error.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the reply names neither the image nor a failure")]
    Silence,
    #[error("the reply names no address")]
    NoAddress,
    #[error("the reply names {0}{1}")]
    Code(String, String),
    #[error("the reply's manifest holds {0} bytes, more than ECR stores")]
    TooLarge(usize),
    #[error("the reply's digest cannot be read")]
    Digest(#[from] crate::name::DigestError),
    #[cfg(feature = "cli")]
    #[error("the reply's tag cannot be read")]
    Tag(#[from] crate::name::TagError),
    #[cfg(feature = "cli")]
    #[error("the reply does not name what it lists")]
    Unnamed,
}

/// Whether the reply's identifier is the one asked for. By digest where one was asked for: a failure may leave the tag
/// out.
pub(super) fn is_for(id: &ImageIdentifier, asked: &Selector) -> bool {
    match asked.digest() {
        Some(digest) => id.image_digest() == Some(digest.as_str()),
        None => id.image_tag() == asked.tag().map(crate::name::Tag::as_str),
    }
}

/// The manifest of an image that the reply holds.
pub(super) fn manifest(image: &Image, asked: &Selector) -> Result<Manifest, Fault> {
    let text = image.image_manifest().ok_or(Fault::Silence)?;
    if text.len() > MAX_MANIFEST {
        return Err(Fault::TooLarge(text.len()));
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
pub(super) fn failure(failure: &ImageFailure) -> Result<Answer<Manifest>, Fault> {
    let reason = failure.failure_reason().filter(|reason| !reason.is_empty());
    let said = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    match failure.failure_code() {
        Some(ImageFailureCode::ImageNotFound) => Ok(Answer::Absent),
        Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(Answer::Moved),
        Some(
            code @ (ImageFailureCode::KmsError
            | ImageFailureCode::ImageInaccessible
            | ImageFailureCode::UpstreamAccessDenied),
        ) => Ok(Answer::Refused(format!("ECR does not hand out the manifest ({}{said})", code.as_str()))),
        Some(code) => Err(Fault::Code(code.as_str().to_owned(), said)),
        None => Err(Fault::Silence),
    }
}

/// What an error of `GetDownloadUrlForLayer` says of the blob itself; `None` where it says nothing of it.
pub(super) fn refused_layer<T>(error: &SdkError<GetDownloadUrlForLayerError>) -> Option<Answer<T>> {
    match error.as_service_error()? {
        GetDownloadUrlForLayerError::LayersNotFoundException(_) => Some(Answer::Absent),
        GetDownloadUrlForLayerError::LayerInaccessibleException(_) => {
            Some(Answer::Refused("ECR does not hand it out (LayerInaccessibleException)".to_owned()))
        }
        _ => None,
    }
}
