//! One history: what is pushed, moved and deleted, and in between the deliveries of its events, late, twice, out of
//! order, beside each other, killed at work, and again where they failed; in the end from the failure queue.
//!
//! Does not hang on the machine: the same seed is the same history, whatever the clock says.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::{EventHandler, HandlerError};
use ecr_preflight::name::{Digest, Repository};
use ecr_preflight::report::Report;
use ecr_preflight::settings::Settings;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::images::{DECLARED, Images, TAGS};
use super::world::{Due, Event, Opened, World};
use crate::lambda::{TOPIC, pushed};
use crate::support::random::Random;

/// As many pushes and deletions a history has at most.
const DEEDS: usize = 5;
/// As many deliveries are at work at a time, at most.
const BESIDE: usize = 6;
/// As many calls fail of one history, at most.
const FAULTS: usize = 8;
/// As many invocations are killed of one history, at most.
const KILLS: usize = 3;
/// As often Lambda tries, before an event goes to the failure queue.
const ATTEMPTS: usize = 3;

/// One delivery of an event, and what came of it.
#[derive(Debug)]
pub struct Delivery {
    pub event: Event,
    attempt: usize,
    /// Whether the tag pointed at the image at some time between its begin and its end.
    pub was_standing: bool,
    /// None where it is at work or was killed.
    pub outcome: Option<Result<Report, HandlerError>>,
    pub is_killed: bool,
}

/// What is left of a history.
#[derive(Debug)]
pub struct Past {
    pub world: Rc<World>,
    pub deliveries: Vec<Delivery>,
    /// Every image and tag that was pushed by people.
    pub pushed: Vec<Event>,
    /// Whether no tag was moved, and nothing deleted.
    pub is_calm: bool,
    pub most_beside: usize,
    /// How many events went to the failure queue.
    pub given_up: usize,
}

/// A delivery at work.
type Working = LocalBoxFuture<'static, Result<Report, HandlerError>>;

struct History {
    world: Rc<World>,
    past: Past,
    /// Deliveries at work; whether they sleep.
    working: Vec<(usize, bool, Working)>,
}

pub fn world(seed: u64, images: &Rc<Images>) -> Rc<World> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..8 {
        random.below(2);
    }
    Rc::new(World {
        images: Rc::clone(images),
        declared: DECLARED[random.below(DECLARED.len())],
        is_immutable: random.below(2) == 0,
        keeps_parts: random.below(2) == 0,
        faults: (random.below(FAULTS + 1) * random.below(2)).into(),
        odds: [2, 6][random.below(2)],
        kills: (random.below(KILLS + 1) * random.below(2)).into(),
        random: random.into(),
        present: BTreeSet::new().into(),
        tags: std::collections::BTreeMap::new().into(),
        events: Vec::new().into(),
        queue: Vec::new().into(),
        hidden: BTreeSet::new().into(),
        overtaken: 0.into(),
        lost: 0.into(),
        at_work: 0.into(),
        is_calling: false.into(),
        failed: Vec::new().into(),
        marked: Vec::new().into(),
        told: Vec::new().into(),
    })
}

/// Lives through the history of a seed.
pub async fn live(seed: u64, images: Rc<Images>) -> Past {
    let world = world(seed, &images);
    let opened = Opened(Rc::clone(&world));
    let variables =
        [("PREFLIGHT_TOPIC_ARN", TOPIC), ("PREFLIGHT_VERDICT_TAGS", "all"), ("PREFLIGHT_INSPECT", "config")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_variables(variables.into_iter()).unwrap();
    let (registry, marker) = (opened.clone(), opened.clone());
    // One function for all deliveries, as one process of Lambda's serves them.
    let walk = Rc::new(EventHandler {
        open_registry: move |_: &Repository| registry.clone(),
        open_tagger: move |_: &Repository| marker.clone(),
        notifier: Some(opened),
        region: None,
        inspector: Inspector::new(settings.check.limits.layers, 0),
        settings,
        write_metrics: |_| {},
    });
    let deliver = move |event: &Event| -> Working {
        let event: EventBridgeEvent<Value> = serde_json::from_value(pushed(&event.digest, &event.tag)).unwrap();
        let walk = Rc::clone(&walk);
        Box::pin(async move { walk.handle(&event, None).await })
    };
    let (deliveries, pushed) = (Vec::new(), Vec::new());
    let past = Past { world: Rc::clone(&world), deliveries, pushed, is_calm: true, most_beside: 0, given_up: 0 };
    let mut history = History { world: Rc::clone(&world), past, working: Vec::new() };
    let mut deeds = 1 + world.below(DEEDS);
    loop {
        let (is_due, is_busy) = (!world.events.borrow().is_empty(), !history.working.is_empty());
        match world.below(8) {
            0 | 1 if deeds > 0 => {
                deeds -= 1;
                history.deed();
            }
            2 | 3 if is_due && history.has_room() => history.begin(&deliver),
            4..7 if is_due && history.has_room() && history.sleeps() => history.begin(&deliver),
            _ if is_busy && history.kills() => {}
            _ if is_busy => history.go_on().await,
            _ if deeds == 0 && !is_due && !history.is_sent_again() => return history.past,
            _ => {}
        }
    }
}

impl History {
    fn has_room(&self) -> bool {
        self.working.len() < BESIDE
    }

    /// Whether all that is at work sleeps.
    fn sleeps(&self) -> bool {
        self.working.iter().all(|(_, sleeps, _)| *sleeps)
    }

    /// Whether one that is at work was killed just now: its time ran out, or its machine went away.
    fn kills(&mut self) -> bool {
        let kills = self.world.kills.get();
        if kills == 0 || self.world.below(8) > 0 {
            return false;
        }
        self.world.kills.set(kills - 1);
        let (delivery, ..) = self.working.swap_remove(self.world.below(self.working.len()));
        self.past.deliveries[delivery].is_killed = true;
        self.again(delivery);
        true
    }

    /// What did not end well is tried again by Lambda, and at last goes to the failure queue.
    fn again(&mut self, delivery: usize) {
        let Delivery { event, attempt, .. } = &self.past.deliveries[delivery];
        if *attempt < ATTEMPTS {
            self.world.events.borrow_mut().push(Due { event: event.clone(), attempt: attempt + 1 });
        } else {
            self.world.queue.borrow_mut().push(event.clone());
            self.past.given_up += 1;
        }
    }

    /// Whether people have sent again what is in the failure queue; false where nothing is.
    fn is_sent_again(&self) -> bool {
        let queue = self.world.queue.take();
        queue.iter().for_each(|event| self.world.tell(&event.digest, &event.tag));
        !queue.is_empty()
    }

    /// Something is pushed or, now and then, deleted.
    fn deed(&mut self) {
        let world = &self.world;
        if world.below(5) == 0 && !world.present.borrow().is_empty() {
            let at = world.below(world.present.borrow().len());
            let digest: Digest = world.present.borrow().iter().nth(at).unwrap().parse().unwrap();
            // ECR does not delete what an index lists: `ImageReferencedByManifestList`.
            let lists = |index: &str| {
                let index = world.images.all.iter().find(|image| image.digest.as_str() == index).unwrap();
                index.children.iter().any(|child| world.images.all[*child].digest == digest)
            };
            if !world.present.borrow().iter().any(|index| lists(index)) {
                world.present.borrow_mut().remove(digest.as_str());
                world.tags.borrow_mut().retain(|_, tagged| *tagged != digest);
                self.past.is_calm = false;
            }
            return;
        }
        let (image, tag) = (world.below(world.images.tagged.len()), TAGS[world.below(TAGS.len())]);
        let image = &world.images.all[world.images.tagged[image]];
        for child in &image.children {
            let digest = world.images.all[*child].digest.clone();
            world.present.borrow_mut().insert(digest.to_string());
            world.tell(&digest, "");
        }
        let is_new = !world.tags.borrow().contains_key(tag);
        let is_moved = world.tags.borrow().get(tag).is_some_and(|taken| *taken != image.digest);
        if world.put(&image.digest, tag) {
            self.past.is_calm &= !is_moved;
            // Now and then the event comes before anybody sees the tag.
            if is_new && world.below(4) == 0 {
                world.hidden.borrow_mut().insert(tag.to_owned());
            }
            self.past.pushed.push(Event { digest: image.digest.clone(), tag: tag.to_owned() });
        }
        let standing = |delivery: &mut Delivery| delivery.was_standing |= is_standing(world, &delivery.event);
        let is_at_work = |delivery: &&mut Delivery| delivery.outcome.is_none() && !delivery.is_killed;
        self.past.deliveries.iter_mut().filter(is_at_work).for_each(standing);
    }

    /// One of the events is delivered, whichever it is, and now and then it stays to be delivered again.
    fn begin(&mut self, deliver: &impl Fn(&Event) -> Working) {
        let at = self.world.below(self.world.events.borrow().len());
        let Due { event, attempt } = if self.world.below(4) == 0 {
            self.world.events.borrow()[at].clone()
        } else {
            self.world.events.borrow_mut().swap_remove(at)
        };
        self.working.push((self.past.deliveries.len(), false, deliver(&event)));
        self.past.most_beside = self.past.most_beside.max(self.working.len());
        let was_standing = is_standing(&self.world, &event);
        self.past.deliveries.push(Delivery { event, attempt, was_standing, outcome: None, is_killed: false });
    }

    /// One of the deliveries goes on until it waits again. One that sleeps is waited for; no other goes on meanwhile.
    async fn go_on(&mut self) {
        let mut at = self.world.below(self.working.len());
        // They sleep half a second each, and had better do so together.
        if self.working[at].1 && self.world.below(8) > 0 {
            at = self.working.iter().position(|(_, sleeps, _)| !sleeps).unwrap_or(at);
        }
        let (delivery, sleeps, future) = &mut self.working[at];
        // It will have slept longer than it takes until everybody sees what was pushed.
        if *sleeps {
            self.world.hidden.borrow_mut().clear();
        }
        self.world.at_work.set(*delivery);
        let world = Rc::clone(&self.world);
        let outcome = poll_fn(|context| {
            world.is_calling.set(false);
            match Pin::new(&mut *future).poll(context) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending if world.is_calling.get() => {
                    *sleeps = false;
                    Poll::Ready(None)
                }
                // Asleep from now on, in which others may go on.
                Poll::Pending if !*sleeps => {
                    *sleeps = true;
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let Some(outcome) = outcome else { return };
        let (delivery, ..) = self.working.swap_remove(at);
        if outcome.is_err() {
            self.again(delivery);
        }
        self.past.deliveries[delivery].outcome = Some(outcome);
    }
}

/// Whether a tag points at the image of an event now.
pub fn is_standing(world: &World, event: &Event) -> bool {
    world.tags.borrow().get(&event.tag) == Some(&event.digest)
}
