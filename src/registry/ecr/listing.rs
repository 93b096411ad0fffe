//! Lists the repositories, tagged images and tags of an ECR registry. Each page is one call.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageDetail, ImageIdentifier, ImageStatus, ListImagesFilter, TagStatus,
};
use aws_smithy_types::DateTime;
use futures_util::stream::{self, Stream, TryStreamExt};

use super::EcrRepository;
use super::response::{EcrResponseError, to_registry_error};
use crate::name::{Digest, Repository, Tag, repository_arn};
use crate::registry::RegistryError;

/// The page size: the largest `maxResults` of the `Describe` and `List` actions in the ECR API reference.
const PAGE_SIZE: i32 = 1000;

/// How many pages of repositories are read: ten times the quota "Registered repositories" (100,000 in a region).
const MAX_PAGES: u32 = 1000;

const DESCRIBE_REPOSITORIES: &str = "ecr:DescribeRepositories";

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrPage<T> {
    /// The entries of the page.
    pub items: Vec<T>,
    /// The token of the next page; `None` on the last page.
    pub next_token: Option<String>,
}

/// A tagged image in the registry's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub struct EcrImage {
    pub digest: Digest,
    pub tags: Vec<Tag>,
    pub pushed_at: Option<DateTime>,
    /// The media type of its manifest; empty if unknown.
    pub media_type: String,
    /// The media type of its config, or the artifact type of its manifest; empty if unknown.
    pub artifact_type: String,
    /// Whether it is archived and cannot be pulled.
    pub is_archived: bool,
}

/// Lists the repositories of `account`, or of the caller's account. `region` is the region of the client.
///
/// The stream ends with its first error: [`RegistryError::Denied`] without `ecr:DescribeRepositories`, otherwise
/// [`RegistryError::Failed`] or [`RegistryError::UnexpectedReply`].
pub fn list_repositories<'a>(
    client: &'a Client,
    account: Option<&'a str>,
    region: &'a str,
) -> impl Stream<Item = Result<Repository, RegistryError>> + 'a {
    // The token of the next page and the number of pages before it; `None` after the last page.
    let read = move |next: Option<(Option<String>, u32)>| async move {
        let Some((token, count)) = next else { return Ok(None) };
        if count == MAX_PAGES {
            let error = EcrResponseError::TooManyPages(MAX_PAGES);
            return Err(error.into_registry_error(DESCRIBE_REPOSITORIES, repository_arn(account, region, "*")));
        }
        let page = fetch_repository_page(client, account, region, token).await?;
        let next = page.next_token.map(|token| (Some(token), count + 1));
        Ok(Some((stream::iter(page.items.into_iter().map(Ok)), next)))
    };
    stream::try_unfold(Some((None, 0)), read).try_flatten()
}

/// Fetches a page of the repositories: without a `token`, the first.
pub(crate) async fn fetch_repository_page(
    client: &Client,
    account: Option<&str>,
    region: &str,
    token: Option<String>,
) -> Result<EcrPage<Repository>, RegistryError> {
    let resource = || repository_arn(account, region, "*");
    let request = client.describe_repositories().set_registry_id(account.map(str::to_owned));
    let reply = request.max_results(PAGE_SIZE).set_next_token(token).send().await;
    let reply = reply.map_err(|error| to_registry_error(DESCRIBE_REPOSITORIES, resource(), error))?;
    let arns = reply.repositories().iter().map(|repository| repository.repository_arn().unwrap_or_default());
    let items = arns.map(|arn| parse_repository(arn, resource())).collect::<Result<_, _>>()?;
    Ok(EcrPage { items, next_token: non_empty(reply.next_token()) })
}

/// Finds the repository with this name, and its account, in the caller's registry.
///
/// # Errors
/// Returns [`RegistryError::RepositoryNotFound`], or an error like [`list_repositories`].
pub async fn find_repository(client: &Client, region: &str, name: &str) -> Result<Repository, RegistryError> {
    let resource = || repository_arn(None, region, name);
    let reply = client.describe_repositories().repository_names(name).send().await;
    let reply = reply.map_err(|error| to_registry_error(DESCRIBE_REPOSITORIES, resource(), error))?;
    let found = reply.repositories().iter().find(|found| found.repository_name() == Some(name));
    match found.and_then(|found| found.repository_arn()) {
        Some(arn) => parse_repository(arn, resource()),
        None => Err(EcrResponseError::MissingRepository.into_registry_error(DESCRIBE_REPOSITORIES, resource())),
    }
}

fn parse_repository(arn: &str, resource: String) -> Result<Repository, RegistryError> {
    Repository::from_arn(arn)
        .map_err(|error| EcrResponseError::from(error).into_registry_error(DESCRIBE_REPOSITORIES, resource))
}

/// Lists the tags of a repository, at most `pages` pages of a thousand, unsorted.
///
/// # Errors
/// Returns the error of the call; [`RegistryError::Denied`] without `ecr:ListImages`.
pub async fn list_tags(client: &Client, repository: &Repository, pages: usize) -> Result<Vec<String>, RegistryError> {
    let filter = ListImagesFilter::builder().tag_status(TagStatus::Tagged).build();
    let request = client.list_images().registry_id(repository.account()).repository_name(repository.name());
    let mut replies = request.filter(filter).max_results(PAGE_SIZE).into_paginator().send();
    let mut tags = Vec::new();
    for _ in 0..pages {
        let Some(reply) = replies.next().await else { break };
        let reply = reply.map_err(|error| to_registry_error("ecr:ListImages", repository.arn(), error))?;
        tags.extend(reply.image_ids().iter().filter_map(ImageIdentifier::image_tag).map(str::to_owned));
    }
    Ok(tags)
}

impl EcrRepository {
    /// Fetches a page of the repository's tagged images, unsorted: without a `token`, the first.
    pub(crate) async fn fetch_image_page(&self, token: Option<String>) -> Result<EcrPage<EcrImage>, RegistryError> {
        const ACTION: &str = "ecr:DescribeImages";
        let filter = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let request = self.registry.client.describe_images().registry_id(self.repository.account());
        let request = request.repository_name(self.repository.name()).filter(filter);
        let reply = request.max_results(PAGE_SIZE).set_next_token(token).send().await;
        let reply = reply.map_err(|error| to_registry_error(ACTION, self.repository.arn(), error))?;
        let items: Result<_, EcrResponseError> = reply.image_details().iter().map(parse_image).collect();
        let items = items.map_err(|error| error.into_registry_error(ACTION, self.repository.arn()))?;
        Ok(EcrPage { items, next_token: non_empty(reply.next_token()) })
    }
}

fn parse_image(detail: &ImageDetail) -> Result<EcrImage, EcrResponseError> {
    Ok(EcrImage {
        digest: detail.image_digest().ok_or(EcrResponseError::MissingDigest)?.parse()?,
        tags: detail.image_tags().iter().map(|tag| tag.parse()).collect::<Result<_, _>>()?,
        pushed_at: detail.image_pushed_at().copied(),
        media_type: detail.image_manifest_media_type().unwrap_or_default().to_owned(),
        artifact_type: detail.artifact_media_type().unwrap_or_default().to_owned(),
        is_archived: matches!(detail.image_status(), Some(ImageStatus::Archived | ImageStatus::Activating)),
    })
}

fn non_empty(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}
