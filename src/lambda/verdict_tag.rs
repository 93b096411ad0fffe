//! Writes verdict tags, which record the verdict on the image. They are never moved or removed.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::{ImageFailure, ImageFailureCode, ImageIdentifier};

use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::name::{Repository, Tag};
use crate::registry::Manifest;
use crate::registry::ecr::BATCH_GET_IMAGE;
use crate::report::{Report, RuntimeReport};
use crate::settings::VerdictTags;
use crate::verdict::Verdict;

const PUT_IMAGE: &str = "ecr:PutImage";

/// Writes verdict tags in the repository of an image.
pub trait VerdictTagger {
    /// Writes a tag; idempotent.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the tag was written; the event is then retried.
    fn write_tag(&self, manifest: &Manifest, tag: &Tag) -> impl Future<Output = Result<TagOutcome, CallError>>;
}

/// The result of writing a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagOutcome {
    /// The image has the tag.
    Written,
    /// The tag cannot be written, for this reason, and a retry would not help.
    Refused(String),
}

/// Returns the verdict tags of a report: one for each runtime whose verdict is selected.
pub fn verdict_tags(report: &Report, selection: VerdictTags) -> Vec<Tag> {
    let Some(image) = &report.image else { return Vec::new() };
    // An image must not pass only because its program could not be followed.
    let is_selected = |runtime: &&RuntimeReport| match (selection, runtime.verdict) {
        (VerdictTags::Failures | VerdictTags::All, Verdict::Fails) => true,
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
    async fn write_tag(&self, manifest: &Manifest, tag: &Tag) -> Result<TagOutcome, CallError> {
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
    /// Determines whether this image has the tag, from an earlier delivery of the event. A request with digest and tag
    /// finds the image only if the tag points at the digest.
    async fn check_taken_tag(&self, manifest: &Manifest, tag: &Tag) -> Result<TagOutcome, CallError> {
        let resource = self.repository.arn();
        let image = ImageIdentifier::builder().image_digest(manifest.digest.as_str()).image_tag(tag.as_str()).build();
        let request = self.client.batch_get_image();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        let request = request.set_accepted_media_types(media_type(manifest).map(|media_type| vec![media_type]));
        match request.image_ids(image).send().await {
            Ok(response) if !response.images().is_empty() => Ok(TagOutcome::Written),
            Ok(response) => match response.failures().first().and_then(ImageFailure::failure_code) {
                Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(TagOutcome::Refused(format!(
                    "{resource} has immutable tags, and another image already has the tag {tag}"
                ))),
                // The image or the tag may have just been deleted: retry.
                code => {
                    let code = code.map_or("nothing", ImageFailureCode::as_str);
                    let source = format!("the tag {tag} exists, but reading it returned {code}");
                    Err(CallError::new(BATCH_GET_IMAGE, resource, source))
                }
            },
            Err(error) => Err(CallError::new(BATCH_GET_IMAGE, resource, convert_sdk_error(error))),
        }
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
