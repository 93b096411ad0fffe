//! What holds in every history: for each delivery, and for the messages about each tag in the order in which they were sent.

use std::collections::BTreeSet;

use ecr_preflight::lambda::handler::HandlerError;

use super::delivery::Delivery;
use super::history::{History, TagState};
use super::oracle::{ConsumerKind, TAGS, failing};
use super::sent::Sent;
use super::world::CONSUMED_TAG;

/// A delivery fails only if a call failed, or if a tag was refused because the image was deleted meanwhile. If consumers are
/// required, it fails if they could not be read. It sends at most one message, and only if it did not find a reason to ignore
/// its event.
pub fn check_outcomes(history: &History) {
    let world = &history.world;
    let (failed, lookups_failed) = (world.ecr.failed.borrow(), world.lookups_failed.borrow());
    for (number, delivery) in history.deliveries.iter().enumerate() {
        let sent = world.sent.borrow().iter().filter(|message| message.by == number).count();
        assert!(sent <= 1, "{delivery:?} sent {sent} messages");
        assert_eq!(delivery.outcome.is_none(), delivery.is_killed, "{delivery:?} did not end");
        match &delivery.outcome {
            Some(Ok(report)) => {
                assert!(sent == 0 || report.ignored.is_none(), "{delivery:?}");
                // What is ignored needs no consumers, and an image that is checked again is judged by the second lookup.
                let is_known = report.consumers.as_ref().is_some_and(|consumers| consumers.known);
                assert!(
                    !history.is_required || !lookups_failed.contains(&number) || report.ignored.is_some() || is_known,
                    "consumers are unknown: {delivery:?}"
                );
            }
            Some(Err(HandlerError::VerdictTagRefused(_))) => assert!(delivery.is_disturbed, "{delivery:?}"),
            Some(Err(HandlerError::ConsumersUnknown(_))) => assert!(history.is_required, "{delivery:?}"),
            Some(Err(_)) => assert!(failed.contains(&number), "{delivery:?}"),
            None => {}
        }
    }
}

/// A message is about the tag of its event and about an image that the tag pointed at during the delivery. What it reports is
/// what is wrong with this image; it resolves only if nothing is. What runs the image may have changed during the delivery.
pub fn check_messages(history: &History) {
    let ecr = &history.world.ecr;
    for message in history.world.sent.borrow().iter() {
        let delivery = &history.deliveries[message.by];
        assert_eq!(message.tag, delivery.event.tag);
        assert!(delivery.digests.contains(&message.digest), "the tag has moved on: {message:?} {delivery:?}");
        let is_unknown = history.world.lookups_failed.borrow().contains(&message.by);
        assert!(!message.resolves || !is_unknown, "who knows what runs it: {message:?}");
        assert_eq!(message.resolves, message.failing.is_empty(), "{message:?}");
        let expects = |consumers: &[_]| {
            let expected = failing(&ecr.images, Some(&message.digest), &message.tag, ecr.declared, consumers);
            expected.as_ref() == Some(&message.failing)
        };
        let is_expected = delivery.consumers.iter().any(|consumers| expects(consumers)) || is_unknown && expects(&[]);
        // An event came before its image was visible, and when the image was read again, it was just being deleted.
        let is_torn = delivery.is_disturbed && message.content.contains("its config is not in the repository");
        assert!(is_expected || is_torn, "{message:?} {delivery:?}");
    }
}

/// All messages about a tag are in one thread, which is that of no other tag.
pub fn check_threads(history: &History) {
    let sent = history.world.sent.borrow();
    let of = |parts: fn(&Sent) -> (&str, &str)| sent.iter().map(parts).collect::<BTreeSet<_>>().len();
    let threads = of(|message| (&message.tag, &message.thread));
    assert_eq!((threads, threads), (of(|message| (&message.tag, "")), of(|message| ("", &message.thread))), "{sent:?}");
}

/// The messages about one tag, in the order in which they were sent.
pub struct TagMessages<'a> {
    history: &'a History,
    tag: &'static str,
    sent: Vec<Sent>,
}

impl<'a> TagMessages<'a> {
    /// Those of each tag.
    pub fn of(history: &'a History) -> impl Iterator<Item = Self> {
        TAGS.into_iter().map(move |tag| {
            let sent = history.world.sent.borrow().iter().filter(|message| message.tag == tag).cloned().collect();
            Self { history, tag, sent }
        })
    }

    fn reports(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|message| !message.resolves)
    }

    /// The deliveries about the tag that were in progress in this time.
    fn deliveries(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, &Delivery)> {
        let is_meant = move |(_, delivery): &(usize, &Delivery)| {
            delivery.event.tag == self.tag && delivery.started <= to && delivery.ended.is_none_or(|ended| ended >= from)
        };
        self.history.deliveries.iter().enumerate().filter(is_meant)
    }

    /// Whether something went on that the messages of this time may be due to: a call of a delivery about the tag failed, or
    /// the delivery was killed, or the tag changed or another delivery about it went on at the same time. Or a later event
    /// about the tag had been delivered before: then the table takes the image for one that the tag no longer points at. If
    /// something else was reported about the tag, it does not record this report, and the next event about the image repeats
    /// it. (An image is pushed, another, and the first again; and the event of its first push is delivered after that of the
    /// other.)
    fn has_cause(&self, from: usize, to: usize) -> bool {
        let failed = self.history.world.ecr.failed.borrow();
        self.deliveries(from, to).any(|(number, delivery)| {
            failed.contains(&number) || delivery.is_killed || delivery.is_disturbed || delivery.is_late
        })
    }

    /// Whether the tag was always in the same state in this time.
    fn is_unchanged(&self, from: usize, to: usize) -> bool {
        !self.history.states.iter().any(|(since, tag, _)| *tag == self.tag && *since > from && *since <= to)
    }

    /// What is reported is not repeated while it stays wrong, except for a cause.
    pub fn check_repetitions(&self) {
        let reports: Vec<&Sent> = self.reports().collect();
        for (at, later) in reports.iter().enumerate() {
            let is_same = |earlier: &&&Sent| (&earlier.digest, &earlier.content) == (&later.digest, &later.content);
            let Some(earlier) = reports[..at].iter().rev().find(is_same) else { continue };
            let is_allowed = !self.is_unchanged(earlier.step, later.step) || self.has_cause(earlier.step, later.step);
            assert!(is_allowed, "{later:?} repeats {earlier:?}");
        }
    }

    /// Something is resolved only if something was reported before, and once for each report, except for a cause.
    pub fn check_resolutions(&self) {
        let (mut is_open, mut resolved_at) = (false, None);
        for message in &self.sent {
            if message.resolves {
                let is_first = resolved_at.is_none();
                assert!(is_open || !is_first, "nothing was reported: {message:?}");
                let has_cause = || resolved_at.is_some_and(|resolved_at| self.has_cause(resolved_at, message.step));
                assert!(is_open || has_cause(), "resolved twice: {message:?}");
                resolved_at = Some(message.step);
            }
            is_open = !message.resolves;
        }
    }

    /// When everything was delivered, people know what is wrong with the tag, and that nothing is.
    pub fn check_end(&self) {
        let Some(TagState { digest: Some(digest), failing: Some(failing), .. }) =
            self.history.state_at(self.tag, usize::MAX)
        else {
            return;
        };
        if failing.is_empty() {
            let Some(last) = self.sent.last().filter(|last| !last.resolves) else { return };
            // Where a consumer runs now is unknown, so nobody knows whether the fault is over.
            let consumers = self.history.world.consumers.borrow();
            if self.tag == CONSUMED_TAG && consumers.contains(&ConsumerKind::Unknown) {
                return;
            }
            assert!(self.has_cause(last.step, usize::MAX), "not resolved: {last:?}");
            return;
        }
        let lookups_failed = self.history.world.lookups_failed.borrow();
        let is_meant = |(_, tag, _): &&(usize, &str, _)| *tag == self.tag;
        let since = self.history.states.iter().rfind(is_meant).map_or(0, |(since, ..)| *since);
        let is_unknown = self.deliveries(since, usize::MAX).any(|(number, _)| lookups_failed.contains(&number));
        // The image was judged without what runs it, and the report said so.
        if is_unknown && !self.history.is_required {
            return;
        }
        let report = self.reports().filter(|message| message.digest == *digest && message.failing == *failing).last();
        let report = report.unwrap_or_else(|| panic!("{digest} under {} was not reported: {failing:?}", self.tag));
        let resolved = self.sent.iter().find(|message| message.resolves && message.step > report.step);
        let is_disturbed = || self.deliveries(report.step, usize::MAX).any(|(_, delivery)| delivery.is_disturbed);
        assert!(resolved.is_none() || is_disturbed(), "{report:?} was resolved, but is true again: {resolved:?}");
    }
}
