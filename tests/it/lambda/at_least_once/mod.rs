//! `EventBridge` delivers at least once and in any order, and Lambda retries failures. Whatever happens, verdict tags
//! match what was pushed, and people are notified of wrong images and of nothing else.

mod changes;
mod fake_ecr;
mod history;
mod images;
mod polling;
mod with_table;

use std::collections::BTreeSet;
use std::rc::Rc;

use ecr_preflight::lambda::handler::HandlerError;
use futures_util::future::join_all;

use self::history::{History, is_current, simulate};
use self::images::Images;

/// The number of histories.
const HISTORIES: u64 = 3000;

/// The seed of the first history.
const SEED: u64 = 1;

/// Prints the seed of a history whose check panics.
struct SeedOnPanic(u64);

impl Drop for SeedOnPanic {
    #[allow(clippy::print_stderr, reason = "in addition to the assertion")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the checks of the history with seed {} failed", self.0);
        }
    }
}

/// Simulates the histories of this many seeds, all at once, so that they sleep at the same time.
fn simulate_all<H>(count: u64, simulate: impl AsyncFn(u64, Rc<Images>) -> H) -> Vec<(u64, H)> {
    let images = Rc::new(Images::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let one = async |seed| (seed, simulate(seed, Rc::clone(&images)).await);
    runtime.block_on(join_all((SEED..SEED + count).map(one)))
}

#[test]
fn redelivery_and_reordering_do_no_harm() {
    let histories = simulate_all(HISTORIES, simulate);
    for (seed, history) in &histories {
        let guard = SeedOnPanic(*seed);
        check_deliveries(history);
        check_verdict_tags(history);
        check_notifications(history);
        drop(guard);
    }
    // The random histories cover what they are meant to show.
    let count = |holds: fn(&History) -> bool| histories.iter().filter(|(_, history)| holds(history)).count();
    let often = HISTORIES as usize / 10;
    for (what, histories) in [
        ("undisturbed", count(|history| history.is_undisturbed && history.pushed.len() > 1)),
        ("with moved tags or deletions", count(|history| !history.is_undisturbed)),
        ("with concurrent deliveries", count(|history| history.max_concurrent > 1)),
        ("with failures", count(|history| !history.ecr.failed.borrow().is_empty())),
        ("with messages", count(|history| !history.ecr.notified.borrow().is_empty())),
        ("with something ignored", count(|history| ignored(history) > 0)),
        ("with a killed delivery", count(|history| history.deliveries.iter().any(|delivery| delivery.is_killed))),
    ] {
        assert!(histories > often, "only {histories} histories are {what}");
    }
    // These are rarer, but must occur.
    let now_and_then = HISTORIES as usize / 200;
    for (what, histories) in [
        ("with a delivery killed between tag and message", count(|history| killed_before_notifying(history) > 0)),
        ("with something in the failure queue", count(|history| history.in_failure_queue > 0)),
        ("with a config deleted with its image", count(|history| history.ecr.missing_configs.get() > 0)),
        ("with an event that came too early", count(|history| history.ecr.too_early.get() > 0)),
        ("with an image that is gone before it is tagged", count(|history| history.ecr.gone_before_tag.get() > 0)),
        ("with a message that is not repeated", count(|history| history.ecr.notified.borrow().len() < needed(history))),
    ] {
        assert!(histories > now_and_then, "only {histories} histories are {what}");
    }
    let deliveries: usize = histories.iter().map(|(_, history)| history.deliveries.len()).sum();
    assert!(deliveries > 5 * HISTORIES as usize, "only {deliveries} deliveries");
}

#[test]
fn same_seed_gives_the_same_history() {
    let images = Rc::new(Images::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let text_of = |seed| format!("{:?}", runtime.block_on(simulate(seed, Rc::clone(&images))));
    for seed in 1..=5 {
        assert_eq!(text_of(seed), text_of(seed), "{seed}");
    }
}

/// How many deliveries were killed after they tagged a wrong image and before they notified anybody.
fn killed_before_notifying(history: &History) -> usize {
    let ecr = &history.ecr;
    let is_between = |(number, delivery): &(usize, &history::Delivery)| {
        let has = |done: &std::cell::RefCell<Vec<usize>>| done.borrow().contains(number);
        let image = ecr.images.of(&delivery.event.digest).unwrap();
        let is_wrong = !delivery.event.tag.is_empty() && image.is_wrong(&delivery.event.tag, ecr.declared);
        delivery.is_killed && is_wrong && has(&ecr.tagged_by) && !has(&ecr.notified)
    };
    history.deliveries.iter().enumerate().filter(is_between).count()
}

/// How many deliveries had something to notify people of.
fn needed(history: &History) -> usize {
    let outcomes = history.deliveries.iter().filter_map(|delivery| delivery.outcome.as_ref()?.as_ref().ok());
    outcomes.filter(|report| report.needs_notification()).count()
}

fn ignored(history: &History) -> usize {
    let outcomes = history.deliveries.iter().filter_map(|delivery| delivery.outcome.as_ref()?.as_ref().ok());
    outcomes
        .filter(|report| report.ignored.is_some_and(|why| why.as_str() == "superseded" || why.as_str() == "deleted"))
        .count()
}

/// A delivery notifies at most once, only of its own push, only if the image is wrong and was current when it was read;
/// and it fails only if a call failed.
fn check_deliveries(history: &History) {
    let ecr = &history.ecr;
    for (number, delivery) in history.deliveries.iter().enumerate() {
        let notified = ecr.notified.borrow().iter().filter(|by| **by == number).count();
        let image = ecr.images.of(&delivery.event.digest).unwrap();
        let is_wrong = !delivery.event.tag.is_empty() && image.is_wrong(&delivery.event.tag, ecr.declared);
        assert!(notified <= 1, "{delivery:?} notified {notified} times");
        assert!(notified == 0 || is_wrong, "a false alarm: {delivery:?}");
        assert!(notified == 0 || delivery.was_current, "the tag has moved on: {delivery:?}");
        let Some(outcome) = &delivery.outcome else {
            assert!(delivery.is_killed, "{delivery:?} did not end");
            continue;
        };
        match outcome {
            Ok(report) if notified == 0 && report.needs_notification() => {
                let mut others = ecr.notified.borrow().clone().into_iter();
                assert!(others.any(|by| history.deliveries[by].event == delivery.event), "no duplicate: {delivery:?}");
            }
            Ok(report) => assert_eq!(notified == 1, report.needs_notification(), "{delivery:?}"),
            // A deleted image that passes cannot be tagged; the next delivery finds out why.
            Err(HandlerError::VerdictTagRefused(_)) => assert!(!history.is_undisturbed, "{delivery:?}"),
            Err(_) => assert!(ecr.failed.borrow().contains(&number), "{delivery:?}"),
        }
    }
}

/// Every verdict tag belongs to a push, and every current push has all of its verdict tags.
fn check_verdict_tags(history: &History) {
    let ecr = &history.ecr;
    let tags = ecr.tags.borrow();
    let of = |event: &fake_ecr::Event| ecr.images.of(&event.digest).unwrap().verdict_tags(&event.tag, ecr.declared);
    let verdict_tags: BTreeSet<String> = tags.keys().filter(|tag| tag.starts_with("preflight-")).cloned().collect();
    let pushed: BTreeSet<String> = history.pushed.iter().flat_map(of).collect();
    let current_tags: BTreeSet<String> =
        history.pushed.iter().filter(|event| is_current(ecr, event)).flat_map(of).collect();
    assert!(verdict_tags.is_subset(&pushed), "{:?} are not expected", verdict_tags.difference(&pushed));
    assert!(current_tags.is_subset(&verdict_tags), "{:?} are missing", current_tags.difference(&verdict_tags));
    for tag in &verdict_tags {
        assert!(tag.ends_with(&tags[tag].hex()[..16]), "{tag} is on another image: {}", tags[tag]);
    }
    if history.is_undisturbed {
        assert_eq!(verdict_tags, pushed);
    }
}

/// People were notified of every wrong push that is current.
fn check_notifications(history: &History) {
    let ecr = &history.ecr;
    for event in history.pushed.iter().filter(|event| is_current(ecr, event)) {
        let notified = ecr.notified.borrow();
        let is_notified = notified.iter().any(|by| history.deliveries[*by].event == *event);
        let image = ecr.images.of(&event.digest).unwrap();
        assert_eq!(is_notified, image.is_wrong(&event.tag, ecr.declared), "{event:?}");
    }
}
