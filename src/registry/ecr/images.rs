//! The tagged images of a repository as its listing has them, page by page, and the repository's resource tags.
//!
//! Does not choose among them. A page is one call, so that whoever asks decides when, and how often again.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatus, TagStatus};
use aws_smithy_types::DateTime;

use super::listing::EcrPage;
use super::{EcrRepository, response};
use crate::name::{Digest, Tag};
use crate::registry::RegistryError;

/// The most that one page holds: `maxResults` of `DescribeImages` in the ECR API reference.
const PAGE_SIZE: i32 = 1000;

/// A tagged image as the registry lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct EcrImage {
    pub digest: Digest,
    pub tags: Vec<Tag>,
    pub pushed_at: Option<DateTime>,
    /// Of its manifest; empty where the registry names none.
    pub media_type: String,
    /// Of its config, or of what the manifest itself calls its artifact; empty likewise.
    pub artifact_type: String,
    /// Whether it was moved to the archive, from where it cannot be pulled.
    pub is_archived: bool,
}

impl EcrRepository {
    /// One page of the repository's tagged images, in no order.
    ///
    /// # Errors
    /// Where the registry could not be asked.
    pub async fn fetch_image_page(&self, page: Option<String>) -> Result<EcrPage<EcrImage>, RegistryError> {
        const ACTION: &str = "ecr:DescribeImages";
        let (account, name) = (self.repository.account(), self.repository.name());
        let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let request = self.registry.client.describe_images().registry_id(account).repository_name(name).filter(tagged);
        let request = request.max_results(PAGE_SIZE).set_next_token(page);
        let reply = request.send().await.map_err(|error| self.call_error(ACTION, error))?;
        let items = reply.image_details().iter().map(parse_image).collect::<Result<_, _>>();
        Ok(EcrPage {
            items: items.map_err(|fault| self.response_error(ACTION, fault))?,
            next_token: non_empty(reply.next_token()),
        })
    }

    /// Every resource tag of the repository, by its key.
    ///
    /// # Errors
    /// Where the registry could not be asked.
    pub async fn fetch_resource_tags(&self) -> Result<Vec<(String, String)>, RegistryError> {
        const ACTION: &str = "ecr:ListTagsForResource";
        let request = self.registry.client.list_tags_for_resource().resource_arn(self.repository.arn());
        let reply = request.send().await.map_err(|error| self.call_error(ACTION, error))?;
        Ok(reply.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }
}

fn parse_image(detail: &ImageDetail) -> Result<EcrImage, response::EcrResponseError> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let is_archived = matches!(detail.image_status(), Some(ImageStatus::Archived | ImageStatus::Activating));
    Ok(EcrImage {
        digest: detail.image_digest().ok_or(response::EcrResponseError::MissingDigest)?.parse()?,
        tags: detail.image_tags().iter().map(|tag| tag.parse()).collect::<Result<_, _>>()?,
        pushed_at: detail.image_pushed_at().copied(),
        media_type: text(detail.image_manifest_media_type()),
        artifact_type: text(detail.artifact_media_type()),
        is_archived,
    })
}

fn non_empty(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}
