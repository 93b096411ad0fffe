//! The ledger of one event: reads from the table what runs the image, and records the image of the tag.

use std::cell::RefCell;

use super::image_table::ImageTable;
use super::log::unix_time;
use crate::check::ImageLedger;
use crate::consumer::ConsumerLookup;
use crate::event::Arrival;
use crate::name::{Digest, Repository};
use crate::report::{PreviousImage, Report};
use crate::table::{TagMoment, TagRecord};
use crate::text::error_chain;

/// The ledger of one event.
#[derive(Debug)]
pub(super) struct EventLedger<'a, T> {
    table: Option<&'a T>,
    repository: &'a Repository,
    /// What identifies the image in the table: its reference, or what has stopped.
    key: String,
    /// The ID of the event.
    event_id: &'a str,
    /// The time of the event, in seconds since 1970.
    at: u64,
    /// The present time, in seconds since 1970.
    now: u64,
    /// Whether consumers count. If only one is checked, the others do not.
    looks_up: bool,
    /// Why it is not known what runs the image.
    pub(super) lookup_error: RefCell<Option<String>>,
    record: RefCell<Option<(TagRecord, TagMoment)>>,
}

impl<'a, T: ImageTable> EventLedger<'a, T> {
    /// Creates the ledger of an event about the image with this key. `at` is the time of the event.
    pub(super) fn new(table: Option<&'a T>, arrival: &'a Arrival, key: String, looks_up: bool, at: u64) -> Self {
        Self {
            table,
            repository: &arrival.repository,
            key,
            event_id: &arrival.event_id,
            at,
            now: unix_time().as_secs(),
            looks_up,
            lookup_error: RefCell::default(),
            record: RefCell::default(),
        }
    }

    /// Returns what is known about the tag; `None` if nothing is, because there is no table, it failed, or no image was read.
    pub(super) fn tag_record(&self) -> Option<TagRecord> {
        self.record.borrow().as_ref().map(|(record, _)| record.clone())
    }

    pub(super) fn table(&self) -> Option<&'a T> {
        self.table
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Adds to the report what the tag pointed at before.
    pub(super) fn add_previous(&self, report: &mut Report) {
        let record = self.record.borrow();
        let Some((TagRecord { is_current: true, since, previous: Some(previous), .. }, moment)) = record.as_ref()
        else {
            return;
        };
        let digest = previous.digest.parse::<Digest>().ok().filter(|digest| digest.as_str() != moment.digest);
        let describe = |digest| PreviousImage::new(digest, &previous.platforms, *since);
        report.previous = digest.map(describe);
    }
}

impl<T: ImageTable> ImageLedger for EventLedger<'_, T> {
    async fn look_up_consumers(&self) -> ConsumerLookup {
        let Some(table) = self.table.filter(|_| self.looks_up) else { return ConsumerLookup::NotRead };
        let lookup = match Box::pin(table.look_up(self.repository, self.now)).await {
            Ok(lookup) => lookup,
            Err(error) => ConsumerLookup::Failed(error_chain(&error)),
        };
        let reason = if let ConsumerLookup::Failed(reason) = &lookup { Some(reason.clone()) } else { None };
        if let Some(reason) = &reason {
            tracing::warn!(reason, "what runs the image is unknown");
        }
        // If the image is checked again, the last answer counts.
        *self.lookup_error.borrow_mut() = reason;
        lookup
    }

    async fn record(&self, digest: &Digest, platforms: Vec<String>) {
        let Some(table) = self.table else { return };
        let moment =
            TagMoment { digest: digest.to_string(), platforms, since: self.at, event_id: self.event_id.to_owned() };
        match Box::pin(table.record_tag(&self.key, &moment)).await {
            Ok(record) => *self.record.borrow_mut() = Some((record, moment)),
            // Then only this process knows what it reported.
            Err(error) => tracing::error!(error = error_chain(&error), "the tag was not recorded"),
        }
    }
}
