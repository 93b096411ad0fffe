//! Claims: of several events that ask for the same work, only one has it done.

use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::client::Table;
use super::item::{CLAIMS, number, text};
use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::name::Digest;

impl Table {
    /// Claims something for an event, for this many seconds. Returns false if another event has claimed it. The same event can
    /// claim it again, because an earlier attempt may have failed after its claim.
    ///
    /// # Errors
    /// The call failed.
    pub async fn claim(&self, what: &str, event_id: &str, now: u64, seconds: u64) -> Result<bool, CallError> {
        let until = now.saturating_add(seconds);
        let reply = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(CLAIMS))
            .item("sk", text(Digest::of(what.as_bytes()).hex()))
            .item("claimedBy", text(event_id))
            .item("expiresAt", number(until))
            // An item that has expired may still be there for days.
            .condition_expression("attribute_not_exists(claimedBy) OR claimedBy = :event OR expiresAt <= :now")
            .expression_attribute_values(":event", text(event_id))
            .expression_attribute_values(":now", number(now))
            .send()
            .await;
        match reply {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(CallError::new("dynamodb:PutItem", self.name.clone(), convert_sdk_error(error))),
        }
    }
}
