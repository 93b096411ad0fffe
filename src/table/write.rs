//! Writes many items.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};

use super::client::Table;
use super::item::text;
use crate::aws::service_error::{CallError, convert_sdk_error};

/// How many items one call writes: the most that `BatchWriteItem` accepts.
const ITEMS_PER_CALL: usize = 25;

/// How often a batch is sent again that the table did not take completely. The SDK retries throttled calls itself.
const MAX_ATTEMPTS: usize = 8;

impl Table {
    /// Writes and deletes items, as many as one call takes at a time.
    ///
    /// # Errors
    /// A call failed, or the table did not take all items after [`MAX_ATTEMPTS`].
    pub(super) async fn write(&self, requests: Vec<WriteRequest>) -> Result<(), CallError> {
        let failed = |source| CallError::new("dynamodb:BatchWriteItem", self.name.clone(), source);
        for batch in requests.chunks(ITEMS_PER_CALL) {
            let mut left = batch.to_vec();
            for attempt in 0.. {
                let reply = self.client.batch_write_item().request_items(&self.name, left).send().await;
                let reply = reply.map_err(|error| failed(convert_sdk_error(error)))?;
                left = reply.unprocessed_items.and_then(|mut items| items.remove(&self.name)).unwrap_or_default();
                if left.is_empty() {
                    break;
                }
                if attempt == MAX_ATTEMPTS {
                    return Err(failed(format!("{} items were not taken", left.len()).into()));
                }
                tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            }
        }
        Ok(())
    }
}

/// Returns the request to write an item with these attributes.
pub(super) fn put<const N: usize>(attributes: [(&str, AttributeValue); N]) -> WriteRequest {
    let item = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let request = PutRequest::builder().set_item(Some(item)).build().expect("it has an item");
    WriteRequest::builder().put_request(request).build()
}

/// Returns the request to delete an item.
pub(super) fn delete(partition: &str, sort_key: &str) -> WriteRequest {
    let request = DeleteRequest::builder().key("pk", text(partition)).key("sk", text(sort_key));
    WriteRequest::builder().delete_request(request.build().expect("it has a key")).build()
}
