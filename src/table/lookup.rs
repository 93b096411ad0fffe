//! Looks up the consumers of a repository.

use aws_sdk_dynamodb::types::AttributeValue;

use super::census_record::CensusRecord;
use super::client::Table;
use super::item::{CENSUS, CONSUMERS, Item, LAST, consumer_prefix, parse_json, parse_number, text};
use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::{Consumer, ConsumerLookup, KnownConsumers};
use crate::date::format_rfc3339;
use crate::name::Repository;

/// The most pages of consumers that are read, of 1 MB each ("Paginating table query results" in the Amazon `DynamoDB` developer
/// guide). One page has some two thousand consumers.
const MAX_PAGES: usize = 4;

impl Table {
    /// Looks up the consumers of a repository, with one `Query` and, at the same time, one `GetItem`. `now` is the time in
    /// seconds since 1970. If no census ran lately, the result is [`ConsumerLookup::Failed`].
    ///
    /// # Errors
    /// A call failed.
    pub async fn look_up(&self, repository: &Repository, now: u64) -> Result<ConsumerLookup, CallError> {
        let (items, record) = tokio::join!(self.read_consumers_of(repository), self.read_census_record());
        let ((items, is_complete), record) = (items?, record?);
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

    /// Returns the items of the repository's consumers, and whether these are all.
    async fn read_consumers_of(&self, repository: &Repository) -> Result<(Vec<Item>, bool), CallError> {
        let (mut items, mut next) = (Vec::new(), None::<Item>);
        for _ in 0..MAX_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                // What the other function has just written counts.
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", text(CONSUMERS))
                .expression_attribute_values(":prefix", text(consumer_prefix(repository)))
                .set_exclusive_start_key(next.take())
                .send()
                .await
                .map_err(|error| CallError::new("dynamodb:Query", self.name.clone(), convert_sdk_error(error)))?;
            items.extend(page.items.unwrap_or_default());
            next = page.last_evaluated_key.filter(|key| !key.is_empty());
            if next.is_none() {
                return Ok((items, true));
            }
        }
        Ok((items, false))
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
