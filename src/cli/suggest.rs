//! What there is where something is missing: the repositories of a region, the tags of a repository.
//!
//! Does not fail, nor keep anybody waiting: where it is not quickly listed, the hint says how to list it.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};

use super::hint;
use super::image_ref::ImageArgument;
use crate::cli::context::{endpoint_url, load_aws, registry_connector};
use crate::cli::error::CliError;
use crate::name::{RemoteRepository, Repository, Selector, Tag};
use crate::registry::RegistryError;
use crate::registry::distribution::DistributionRepository;
use crate::registry::ecr::listing;
use crate::text::sanitize_quoted;

/// How long the listing may take; who waits for an error's hint waits for nothing else.
const LISTING_TIMEOUT: Duration = Duration::from_secs(5);

/// How many pages of a thousand are read: what is near is mostly among them, and more would take seconds.
const MAX_PAGES: usize = 3;

/// How many repositories these pages hold at most.
const MAX_REPOSITORIES: usize = MAX_PAGES * 1000;

/// What may help against an error, with the names of what there is where something is missing.
pub(super) async fn find_hint(error: &CliError) -> Option<String> {
    if let Some(RegistryError::RepositoryNotFound { resource, .. }) = error.registry_error()
        && let Some(missing) = MissingRepository::parse(resource)
    {
        // A configuration that is being loaded is large.
        return Some(Box::pin(missing.suggest_repositories()).await);
    }
    if let CliError::ImageNotFound { reference, hint: None } = error {
        return match reference.parse().ok()? {
            ImageArgument::Ecr { repository, selector } => suggest_ecr_tags(&repository, &selector).await,
            ImageArgument::OtherRegistry { repository, selector: Selector::Tag(tag) } => {
                Some(suggest_registry_tags(&repository, &tag).await)
            }
            _ => None,
        };
    }
    hint::hint_for_error(error)
}

/// A repository of Amazon ECR that is not there, as its ARN names it.
struct MissingRepository<'a> {
    region: &'a str,
    /// None where it was the caller's own.
    account: Option<&'a str>,
    name: &'a str,
}

impl<'a> MissingRepository<'a> {
    fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let &["arn", _, "ecr", region, account, resource] = parts.as_slice() else { return None };
        let account = (account != "*").then_some(account);
        Some(Self { region, account, name: resource.strip_prefix("repository/")? })
    }

    async fn suggest_repositories(&self) -> String {
        let Self { region, account, name } = *self;
        let listed = async {
            let client = load_aws(Some(region.to_owned())).await.ecr_client(endpoint_url("ECR"));
            let repositories = listing::list_repositories(&client, account, region).take(MAX_REPOSITORIES);
            repositories.map_ok(|repository| repository.name().to_owned()).try_collect().await
        };
        // Both may wait for the network: the region is asked of an instance, where nothing else says it.
        let (there, own) =
            tokio::join!(list_with_timeout(listed), tokio::time::timeout(LISTING_TIMEOUT, load_aws(None)));
        let (place, registry) = match account {
            Some(account) => (format!("{region} of account {account}"), format!(" --registry-id {account}")),
            None => (region.to_owned(), String::new()),
        };
        let how = format!("`aws ecr describe-repositories --region {region}{registry}`");
        let instead = hint::suggest_existing("repositories", name, there.as_deref(), &place, &how);
        // A URI names its region; a bare name's is that of the configuration.
        let own = own.ok().and_then(|aws| aws.region().map(str::to_owned)).filter(|own| own != region);
        let elsewhere = match (account, own) {
            (None, _) => "; another region is chosen with AWS_REGION".to_owned(),
            (Some(_), Some(own)) => format!("; the region of the AWS configuration is {}", sanitize_quoted(&own)),
            (Some(_), None) => String::new(),
        };
        format!("{instead}{elsewhere}")
    }
}

async fn suggest_ecr_tags(repository: &Repository, selector: &Selector) -> Option<String> {
    let tag = selector.tag()?;
    let client = load_aws(Some(repository.region().to_owned())).await.ecr_client(endpoint_url("ECR"));
    let there = list_with_timeout(listing::list_tags(&client, repository, MAX_PAGES)).await;
    if selector.digest().is_some() && there.iter().flatten().any(|found| found == tag.as_str()) {
        return Some(moved_tag_hint().to_owned());
    }
    let how = format!("`aws ecr list-images --repository-name {} --region {}`", repository.name(), repository.region());
    Some(hint::suggest_existing("tags", tag.as_str(), there.as_deref(), repository.name(), &how))
}

async fn suggest_registry_tags(repository: &RemoteRepository, tag: &Tag) -> String {
    let there =
        list_with_timeout(DistributionRepository::new(repository.clone(), registry_connector()).list_tags(MAX_PAGES))
            .await;
    let how = format!("`skopeo list-tags docker://{repository}`");
    hint::suggest_existing("tags", tag.as_str(), there.as_deref(), &repository.to_string(), &how)
}

/// Why an image that is named by tag and digest may not be there.
fn moved_tag_hint() -> &'static str {
    "its tag may point at another image by now: without it, the digest alone counts"
}

/// What is listed in time; why it is not does not matter beside the error that is told.
async fn list_with_timeout<T>(listing: impl Future<Output = Result<Vec<T>, RegistryError>>) -> Option<Vec<T>> {
    tokio::time::timeout(LISTING_TIMEOUT, listing).await.ok()?.ok()
}
