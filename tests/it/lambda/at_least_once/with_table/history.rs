//! A simulation with a table. Events have times in whole seconds, two processes handle them, and what runs an image changes too.

use std::collections::BTreeSet;
use std::rc::Rc;

use ecr_preflight::lambda::handler::HandlerError;
use ecr_preflight::report::Report;
use futures_util::future::LocalBoxFuture;

use super::super::changes::{delete_random, push_random};
use super::super::fake_ecr::Event;
use super::super::history::ecr;
use super::super::images::Images;
use super::super::polling::poll_until_wait;
use super::delivery::{Delivery, TimedEvent};
use super::oracle::{CONSUMERS, ConsumerKind, PUSHED_TAGS, TAGS, affected, failing};
use super::process::Process;
use super::world::{CONSUMED_TAG, World};

/// The most pushes, deletions and changes of consumers of a history.
const MAX_CHANGES: usize = 10;
/// The most concurrent deliveries.
const MAX_CONCURRENT: usize = 4;
/// Lambda's attempts before an event goes to the failure queue.
const ATTEMPTS: usize = 3;

/// What became of a delivery.
pub type Outcome = Result<Report, HandlerError>;

/// What a tag points at, and the runtimes on which that does not start; none if it points at nothing that anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagState {
    pub digest: Option<String>,
    pub failing: Option<BTreeSet<String>>,
    /// Those of its consumers that do not start.
    pub affected: Vec<ConsumerKind>,
}

/// The result of a simulation.
#[derive(Debug)]
pub struct History {
    pub world: Rc<World>,
    pub deliveries: Vec<Delivery>,
    /// The state of each tag, from a step on.
    pub states: Vec<(usize, &'static str, TagState)>,
    /// Whether nothing happens during a delivery: neither another delivery nor a change.
    pub is_sequential: bool,
    /// Whether an event fails if it is not known what runs its image.
    pub is_required: bool,
    pub in_failure_queue: usize,
}

impl History {
    /// The state of a tag at a step.
    pub fn state_at(&self, tag: &str, step: usize) -> Option<&TagState> {
        let state = self.states.iter().rfind(|(since, known, _)| *known == tag && *since <= step);
        state.map(|(.., state)| state)
    }
}

struct Simulation {
    world: Rc<World>,
    processes: [Process; 2],
    history: History,
    events: Vec<(TimedEvent, usize)>,
    /// The events of the failure queue.
    queue: Vec<TimedEvent>,
    /// The present second.
    second: u64,
    /// The images that are pushed, by their positions, and the tags.
    pushed: Vec<usize>,
    tags: Vec<&'static str>,
    /// Deliveries in progress, and whether they sleep.
    working: Vec<(usize, bool, LocalBoxFuture<'static, Outcome>)>,
}

/// Simulates the history of a seed.
pub async fn simulate(seed: u64, images: Rc<Images>) -> History {
    let mut ecr = ecr(seed, &images);
    // Few are immutable, because such a tag is resolved only by a change of what runs it. Some calls fail late.
    let (is_immutable, odds) = (ecr.below(5) == 0, [2, 6, 20][ecr.below(3)]);
    let shared = Rc::get_mut(&mut ecr).unwrap();
    (shared.is_immutable, shared.odds) = (is_immutable, odds);
    let (is_sequential, is_required) = (ecr.below(2) == 0, ecr.below(3) == 0);
    let verdict_tags = ["never", "failures"][ecr.below(2)];
    let world = Rc::new(World::new(Rc::clone(&ecr)));
    *world.consumers.borrow_mut() = CONSUMERS[ecr.below(CONSUMERS.len())].to_vec();
    let (pushed, tags) = choose_pushes(&world);
    let processes = [(); 2].map(|()| Process::new(&world, is_required, verdict_tags));
    let history = History {
        world: Rc::clone(&world),
        deliveries: Vec::new(),
        states: Vec::new(),
        is_sequential,
        is_required,
        in_failure_queue: 0,
    };
    let mut simulation = Simulation {
        world: Rc::clone(&world),
        processes,
        history,
        events: Vec::new(),
        queue: Vec::new(),
        second: 1,
        pushed,
        tags,
        working: Vec::new(),
    };
    let mut changes = 1 + ecr.below(MAX_CHANGES);
    loop {
        world.step.set(world.step.get() + 1);
        let (is_due, is_busy) = (!simulation.events.is_empty(), !simulation.working.is_empty());
        let is_quiet = !is_sequential || !is_busy;
        match ecr.below(8) {
            0 if changes > 0 && is_quiet => {
                changes -= 1;
                simulation.change();
            }
            1..3 if is_due && is_quiet && simulation.has_room() => simulation.start_delivery(),
            3..7 if is_due && is_quiet && simulation.has_room() && simulation.sleeps() => simulation.start_delivery(),
            _ if is_busy && simulation.kills() => {}
            _ if is_busy => simulation.poll_one().await,
            _ if changes == 0 && !is_due && !simulation.redrive() => return simulation.history,
            _ => {}
        }
    }
}

/// Chooses the images, by their positions, and the tags that are pushed. In most histories, two images alternate under one tag,
/// and one of them does not start.
fn choose_pushes(world: &World) -> (Vec<usize>, Vec<&'static str>) {
    let World { ecr, consumers, .. } = world;
    let (all, tag) = (ecr.images.tagged.clone(), PUSHED_TAGS[ecr.below(PUSHED_TAGS.len())]);
    let is_wrong = |image: &usize| {
        let digest = ecr.images.all[*image].digest.as_str();
        failing(&ecr.images, Some(digest), tag, ecr.declared, &consumers.borrow())
            .is_some_and(|failing| !failing.is_empty())
    };
    let (wrong, right): (Vec<usize>, Vec<usize>) = all.iter().copied().partition(is_wrong);
    if ecr.below(4) == 0 || wrong.is_empty() {
        return (all, PUSHED_TAGS.to_vec());
    }
    (vec![wrong[ecr.below(wrong.len())], right[ecr.below(right.len())]], vec![tag])
}

impl Simulation {
    fn has_room(&self) -> bool {
        self.working.len() < MAX_CONCURRENT
    }

    fn sleeps(&self) -> bool {
        self.working.iter().all(|(_, sleeps, _)| *sleeps)
    }

    /// Pushes or deletes an image, or changes what runs one, sometimes in the same second as the last change.
    fn change(&mut self) {
        let ecr = Rc::clone(&self.world.ecr);
        self.second += ecr.below(2) as u64;
        match ecr.below(10) {
            0 if !ecr.present.borrow().is_empty() => drop(delete_random(&ecr)),
            1..4 => {
                *self.world.consumers.borrow_mut() = CONSUMERS[ecr.below(CONSUMERS.len())].to_vec();
                self.queue_event(None, CONSUMED_TAG);
            }
            _ => drop(push_random(&ecr, &self.pushed, &self.tags)),
        }
        for due in ecr.events.take() {
            let Event { digest, tag } = due.event;
            self.queue_event(Some(digest.to_string()), &tag);
        }
        let consumers: Vec<ConsumerKind> = self.world.consumers.borrow().clone();
        for tag in TAGS {
            let digest = ecr.tags.borrow().get(tag).map(ToString::to_string);
            let failing = failing(&ecr.images, digest.as_deref(), tag, ecr.declared, &consumers);
            let affected = affected(tag, &consumers, failing.as_ref());
            let state = TagState { digest, failing, affected };
            if self.history.state_at(tag, usize::MAX) != Some(&state) {
                self.history.states.push((self.world.step.get(), tag, state));
                let is_at_work = |delivery: &&mut Delivery| delivery.ended.is_none() && delivery.event.tag == tag;
                self.history.deliveries.iter_mut().filter(is_at_work).for_each(|delivery| delivery.is_disturbed = true);
            }
        }
        let is_at_work = |delivery: &&mut Delivery| delivery.ended.is_none();
        for delivery in self.history.deliveries.iter_mut().filter(is_at_work) {
            delivery.see(&self.world);
        }
    }

    fn queue_event(&mut self, digest: Option<String>, tag: &str) {
        let number = self.world.step.get();
        self.events.push((TimedEvent { digest, tag: tag.to_owned(), second: self.second, number }, 1));
    }

    /// Starts the delivery of a random event, which sometimes stays queued for another delivery.
    fn start_delivery(&mut self) {
        let ecr = &self.world.ecr;
        let at = ecr.below(self.events.len());
        let (event, attempt) = if ecr.below(4) == 0 { self.events[at].clone() } else { self.events.swap_remove(at) };
        let future = self.processes[ecr.below(2)].deliver(&event);
        let (number, deliveries) = (self.history.deliveries.len(), &mut self.history.deliveries);
        let of_tag = || deliveries.iter().filter(|other| other.event.tag == event.tag);
        let mut delivery = Delivery::new(event.clone(), attempt, self.world.step.get());
        delivery.is_late = of_tag().any(|other| other.event.second > event.second);
        delivery.is_disturbed = of_tag().any(|other| other.ended.is_none());
        delivery.see(&self.world);
        let is_at_work = |other: &&mut Delivery| other.ended.is_none() && other.event.tag == event.tag;
        deliveries.iter_mut().filter(is_at_work).for_each(|other| other.is_disturbed = true);
        deliveries.push(delivery);
        self.working.push((number, false, future));
    }

    /// Kills a delivery in progress sometimes: its time ran out, or its machine went away.
    fn kills(&mut self) -> bool {
        let ecr = &self.world.ecr;
        let kills = ecr.kills.get();
        if kills == 0 || ecr.below(8) > 0 {
            return false;
        }
        ecr.kills.set(kills - 1);
        let (delivery, ..) = self.working.swap_remove(ecr.below(self.working.len()));
        self.history.deliveries[delivery].is_killed = true;
        self.end(delivery, None);
        true
    }

    /// Polls a delivery until it waits again.
    async fn poll_one(&mut self) {
        let ecr = Rc::clone(&self.world.ecr);
        let mut at = ecr.below(self.working.len());
        // Each sleeps half a second, so they should sleep at the same time.
        if self.working[at].1 && ecr.below(8) > 0 {
            at = self.working.iter().position(|(_, sleeps, _)| !sleeps).unwrap_or(at);
        }
        let (delivery, sleeps, future) = &mut self.working[at];
        let Some(outcome) = poll_until_wait(&ecr, *delivery, sleeps, future).await else { return };
        let (delivery, ..) = self.working.swap_remove(at);
        self.end(delivery, Some(outcome));
        // Verdict tags have events, too.
        for due in ecr.events.take() {
            self.queue_event(Some(due.event.digest.to_string()), &due.event.tag);
        }
    }

    /// Ends a delivery. If it failed, its event is queued for Lambda's next attempt, or put into the failure queue.
    fn end(&mut self, delivery: usize, outcome: Option<Outcome>) {
        let delivery = &mut self.history.deliveries[delivery];
        delivery.ended = Some(self.world.step.get());
        let is_done = outcome.as_ref().is_some_and(Result::is_ok);
        delivery.outcome = outcome;
        if is_done {
            return;
        }
        if delivery.attempt < ATTEMPTS {
            self.events.push((delivery.event.clone(), delivery.attempt + 1));
        } else {
            self.queue.push(delivery.event.clone());
            self.history.in_failure_queue += 1;
        }
    }

    /// Sends the events of the failure queue again; false if there are none.
    fn redrive(&mut self) -> bool {
        let queue = std::mem::take(&mut self.queue);
        self.events.extend(queue.iter().map(|event| (event.clone(), 1)));
        !queue.is_empty()
    }
}
