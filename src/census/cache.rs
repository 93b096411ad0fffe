//! What earlier censuses read and what does not change: task definitions, and the images of functions.
//!
//! The caller keeps the entries between two censuses. It needs no types for them: an entry is a key and a JSON value.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most memory that the entries of a cache use, in bytes. A task definition takes a few hundred bytes, so this is enough
/// for the most task definitions and functions that are read, unless their commands are long.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What an entry takes in memory in addition to its texts: two strings and their place in the map.
const ENTRY_OVERHEAD: usize = 96;

/// The longest value of an entry, in bytes. Amazon `DynamoDB` stores items of at most 400 KB, with the names of attributes
/// and the key ("Quotas in Amazon `DynamoDB`" in its developer guide).
const MAX_VALUE: usize = 300 * 1024;

/// The kinds of entries. The number is that of the format: an entry with another one is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum EntryKind {
    /// A task definition, by its ARN.
    TaskDefinition,
    /// The image of a function, by the ARN of the function.
    FunctionImage,
}

impl EntryKind {
    /// Returns the name in [`CacheEntry::kind`].
    fn as_str(self) -> &'static str {
        match self {
            Self::TaskDefinition => "task-definition/1",
            Self::FunctionImage => "function-image/1",
        }
    }

    fn find(name: &str) -> Option<Self> {
        [Self::TaskDefinition, Self::FunctionImage].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Something that does not change, to be stored between two censuses. A new entry replaces one with the same kind and key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct CacheEntry {
    /// What it is, with the version of its format.
    pub kind: String,
    /// The ARN of what was read.
    pub key: String,
    /// What is kept of it, as JSON. Values of environment variables are not, except that of `PATH`.
    pub value: String,
}

impl CacheEntry {
    /// Creates an entry; `None` if it is too large to be stored.
    pub(super) fn new(kind: EntryKind, key: &str, value: &impl Serialize) -> Option<Self> {
        let value = serde_json::to_string(value).ok().filter(|value| value.len() <= MAX_VALUE)?;
        Some(Self { kind: kind.as_str().to_owned(), key: key.to_owned(), value })
    }
}

/// What is known from earlier censuses.
#[derive(Debug, Default)]
pub struct CensusCache {
    values: HashMap<(EntryKind, String), String>,
    /// The memory that they use.
    bytes: usize,
}

impl CensusCache {
    /// Adds an entry. One of another version is ignored, and one that exceeds the memory of the cache too: what it is about
    /// is read again.
    pub fn insert(&mut self, entry: CacheEntry) {
        let Some(kind) = EntryKind::find(&entry.kind) else { return };
        let size = |key: &str, value: &str| ENTRY_OVERHEAD + key.len() + value.len();
        let (key, value) = (entry.key, entry.value);
        let added = size(&key, &value);
        let key = (kind, key);
        let replaced = self.values.get(&key).map_or(0, |known| size(&key.1, known));
        let bytes = self.bytes - replaced + added;
        if bytes <= MAX_BYTES {
            self.bytes = bytes;
            self.values.insert(key, value);
        }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the value of an entry; `None` if there is none, or if it cannot be parsed.
    pub(super) fn find<T: DeserializeOwned>(&self, kind: EntryKind, key: &str) -> Option<T> {
        serde_json::from_str(self.values.get(&(kind, key.to_owned()))?).ok()
    }
}

impl FromIterator<CacheEntry> for CensusCache {
    fn from_iter<I: IntoIterator<Item = CacheEntry>>(entries: I) -> Self {
        let mut cache = Self::default();
        entries.into_iter().for_each(|entry| cache.insert(entry));
        cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, key: &str, value: &str) -> CacheEntry {
        CacheEntry { kind: kind.to_owned(), key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn entries_of_other_versions_are_ignored() {
        for (kind, value, expected) in [
            ("task-definition/1", "[7]", Some(vec![7])),
            ("task-definition/2", "[7]", None),
            ("task-definition", "[7]", None),
            ("function-image/1", "[7]", None),
            ("task-definition/1", "{\"old\": true}", None),
            ("task-definition/1", "", None),
        ] {
            let cache = CensusCache::from_iter([entry(kind, "arn", value)]);
            assert_eq!(cache.find::<Vec<u8>>(EntryKind::TaskDefinition, "arn"), expected, "{kind} {value}");
        }
    }

    #[test]
    fn memory_is_limited() {
        let mut cache = CensusCache::default();
        let value = "x".repeat(MAX_BYTES / 4);
        for number in 0..10 {
            cache.insert(entry("task-definition/1", &number.to_string(), &value));
        }
        assert_eq!(cache.len(), 3);
        // An entry that replaces another one counts once.
        for _ in 0..10 {
            cache.insert(entry("task-definition/1", "0", &value));
        }
        cache.insert(entry("task-definition/1", "0", "{}"));
        cache.insert(entry("task-definition/1", "last", &value));
        assert_eq!((cache.len(), cache.bytes <= MAX_BYTES), (4, true));
        assert!(CacheEntry::new(EntryKind::TaskDefinition, "arn", &"x".repeat(MAX_VALUE)).is_none());
    }
}
