//! Looks up the consumers of a repository.

use aws_sdk_dynamodb::types::AttributeValue;

use super::census_record::CensusRecord;
use super::client::Table;
use super::item::{CENSUS, CONSUMERS, LAST, consumer_prefix, parse_json, parse_number, text};
use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::{Consumer, ConsumerLookup, KnownConsumers};
use crate::date::format_rfc3339;
use crate::name::Repository;

/// The most pages of consumers that are read. One has some two thousand.
const MAX_PAGES: usize = 4;

impl Table {
    /// Looks up the consumers of a repository, with one `Query` and, at the same time, one `GetItem`. `now` is the time in
    /// seconds since 1970. If no census ran lately, the result is [`ConsumerLookup::Failed`].
    ///
    /// # Errors
    /// A call failed.
    pub async fn look_up(&self, repository: &Repository, now: u64) -> Result<ConsumerLookup, CallError> {
        let (mut items, prefix) = (Vec::new(), consumer_prefix(repository));
        let consumers = self.read_items(CONSUMERS, Some(&prefix), MAX_PAGES, |item| items.push(item));
        let (is_complete, record) = tokio::join!(consumers, self.read_census_record());
        let (is_complete, record) = (is_complete?, record?);
        let Some(record) = record else {
            return Ok(ConsumerLookup::Failed("the census has not run yet".to_owned()));
        };
        if let Some(reason) = record.describe_age(now) {
            return Ok(ConsumerLookup::Failed(reason));
        }
        // One that another version wrote is left out until the next census writes it again.
        let parse = |item| Some((parse_json::<Consumer>(item, "consumer")?, parse_number(item, "writtenAt")?));
        let fresh = items.iter().filter_map(parse).filter(|(consumer, at)| !record.is_stale(consumer, *at, now));
        let consumers: Vec<Consumer> = fresh.map(|(consumer, _)| consumer).collect();
        Ok(ConsumerLookup::Known(KnownConsumers {
            omitted: items.len() - consumers.len() + usize::from(!is_complete),
            consumers,
            as_of: Some(format_rfc3339(record.ended)),
            not_read: record.describe_not_read(now),
        }))
    }

    /// Returns the record of the last census.
    ///
    /// # Errors
    /// The call failed.
    pub(super) async fn read_census_record(&self) -> Result<Option<CensusRecord>, CallError> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(CENSUS))
            .key("sk", AttributeValue::S(LAST.to_owned()))
            .send()
            .await
            .map_err(|error| CallError::new("dynamodb:GetItem", self.name.clone(), convert_sdk_error(error)))?;
        Ok(reply.item.as_ref().and_then(|item| parse_json(item, "census")))
    }
}
