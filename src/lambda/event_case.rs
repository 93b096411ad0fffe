//! What an event is about, and what becomes of its message.

use std::time::Duration;

use super::event_ledger::EventLedger;
use super::stopped_task::StoppedTask;
use crate::event::Arrival;

/// The delay before the second check of an image that is missing or incomplete, or has lost its tag: an event may
/// arrive before its image can be read, and an image may be deleted while it is read.
pub(super) const RECHECK_DELAY: Duration = Duration::from_millis(500);

/// What an event is about.
#[derive(Debug)]
pub(super) struct EventCase<'a, Images> {
    pub(super) arrival: &'a Arrival,
    pub(super) stopped: Option<&'a StoppedTask>,
    pub(super) ledger: &'a EventLedger<'a, Images>,
}

impl<Images> Clone for EventCase<'_, Images> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Images> Copy for EventCase<'_, Images> {}

/// What became of the message about an image.
pub(super) enum Notification {
    NotNeeded,
    Sent,
    /// The same message was sent before, because of the event with this ID.
    DuplicateOf(String),
}
