//! What the census writes: the consumers that changed, and its record.

use std::collections::BTreeMap;

use super::census_record::CensusRecord;
use super::client::Table;
use super::item::{CENSUS, CHANGES, CONSUMERS, Item, LAST, consumer_prefix, number, parse_json, parse_number, text};
use super::write::{delete, put};
use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::{Consumer, ConsumerService};
use crate::name::{Digest, EcrImage};

/// How long a consumer is kept that no census finds any more, because its service cannot be read: 30 days, in seconds.
const KEPT_SECONDS: u64 = 30 * 86_400;

/// How long it is remembered that a consumer was read because it changed, in seconds: a day. A census takes minutes.
const CHANGE_KEPT_SECONDS: u64 = 86_400;

/// A consumer in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsumer {
    /// The service that runs it.
    pub service: ConsumerService,
    /// The ARN of what runs it.
    pub arn: String,
    /// The image, as its definition names it.
    pub image: String,
    /// A hash of the consumer.
    content: Digest,
    /// When the item expires, in seconds since 1970.
    expires: u64,
}

/// The consumers in the table, by their sort keys.
pub type StoredConsumers = BTreeMap<String, StoredConsumer>;

/// What a write changed.
#[derive(Debug, Default)]
pub struct ChangedConsumers {
    /// The consumers that are new or different.
    pub changed: Vec<Consumer>,
    /// Those that are gone.
    pub deleted: Vec<StoredConsumer>,
}

/// The most pages that are read of a partition. The census keeps less in memory.
const MAX_PAGES: usize = 64;

impl Table {
    /// Reads all items of a partition, and passes each to `visit`.
    ///
    /// # Errors
    /// A call failed, or there are more than [`MAX_PAGES`].
    pub(super) async fn read_partition(&self, partition: &str, visit: impl FnMut(Item)) -> Result<(), CallError> {
        if self.read_items(partition, None, MAX_PAGES, visit).await? {
            return Ok(());
        }
        let reason = format!("`{partition}` has more than {MAX_PAGES} pages");
        Err(CallError::new("dynamodb:Query", self.name.clone(), reason))
    }

    /// Reads which consumers are stored.
    ///
    /// # Errors
    /// A call failed.
    pub async fn read_stored_consumers(&self) -> Result<StoredConsumers, CallError> {
        let mut stored = StoredConsumers::new();
        self.read_partition(CONSUMERS, |item| {
            let attribute = |name: &str| item.get(name)?.as_s().ok();
            let parse = || {
                let stored = StoredConsumer {
                    service: serde_json::from_value(attribute("service")?.as_str().into()).ok()?,
                    arn: attribute("arn")?.clone(),
                    image: parse_json::<Consumer>(&item, "consumer").map(|consumer| consumer.image).unwrap_or_default(),
                    content: Digest::of(attribute("consumer")?.as_bytes()),
                    expires: parse_number(&item, "expiresAt")?,
                };
                Some((attribute("sk")?.clone(), stored))
            };
            stored.extend(parse());
        })
        .await?;
        Ok(stored)
    }

    /// Makes the stored consumers those that were found. Those for which `is_read` is false were not looked for, and stay. If a
    /// service is not complete, it is also written that a consumer was found which did not change. `now` is the time in seconds
    /// since 1970.
    ///
    /// # Errors
    /// A call failed. What was not written is written by the next census.
    pub async fn replace_consumers(
        &self,
        stored: &StoredConsumers,
        found: &[Consumer],
        is_read: impl Fn(&StoredConsumer) -> bool,
        is_complete: impl Fn(ConsumerService) -> bool,
        now: u64,
    ) -> Result<ChangedConsumers, CallError> {
        let mut items: BTreeMap<String, Consumer> = BTreeMap::new();
        for consumer in found {
            // What runs an image of another registry is of no use to a push.
            let Some(image) = EcrImage::parse(&consumer.image) else { continue };
            let sort_key = format!("{}{}", consumer_prefix(&image.repository), identity(consumer).hex());
            // The image that runs at the moment does not matter to the next one.
            items.entry(sort_key).or_insert_with(|| Consumer { digest: None, ..consumer.clone() });
        }
        let is_gone = |(sort_key, known): &(&String, &StoredConsumer)| is_read(known) && !items.contains_key(*sort_key);
        let gone: Vec<(&String, &StoredConsumer)> = stored.iter().filter(is_gone).collect();
        let mut requests: Vec<_> = gone.iter().map(|(sort_key, _)| delete(CONSUMERS, sort_key)).collect();
        let deleted = gone.into_iter().map(|(_, known)| known.clone()).collect();
        let mut changes = ChangedConsumers { changed: Vec::new(), deleted };
        for (sort_key, consumer) in items {
            let json = serde_json::to_string(&consumer).expect("it is valid JSON");
            let known = stored.get(&sort_key);
            let is_same = known.is_some_and(|known| known.content == Digest::of(json.as_bytes()));
            let is_fresh = known.is_some_and(|known| known.expires > now + KEPT_SECONDS / 2);
            if is_same && is_fresh && is_complete(consumer.service) {
                continue;
            }
            let service = serde_json::to_value(consumer.service).expect("it is valid JSON");
            requests.push(put([
                ("pk", text(CONSUMERS)),
                ("sk", text(sort_key)),
                ("service", text(service.as_str().unwrap_or_default())),
                ("arn", text(&consumer.arn)),
                ("consumer", text(json)),
                ("writtenAt", number(now)),
                ("expiresAt", number(now + KEPT_SECONDS)),
            ]));
            if !is_same {
                changes.changed.push(consumer);
            }
        }
        self.write(requests).await?;
        Ok(changes)
    }

    /// Records that a consumer was read because it changed. A census that began before does not overwrite it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn record_change(&self, arn: &str, now: u64) -> Result<(), CallError> {
        let change = put([
            ("pk", text(CHANGES)),
            ("sk", text(arn)),
            ("at", number(now)),
            ("expiresAt", number(now + CHANGE_KEPT_SECONDS)),
        ]);
        self.write(vec![change]).await
    }

    /// Returns the ARNs of the consumers that were read since this time because they changed.
    ///
    /// # Errors
    /// A call failed.
    pub async fn read_changes_since(&self, began: u64) -> Result<Vec<String>, CallError> {
        let mut arns = Vec::new();
        self.read_partition(CHANGES, |item| {
            let at = parse_number(&item, "at");
            let arn = item.get("sk").and_then(|arn| arn.as_s().ok());
            arns.extend(arn.filter(|_| at.is_some_and(|at| at >= began)).cloned());
        })
        .await?;
        Ok(arns)
    }

    /// Returns the record of the last census; the default if there is none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn read_last_census(&self) -> Result<CensusRecord, CallError> {
        Ok(self.read_census_record().await?.unwrap_or_default())
    }

    /// Writes the record of a census that ended.
    ///
    /// # Errors
    /// The call failed.
    pub async fn write_census_record(&self, record: &CensusRecord) -> Result<(), CallError> {
        let record = serde_json::to_string(record).expect("it is valid JSON");
        let request = self.client.put_item().table_name(&self.name).item("pk", text(CENSUS)).item("sk", text(LAST));
        let reply = request.item("census", text(record)).send().await;
        reply.map_err(|error| CallError::new("dynamodb:PutItem", self.name.clone(), convert_sdk_error(error)))?;
        Ok(())
    }
}

/// Returns a hash of what identifies a consumer: what runs it, its definition, its container and where it runs. Tasks of one
/// definition may run on several architectures.
fn identity(consumer: &Consumer) -> Digest {
    let Consumer { service, arn, name, definition, container, platform, .. } = consumer;
    Digest::of(format!("{service:?}\n{arn}\n{name}\n{definition}\n{container}\n{platform:?}").as_bytes())
}
