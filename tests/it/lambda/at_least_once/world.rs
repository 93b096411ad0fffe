//! A repository of Amazon ECR in memory, with a topic beside it, in which calls are slow and fail by lot.
//!
//! Does not know what is right. What `PutImage` does is what the ECR API reference says of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Poll;

use ecr_preflight::aws::service_error::CallError;
use ecr_preflight::lambda::notify::{Message, Notifier};
use ecr_preflight::lambda::verdict_tag::{TagOutcome, VerdictTagger};
use ecr_preflight::name::{Digest, Selector, Tag};
use ecr_preflight::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

use super::images::{Images, Pushed};
use crate::support::random::Random;

/// An event that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub digest: Digest,
    /// Empty for a push by digest alone.
    pub tag: String,
}

/// One that waits, and which of Lambda's attempts its delivery will be.
#[derive(Debug, Clone)]
pub struct Due {
    pub event: Event,
    pub attempt: usize,
}

#[derive(Debug)]
pub struct World {
    pub images: Rc<Images>,
    pub declared: &'static str,
    /// Whether a tag, once set, stays where it is.
    pub is_immutable: bool,
    /// Whether what a deleted image was made of is still there, its config too, as ECR has it for a while: then putting
    /// its manifest brings it back.
    pub keeps_parts: bool,
    pub random: RefCell<Random>,
    pub present: RefCell<BTreeSet<String>>,
    pub tags: RefCell<BTreeMap<String, Digest>>,
    /// What is still to be delivered.
    pub events: RefCell<Vec<Due>>,
    /// The failure queue: what failed as often as Lambda tries.
    pub queue: RefCell<Vec<Event>>,
    /// Tags that were pushed, and that nobody sees yet.
    pub hidden: RefCell<BTreeSet<String>>,
    /// How many looks came too early for one of these.
    pub overtaken: Cell<usize>,
    /// How many configs were asked for that had gone with their image.
    pub lost: Cell<usize>,
    /// How many calls may still fail, and one of how many does.
    pub faults: Cell<usize>,
    pub odds: usize,
    /// How many invocations may still be killed.
    pub kills: Cell<usize>,
    /// The delivery that is at work.
    pub at_work: Cell<usize>,
    /// Whether it waits for a call.
    pub is_calling: Cell<bool>,
    /// For each call that failed, each mark that was set, and each message that was taken, the delivery.
    pub failed: RefCell<Vec<usize>>,
    pub marked: RefCell<Vec<usize>>,
    pub told: RefCell<Vec<usize>>,
}

impl World {
    /// A call takes its time, in which others go on.
    async fn call(&self) {
        let delivery = self.at_work.get();
        for _ in 0..self.below(3) {
            let mut is_over = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut is_over, true) {
                    return Poll::Ready(());
                }
                self.is_calling.set(true);
                Poll::Pending
            })
            .await;
        }
        assert_eq!(self.at_work.get(), delivery, "nobody else goes on in its place");
    }

    pub fn below(&self, limit: usize) -> usize {
        self.random.borrow_mut().below(limit)
    }

    /// Whether a call fails now.
    fn fails(&self) -> bool {
        let fails = self.faults.get() > 0 && self.below(self.odds) == 0;
        if fails {
            self.faults.set(self.faults.get() - 1);
            self.failed.borrow_mut().push(self.at_work.get());
        }
        fails
    }

    /// Points a tag at an image, which tells of it; false where the tag may not be moved, or is there already.
    pub fn put(&self, digest: &Digest, tag: &str) -> bool {
        let taken = self.tags.borrow().get(tag).cloned();
        if taken.is_some_and(|taken| self.is_immutable || taken == *digest) {
            return false;
        }
        self.present.borrow_mut().insert(digest.to_string());
        self.tags.borrow_mut().insert(tag.to_owned(), digest.clone());
        self.tell(digest, tag);
        true
    }

    /// An event is to be delivered.
    pub fn tell(&self, digest: &Digest, tag: &str) {
        let event = Event { digest: digest.clone(), tag: tag.to_owned() };
        self.events.borrow_mut().push(Due { event, attempt: 1 });
    }

    /// Whether somebody may still have a config.
    fn has_config(&self, digest: &Digest) -> bool {
        let present = self.present.borrow();
        let names = |image: &&Pushed| image.config.as_deref() == Some(digest.as_str());
        self.keeps_parts || self.images.all.iter().filter(names).any(|image| present.contains(image.digest.as_str()))
    }

    fn manifest(&self, selector: &Selector) -> Lookup<Manifest> {
        if selector.tag().is_some_and(|tag| self.hidden.borrow().contains(tag.as_str())) {
            self.overtaken.set(self.overtaken.get() + 1);
            return Lookup::NotFound;
        }
        let tagged = selector.tag().map(|tag| self.tags.borrow().get(tag.as_str()).cloned());
        let digest = match (selector.digest(), tagged) {
            (_, Some(None)) => return Lookup::NotFound,
            (Some(digest), Some(Some(tagged))) if tagged != *digest => return Lookup::TagMoved,
            (Some(digest), _) => digest.clone(),
            (None, tagged) => tagged.flatten().expect("a tag or a digest"),
        };
        match self.images.of(&digest).filter(|_| self.present.borrow().contains(digest.as_str())) {
            Some(image) => Lookup::Found(Manifest {
                digest,
                media_type: image.media_type.to_owned(),
                bytes: image.manifest.clone(),
            }),
            None => Lookup::NotFound,
        }
    }
}

/// The repository, as it is opened for a delivery; its topic too.
#[derive(Debug, Clone)]
pub struct Opened(pub Rc<World>);

fn failed(action: &'static str) -> RegistryError {
    RegistryError::Failed { action, resource: "the repository".to_owned(), source: "by lot".into() }
}

impl Registry for Opened {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        self.0.call().await;
        if self.0.fails() {
            return Err(failed("ecr:BatchGetImage"));
        }
        let answers = which.iter().map(|selector| self.0.manifest(selector)).collect();
        self.0.call().await;
        Ok(answers)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        self.0.call().await;
        if self.0.fails() {
            return Err(failed("ecr:GetDownloadUrlForLayer"));
        }
        if !self.0.has_config(digest) {
            self.0.lost.set(self.0.lost.get() + 1);
            return Ok(Lookup::NotFound);
        }
        let config = self.0.images.configs.get(digest.as_str());
        let config = config.filter(|config| config.len() <= limit);
        Ok(config.map_or(Lookup::NotFound, |config| Lookup::Found(config.clone())))
    }

    async fn open_blob(&self, _: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        unreachable!("programs are not looked at")
    }

    async fn fetch_resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        self.0.call().await;
        if self.0.fails() {
            return Err(failed("ecr:ListTagsForResource"));
        }
        Ok(Some(self.0.declared.to_owned()).filter(|declared| !declared.is_empty()))
    }
}

impl VerdictTagger for Opened {
    async fn write_tag(&self, manifest: &Manifest, mark: &Tag) -> Result<TagOutcome, CallError> {
        let world = &self.0;
        let failed = || CallError {
            action: "ecr:PutImage",
            resource: "the repository".to_owned(),
            problem: "failed",
            source: "by lot".into(),
        };
        world.call().await;
        if world.fails() {
            return Err(failed());
        }
        let is_there = world.present.borrow().contains(manifest.digest.as_str());
        if !is_there && !world.keeps_parts {
            return Ok(TagOutcome::Refused("the image has lost a part".to_owned()));
        }
        let taken = world.tags.borrow().get(mark.as_str()).cloned();
        assert!(taken.is_none_or(|taken| taken == manifest.digest), "a mark is moved: {mark}");
        // Where the very same image has it already, nothing happens, and no event tells of it.
        world.put(&manifest.digest, mark.as_str());
        world.marked.borrow_mut().push(world.at_work.get());
        world.call().await;
        // The mark is set, and the answer is lost.
        if world.fails() { Err(failed()) } else { Ok(TagOutcome::Written) }
    }
}

impl Notifier for Opened {
    async fn send(&self, _: &Message) -> Result<(), CallError> {
        let world = &self.0;
        let failed = || CallError {
            action: "sns:Publish",
            resource: "the topic".to_owned(),
            problem: "failed",
            source: "by lot".into(),
        };
        world.call().await;
        if world.fails() {
            return Err(failed());
        }
        world.told.borrow_mut().push(world.at_work.get());
        world.call().await;
        // The message is sent, and the receipt is lost.
        if world.fails() { Err(failed()) } else { Ok(()) }
    }
}
