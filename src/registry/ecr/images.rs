//! The tagged images of a repository as its listing has them, page by page, and the repository's resource tags.
//!
//! Does not choose among them. A page is one call, so that whoever asks decides when, and how often again.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatus, TagStatus};
use aws_smithy_types::DateTime;

use super::listing::Page;
use super::{EcrRepository, reply};
use crate::name::{Digest, Tag};
use crate::registry::RegistryError;

/// The most that one page holds: `maxResults` of `DescribeImages` in the ECR API reference.
const PAGE: i32 = 1000;

/// A tagged image as the registry lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Held {
    pub digest: Digest,
    pub tags: Vec<Tag>,
    pub pushed: Option<DateTime>,
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
    pub async fn images(&self, page: Option<String>) -> Result<Page<Held>, RegistryError> {
        const ACTION: &str = "ecr:DescribeImages";
        let (account, name) = (self.repository.account(), self.repository.name());
        let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let request = self.ecr.client.describe_images().registry_id(account).repository_name(name).filter(tagged);
        let request = request.max_results(PAGE).set_next_token(page);
        let reply = request.send().await.map_err(|error| self.failed(ACTION, error))?;
        let items = reply.image_details().iter().map(held).collect::<Result<_, _>>();
        Ok(Page { items: items.map_err(|fault| self.broken(ACTION, fault))?, next: given(reply.next_token()) })
    }

    /// Every resource tag of the repository, by its key.
    ///
    /// # Errors
    /// Where the registry could not be asked.
    pub async fn resource_tags(&self) -> Result<Vec<(String, String)>, RegistryError> {
        const ACTION: &str = "ecr:ListTagsForResource";
        let request = self.ecr.client.list_tags_for_resource().resource_arn(self.repository.arn());
        let reply = request.send().await.map_err(|error| self.failed(ACTION, error))?;
        Ok(reply.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }
}

fn held(detail: &ImageDetail) -> Result<Held, reply::Fault> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let is_archived = matches!(detail.image_status(), Some(ImageStatus::Archived | ImageStatus::Activating));
    Ok(Held {
        digest: detail.image_digest().ok_or(reply::Fault::Unnamed)?.parse()?,
        tags: detail.image_tags().iter().map(|tag| tag.parse()).collect::<Result<_, _>>()?,
        pushed: detail.image_pushed_at().copied(),
        media_type: text(detail.image_manifest_media_type()),
        artifact_type: text(detail.artifact_media_type()),
        is_archived,
    })
}

fn given(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}
