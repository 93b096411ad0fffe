//! The images to be asked about: listed from the registry, and handed on one by one while the listing goes on.
//!
//! Does not ask about them; whoever takes them does. What is handed on is an arrival, as an event would be.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::Sender;

use super::tag_groups::group_tags;
use super::throttle::AdaptiveLimiter;
use super::throttled_registry::ResourceTags;
use crate::event::{self, Arrival, ArrivalKind};
use crate::name::{Repository, Selector};
use crate::registry::RegistryError;
use crate::registry::ecr::listing::EcrImage;
use crate::registry::ecr::{EcrRegistry, EcrRepository, listing};

/// How many repositories are listed beside each other: one call lists a thousand images, and each image takes several.
const MAX_CONCURRENT_LISTINGS: usize = 2;

/// How many images wait at most to be asked about. So far does the listing run ahead, so that the time left can be told,
/// and so much memory does it take: some 500 bytes each.
pub(super) const QUEUE_CAPACITY: usize = 4096;

/// How many names are kept for a hint: what is near is mostly among them.
const MAX_KEPT_NAMES: usize = 3000;

/// Which images are asked about.
#[derive(Debug, Clone, Default)]
pub(super) struct AuditScope {
    /// The client's.
    pub(super) region: String,
    /// What the names of repositories begin with.
    pub(super) prefix: String,
    /// The only repositories, where there are any.
    pub(super) repositories: Vec<String>,
    /// Resource tags that a repository must have.
    pub(super) resource_tags: Vec<(String, String)>,
    /// How many images of each repository, those that were pushed last; all of them without a number.
    pub(super) newest: Option<usize>,
    /// Whether tags declare nothing, so that all tags of an image share one answer.
    pub(super) ignores_tag_declarations: bool,
}

/// What was counted while listing.
#[derive(Debug, Default)]
pub(super) struct ListingCounts {
    /// Repositories that are known of.
    pub(super) repositories_found: Cell<u64>,
    /// Those whose images are listed.
    pub(super) repositories_listed: Cell<u64>,
    /// Arrivals that were handed on.
    pub(super) images_found: Cell<u64>,
    /// Charts, signatures and what else is known by its type to be no image.
    pub(super) artifacts: Cell<u64>,
    /// Images in the archive.
    pub(super) archived: Cell<u64>,
    /// Repositories in scope, those included whose images could not be listed.
    pub(super) repositories_in_scope: Cell<u64>,
    /// Names that were listed, in scope or not: what a mistyped one is compared with.
    pub(super) repository_names: RefCell<Vec<String>>,
    /// Whether all is listed.
    pub(super) is_complete: Cell<bool>,
}

impl ListingCounts {
    fn record_names(&self, repositories: &[Repository]) {
        let mut names = self.repository_names.borrow_mut();
        let room = MAX_KEPT_NAMES.saturating_sub(names.len());
        names.extend(repositories.iter().take(room).map(|repository| repository.name().to_owned()));
    }
}

/// One more.
pub(super) fn increment(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// One image and one declaration of its.
#[derive(Debug)]
pub(super) struct AuditTarget {
    pub(super) arrival: Arrival,
    /// Those of its repository.
    pub(super) tags: Rc<ResourceTags>,
}

/// A repository whose images could not be listed.
#[derive(Debug)]
pub(super) struct RepositoryListingFailure {
    pub(super) repository: Repository,
    pub(super) error: RegistryError,
}

/// Lists a registry.
pub(super) struct ImageLister<'a> {
    pub(super) ecr: &'a EcrRegistry,
    pub(super) limiter: &'a AdaptiveLimiter,
    pub(super) scope: &'a AuditScope,
    pub(super) counts: &'a ListingCounts,
}

impl ImageLister<'_> {
    /// Lists all, as fast as what is listed is taken.
    ///
    /// # Errors
    /// Where the repositories cannot be listed. One whose images cannot be is handed on as such.
    pub(super) async fn list_all(
        self,
        to: Sender<Result<AuditTarget, RepositoryListingFailure>>,
    ) -> Result<(), RegistryError> {
        let (client, region) = (self.ecr.client(), &self.scope.region);
        let mut named = Vec::new();
        // One that is named twice is still one.
        for name in self.scope.repositories.iter().collect::<BTreeSet<_>>() {
            named.push(self.limiter.call(async || listing::find_repository(client, region, name).await).await?);
        }
        self.list_repositories(named, &to).await;
        let mut from = None;
        while self.scope.repositories.is_empty() {
            let page = self
                .limiter
                .call(async || listing::fetch_repository_page(client, None, region, from.clone()).await)
                .await?;
            self.list_repositories(page.items, &to).await;
            // One that leads to itself would never end.
            if page.next_token.is_none() || page.next_token == from {
                break;
            }
            from = page.next_token;
        }
        self.counts.is_complete.set(true);
        Ok(())
    }

    async fn list_repositories(
        &self,
        repositories: Vec<Repository>,
        to: &Sender<Result<AuditTarget, RepositoryListingFailure>>,
    ) {
        self.counts.record_names(&repositories);
        let is_meant = |repository: &Repository| repository.name().starts_with(&self.scope.prefix);
        let meant: Vec<Repository> = repositories.into_iter().filter(is_meant).collect();
        self.counts.repositories_found.set(self.counts.repositories_found.get() + meant.len() as u64);
        let list = async |repository: Repository| {
            let listed = self.list_images(&repository, to).await;
            if !matches!(listed, Ok(false)) {
                increment(&self.counts.repositories_in_scope);
            }
            if let Err(error) = listed {
                // Where nobody takes any more, nobody wants to know either.
                let _ = to.send(Err(RepositoryListingFailure { repository, error })).await;
            }
            increment(&self.counts.repositories_listed);
        };
        stream::iter(meant).for_each_concurrent(MAX_CONCURRENT_LISTINGS, list).await;
    }

    /// Gives back whether the repository is in scope.
    async fn list_images(
        &self,
        repository: &Repository,
        to: &Sender<Result<AuditTarget, RepositoryListingFailure>>,
    ) -> Result<bool, RegistryError> {
        let (open, tags) = (self.ecr.repository(repository), Rc::new(ResourceTags::default()));
        if !self.matches_resource_tags(&open, &tags).await? {
            return Ok(false);
        }
        let (mut page, mut newest) = (None, Vec::new());
        loop {
            let read = self.limiter.call(async || open.fetch_image_page(page.clone()).await).await?;
            newest.extend(read.items.into_iter().filter_map(|held| self.select_image(held)));
            newest.sort_by(|one: &EcrImage, other| (other.pushed_at, &one.digest).cmp(&(one.pushed_at, &other.digest)));
            let is_last = read.next_token.is_none() || read.next_token == page;
            match self.scope.newest {
                Some(most) => newest.truncate(most),
                None => self.send_targets(repository, std::mem::take(&mut newest), &tags, to).await,
            }
            if is_last {
                break;
            }
            page = read.next_token;
        }
        self.send_targets(repository, newest, &tags, to).await;
        Ok(true)
    }

    async fn matches_resource_tags(&self, open: &EcrRepository, tags: &ResourceTags) -> Result<bool, RegistryError> {
        for (key, value) in &self.scope.resource_tags {
            if tags.value(open, self.limiter, key).await? != Some(value) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The image with those of its tags that somebody may deploy; none where it has none.
    fn select_image(&self, mut held: EcrImage) -> Option<EcrImage> {
        held.tags.retain(|tag| !tag.is_verdict_tag());
        if held.tags.is_empty() {
            return None;
        }
        held.tags.retain(|tag| !tag.is_referrer_tag());
        if held.tags.is_empty() || event::detect_artifact(&held.media_type, &held.artifact_type).is_some() {
            increment(&self.counts.artifacts);
            return None;
        }
        if held.is_archived {
            increment(&self.counts.archived);
            return None;
        }
        Some(held)
    }

    async fn send_targets(
        &self,
        repository: &Repository,
        images: Vec<EcrImage>,
        tags: &Rc<ResourceTags>,
        to: &Sender<Result<AuditTarget, RepositoryListingFailure>>,
    ) {
        for EcrImage { digest, tags: names, pushed_at: pushed, .. } in images {
            let pushed_at = pushed.and_then(|pushed| pushed.fmt(Format::DateTime).ok());
            for (tag, also_tagged) in group_tags(names, self.scope.ignores_tag_declarations) {
                let arrival = Arrival {
                    how: ArrivalKind::Audit,
                    repository: repository.clone(),
                    selector: Selector::DigestAndTag(digest.clone(), tag),
                    event_id: String::new(),
                    also_tagged,
                    pushed_at: pushed_at.clone(),
                };
                increment(&self.counts.images_found);
                if to.send(Ok(AuditTarget { arrival, tags: Rc::clone(tags) })).await.is_err() {
                    return;
                }
            }
        }
    }
}
