//! The keys and attributes of the table's items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::name::Repository;

/// An item, as the client returns it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The partition of all consumers.
pub(super) const CONSUMERS: &str = "consumers";

/// The partition of the census's record.
pub(super) const CENSUS: &str = "census";

/// Its sort key.
pub(super) const LAST: &str = "last";

/// The partition of what the census read and what never changes.
#[cfg(feature = "consumers")]
pub(super) const CACHE: &str = "cache";

/// The partition of claims.
#[cfg(feature = "consumers")]
pub(super) const CLAIMS: &str = "claims";

/// The partition of the changes that were read.
#[cfg(feature = "consumers")]
pub(super) const CHANGES: &str = "changes";

/// The beginning of a tag's partition.
const TAG_PREFIX: &str = "tag#";

/// The sort key of a tag.
pub(super) const TAG: &str = "tag";

/// Returns the beginning of the sort keys of a repository's consumers. A repository's name has no `#`.
pub(super) fn consumer_prefix(repository: &Repository) -> String {
    format!("{repository}#")
}

/// Returns the partition of an image: `tag#` and the reference by tag or digest. A repository has at most 256 characters and a
/// tag 128, so it is far shorter than the 2,048 bytes that a partition key may have.
pub(super) fn tag_partition(reference: &str) -> String {
    format!("{TAG_PREFIX}{reference}")
}

/// Returns a text as a value.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns a number as a value.
pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Returns a value of ours as JSON.
pub(super) fn json(value: &impl Serialize) -> AttributeValue {
    AttributeValue::S(serde_json::to_string(value).expect("it is valid JSON"))
}

/// Returns an attribute that holds JSON; `None` if it is missing, or of a version that this program does not know.
pub(super) fn parse_json<T: DeserializeOwned>(item: &Item, name: &str) -> Option<T> {
    serde_json::from_str(item.get(name)?.as_s().ok()?).ok()
}

/// Returns an attribute that is a number.
pub(super) fn parse_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
