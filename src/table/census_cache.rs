//! The cache of the census: what it read and what never changes.

use super::client::Table;
use super::item::{CACHE, Item, number, text};
use super::write::put;
use crate::aws::service_error::CallError;
use crate::census::{CacheEntry, CacheStore, CensusCache};
use crate::name::Digest;

/// How long an entry is kept, in seconds: 30 days. Then it is read again, so that what nothing uses any more is forgotten.
const KEPT_SECONDS: u64 = 30 * 86_400;

impl Table {
    /// Reads the cache.
    ///
    /// # Errors
    /// A call failed.
    pub async fn read_cache(&self) -> Result<CensusCache, CallError> {
        let mut cache = CensusCache::default();
        self.read_partition(CACHE, |item| {
            if let Some(entry) = parse_entry(&item) {
                cache.insert(entry);
            }
        })
        .await?;
        Ok(cache)
    }
}

/// Stores what the census reads at this time.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct TableCache<'a> {
    /// The table.
    pub table: &'a Table,
    /// The time in seconds since 1970.
    pub now: u64,
}

impl CacheStore for TableCache<'_> {
    async fn store(&self, entries: Vec<CacheEntry>) -> Result<(), CallError> {
        let expires = self.now + KEPT_SECONDS;
        let items = entries.into_iter().map(|CacheEntry { kind, key, value }| {
            // A sort key has at most 1,024 bytes.
            let sort_key = format!("{kind}#{}", Digest::of(key.as_bytes()).hex());
            put([
                ("pk", text(CACHE)),
                ("sk", text(sort_key)),
                ("kind", text(kind)),
                ("key", text(key)),
                ("value", text(value)),
                ("expiresAt", number(expires)),
            ])
        });
        self.table.write(items.collect()).await
    }
}

fn parse_entry(item: &Item) -> Option<CacheEntry> {
    let attribute = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(CacheEntry { kind: attribute("kind")?, key: attribute("key")?, value: attribute("value")? })
}
