//! The same with a table: what runs the images changes too, two processes of the function handle the events, and messages are
//! sent once and resolved.

mod delivery;
mod history;
mod invariants;
mod oracle;
mod process;
mod sent;
mod table_state;
mod world;

use std::rc::Rc;

use self::delivery::Delivery;
use self::history::{History, simulate};
use self::invariants::{TagMessages, check_messages, check_outcomes, check_threads};
use super::images::Images;
use super::{SeedOnPanic, simulate_all};

/// The number of histories.
const HISTORIES: u64 = 2000;

#[test]
fn messages_are_sent_once_and_resolved_whatever_happens() {
    let histories = simulate_all(HISTORIES, simulate);
    for (seed, history) in &histories {
        let guard = SeedOnPanic(*seed);
        check_outcomes(history);
        check_messages(history);
        check_threads(history);
        for messages in TagMessages::of(history) {
            messages.check_repetitions();
            messages.check_resolutions();
            messages.check_end();
        }
        drop(guard);
    }
    // The random histories cover what they are meant to show.
    let count = |holds: fn(&History) -> bool| histories.iter().filter(|(_, history)| holds(history)).count();
    let often = HISTORIES as usize / 10;
    for (what, histories) in [
        ("in which nothing happens at once", count(|history| history.is_sequential)),
        ("in which consumers are required", count(|history| history.is_required)),
        ("with reports", count(|history| resolving(history) < history.world.sent.borrow().len())),
        ("with messages that resolve", count(|history| resolving(history) > 0)),
        ("with a suppressed repetition", count(|history| any(history, is_suppressed))),
        ("with a report because of what runs the image", count(|history| any(history, is_report_of_change))),
        ("with failed calls to the table", count(|history| !history.world.table_failed.borrow().is_empty())),
        ("with failed lookups", count(|history| !history.world.lookups_failed.borrow().is_empty())),
        ("with a killed delivery", count(|history| any(history, |_, _, delivery| delivery.is_killed))),
        ("with a late delivery", count(|history| any(history, |_, _, delivery| delivery.is_late))),
    ] {
        assert!(histories > often, "only {histories} histories are {what}");
    }
    // These are rarer, but must occur.
    let now_and_then = HISTORIES as usize / 200;
    for (what, histories) in [
        (
            "with nothing but repeated and reordered deliveries, which resolve",
            count(|history| is_strict(history) && resolving(history) > 0),
        ),
        (
            "with a delivery killed between message and record",
            count(|history| {
                any(history, |history, number, delivery| delivery.is_killed && is_unrecorded(history, number))
            }),
        ),
        (
            "with a message whose record failed",
            count(|history| {
                any(history, |history, number, delivery| delivery.outcome.is_some() && is_unrecorded(history, number))
            }),
        ),
        ("with something that is reported again after it was resolved", count(is_reported_again)),
        ("with something in the failure queue", count(|history| history.in_failure_queue > 0)),
    ] {
        assert!(histories > now_and_then, "only {histories} histories are {what}");
    }
}

#[test]
fn same_seed_gives_the_same_history_with_a_table() {
    let images = Rc::new(Images::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let text_of = |seed| format!("{:?}", runtime.block_on(simulate(seed, Rc::clone(&images))).world.sent);
    for seed in 1..=5 {
        assert_eq!(text_of(seed), text_of(seed), "{seed}");
    }
}

/// Whether nothing failed or was killed, and nothing happened during a delivery.
fn is_strict(history: &History) -> bool {
    history.is_sequential && history.world.ecr.failed.borrow().is_empty() && !any(history, |_, _, it| it.is_killed)
}

/// How many messages resolve an earlier one.
fn resolving(history: &History) -> usize {
    history.world.sent.borrow().iter().filter(|message| message.resolves).count()
}

fn any(history: &History, holds: fn(&History, usize, &Delivery) -> bool) -> bool {
    history.deliveries.iter().enumerate().any(|(number, delivery)| holds(history, number, delivery))
}

fn has_sent(history: &History, number: usize) -> bool {
    history.world.sent.borrow().iter().any(|message| message.by == number)
}

/// Whether a delivery found something wrong and did not report it, because it was reported before.
fn is_suppressed(history: &History, number: usize, delivery: &Delivery) -> bool {
    let needs_message = matches!(&delivery.outcome, Some(Ok(report)) if report.needs_notification());
    needs_message && !has_sent(history, number)
}

/// Whether a message was sent, but not recorded.
fn is_unrecorded(history: &History, number: usize) -> bool {
    has_sent(history, number) && !history.world.recorded.borrow().contains(&number)
}

/// Whether a change of what runs a tag led to a report.
fn is_report_of_change(history: &History, number: usize, delivery: &Delivery) -> bool {
    let is_report = |message: &sent::Sent| message.by == number && !message.resolves;
    delivery.event.digest.is_none() && history.world.sent.borrow().iter().any(is_report)
}

/// Whether the same was reported before and after something was resolved.
fn is_reported_again(history: &History) -> bool {
    let sent = history.world.sent.borrow();
    let same = |one: &sent::Sent, other: &sent::Sent| (&one.tag, &one.content) == (&other.tag, &other.content);
    sent.iter().enumerate().filter(|(_, message)| message.resolves).any(|(at, message)| {
        let earlier = sent[..at].iter().filter(|earlier| earlier.tag == message.tag && !earlier.resolves);
        earlier.into_iter().any(|earlier| sent[at..].iter().any(|later| same(earlier, later)))
    })
}
