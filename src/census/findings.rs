//! Collects what is found while the services are read at the same time.

use std::cell::RefCell;

use super::cache_store::NotStored;
use super::not_read::NotRead;
use crate::consumer::{Consumer, ConsumerService};

/// The most consumers that are kept: twenty times as many as a large account has. Each takes a few hundred bytes, unless its
/// command is long.
const MAX_CONSUMERS: usize = 50_000;

/// What was found in a region.
#[derive(Debug, Default)]
pub struct Census {
    /// What runs images, in a fixed order: by service, name, definition and container.
    pub consumers: Vec<Consumer>,
    /// What could not be read.
    pub not_read: Vec<NotRead>,
    /// What could not be stored in the cache, if that failed.
    pub not_stored: Option<NotStored>,
}

/// Is called with the number of consumers that were found so far.
pub type ProgressReport<'a> = &'a dyn Fn(usize);

/// What was found so far.
pub(super) struct Findings<'a> {
    census: RefCell<Census>,
    progress: ProgressReport<'a>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(progress: ProgressReport<'a>) -> Self {
        Self { census: RefCell::default(), progress }
    }

    /// Adds what runs an image, or records that there are too many.
    pub(super) fn add(&self, consumer: Consumer) {
        let count = {
            let mut census = self.census.borrow_mut();
            if census.consumers.len() < MAX_CONSUMERS {
                census.consumers.push(consumer);
                census.consumers.len()
            } else {
                drop(census);
                self.record_limit(consumer.service, "listing", &format!("{MAX_CONSUMERS} consumers"));
                MAX_CONSUMERS
            }
        };
        (self.progress)(count);
    }

    /// Records a call that failed. Calls that failed for the same reason are counted.
    pub(super) fn record(&self, failure: NotRead) {
        let mut census = self.census.borrow_mut();
        match census.not_read.iter_mut().find(|known| known.is_same_failure(&failure)) {
            Some(known) => known.count += 1,
            None => census.not_read.push(failure),
        }
    }

    /// Records that more exists than is read.
    pub(super) fn record_limit(&self, service: ConsumerService, action: &'static str, limit: &str) {
        self.record(NotRead::beyond_limit(service, action, limit));
    }

    /// Returns everything in a fixed order.
    pub(super) fn finish(self, not_stored: Option<NotStored>) -> Census {
        let mut census = Census { not_stored, ..self.census.into_inner() };
        census.consumers.sort_by(|one, other| {
            let key = |consumer: &Consumer| {
                let Consumer { service, name, definition, container, image, .. } = consumer;
                (*service, name.clone(), definition.clone(), container.clone(), image.clone())
            };
            key(one).cmp(&key(other))
        });
        census.not_read.sort_by_key(|failure| (failure.service, failure.action));
        census
    }
}
