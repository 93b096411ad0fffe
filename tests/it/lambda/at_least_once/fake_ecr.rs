//! An in-memory repository of Amazon ECR and a topic, whose calls are slow and fail at random. `PutImage` follows the
//! ECR API reference.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Poll;

use ecr_preflight::aws::service_error::CallError;
use ecr_preflight::event::IgnoreReason;
use ecr_preflight::lambda::notify::{Message, Notifier};
use ecr_preflight::lambda::verdict_tag::{TagOutcome, VerdictTagger};
use ecr_preflight::name::{Digest, Selector, Tag};
use ecr_preflight::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

use super::images::{Images, Pushed};
use crate::support::random::Random;

/// A push event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub digest: Digest,
    /// Empty for a push by digest alone.
    pub tag: String,
}

/// An event to be delivered, and the number of the delivery attempt.
#[derive(Debug, Clone)]
pub struct Due {
    pub event: Event,
    pub attempt: usize,
}

#[derive(Debug)]
pub struct FakeEcr {
    pub images: Rc<Images>,
    pub declared: &'static str,
    /// Whether a tag cannot be moved.
    pub is_immutable: bool,
    /// Whether the blobs of a deleted image are kept for a while, as in ECR: then putting its manifest restores it.
    pub keeps_blobs: bool,
    pub random: RefCell<Random>,
    pub present: RefCell<BTreeSet<String>>,
    pub tags: RefCell<BTreeMap<String, Digest>>,
    /// Events to be delivered.
    pub events: RefCell<Vec<Due>>,
    /// The failure queue: events whose attempts all failed.
    pub queue: RefCell<Vec<Event>>,
    /// Tags that were pushed but are not visible yet.
    pub hidden: RefCell<BTreeSet<String>>,
    /// How many reads came too early for one of these.
    pub too_early: Cell<usize>,
    /// How many reads asked for the config of a deleted image.
    pub missing_configs: Cell<usize>,
    /// How many verdict tags were not written because the image was deleted or superseded after it was checked.
    pub gone_before_tag: Cell<usize>,
    /// How many calls may still fail, and the odds of a failure, one in this many.
    pub faults: Cell<usize>,
    pub odds: usize,
    /// How many invocations may still be killed.
    pub kills: Cell<usize>,
    /// The delivery in progress.
    pub current: Cell<usize>,
    /// Whether it waits for a call.
    pub is_calling: Cell<bool>,
    /// The deliveries with a failed call, with a verdict tag set, and with a message accepted.
    pub failed: RefCell<Vec<usize>>,
    pub tagged_by: RefCell<Vec<usize>>,
    pub notified: RefCell<Vec<usize>>,
}

impl FakeEcr {
    /// Takes the time of a call, during which other deliveries go on.
    pub async fn call(&self) {
        let delivery = self.current.get();
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
        assert_eq!(self.current.get(), delivery, "another delivery must not run in its place");
    }

    pub fn below(&self, limit: usize) -> usize {
        self.random.borrow_mut().below(limit)
    }

    /// Whether the current call fails.
    pub fn fails(&self) -> bool {
        let fails = self.faults.get() > 0 && self.below(self.odds) == 0;
        if fails {
            self.faults.set(self.faults.get() - 1);
            self.failed.borrow_mut().push(self.current.get());
        }
        fails
    }

    /// Points a tag at an image and queues the event; false if the tag cannot be moved or already points there.
    pub fn put(&self, digest: &Digest, tag: &str) -> bool {
        let taken = self.tags.borrow().get(tag).cloned();
        if taken.is_some_and(|taken| self.is_immutable || taken == *digest) {
            return false;
        }
        self.present.borrow_mut().insert(digest.to_string());
        self.tags.borrow_mut().insert(tag.to_owned(), digest.clone());
        self.queue_event(digest, tag);
        true
    }

    /// Queues an event.
    pub fn queue_event(&self, digest: &Digest, tag: &str) {
        let event = Event { digest: digest.clone(), tag: tag.to_owned() };
        self.events.borrow_mut().push(Due { event, attempt: 1 });
    }

    /// Whether a config can still be read.
    fn has_config(&self, digest: &Digest) -> bool {
        let present = self.present.borrow();
        let names = |image: &&Pushed| image.config.as_deref() == Some(digest.as_str());
        self.keeps_blobs || self.images.all.iter().filter(names).any(|image| present.contains(image.digest.as_str()))
    }

    fn manifest(&self, selector: &Selector) -> Lookup<Manifest> {
        if selector.tag().is_some_and(|tag| self.hidden.borrow().contains(tag.as_str())) {
            self.too_early.set(self.too_early.get() + 1);
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

/// The repository and topic of a delivery.
#[derive(Debug, Clone)]
pub struct Handle(pub Rc<FakeEcr>);

fn failed(action: &'static str) -> RegistryError {
    RegistryError::Failed { action, resource: "the repository".to_owned(), source: "by lot".into() }
}

impl Registry for Handle {
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
            self.0.missing_configs.set(self.0.missing_configs.get() + 1);
            return Ok(Lookup::NotFound);
        }
        let config = self.0.images.configs.get(digest.as_str());
        let config = config.filter(|config| config.len() <= limit);
        Ok(config.map_or(Lookup::NotFound, |config| Lookup::Found(config.clone())))
    }

    async fn open_blob(&self, _: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        unreachable!("programs are not looked at")
    }

    async fn fetch_resource_tags(&self, key: &str) -> Result<Vec<(String, String)>, RegistryError> {
        self.0.call().await;
        if self.0.fails() {
            return Err(failed("ecr:ListTagsForResource"));
        }
        let declared = Some(self.0.declared.to_owned()).filter(|declared| !declared.is_empty());
        Ok(declared.map(|declared| (key.to_owned(), declared)).into_iter().collect())
    }
}

impl VerdictTagger for Handle {
    async fn write_tag(
        &self,
        manifest: &Manifest,
        pushed_tag: Option<&Tag>,
        verdict_tag: &Tag,
    ) -> Result<TagOutcome, CallError> {
        let ecr = &self.0;
        let failed = || CallError {
            action: "ecr:PutImage",
            resource: "the repository".to_owned(),
            problem: "failed",
            source: "by lot".into(),
        };
        ecr.call().await;
        if ecr.fails() {
            return Err(failed());
        }
        let pushed = Selector::new(Some(manifest.digest.clone()), pushed_tag.cloned()).unwrap();
        let reason = match ecr.manifest(&pushed) {
            Lookup::Found(_) => None,
            Lookup::TagMoved => Some(IgnoreReason::Superseded),
            _ => Some(IgnoreReason::Deleted),
        };
        if let Some(reason) = reason {
            ecr.gone_before_tag.set(ecr.gone_before_tag.get() + 1);
            return Ok(TagOutcome::ImageGone(reason));
        }
        // The image may be deleted in this moment.
        ecr.call().await;
        let is_there = ecr.present.borrow().contains(manifest.digest.as_str());
        if !is_there && !ecr.keeps_blobs {
            return Ok(TagOutcome::Refused("the image has lost a part".to_owned()));
        }
        let taken = ecr.tags.borrow().get(verdict_tag.as_str()).cloned();
        assert!(taken.is_none_or(|taken| taken == manifest.digest), "a verdict tag is moved: {verdict_tag}");
        // If this image has the tag already, nothing changes, and there is no event.
        ecr.put(&manifest.digest, verdict_tag.as_str());
        ecr.tagged_by.borrow_mut().push(ecr.current.get());
        ecr.call().await;
        // The tag is set, but the response is lost.
        if ecr.fails() { Err(failed()) } else { Ok(TagOutcome::Written) }
    }
}

impl Notifier for Handle {
    async fn send(&self, _: &Message) -> Result<(), CallError> {
        let ecr = &self.0;
        let failed = || CallError {
            action: "sns:Publish",
            resource: "the topic".to_owned(),
            problem: "failed",
            source: "by lot".into(),
        };
        ecr.call().await;
        if ecr.fails() {
            return Err(failed());
        }
        ecr.notified.borrow_mut().push(ecr.current.get());
        ecr.call().await;
        // The message is sent, but the response is lost.
        if ecr.fails() { Err(failed()) } else { Ok(()) }
    }
}
