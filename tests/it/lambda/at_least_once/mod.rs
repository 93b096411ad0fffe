//! `EventBridge` delivers at least once, in no order; Lambda invokes again what failed. Whatever happens in between, the
//! marks are those of what was pushed, and people hear of what is wrong and of nothing else.

mod history;
mod images;
mod world;

use std::collections::BTreeSet;
use std::rc::Rc;

use ecr_preflight::lambda::handler::HandlerError;
use futures_util::future::join_all;

use self::history::{Past, is_standing, live};
use self::images::Images;

/// How many histories are lived through.
const HISTORIES: u64 = 3000;

/// The seed of the first of them.
const SEED: u64 = 1;

/// Says which history it was where one does not hold.
struct Told(u64);

impl Drop for Told {
    #[allow(clippy::print_stderr, reason = "beside the words of the assertion")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the history of the seed {} does not hold", self.0);
        }
    }
}

#[test]
fn however_often_and_in_whatever_order_events_are_delivered_marks_and_messages_are_those_of_what_was_pushed() {
    let images = Rc::new(Images::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // All at once: what they sleep, they sleep together.
    let lived = runtime.block_on(join_all((SEED..SEED + HISTORIES).map(|seed| {
        let images = Rc::clone(&images);
        async move { (seed, live(seed, images).await) }
    })));
    for (seed, past) in &lived {
        let told = Told(*seed);
        every_delivery_holds(past);
        marks_hold(past);
        everybody_is_told(past);
        drop(told);
    }
    // The lot has brought about what is to be shown.
    let count = |holds: fn(&Past) -> bool| lived.iter().filter(|(_, past)| holds(past)).count();
    let often = HISTORIES as usize / 10;
    for (what, histories) in [
        ("calm", count(|past| past.is_calm && past.pushed.len() > 1)),
        ("restless", count(|past| !past.is_calm)),
        ("side by side", count(|past| past.most_beside > 1)),
        ("with failures", count(|past| !past.world.failed.borrow().is_empty())),
        ("with messages", count(|past| !past.world.told.borrow().is_empty())),
        ("with something ignored", count(|past| ignored(past) > 0)),
        ("with somebody killed", count(|past| past.deliveries.iter().any(|delivery| delivery.is_killed))),
    ] {
        assert!(histories > often, "only {histories} histories are {what}");
    }
    // Rarer, but never by chance alone.
    let now_and_then = HISTORIES as usize / 200;
    for (what, histories) in [
        ("with somebody killed between mark and message", count(|past| killed_between(past) > 0)),
        ("with something in the failure queue", count(|past| past.given_up > 0)),
        ("with a config that went with its image", count(|past| past.world.lost.get() > 0)),
        ("with an event that came too early", count(|past| past.world.overtaken.get() > 0)),
    ] {
        assert!(histories > now_and_then, "only {histories} histories are {what}");
    }
    let deliveries: usize = lived.iter().map(|(_, past)| past.deliveries.len()).sum();
    assert!(deliveries > 5 * HISTORIES as usize, "only {deliveries} deliveries");
}

#[test]
fn the_same_seed_is_the_same_history() {
    let images = Rc::new(Images::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lived = |seed| format!("{:?}", runtime.block_on(live(seed, Rc::clone(&images))));
    for seed in 1..=5 {
        assert_eq!(lived(seed), lived(seed), "{seed}");
    }
}

/// How many deliveries were killed that had set a mark on what is wrong, and had told nobody yet.
fn killed_between(past: &Past) -> usize {
    let world = &past.world;
    let is_between = |(number, delivery): &(usize, &history::Delivery)| {
        let has = |done: &std::cell::RefCell<Vec<usize>>| done.borrow().contains(number);
        let image = world.images.of(&delivery.event.digest).unwrap();
        let is_wrong = !delivery.event.tag.is_empty() && image.is_wrong(&delivery.event.tag, world.declared);
        delivery.is_killed && is_wrong && has(&world.marked) && !has(&world.told)
    };
    past.deliveries.iter().enumerate().filter(is_between).count()
}

fn ignored(past: &Past) -> usize {
    let outcomes = past.deliveries.iter().filter_map(|delivery| delivery.outcome.as_ref()?.as_ref().ok());
    outcomes
        .filter(|report| report.ignored.is_some_and(|why| why.as_str() == "superseded" || why.as_str() == "deleted"))
        .count()
}

/// One delivery tells at most once, and of nothing but its own push, which is wrong and stood when it was read; and it
/// fails only where a call did.
fn every_delivery_holds(past: &Past) {
    let world = &past.world;
    for (number, delivery) in past.deliveries.iter().enumerate() {
        let told = world.told.borrow().iter().filter(|by| **by == number).count();
        let image = world.images.of(&delivery.event.digest).unwrap();
        let is_wrong = !delivery.event.tag.is_empty() && image.is_wrong(&delivery.event.tag, world.declared);
        assert!(told <= 1, "{delivery:?} told {told} times");
        assert!(told == 0 || is_wrong, "a false alarm: {delivery:?}");
        assert!(told == 0 || delivery.was_standing, "the tag has moved on: {delivery:?}");
        let Some(outcome) = &delivery.outcome else {
            assert!(delivery.is_killed, "{delivery:?} has no end");
            continue;
        };
        match outcome {
            Ok(report) => assert_eq!(told == 1, report.needs_notification(), "{delivery:?}"),
            // A deleted image that passes cannot be marked; the next delivery finds out why.
            Err(HandlerError::VerdictTagRefused(_)) => assert!(!past.is_calm, "{delivery:?}"),
            Err(_) => assert!(world.failed.borrow().contains(&number), "{delivery:?}"),
        }
    }
}

/// Nothing has a mark that was not pushed so; and what was pushed and stands has all of its own.
fn marks_hold(past: &Past) {
    let world = &past.world;
    let tags = world.tags.borrow();
    let of = |event: &world::Event| world.images.of(&event.digest).unwrap().marks(&event.tag, world.declared);
    let marks: BTreeSet<String> = tags.keys().filter(|tag| tag.starts_with("preflight-")).cloned().collect();
    let pushed: BTreeSet<String> = past.pushed.iter().flat_map(of).collect();
    let standing: BTreeSet<String> =
        past.pushed.iter().filter(|event| is_standing(world, event)).flat_map(of).collect();
    assert!(marks.is_subset(&pushed), "{:?} were never called for", marks.difference(&pushed));
    assert!(standing.is_subset(&marks), "{:?} are missing", standing.difference(&marks));
    for mark in &marks {
        assert!(mark.ends_with(tags[mark].short()), "{mark} is on another image: {}", tags[mark]);
    }
    if past.is_calm {
        assert_eq!(marks, pushed);
    }
}

/// Of a wrong push that stands, somebody has heard.
fn everybody_is_told(past: &Past) {
    let world = &past.world;
    for event in past.pushed.iter().filter(|event| is_standing(world, event)) {
        let told = world.told.borrow();
        let is_told = told.iter().any(|by| past.deliveries[*by].event == *event);
        let image = world.images.of(&event.digest).unwrap();
        assert_eq!(is_told, image.is_wrong(&event.tag, world.declared), "{event:?}");
    }
}
