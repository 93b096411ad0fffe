//! Marks in Amazon ECR: `PutImage` with the image's own manifest, unchanged, under another tag.
//!
//! Does not upload anything: the layers are there already.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::{ImageFailure, ImageFailureCode, ImageIdentifier};

use super::{TagOutcome, VerdictTagError, VerdictTagger};
use crate::aws::service_error::convert_sdk_error;
use crate::name::{Repository, Tag};
use crate::registry::Manifest;

/// Marks images of one repository.
#[derive(Debug)]
pub struct EcrVerdictTagger {
    client: Client,
    repository: Repository,
}

impl EcrVerdictTagger {
    /// For one repository.
    #[must_use]
    pub fn new(client: Client, repository: &Repository) -> Self {
        Self { client, repository: repository.clone() }
    }
}

const PUT_IMAGE: &str = "ecr:PutImage";

impl VerdictTagger for EcrVerdictTagger {
    async fn write_tag(&self, manifest: &Manifest, mark: &Tag) -> Result<TagOutcome, VerdictTagError> {
        let failed = |source| VerdictTagError { action: PUT_IMAGE, resource: self.repository.arn(), source };
        let text = String::from_utf8(manifest.bytes.clone()).map_err(|error| failed(error.into()))?;
        // Needed where the manifest does not name its own type.
        let media_type = Some(&manifest.media_type).filter(|text| !text.is_empty()).cloned();
        let request = self.client.put_image();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        let request = request.image_manifest(text).set_image_manifest_media_type(media_type);
        let request = request.image_tag(mark.as_str()).image_digest(manifest.digest.as_str());
        match request.send().await {
            Ok(_) => Ok(TagOutcome::Written),
            Err(error) if is_tag_taken(&error) => self.check_taken_tag(manifest, mark).await,
            Err(error) => self.classify_error(&error).map_or_else(|| Err(failed(convert_sdk_error(error))), Ok),
        }
    }
}

/// A repository with immutable tags answers so whoever has the tag, be it this very image: "Preventing image tags from
/// being overwritten in Amazon ECR" in its user guide.
fn is_tag_taken(error: &SdkError<PutImageError>) -> bool {
    matches!(error.as_service_error(), Some(PutImageError::ImageTagAlreadyExistsException(_)))
}

impl EcrVerdictTagger {
    /// What it means that the tag is taken: set, where an earlier delivery of the event set it. Asked for together,
    /// digest and tag are only found where they belong together.
    async fn check_taken_tag(&self, manifest: &Manifest, mark: &Tag) -> Result<TagOutcome, VerdictTagError> {
        let resource = self.repository.arn();
        let both = ImageIdentifier::builder().image_digest(manifest.digest.as_str()).image_tag(mark.as_str()).build();
        let request = self.client.batch_get_image();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        let media_type = Some(&manifest.media_type).filter(|text| !text.is_empty()).cloned();
        let request = request.set_accepted_media_types(media_type.map(|media_type| vec![media_type]));
        match request.image_ids(both).send().await {
            Ok(reply) if !reply.images().is_empty() => Ok(TagOutcome::Written),
            Ok(reply) => match reply.failures().first().and_then(ImageFailure::failure_code) {
                Some(ImageFailureCode::ImageTagDoesNotMatchDigest) => Ok(TagOutcome::Refused(format!(
                    "{resource} has immutable tags, and another image has the tag {mark} already"
                ))),
                // The image or the tag may be gone by now: the next try finds out.
                code => {
                    let said = code.map_or("nothing", ImageFailureCode::as_str);
                    let source = format!("the reply on the tag {mark}, which is taken, names {said}").into();
                    Err(VerdictTagError { action: "ecr:BatchGetImage", resource, source })
                }
            },
            Err(error) => {
                Err(VerdictTagError { action: "ecr:BatchGetImage", resource, source: convert_sdk_error(error) })
            }
        }
    }

    /// What an error means for the mark; `None` where a retry may mend it.
    fn classify_error(&self, error: &SdkError<PutImageError>) -> Option<TagOutcome> {
        let arn = self.repository.arn();
        let refused = |why: String| Some(TagOutcome::Refused(why));
        if error.code() == Some("AccessDeniedException") {
            return refused(format!(
                "{PUT_IMAGE} on {arn} was denied: allow the function this action on this resource"
            ));
        }
        match error.as_service_error()? {
            // The same image has this very tag already: an earlier delivery of the event set it.
            PutImageError::ImageAlreadyExistsException(_) => Some(TagOutcome::Written),
            PutImageError::LimitExceededException(_) => {
                refused(format!("the image in {arn} has as many tags as ECR allows"))
            }
            PutImageError::RepositoryNotFoundException(_) => refused(format!("{arn} does not exist any more")),
            // Neither the key nor the manifest will be another one at the next try, and the finding is worth telling.
            PutImageError::KmsException(_) => refused(format!("the key of {arn} cannot be used (KmsException)")),
            PutImageError::InvalidParameterException(_) | PutImageError::ImageDigestDoesNotMatchException(_) => {
                refused(format!("{PUT_IMAGE} on {arn} did not take the image's own manifest"))
            }
            PutImageError::ReferencedImagesNotFoundException(_) | PutImageError::LayersNotFoundException(_) => {
                refused(format!("the image in {arn} has lost a part"))
            }
            _ => None,
        }
    }
}
