//! Hands out what does not change while it is read, so that a census that is interrupted loses at most one batch.

use std::cell::RefCell;

use futures_util::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::{CacheEntry, CensusCache, EntryKind};
use crate::aws::service_error::CallError;

/// How many entries are stored at once: the most that `BatchWriteItem` of Amazon `DynamoDB` accepts.
const ENTRIES_PER_BATCH: usize = 25;

/// After how many failures in a row nothing more is stored. Each takes the retries of a client, while the census waits.
const MAX_FAILURES: usize = 3;

/// Stores what does not change until the next census.
pub trait CacheStore {
    /// Stores at most 25 entries.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether all of them were stored. They are read again by the next census.
    fn store(&self, entries: Vec<CacheEntry>) -> impl Future<Output = Result<(), CallError>>;
}

/// Stores nothing.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct NoStore;

impl CacheStore for NoStore {
    async fn store(&self, _entries: Vec<CacheEntry>) -> Result<(), CallError> {
        Ok(())
    }
}

/// Entries that could not be stored: the next census reads them again.
#[derive(Debug, thiserror::Error)]
#[error("{entries} entries of the census could not be stored")]
pub struct NotStored {
    /// How many there are.
    pub entries: usize,
    /// The first failure.
    pub source: CallError,
}

/// A cache, and where new entries go.
pub(super) struct CacheSession<'a, S> {
    known: &'a CensusCache,
    store: &'a S,
    /// The batch that is collected. It is locked while one is stored, so that no second one can be lost with it.
    batch: Mutex<Vec<CacheEntry>>,
    outcome: RefCell<Outcome>,
}

/// How storing went.
#[derive(Default)]
struct Outcome {
    not_stored: Option<NotStored>,
    failures_in_a_row: usize,
}

impl<'a, S: CacheStore> CacheSession<'a, S> {
    pub(super) fn new(known: &'a CensusCache, store: &'a S) -> Self {
        Self { known, store, batch: Mutex::default(), outcome: RefCell::default() }
    }

    /// Returns what is known; `None` if it has to be read.
    pub(super) fn find<T: DeserializeOwned>(&self, kind: EntryKind, key: &str) -> Option<T> {
        self.known.find(kind, key)
    }

    /// Adds what was read, and stores a batch if it is complete.
    pub(super) async fn add(&self, kind: EntryKind, key: &str, value: &impl Serialize) {
        let Some(entry) = CacheEntry::new(kind, key, value) else { return };
        let mut batch = self.batch.lock().await;
        batch.push(entry);
        if batch.len() >= ENTRIES_PER_BATCH {
            self.store(std::mem::take(&mut *batch)).await;
        }
    }

    /// Stores the last batch, and returns what could not be stored.
    pub(super) async fn finish(self) -> Option<NotStored> {
        let batch = std::mem::take(&mut *self.batch.lock().await);
        if !batch.is_empty() {
            self.store(batch).await;
        }
        self.outcome.into_inner().not_stored
    }

    async fn store(&self, batch: Vec<CacheEntry>) {
        let count = batch.len();
        let is_refused = self.outcome.borrow().failures_in_a_row >= MAX_FAILURES;
        let result = if is_refused { None } else { Some(self.store.store(batch).await) };
        let mut outcome = self.outcome.borrow_mut();
        match result {
            Some(Ok(())) => {
                outcome.failures_in_a_row = 0;
                return;
            }
            Some(Err(source)) => {
                outcome.failures_in_a_row += 1;
                outcome.not_stored.get_or_insert(NotStored { entries: 0, source });
            }
            None => {}
        }
        if let Some(not_stored) = &mut outcome.not_stored {
            not_stored.entries += count;
        }
    }
}
