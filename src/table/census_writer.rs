//! What the census writes: consumers as far as they changed, its cache, and its record.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};

use super::Table;
use super::census_record::CensusRecord;
use super::item::{CENSUS, CONSUMERS, Item, LAST, consumer_prefix, json, number, text};
use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::{Consumer, ConsumerService};
use crate::name::{Digest, EcrImage};

/// How long a consumer is kept that no census finds any more, because its service cannot be read: 30 days, in seconds.
const KEPT_SECONDS: u64 = 30 * 86_400;

/// How many items one call writes: the most that `BatchWriteItem` accepts.
const ITEMS_PER_CALL: usize = 25;

/// How often a batch is sent again that the table did not take completely. The SDK retries throttled calls itself.
const MAX_ATTEMPTS: usize = 8;

/// The most pages of stored items that are read, of 1 MB each: as many as the census can find.
const MAX_PAGES: usize = 64;

/// A consumer in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsumer {
    /// The service that runs it.
    pub service: ConsumerService,
    /// The ARN of what runs it.
    pub arn: String,
    /// A hash of the consumer.
    content: Digest,
    /// When the item expires, in seconds since 1970.
    expires: u64,
}

/// The consumers in the table, by their sort keys.
pub type StoredConsumers = BTreeMap<String, StoredConsumer>;

impl Table {
    /// Reads which consumers are stored.
    ///
    /// # Errors
    /// A call failed.
    pub async fn read_stored_consumers(&self) -> Result<StoredConsumers, CallError> {
        let items = self.read_partition(CONSUMERS).await?;
        let stored = items.iter().filter_map(|item| {
            let attribute = |name: &str| item.get(name)?.as_s().ok();
            let service = attribute("service").and_then(|name| serde_json::from_str(&format!("{name:?}")).ok());
            let stored = StoredConsumer {
                service: service?,
                arn: attribute("arn")?.clone(),
                content: Digest::of(attribute("consumer")?.as_bytes()),
                expires: item.get("expires")?.as_n().ok()?.parse().ok()?,
            };
            Some((attribute("sk")?.clone(), stored))
        });
        Ok(stored.collect())
    }

    /// Makes the stored consumers those that were found, and returns how many items were written and deleted. Consumers for
    /// which `is_read` is false were not looked for, and stay. `now` is the time in seconds since 1970.
    ///
    /// # Errors
    /// A call failed. What was not written is written by the next census.
    pub async fn replace_consumers(
        &self,
        stored: &StoredConsumers,
        found: &[Consumer],
        is_read: impl Fn(&StoredConsumer) -> bool,
        now: u64,
    ) -> Result<(usize, usize), CallError> {
        let mut items: BTreeMap<String, Item> = BTreeMap::new();
        for consumer in found {
            // What runs an image of another registry is of no use to a push.
            let Some(image) = EcrImage::parse(&consumer.image) else { continue };
            let sort_key = format!("{}{}", consumer_prefix(&image.repository), identity(consumer).hex());
            items.entry(sort_key.clone()).or_insert_with(|| item(consumer, sort_key, now));
        }
        let is_unchanged = |sort_key: &String, item: &Item| {
            stored.get(sort_key).is_some_and(|known| {
                let content = item["consumer"].as_s().map(|json| Digest::of(json.as_bytes()));
                content.as_ref() == Ok(&known.content) && known.expires > now + KEPT_SECONDS / 2
            })
        };
        let gone: Vec<WriteRequest> = stored
            .iter()
            .filter(|(sort_key, known)| is_read(known) && !items.contains_key(*sort_key))
            .map(|(sort_key, _)| delete(sort_key))
            .collect();
        let changed: Vec<WriteRequest> = items
            .into_iter()
            .filter(|(sort_key, item)| !is_unchanged(sort_key, item))
            .map(|(_, item)| put(item))
            .collect();
        let counts = (changed.len(), gone.len());
        self.write(changed.into_iter().chain(gone).collect()).await?;
        Ok(counts)
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
        let request = self.client.put_item().table_name(&self.name).item("pk", text(CENSUS)).item("sk", text(LAST));
        let reply = request.item("census", json(record)).send().await;
        reply.map_err(|error| CallError::new("dynamodb:PutItem", self.name.clone(), convert_sdk_error(error)))?;
        Ok(())
    }

    /// Reads all items of a partition.
    ///
    /// # Errors
    /// A call failed.
    pub(super) async fn read_partition(&self, partition: &str) -> Result<Vec<Item>, CallError> {
        let (mut items, mut next) = (Vec::new(), None::<Item>);
        for _ in 0..MAX_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(partition))
                .set_exclusive_start_key(next.take())
                .send()
                .await
                .map_err(|error| CallError::new("dynamodb:Query", self.name.clone(), convert_sdk_error(error)))?;
            items.extend(page.items.unwrap_or_default());
            next = page.last_evaluated_key.filter(|key| !key.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Writes and deletes items, as many as one call takes at a time.
    ///
    /// # Errors
    /// A call failed, or the table did not take all items after [`MAX_ATTEMPTS`].
    pub(super) async fn write(&self, requests: Vec<WriteRequest>) -> Result<(), CallError> {
        let failed = |source| CallError::new("dynamodb:BatchWriteItem", self.name.clone(), source);
        for batch in requests.chunks(ITEMS_PER_CALL) {
            let mut left = batch.to_vec();
            for attempt in 0.. {
                let request = self.client.batch_write_item().request_items(&self.name, left);
                let reply = request.send().await.map_err(|error| failed(convert_sdk_error(error)))?;
                left = reply.unprocessed_items.and_then(|mut items| items.remove(&self.name)).unwrap_or_default();
                if left.is_empty() {
                    break;
                }
                if attempt == MAX_ATTEMPTS {
                    return Err(failed(format!("{} items were not taken", left.len()).into()));
                }
                tokio::time::sleep(std::time::Duration::from_millis(50 << attempt)).await;
            }
        }
        Ok(())
    }
}

/// Returns a hash of what identifies a consumer: what runs it, its definition, its container and where it runs. Tasks of one
/// definition may run on several architectures.
fn identity(consumer: &Consumer) -> Digest {
    let Consumer { service, arn, name, definition, container, platform, .. } = consumer;
    Digest::of(format!("{service:?}\n{arn}\n{name}\n{definition}\n{container}\n{platform:?}").as_bytes())
}

fn item(consumer: &Consumer, sort_key: String, now: u64) -> Item {
    // The image that runs at the moment does not matter to the next one.
    let kept = Consumer { digest: None, ..consumer.clone() };
    let service = serde_json::to_value(consumer.service).ok().and_then(|name| name.as_str().map(str::to_owned));
    [
        ("pk", text(CONSUMERS)),
        ("sk", text(sort_key)),
        ("service", text(service.unwrap_or_default())),
        ("arn", text(&consumer.arn)),
        ("consumer", json(&kept)),
        ("expires", number(now + KEPT_SECONDS)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn put(item: Item) -> WriteRequest {
    let request = PutRequest::builder().set_item(Some(item)).build().expect("it has an item");
    WriteRequest::builder().put_request(request).build()
}

fn delete(sort_key: &str) -> WriteRequest {
    let request = DeleteRequest::builder().key("pk", text(CONSUMERS)).key("sk", AttributeValue::S(sort_key.to_owned()));
    WriteRequest::builder().delete_request(request.build().expect("it has a key")).build()
}
