//! Writes verdict tags, which record the verdict on the image. They are never moved or removed.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::{ImageFailure, ImageFailureCode, ImageIdentifier};

use crate::aws::service_error::{BoxError, CallError, convert_sdk_error};
use crate::event::IgnoreReason;
use crate::name::{Repository, Tag};
use crate::registry::Manifest;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::report::{Report, RuntimeReport};
use crate::settings::VerdictTags;
use crate::verdict::Verdict;

const PUT_IMAGE: &str = "ecr:PutImage";

/// Writes verdict tags in the repository of an image.
pub trait VerdictTagger {
    /// Writes a tag if the image still has the tag with which it was pushed; idempotent.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the tag was written; the event is then retried.
    fn write_tag(
        &self,
        manifest: &Manifest,
        pushed_tag: Option<&Tag>,
        tag: &Tag,
    ) -> impl Future<Output = Result<TagOutcome, CallError>>;
}

/// The result of writing a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagOutcome {
    /// The image has the tag.
    Written,
    /// The image was deleted or superseded after it was checked. No tag is written, because that would bring a deleted
    /// image back.
    ImageGone(IgnoreReason),
    /// The tag cannot be written, for this reason, and a retry would not help.
    Refused(String),
}

/// Returns the verdict tags of a report: one for each runtime whose verdict is selected.
pub fn verdict_tags(report: &Report, selection: VerdictTags) -> Vec<Tag> {
    let Some(image) = &report.image else { return Vec::new() };
    // An image must not pass only because its program could not be followed.
    let is_selected = |runtime: &&RuntimeReport| match (selection, runtime.verdict) {
        // A waived failure is accepted, but does not pass either: it gets no tag.
        (VerdictTags::Failures | VerdictTags::All, Verdict::Fails) => runtime.unwaived_verdict() == Verdict::Fails,
        // Without a declared runtime, nothing passes.
        (VerdictTags::All, Verdict::Runs) => runtime.verified && report.verdict != Verdict::Undeclared,
        _ => false,
    };
    let selected = report.runtimes().filter(is_selected);
    selected
        .map(|runtime| Tag::for_verdict(runtime.verdict == Verdict::Runs, &runtime.subject.name(), &image.digest))
        .collect()
}

/// Writes tags in an ECR repository: `PutImage` with the image's unchanged manifest and the new tag.
#[derive(Debug)]
pub struct EcrVerdictTagger {
    client: Client,
    repository: Repository,
}

impl EcrVerdictTagger {
    /// Creates the tagger for this repository.
    pub fn new(client: Client, repository: &Repository) -> Self {
        Self { client, repository: repository.clone() }
    }
}

impl VerdictTagger for EcrVerdictTagger {
    async fn write_tag(
        &self,
        manifest: &Manifest,
        pushed_tag: Option<&Tag>,
        tag: &Tag,
    ) -> Result<TagOutcome, CallError> {
        if let Some(reason) = self.find_reason_gone(manifest, pushed_tag).await? {
            return Ok(TagOutcome::ImageGone(reason));
        }
        let text = String::from_utf8(manifest.bytes.clone())
            .map_err(|error| CallError::new(PUT_IMAGE, self.repository.arn(), error))?;
        let request = self.client.put_image();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        // The media type is required if the manifest does not contain it.
        let request = request.image_manifest(text).set_image_manifest_media_type(media_type(manifest));
        let request = request.image_tag(tag.as_str()).image_digest(manifest.digest.as_str());
        match request.send().await {
            Ok(_) => Ok(TagOutcome::Written),
            // A repository with immutable tags already has the tag, on this image or another: "Preventing image tags
            // from being overwritten in Amazon ECR" in the Amazon ECR user guide.
            Err(SdkError::ServiceError(error)) if error.err().is_image_tag_already_exists_exception() => {
                self.check_taken_tag(manifest, tag).await
            }
            Err(error) => match self.classify_error(&error) {
                Some(outcome) => Ok(outcome),
                None => Err(CallError::new(PUT_IMAGE, self.repository.arn(), convert_sdk_error(error))),
            },
        }
    }
}

impl EcrVerdictTagger {
    /// Returns why the image should not be tagged any more: it was deleted, or its tag points at another image.
    /// `PutImage` would bring a deleted image back as long as ECR keeps its layers. Only a deletion in the moment between
    /// this request and `PutImage` is not noticed: ECR has no request that does both.
    async fn find_reason_gone(
        &self,
        manifest: &Manifest,
        pushed_tag: Option<&Tag>,
    ) -> Result<Option<IgnoreReason>, CallError> {
        match self.read_image(manifest, pushed_tag).await? {
            None => Ok(None),
            Some(ImageFailureCode::ImageNotFound) => Ok(Some(IgnoreReason::Deleted)),
            Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(Some(IgnoreReason::Superseded)),
            Some(code) => Err(self.read_error(format!("reading the image again returned {}", code.as_str()))),
        }
    }

    /// Determines whether this image has the tag, from an earlier delivery of the event.
    async fn check_taken_tag(&self, manifest: &Manifest, tag: &Tag) -> Result<TagOutcome, CallError> {
        let resource = self.repository.arn();
        match self.read_image(manifest, Some(tag)).await? {
            None => Ok(TagOutcome::Written),
            Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(TagOutcome::Refused(format!(
                "{resource} has immutable tags, and another image already has the tag {tag}"
            ))),
            // The image or the tag may have just been deleted: retry.
            Some(code) => {
                Err(self.read_error(format!("the tag {tag} exists, but reading it returned {}", code.as_str())))
            }
        }
    }

    /// Reads the image by digest and tag, which finds it only if the tag points at the digest. Returns the code of the
    /// failure; `None` if the image was found.
    async fn read_image(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<Option<ImageFailureCode>, CallError> {
        let image = ImageIdentifier::builder().image_digest(manifest.digest.as_str());
        let image = image.set_image_tag(tag.map(|tag| tag.as_str().to_owned())).build();
        let request = self.client.batch_get_image();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        let request = request.set_accepted_media_types(media_type(manifest).map(|media_type| vec![media_type]));
        let is_this = |found: &aws_sdk_ecr::types::Image| {
            found.image_id().and_then(ImageIdentifier::image_digest) == Some(manifest.digest.as_str())
        };
        match request.image_ids(image).send().await {
            Ok(response) if response.images().iter().any(is_this) => Ok(None),
            Ok(response) => match response.failures().first().and_then(ImageFailure::failure_code) {
                Some(code) => Ok(Some(code.clone())),
                None => Err(self.read_error("the reply contains neither the image nor a failure")),
            },
            Err(SdkError::ServiceError(error)) if error.err().is_repository_not_found_exception() => {
                Ok(Some(ImageFailureCode::ImageNotFound))
            }
            Err(error) => Err(self.read_error(convert_sdk_error(error))),
        }
    }

    fn read_error(&self, source: impl Into<BoxError>) -> CallError {
        CallError::new(BATCH_GET_IMAGE, self.repository.arn(), source)
    }

    /// Converts an error of `PutImage` to an outcome; `None` if a retry may succeed.
    fn classify_error(&self, error: &SdkError<PutImageError>) -> Option<TagOutcome> {
        let arn = self.repository.arn();
        let reason = if error.code() == Some("AccessDeniedException") {
            format!("{PUT_IMAGE} on {arn} was denied: allow the function this action on this resource")
        } else {
            match error.as_service_error()? {
                // The image already has the tag, from an earlier delivery of the event.
                PutImageError::ImageAlreadyExistsException(_) => return Some(TagOutcome::Written),
                PutImageError::LimitExceededException(_) => {
                    format!("the image in {arn} has the maximum number of tags that ECR allows")
                }
                PutImageError::RepositoryNotFoundException(_) => format!("{arn} no longer exists"),
                // A retry would fail too, with the same key and the same manifest.
                PutImageError::KmsException(_) => format!("the KMS key of {arn} cannot be used (KmsException)"),
                PutImageError::InvalidParameterException(_) | PutImageError::ImageDigestDoesNotMatchException(_) => {
                    format!("{PUT_IMAGE} on {arn} rejected the image's own manifest")
                }
                PutImageError::ReferencedImagesNotFoundException(_) | PutImageError::LayersNotFoundException(_) => {
                    format!("a part of the image in {arn} no longer exists")
                }
                _ => return None,
            }
        };
        Some(TagOutcome::Refused(reason))
    }
}

fn media_type(manifest: &Manifest) -> Option<String> {
    Some(&manifest.media_type).filter(|text| !text.is_empty()).cloned()
}
