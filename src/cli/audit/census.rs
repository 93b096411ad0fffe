//! The images to be asked about: listed from the registry, and handed on one by one while the listing goes on.
//!
//! Does not ask about them; whoever takes them does. What is handed on is an arrival, as an event would be.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use aws_smithy_types::date_time::Format;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::Sender;

use super::pace::Pace;
use super::patient::ResourceTags;
use super::sharing::shared;
use crate::event::{self, Arrival, How};
use crate::name::{Repository, Selector};
use crate::registry::RegistryError;
use crate::registry::ecr::images::Held;
use crate::registry::ecr::{Ecr, EcrRepository, listing};

/// How many repositories are listed beside each other: one call lists a thousand images, and each image takes several.
const BESIDE: usize = 2;

/// How many images wait at most to be asked about. So far does the listing run ahead, so that the time left can be told,
/// and so much memory does it take: some 500 bytes each.
pub(super) const AHEAD: usize = 4096;

/// How many names are kept for a hint: what is near is mostly among them.
const MOST_NAMES: usize = 3000;

/// Which images are asked about.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The client's.
    pub(super) region: String,
    /// What the names of repositories begin with.
    pub(super) prefix: String,
    /// The only repositories, where there are any.
    pub(super) names: Vec<String>,
    /// Resource tags that a repository must have.
    pub(super) tagged: Vec<(String, String)>,
    /// How many images of each repository, those that were pushed last; all of them without a number.
    pub(super) newest: Option<usize>,
    /// Whether tags declare nothing, so that all tags of an image share one answer.
    pub(super) are_tags_silent: bool,
}

/// What was counted while listing.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Repositories that are known of.
    pub(super) repositories: Cell<u64>,
    /// Those whose images are listed.
    pub(super) listed: Cell<u64>,
    /// Arrivals that were handed on.
    pub(super) found: Cell<u64>,
    /// Charts, signatures and what else is known by its type to be no image.
    pub(super) artifacts: Cell<u64>,
    /// Images in the archive.
    pub(super) archived: Cell<u64>,
    /// Repositories in scope, those included whose images could not be listed.
    pub(super) in_scope: Cell<u64>,
    /// Names that were listed, in scope or not: what a mistyped one is compared with.
    pub(super) names: RefCell<Vec<String>>,
    /// Whether all is listed.
    pub(super) is_complete: Cell<bool>,
}

impl Counts {
    fn remember(&self, repositories: &[Repository]) {
        let mut names = self.names.borrow_mut();
        let room = MOST_NAMES.saturating_sub(names.len());
        names.extend(repositories.iter().take(room).map(|repository| repository.name().to_owned()));
    }
}

/// One more.
pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// One image and one declaration of its.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) arrival: Arrival,
    /// Those of its repository.
    pub(super) tags: Rc<ResourceTags>,
}

/// A repository whose images could not be listed.
#[derive(Debug)]
pub(super) struct Unlisted {
    pub(super) repository: Repository,
    pub(super) error: RegistryError,
}

/// Lists a registry.
pub(super) struct Census<'a> {
    pub(super) ecr: &'a Ecr,
    pub(super) pace: &'a Pace,
    pub(super) scope: &'a Scope,
    pub(super) counts: &'a Counts,
}

impl Census<'_> {
    /// Lists all, as fast as what is listed is taken.
    ///
    /// # Errors
    /// Where the repositories cannot be listed. One whose images cannot be is handed on as such.
    pub(super) async fn take(self, to: Sender<Result<Asked, Unlisted>>) -> Result<(), RegistryError> {
        let (client, region) = (self.ecr.client(), &self.scope.region);
        let mut named = Vec::new();
        // One that is named twice is still one.
        for name in self.scope.names.iter().collect::<BTreeSet<_>>() {
            named.push(self.pace.ask(async || listing::named(client, region, name).await).await?);
        }
        self.repositories(named, &to).await;
        let mut from = None;
        while self.scope.names.is_empty() {
            let page = self.pace.ask(async || listing::page(client, None, region, from.clone()).await).await?;
            self.repositories(page.items.into_iter().collect::<Result<_, _>>()?, &to).await;
            // One that leads to itself would never end.
            if page.next.is_none() || page.next == from {
                break;
            }
            from = page.next;
        }
        self.counts.is_complete.set(true);
        Ok(())
    }

    async fn repositories(&self, repositories: Vec<Repository>, to: &Sender<Result<Asked, Unlisted>>) {
        self.counts.remember(&repositories);
        let is_meant = |repository: &Repository| repository.name().starts_with(&self.scope.prefix);
        let meant: Vec<Repository> = repositories.into_iter().filter(is_meant).collect();
        self.counts.repositories.set(self.counts.repositories.get() + meant.len() as u64);
        let list = async |repository: Repository| {
            let listed = self.images(&repository, to).await;
            if !matches!(listed, Ok(false)) {
                count(&self.counts.in_scope);
            }
            if let Err(error) = listed {
                // Where nobody takes any more, nobody wants to know either.
                let _ = to.send(Err(Unlisted { repository, error })).await;
            }
            count(&self.counts.listed);
        };
        stream::iter(meant).for_each_concurrent(BESIDE, list).await;
    }

    /// Gives back whether the repository is in scope.
    async fn images(
        &self,
        repository: &Repository,
        to: &Sender<Result<Asked, Unlisted>>,
    ) -> Result<bool, RegistryError> {
        let (open, tags) = (self.ecr.open(repository), Rc::new(ResourceTags::default()));
        if !self.has_tags(&open, &tags).await? {
            return Ok(false);
        }
        let (mut page, mut newest) = (None, Vec::new());
        loop {
            let read = self.pace.ask(async || open.images(page.clone()).await).await?;
            newest.extend(read.items.into_iter().filter_map(|held| self.image(held)));
            newest.sort_by(|one: &Held, other| (other.pushed, &one.digest).cmp(&(one.pushed, &other.digest)));
            let is_last = read.next.is_none() || read.next == page;
            match self.scope.newest {
                Some(most) => newest.truncate(most),
                None => self.hand_on(repository, std::mem::take(&mut newest), &tags, to).await,
            }
            if is_last {
                break;
            }
            page = read.next;
        }
        self.hand_on(repository, newest, &tags, to).await;
        Ok(true)
    }

    async fn has_tags(&self, open: &EcrRepository, tags: &ResourceTags) -> Result<bool, RegistryError> {
        for (key, value) in &self.scope.tagged {
            if tags.value(open, self.pace, key).await? != Some(value) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The image with those of its tags that somebody may deploy; none where it has none.
    fn image(&self, mut held: Held) -> Option<Held> {
        held.tags.retain(|tag| !tag.is_mark());
        if held.tags.is_empty() {
            return None;
        }
        held.tags.retain(|tag| !tag.names_a_referrer());
        if held.tags.is_empty() || event::artifact(&held.media_type, &held.artifact_type).is_some() {
            count(&self.counts.artifacts);
            return None;
        }
        if held.is_archived {
            count(&self.counts.archived);
            return None;
        }
        Some(held)
    }

    async fn hand_on(
        &self,
        repository: &Repository,
        images: Vec<Held>,
        tags: &Rc<ResourceTags>,
        to: &Sender<Result<Asked, Unlisted>>,
    ) {
        for Held { digest, tags: names, pushed, .. } in images {
            let pushed_at = pushed.and_then(|pushed| pushed.fmt(Format::DateTime).ok());
            for (tag, also_tagged) in shared(names, self.scope.are_tags_silent) {
                let arrival = Arrival {
                    how: How::Audit,
                    repository: repository.clone(),
                    selector: Selector::Both(digest.clone(), tag),
                    event_id: String::new(),
                    also_tagged,
                    pushed_at: pushed_at.clone(),
                };
                count(&self.counts.found);
                if to.send(Ok(Asked { arrival, tags: Rc::clone(tags) })).await.is_err() {
                    return;
                }
            }
        }
    }
}
