//! Reads the items of a partition, page by page.

use super::client::Table;
use super::item::{Item, text};
use crate::aws::service_error::{CallError, convert_sdk_error};

impl Table {
    /// Reads items of a partition, and passes each to `visit`: all, or those whose sort keys begin with a prefix. Returns whether
    /// these are all. A page has 1 MB ("Paginating table query results" in the Amazon `DynamoDB` developer guide).
    ///
    /// # Errors
    /// A call failed.
    pub(super) async fn read_items(
        &self,
        partition: &str,
        prefix: Option<&str>,
        max_pages: usize,
        mut visit: impl FnMut(Item),
    ) -> Result<bool, CallError> {
        let condition = if prefix.is_some() { "pk = :pk AND begins_with(sk, :prefix)" } else { "pk = :pk" };
        let mut next = None::<Item>;
        for _ in 0..max_pages {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                // What the other function has just written counts.
                .consistent_read(true)
                .key_condition_expression(condition)
                .expression_attribute_values(":pk", text(partition))
                .set_exclusive_start_key(next.take());
            let request = match prefix {
                Some(prefix) => request.expression_attribute_values(":prefix", text(prefix)),
                None => request,
            };
            let page = request.send().await;
            let failed = |error| CallError::new("dynamodb:Query", self.name.clone(), convert_sdk_error(error));
            let page = page.map_err(failed)?;
            page.items.into_iter().flatten().for_each(&mut visit);
            next = page.last_evaluated_key.filter(|key| !key.is_empty());
            if next.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
