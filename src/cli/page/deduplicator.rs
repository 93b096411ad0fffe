//! What many rows say alike is written out once and named by its number from then on.
//!
//! Does not keep the texts, only their hashes.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// How many texts are known again. More are written out each time: the file grows then, but memory does not.
const MAX_ENTRIES: usize = 1 << 17;

/// Texts that were written out, each with its number, counted from 0.
#[derive(Debug, Default)]
pub(super) struct Deduplicator {
    numbers: HashMap<[u8; 32], u64>,
    count: u64,
}

impl Deduplicator {
    /// The number of a value that was written out before. `None` means that it is to be written out now.
    pub(super) fn known_number(&mut self, value: &Value) -> Option<u64> {
        let hash = Sha256::digest(value.to_string()).into();
        if let Some(number) = self.numbers.get(&hash) {
            return Some(*number);
        }
        if self.numbers.len() < MAX_ENTRIES {
            self.numbers.insert(hash, self.count);
        }
        self.count += 1;
        None
    }

    /// The value's number, or the value itself the first time.
    pub(super) fn deduplicate(&mut self, value: Value) -> Value {
        self.known_number(&value).map_or(value, Value::from)
    }
}
