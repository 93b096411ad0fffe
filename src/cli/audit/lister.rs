//! Lists the images of a registry, and hands them on one by one while the listing continues.

use std::collections::BTreeSet;
use std::rc::Rc;

use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::Sender;

use super::region_consumers::RegionConsumers;
use super::scope::{AuditScope, ListingCounts, increment};
use super::throttle::{AdaptiveLimiter, ResourceTags};
use crate::event::{self, Arrival, ArrivalKind};
use crate::intent::Intent;
use crate::name::{Repository, Selector, Tag};
use crate::registry::RegistryError;
use crate::registry::ecr::listing::EcrImage;
use crate::registry::ecr::{EcrRegistry, listing};

/// How many repositories are listed at once: one call lists a thousand images, and each image takes several calls.
const MAX_CONCURRENT_LISTINGS: usize = 2;

/// How many listed images wait to be checked, some 500 bytes each. The listing runs ahead this far, so that the remaining
/// time can be estimated.
pub(super) const QUEUE_CAPACITY: usize = 4096;

/// One image and one tag of it, to be checked.
#[derive(Debug)]
pub(super) struct AuditTarget {
    pub(super) arrival: Arrival,
    /// The resource tags of its repository.
    pub(super) tags: Rc<ResourceTags>,
}

/// What the lister hands on: an image, or the name of a repository whose images could not be listed.
pub(super) type ListedTarget = Result<AuditTarget, (String, RegistryError)>;

/// Lists a registry.
#[derive(Clone, Copy)]
pub(super) struct ImageLister<'a> {
    pub(super) ecr: &'a EcrRegistry,
    pub(super) limiter: &'a AdaptiveLimiter,
    pub(super) scope: &'a AuditScope,
    pub(super) counts: &'a ListingCounts,
    /// Who runs images by which tags, if this run has read that.
    pub(super) consumers: Option<&'a RegionConsumers>,
}

impl ImageLister<'_> {
    /// Lists all images in scope, as fast as the receiver takes them. A repository whose images cannot be listed is handed
    /// on as a failure.
    ///
    /// # Errors
    /// The repositories cannot be listed.
    pub(super) async fn list_all(self, to: Sender<ListedTarget>) -> Result<(), RegistryError> {
        let (client, region) = (self.ecr.client(), &self.scope.region);
        let mut named = Vec::new();
        // A repository that is named twice is listed once.
        for name in self.scope.repositories.iter().collect::<BTreeSet<_>>() {
            named.push(self.limiter.call(async || listing::find_repository(client, region, name).await).await?);
        }
        self.list_repositories(named, &to).await;
        let mut token = None;
        while self.scope.repositories.is_empty() {
            let fetch = || listing::fetch_repository_page(client, None, region, token.clone());
            let page = self.limiter.call(fetch).await?;
            self.list_repositories(page.items, &to).await;
            // A token that leads to itself would never end.
            if page.next_token.is_none() || page.next_token == token {
                break;
            }
            token = page.next_token;
        }
        self.counts.is_complete.set(true);
        Ok(())
    }

    async fn list_repositories(&self, repositories: Vec<Repository>, to: &Sender<ListedTarget>) {
        self.counts.record_names(&repositories);
        let has_prefix = |repository: &Repository| repository.name().starts_with(&self.scope.prefix);
        let found: Vec<Repository> = repositories.into_iter().filter(has_prefix).collect();
        self.counts.repositories_found.set(self.counts.repositories_found.get() + found.len() as u64);
        let list = async |repository: Repository| {
            let listed = self.list_images(&repository, to).await;
            if !matches!(listed, Ok(false)) {
                increment(&self.counts.repositories_in_scope);
            }
            if let Err(error) = listed {
                // A receiver that is gone needs no failures either.
                let _ = to.send(Err((repository.name().to_owned(), error))).await;
            }
            increment(&self.counts.repositories_listed);
        };
        stream::iter(found).for_each_concurrent(MAX_CONCURRENT_LISTINGS, list).await;
    }

    /// Lists the images of a repository; returns whether it is in scope.
    async fn list_images(&self, repository: &Repository, to: &Sender<ListedTarget>) -> Result<bool, RegistryError> {
        let (ecr, tags) = (self.ecr.repository(repository), Rc::new(ResourceTags::default()));
        for (key, value) in &self.scope.resource_tags {
            if tags.value(&ecr, self.limiter, key).await? != Some(value) {
                return Ok(false);
            }
        }
        let (mut token, mut newest) = (None, Vec::new());
        loop {
            let page = self.limiter.call(async || ecr.fetch_image_page(token.clone()).await).await?;
            if let Some(consumers) = self.consumers {
                // Also of images that are not checked.
                page.items.iter().for_each(|image| consumers.record_tags(repository, &image.digest, &image.tags));
            }
            newest.extend(page.items.into_iter().filter_map(|image| self.select_image(image)));
            newest.sort_by(|one: &EcrImage, other| (other.pushed_at, &one.digest).cmp(&(one.pushed_at, &other.digest)));
            match self.scope.newest {
                Some(count) => newest.truncate(count),
                None => self.send_targets(repository, std::mem::take(&mut newest), &tags, to).await,
            }
            if page.next_token.is_none() || page.next_token == token {
                break;
            }
            token = page.next_token;
        }
        self.send_targets(repository, newest, &tags, to).await;
        Ok(true)
    }

    /// Returns the image with the tags that may be deployed; `None` if it has none, is an artifact, or is archived.
    fn select_image(&self, mut image: EcrImage) -> Option<EcrImage> {
        image.tags.retain(|tag| !tag.is_verdict_tag());
        if image.tags.is_empty() {
            return None;
        }
        image.tags.retain(|tag| !tag.is_referrer_tag());
        if image.tags.is_empty() || event::detect_artifact(&image.media_type, &image.artifact_type).is_some() {
            increment(&self.counts.artifacts);
            return None;
        }
        if image.is_archived {
            increment(&self.counts.archived);
            return None;
        }
        Some(image)
    }

    async fn send_targets(
        &self,
        repository: &Repository,
        images: Vec<EcrImage>,
        tags: &Rc<ResourceTags>,
        to: &Sender<ListedTarget>,
    ) {
        for EcrImage { digest, tags: names, pushed_at, .. } in images {
            let pushed_at = pushed_at.and_then(|pushed| pushed.fmt(Format::DateTime).ok());
            for (tag, also_tagged) in group_tags(names, self.scope.ignores_tag_declarations) {
                let arrival = Arrival {
                    how: ArrivalKind::Audit,
                    repository: repository.clone(),
                    selector: Selector::DigestAndTag(digest.clone(), tag),
                    event_id: String::new(),
                    also_tagged,
                    pushed_at: pushed_at.clone(),
                    sent_at: None,
                    source: None,
                    upstream: None,
                };
                increment(&self.counts.images_found);
                if to.send(Ok(AuditTarget { arrival, tags: Rc::clone(tags) })).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Groups the tags of one image: a tag that declares something is checked by itself, all others share one result. Each tag
/// to check comes with those that share its result, in the order of their names, so that the next audit checks the same
/// ones.
fn group_tags(mut tags: Vec<Tag>, ignores_declarations: bool) -> Vec<(Tag, Vec<Tag>)> {
    tags.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    let declares_nothing = |tag: &Tag| ignores_declarations || Intent::from_tag(tag) == Intent::default();
    let (plain, declaring): (Vec<Tag>, Vec<Tag>) = tags.into_iter().partition(declares_nothing);
    let mut plain = plain.into_iter();
    let first = plain.next().map(|first| (first, plain.collect()));
    first.into_iter().chain(declaring.into_iter().map(|tag| (tag, Vec::new()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_without_declaration_share_a_result() {
        for (tags, ignores_declarations, expected) in [
            ("v1", false, "v1"),
            ("v1 latest 1.0.0", false, "1.0.0+latest+v1"),
            ("v1 v1-ecs-arm64 v1-arm64 latest", false, "latest+v1 v1-arm64 v1-ecs-arm64"),
            ("v1-ecs-arm64 v1-ecs-amd64", false, "v1-ecs-amd64 v1-ecs-arm64"),
            ("v1 v1-ecs-arm64 v1-arm64", true, "v1+v1-arm64+v1-ecs-arm64"),
            ("", false, ""),
        ] {
            let tags: Vec<Tag> = tags.split_whitespace().map(|tag| tag.parse().unwrap()).collect();
            let line =
                |(tag, also): (Tag, Vec<Tag>)| [tag].iter().chain(&also).map(Tag::as_str).collect::<Vec<_>>().join("+");
            let lines: Vec<String> = group_tags(tags, ignores_declarations).into_iter().map(line).collect();
            assert_eq!(lines.join(" "), expected);
        }
    }
}
