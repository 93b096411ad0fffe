//! A simulation of pushes, moved tags and deletions, with deliveries of their events in between: late, repeated, out of
//! order, concurrent, killed, and retried after failures, at last from the failure queue. The same seed gives the same
//! history on every machine.

use std::collections::BTreeSet;
use std::rc::Rc;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::{DeliveryContext, EventHandler, HandlerError};
use ecr_preflight::lambda::log::today;
use ecr_preflight::lambda::recent::RecentMessages;
use ecr_preflight::name::Repository;
use ecr_preflight::report::Report;
use ecr_preflight::settings::Settings;
use ecr_preflight::table::Table;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::changes::{delete_random, push_random};
use super::fake_ecr::{Due, Event, FakeEcr, Handle};
use super::images::{DECLARED, Images, TAGS};
use super::polling::poll_until_wait;
use crate::lambda::{TOPIC, push_event};
use crate::support::random::Random;

/// The most pushes and deletions of a history.
const MAX_CHANGES: usize = 5;
/// The most concurrent deliveries.
const MAX_CONCURRENT: usize = 6;
/// The most failed calls of a history.
const MAX_FAULTS: usize = 8;
/// The most killed invocations of a history.
const MAX_KILLS: usize = 3;
/// Lambda's attempts before an event goes to the failure queue.
const ATTEMPTS: usize = 3;

/// A delivery of an event, and its outcome.
#[derive(Debug)]
pub struct Delivery {
    pub event: Event,
    attempt: usize,
    /// Whether the tag pointed at the image at any time during the delivery.
    pub was_current: bool,
    /// None while in progress, or if killed.
    pub outcome: Option<Result<Report, HandlerError>>,
    pub is_killed: bool,
}

/// The result of a simulation.
#[derive(Debug)]
pub struct History {
    pub ecr: Rc<FakeEcr>,
    pub deliveries: Vec<Delivery>,
    /// Every image and tag that was pushed by people.
    pub pushed: Vec<Event>,
    /// Whether no tag was moved and nothing was deleted.
    pub is_undisturbed: bool,
    pub max_concurrent: usize,
    /// How many events went to the failure queue.
    pub in_failure_queue: usize,
}

/// A delivery in progress.
type Working = LocalBoxFuture<'static, Result<Report, HandlerError>>;

struct Simulation {
    ecr: Rc<FakeEcr>,
    history: History,
    /// Deliveries in progress, and whether they sleep.
    working: Vec<(usize, bool, Working)>,
}

pub fn ecr(seed: u64, images: &Rc<Images>) -> Rc<FakeEcr> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..8 {
        random.below(2);
    }
    Rc::new(FakeEcr {
        images: Rc::clone(images),
        declared: DECLARED[random.below(DECLARED.len())],
        is_immutable: random.below(2) == 0,
        keeps_blobs: random.below(2) == 0,
        faults: (random.below(MAX_FAULTS + 1) * random.below(2)).into(),
        odds: [2, 6][random.below(2)],
        kills: (random.below(MAX_KILLS + 1) * random.below(2)).into(),
        random: random.into(),
        present: BTreeSet::new().into(),
        tags: std::collections::BTreeMap::new().into(),
        events: Vec::new().into(),
        queue: Vec::new().into(),
        hidden: BTreeSet::new().into(),
        too_early: 0.into(),
        missing_configs: 0.into(),
        gone_before_tag: 0.into(),
        current: 0.into(),
        is_calling: false.into(),
        failed: Vec::new().into(),
        tagged_by: Vec::new().into(),
        notified: Vec::new().into(),
    })
}

/// Simulates the history of a seed.
pub async fn simulate(seed: u64, images: Rc<Images>) -> History {
    let ecr = ecr(seed, &images);
    let opened = Handle(Rc::clone(&ecr));
    let variables =
        [("PREFLIGHT_TOPIC_ARN", TOPIC), ("PREFLIGHT_VERDICT_TAGS", "all"), ("PREFLIGHT_INSPECT", "config")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_variables(variables.into_iter()).unwrap();
    let (registry, marker) = (opened.clone(), opened.clone());
    // One function handles all deliveries, like one process of Lambda.
    let handler = Rc::new(EventHandler {
        open_registry: move |_: &Repository| registry.clone(),
        open_tagger: move |_: &Repository| marker.clone(),
        notifier: Some(opened),
        region: None,
        account: None,
        table: None::<Table>,
        recent_messages: RecentMessages::default(),
        inspector: Inspector::new(&settings.check.limits),
        settings,
        today,
        write_metrics: |_| {},
    });
    let deliver = move |event: &Event| -> Working {
        let event: EventBridgeEvent<Value> = serde_json::from_value(push_event(&event.digest, &event.tag)).unwrap();
        let handler = Rc::clone(&handler);
        Box::pin(async move { handler.handle(&event, DeliveryContext::default()).await })
    };
    let (deliveries, pushed) = (Vec::new(), Vec::new());
    let history = History {
        ecr: Rc::clone(&ecr),
        deliveries,
        pushed,
        is_undisturbed: true,
        max_concurrent: 0,
        in_failure_queue: 0,
    };
    let mut simulation = Simulation { ecr: Rc::clone(&ecr), history, working: Vec::new() };
    let mut changes = 1 + ecr.below(MAX_CHANGES);
    loop {
        let (is_due, is_busy) = (!ecr.events.borrow().is_empty(), !simulation.working.is_empty());
        match ecr.below(8) {
            0 | 1 if changes > 0 => {
                changes -= 1;
                simulation.push_or_delete();
            }
            2 | 3 if is_due && simulation.has_room() => simulation.start_delivery(&deliver),
            4..7 if is_due && simulation.has_room() && simulation.sleeps() => simulation.start_delivery(&deliver),
            _ if is_busy && simulation.kills() => {}
            _ if is_busy => simulation.poll_one().await,
            _ if changes == 0 && !is_due && !simulation.redrive() => return simulation.history,
            _ => {}
        }
    }
}

impl Simulation {
    fn has_room(&self) -> bool {
        self.working.len() < MAX_CONCURRENT
    }

    /// Whether all deliveries in progress sleep.
    fn sleeps(&self) -> bool {
        self.working.iter().all(|(_, sleeps, _)| *sleeps)
    }

    /// Kills a delivery in progress sometimes: its time ran out, or its machine went away.
    fn kills(&mut self) -> bool {
        let kills = self.ecr.kills.get();
        if kills == 0 || self.ecr.below(8) > 0 {
            return false;
        }
        self.ecr.kills.set(kills - 1);
        let (delivery, ..) = self.working.swap_remove(self.ecr.below(self.working.len()));
        self.history.deliveries[delivery].is_killed = true;
        self.retry(delivery);
        true
    }

    /// Queues a failed delivery for Lambda's next attempt, or puts it into the failure queue.
    fn retry(&mut self, delivery: usize) {
        let Delivery { event, attempt, .. } = &self.history.deliveries[delivery];
        if *attempt < ATTEMPTS {
            self.ecr.events.borrow_mut().push(Due { event: event.clone(), attempt: attempt + 1 });
        } else {
            self.ecr.queue.borrow_mut().push(event.clone());
            self.history.in_failure_queue += 1;
        }
    }

    /// Sends the events of the failure queue again; false if there are none.
    fn redrive(&self) -> bool {
        let queue = self.ecr.queue.take();
        queue.iter().for_each(|event| self.ecr.queue_event(&event.digest, &event.tag));
        !queue.is_empty()
    }

    /// Pushes an image, or sometimes deletes one.
    fn push_or_delete(&mut self) {
        let ecr = &self.ecr;
        if ecr.below(5) == 0 && !ecr.present.borrow().is_empty() {
            self.history.is_undisturbed &= !delete_random(ecr);
            return;
        }
        if let Some((push, is_moved)) = push_random(ecr, &ecr.images.tagged, &TAGS) {
            self.history.is_undisturbed &= !is_moved;
            self.history.pushed.push(push);
        }
        let note_current = |delivery: &mut Delivery| delivery.was_current |= is_current(ecr, &delivery.event);
        let is_at_work = |delivery: &&mut Delivery| delivery.outcome.is_none() && !delivery.is_killed;
        self.history.deliveries.iter_mut().filter(is_at_work).for_each(note_current);
    }

    /// Starts the delivery of a random event, which sometimes stays queued for another delivery.
    fn start_delivery(&mut self, deliver: &impl Fn(&Event) -> Working) {
        let at = self.ecr.below(self.ecr.events.borrow().len());
        let Due { event, attempt } = if self.ecr.below(4) == 0 {
            self.ecr.events.borrow()[at].clone()
        } else {
            self.ecr.events.borrow_mut().swap_remove(at)
        };
        self.working.push((self.history.deliveries.len(), false, deliver(&event)));
        self.history.max_concurrent = self.history.max_concurrent.max(self.working.len());
        let was_current = is_current(&self.ecr, &event);
        self.history.deliveries.push(Delivery { event, attempt, was_current, outcome: None, is_killed: false });
    }

    /// Polls a delivery until it waits again. If it sleeps, waits for it; no other goes on meanwhile.
    async fn poll_one(&mut self) {
        let mut at = self.ecr.below(self.working.len());
        // Each sleeps half a second, so they should sleep at the same time.
        if self.working[at].1 && self.ecr.below(8) > 0 {
            at = self.working.iter().position(|(_, sleeps, _)| !sleeps).unwrap_or(at);
        }
        let (delivery, sleeps, future) = &mut self.working[at];
        let outcome = poll_until_wait(&self.ecr, *delivery, sleeps, future).await;
        let Some(outcome) = outcome else { return };
        let (delivery, ..) = self.working.swap_remove(at);
        if outcome.is_err() {
            self.retry(delivery);
        }
        self.history.deliveries[delivery].outcome = Some(outcome);
    }
}

/// Whether the tag of an event points at its image now.
pub fn is_current(ecr: &FakeEcr, event: &Event) -> bool {
    ecr.tags.borrow().get(&event.tag) == Some(&event.digest)
}
