//! Suggests existing names when a repository or tag does not exist: those of the region or the repository.
//!
//! Listing never fails a command. If it fails or takes too long, the hint says how to list the names.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};

use super::context::{endpoint_url, load_aws, registry_connector};
use super::error::CliError;
use super::hint;
use super::image_ref::ImageArgument;
use crate::name::{RemoteRepository, Repository, Selector, Tag};
use crate::registry::RegistryError;
use crate::registry::distribution::DistributionRepository;
use crate::registry::ecr::listing;
use crate::text::sanitize_quoted;

/// How long a listing may take. The user waits only for the hint.
const LISTING_TIMEOUT: Duration = Duration::from_secs(5);

/// How many pages of [`PAGE_NAMES`] names are read. Similar names are usually among them, and more would take seconds.
const MAX_PAGES: usize = 3;

/// How many names a page has, in Amazon ECR and in other registries.
const PAGE_NAMES: usize = 1000;

/// How many names a hint offers.
const MAX_SUGGESTIONS: usize = 3;

/// The hint if an image is missing although its tag and digest were both given.
pub(super) const TAG_MOVED_HINT: &str =
    "the tag may point to another image now: leave it out to check the image with this digest";

/// Finds the hint for an error. If a repository or tag does not exist, it lists those that do.
pub(super) async fn find_hint(error: &CliError) -> Option<String> {
    if let Some(RegistryError::RepositoryNotFound { resource, .. }) = error.registry_error() {
        // The future that loads a configuration is large.
        return Box::pin(suggest_repositories(resource)).await.or_else(|| hint::hint_for_error(error));
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

/// Suggests repositories instead of the one that this ARN names; `None` if it is not the ARN of a repository.
async fn suggest_repositories(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", _, "ecr", region, account, resource] = parts.as_slice() else { return None };
    let name = resource.strip_prefix("repository/")?;
    // `*` is the caller's own account.
    let account = (account != "*").then_some(account);
    let listing = async {
        let client = load_aws(Some(region.to_owned())).await.ecr_client(endpoint_url("ECR"));
        let repositories = listing::list_repositories(&client, account, region).take(MAX_PAGES * PAGE_NAMES);
        repositories.map_ok(|repository| repository.name().to_owned()).try_collect().await
    };
    // Both may wait for the network: if no region is configured, the SDK asks the instance metadata service.
    let (existing, configured) =
        tokio::join!(list_with_timeout(listing), tokio::time::timeout(LISTING_TIMEOUT, load_aws(None)));
    let (place, registry) = match account {
        Some(account) => (format!("{region} of account {account}"), format!(" --registry-id {account}")),
        None => (region.to_owned(), String::new()),
    };
    let command = format!("`aws ecr describe-repositories --region {region}{registry}`");
    let names = suggest_existing("repositories", name, existing.as_deref(), &place, &command);
    // A URI names its region; for a bare name it is the configured one.
    let configured = configured.ok().and_then(|aws| aws.region().map(str::to_owned));
    let elsewhere = match (account, configured.filter(|configured| configured != region)) {
        (None, _) => "; choose another region with AWS_REGION".to_owned(),
        (Some(_), Some(other)) => format!("; the region of the AWS configuration is {}", sanitize_quoted(&other)),
        (Some(_), None) => String::new(),
    };
    Some(format!("{names}{elsewhere}"))
}

async fn suggest_ecr_tags(repository: &Repository, selector: &Selector) -> Option<String> {
    let tag = selector.tag()?;
    let client = load_aws(Some(repository.region().to_owned())).await.ecr_client(endpoint_url("ECR"));
    let existing = list_with_timeout(listing::list_tags(&client, repository, MAX_PAGES)).await;
    if selector.digest().is_some() && existing.iter().flatten().any(|existing| existing == tag.as_str()) {
        return Some(TAG_MOVED_HINT.to_owned());
    }
    let command =
        format!("`aws ecr list-images --repository-name {} --region {}`", repository.name(), repository.region());
    Some(suggest_existing("tags", tag.as_str(), existing.as_deref(), repository.name(), &command))
}

async fn suggest_registry_tags(repository: &RemoteRepository, tag: &Tag) -> String {
    let registry = DistributionRepository::new(repository.clone(), registry_connector());
    let existing = list_with_timeout(registry.list_tags(MAX_PAGES)).await;
    let command = format!("`skopeo list-tags docker://{repository}`");
    suggest_existing("tags", tag.as_str(), existing.as_deref(), &repository.to_string(), &command)
}

/// Returns `None` on an error or a timeout: the error that is being reported matters more.
async fn list_with_timeout<T>(listing: impl Future<Output = Result<Vec<T>, RegistryError>>) -> Option<Vec<T>> {
    tokio::time::timeout(LISTING_TIMEOUT, listing).await.ok()?.ok()
}

/// The hint for a name that does not exist: similar names of `place`, or else the nearest ones. If they could not be
/// listed, it names the command that lists them.
pub(super) fn suggest_existing(
    kind: &str,
    name: &str,
    existing: Option<&[String]>,
    place: &str,
    list_command: &str,
) -> String {
    let Some(existing) = existing else {
        return format!("check the name: {list_command} lists the {kind} in {place}");
    };
    let mut ranked: Vec<_> = existing.iter().map(|existing| (name_distance(name, existing), existing)).collect();
    ranked.sort_unstable();
    ranked.dedup();
    // Names that differ in more than a third of their characters are not similar.
    let limit = (name.chars().count() / 3).max(1);
    match ranked.partition_point(|(distance, _)| *distance <= limit) {
        0 if ranked.is_empty() => format!("there are no {kind} in {place}"),
        0 => {
            let nearest = join_names(&ranked, "and");
            format!("`{}` is not among the {kind} in {place}; the nearest: {nearest}", sanitize_quoted(name))
        }
        1 => format!("did you mean {}? It is in {place}", join_names(&ranked[..1], "or")),
        similar => format!("did you mean {}? They are in {place}", join_names(&ranked[..similar], "or")),
    }
}

/// Joins the first few names of a list with their distances.
fn join_names(names: &[(usize, &String)], conjunction: &str) -> String {
    let names = names.iter().take(MAX_SUGGESTIONS);
    let quoted: Vec<String> = names.map(|(_, name)| format!("`{}`", sanitize_quoted(name))).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} {conjunction} {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// The edit distance of two names; at most 1 if only the namespace was left out or is wrong.
fn name_distance(wanted: &str, name: &str) -> usize {
    let distance = strsim::osa_distance(wanted, name);
    let has_same_end = name.contains('/') && wanted.rsplit('/').next() == name.rsplit('/').next();
    if has_same_end { distance.min(1) } else { distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested() {
        let all = ["team/app", "team/api", "tools", "library/nginx"].map(str::to_owned);
        for (wanted, existing, hint) in [
            ("team/ap", &all[..], "did you mean `team/api` or `team/app`? They are in us-west-2"),
            ("nginx", &all[3..], "did you mean `library/nginx`? It is in us-west-2"),
            (
                "something/else",
                &all[..1],
                "`something/else` is not among the repositories in us-west-2; the nearest: `team/app`",
            ),
            ("app", &[], "there are no repositories in us-west-2"),
        ] {
            assert_eq!(suggest_existing("repositories", wanted, Some(existing), "us-west-2", ""), hint);
        }
        assert_eq!(
            suggest_existing("tags", "v1", None, "team/app", "`aws ecr list-images`"),
            "check the name: `aws ecr list-images` lists the tags in team/app"
        );
        let hostile = ["\u{1b}[2Jv1".to_owned()];
        assert!(!suggest_existing("tags", "v1", Some(&hostile), "x", "").contains('\u{1b}'));
    }
}
