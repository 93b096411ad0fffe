//! The table of images, as the handler of events uses it.

use crate::aws::service_error::CallError;
use crate::consumer::ConsumerLookup;
use crate::name::Repository;
use crate::table::{NotifiedState, Table, TagMoment, TagRecord};

/// Knows what runs images, and what was reported about their tags.
pub trait ImageTable {
    /// See [`Table::look_up`].
    ///
    /// # Errors
    /// A call failed.
    fn look_up(&self, repository: &Repository, now: u64) -> impl Future<Output = Result<ConsumerLookup, CallError>>;

    /// See [`Table::record_tag`].
    ///
    /// # Errors
    /// The call failed.
    fn record_tag(&self, reference: &str, moment: &TagMoment) -> impl Future<Output = Result<TagRecord, CallError>>;

    /// See [`Table::record_notified`].
    ///
    /// # Errors
    /// The call failed.
    fn record_notified(&self, reference: &str, notified: &NotifiedState)
    -> impl Future<Output = Result<(), CallError>>;

    /// See [`Table::resolve`].
    ///
    /// # Errors
    /// The call failed.
    fn resolve(&self, reference: &str, digest: &str, event_id: &str) -> impl Future<Output = Result<bool, CallError>>;
}

impl ImageTable for Table {
    async fn look_up(&self, repository: &Repository, now: u64) -> Result<ConsumerLookup, CallError> {
        Self::look_up(self, repository, now).await
    }

    async fn record_tag(&self, reference: &str, moment: &TagMoment) -> Result<TagRecord, CallError> {
        Self::record_tag(self, reference, moment).await
    }

    async fn record_notified(&self, reference: &str, notified: &NotifiedState) -> Result<(), CallError> {
        Self::record_notified(self, reference, notified).await
    }

    async fn resolve(&self, reference: &str, digest: &str, event_id: &str) -> Result<bool, CallError> {
        Self::resolve(self, reference, digest, event_id).await
    }
}
