//! What a registry of Amazon ECR holds: its repositories, page by page; the tags of one of them.
//!
//! Does not keep what it lists, nor ask for a page before the one before it is used.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageIdentifier, ListImagesFilter, TagStatus};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::super::RegistryError;
use super::to_registry_error;
use crate::name::{Repository, RepositoryError, repository_arn};

/// How many entries a page holds: the most that `DescribeRepositories` and `ListImages` of the ECR API reference allow.
const PAGE_SIZE: i32 = 1000;

/// How many pages are read: ten times what the quota "Registered repositories" (100,000 a region) fills. A registry that
/// goes on is broken.
const MAX_PAGES: u32 = 1000;

const DESCRIBE_REPOSITORIES: &str = "ecr:DescribeRepositories";
const LIST_IMAGES: &str = "ecr:ListImages";

/// A listing that answers nothing, though it is no error.
#[derive(Debug, thiserror::Error)]
enum EcrListingError {
    #[error("the reply names a repository that cannot be: {0}")]
    InvalidRepository(#[from] RepositoryError),
    #[error("the reply does not name the repository")]
    MissingRepository,
    #[error("there are more than {MAX_PAGES} pages of {PAGE_SIZE}")]
    TooManyPages,
}

/// One page, and where the next one begins; none after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to ask for next.
    pub next_token: Option<String>,
}

/// Where the next page of a stream begins.
enum PageStart {
    First,
    After(String),
    Exhausted,
}

/// The repositories of a registry, in the order of the API, each page asked for when the one before is used up. The
/// registry is that of `account`, else the caller's own; `region` is the client's.
///
/// The stream ends with its first error: [`RegistryError::Denied`] without `ecr:DescribeRepositories`, else
/// [`RegistryError::Failed`] or [`RegistryError::Unclear`].
pub fn list_repositories<'a>(
    client: &'a Client,
    account: Option<&'a str>,
    region: &'a str,
) -> impl Stream<Item = Result<Repository, RegistryError>> + 'a {
    let unclear = move |fault: EcrListingError| {
        response_error(DESCRIBE_REPOSITORIES, repository_arn(account, region, "*"), fault)
    };
    let read = move |(from, read): (PageStart, u32)| async move {
        let from = match from {
            PageStart::First => None,
            PageStart::After(_) if read == MAX_PAGES => return Err(unclear(EcrListingError::TooManyPages)),
            PageStart::After(token) => Some(token),
            PageStart::Exhausted => return Ok(None),
        };
        let page = fetch_repository_page(client, account, region, from).await?;
        let next = page.next_token.map_or(PageStart::Exhausted, PageStart::After);
        Ok(Some((stream::iter(page.items), (next, read + 1))))
    };
    let all = stream::try_unfold((PageStart::First, 0), read).try_flatten();
    // What follows an error would be a listing with a hole.
    all.scan(false, |has_failed, item| {
        let item = (!*has_failed).then_some(item);
        *has_failed |= matches!(item, Some(Err(_)));
        std::future::ready(item)
    })
}

/// One page of them, in one call; `from` is where it begins, the first without it. What cannot be read is an error in its
/// place.
///
/// # Errors
/// As above.
pub async fn fetch_repository_page(
    client: &Client,
    account: Option<&str>,
    region: &str,
    from: Option<String>,
) -> Result<EcrPage<Result<Repository, RegistryError>>, RegistryError> {
    let resource = || repository_arn(account, region, "*");
    let request = client.describe_repositories().set_registry_id(account.map(str::to_owned));
    let reply = request.max_results(PAGE_SIZE).set_next_token(from).send().await;
    let reply = reply.map_err(|error| to_registry_error(DESCRIBE_REPOSITORIES, resource(), error))?;
    let named = |found: &aws_sdk_ecr::types::Repository| {
        let named = Repository::from_arn(found.repository_arn().unwrap_or_default());
        named.map_err(|error| response_error(DESCRIBE_REPOSITORIES, resource(), error.into()))
    };
    let items = reply.repositories().iter().map(named).collect();
    Ok(EcrPage { items, next_token: reply.next_token().map(str::to_owned) })
}

/// The repository of this name in the caller's own registry: its account is what a name does not say.
///
/// # Errors
/// [`RegistryError::NoRepository`] where there is none, [`RegistryError::Denied`] without `ecr:DescribeRepositories`,
/// else as above.
pub async fn find_repository(client: &Client, region: &str, name: &str) -> Result<Repository, RegistryError> {
    let resource = || repository_arn(None, region, name);
    let reply = client.describe_repositories().repository_names(name).send().await;
    let reply = reply.map_err(|error| to_registry_error(DESCRIBE_REPOSITORIES, resource(), error))?;
    let found = reply.repositories().iter().find(|found| found.repository_name() == Some(name));
    let arn = found.and_then(|found| found.repository_arn());
    let arn =
        arn.ok_or_else(|| response_error(DESCRIBE_REPOSITORIES, resource(), EcrListingError::MissingRepository))?;
    Repository::from_arn(arn).map_err(|error| response_error(DESCRIBE_REPOSITORIES, resource(), error.into()))
}

/// The tags of a repository's images, as many pages of a thousand as said; in the order of the API, which is none.
///
/// # Errors
/// [`RegistryError::NoRepository`] where there is none, [`RegistryError::Denied`] without `ecr:ListImages`, else as
/// above.
pub async fn list_tags(client: &Client, repository: &Repository, pages: usize) -> Result<Vec<String>, RegistryError> {
    let filter = ListImagesFilter::builder().tag_status(TagStatus::Tagged).build();
    let request = client.list_images().registry_id(repository.account()).repository_name(repository.name());
    let mut replies = request.filter(filter).max_results(PAGE_SIZE).into_paginator().send();
    let mut tags = Vec::new();
    for _ in 0..pages {
        let Some(reply) = replies.next().await else { break };
        let reply = reply.map_err(|error| to_registry_error(LIST_IMAGES, repository.arn(), error))?;
        tags.extend(reply.image_ids().iter().filter_map(ImageIdentifier::image_tag).map(str::to_owned));
    }
    Ok(tags)
}

fn response_error(action: &'static str, resource: String, fault: EcrListingError) -> RegistryError {
    RegistryError::UnexpectedReply { action, resource, source: fault.into() }
}
