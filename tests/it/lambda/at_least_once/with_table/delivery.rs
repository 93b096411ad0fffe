//! An event and its delivery.

use std::collections::BTreeSet;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::history::Outcome;
use super::oracle::ConsumerKind;
use super::world::World;
use crate::lambda::{REPOSITORY, push_event};
use crate::support::aws::ACCOUNT;

/// An event of a push, or of a change of what runs a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedEvent {
    /// The image that was pushed; `None` if what runs the tag has changed.
    pub digest: Option<String>,
    /// Empty for a push by digest alone.
    pub tag: String,
    /// Its time, in whole seconds.
    pub second: u64,
    pub number: usize,
}

impl TimedEvent {
    /// The event as `EventBridge` delivers it.
    pub fn to_json(&self) -> Value {
        let mut event = match &self.digest {
            Some(digest) => push_event(&digest.parse::<Digest>().unwrap(), &self.tag),
            None => json!({
                "version": "0", "detail-type": "ECR Preflight Consumer", "source": "ecr-preflight", "account": ACCOUNT,
                "region": "us-west-2", "resources": [],
                "detail": {"repository-name": REPOSITORY, "image-tag": self.tag, "consumer": "prod/web"},
            }),
        };
        event["id"] = format!("event-{}", self.number).into();
        event["time"] = format!("2026-11-16T01:54:{:02}Z", self.second).into();
        event
    }
}

/// A delivery of an event, and its outcome.
#[derive(Debug)]
pub struct Delivery {
    pub event: TimedEvent,
    pub attempt: usize,
    pub started: usize,
    /// None while in progress.
    pub ended: Option<usize>,
    /// None while in progress, or if killed.
    pub outcome: Option<Outcome>,
    pub is_killed: bool,
    /// Whether the tag or what runs it changed during the delivery, or another delivery about the tag went on.
    pub is_disturbed: bool,
    /// Whether a later event about the tag was delivered before.
    pub is_late: bool,
    /// What the tag pointed at, and what ran it, at any time during the delivery.
    pub digests: BTreeSet<String>,
    pub consumers: BTreeSet<Vec<ConsumerKind>>,
}

impl Delivery {
    pub fn new(event: TimedEvent, attempt: usize, started: usize) -> Self {
        Self {
            event,
            attempt,
            started,
            ended: None,
            outcome: None,
            is_killed: false,
            is_disturbed: false,
            is_late: false,
            digests: BTreeSet::new(),
            consumers: BTreeSet::new(),
        }
    }

    /// Notes what the tag points at and what runs it.
    pub fn see(&mut self, world: &World) {
        self.digests.extend(world.ecr.tags.borrow().get(&self.event.tag).map(ToString::to_string));
        self.consumers.insert(world.consumers.borrow().clone());
    }
}
