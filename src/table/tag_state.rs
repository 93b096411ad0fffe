//! The history of a tag, and what was reported about it.
//!
//! One conditional write moves a tag to another image and returns what was there before. A delivery that is repeated, or that
//! arrives after a later one, changes nothing and gets the present state back.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde::{Deserialize, Serialize};

use super::client::Table;
use super::item::{Item, TAG, json, number, parse_json, tag_partition, text};
use crate::aws::service_error::{CallError, convert_sdk_error};

/// How long a tag is remembered after its last push, in seconds: 180 days. Then what it pointed at is not said at its next push,
/// and a fault that is still there is reported again.
const KEPT_SECONDS: u64 = 180 * 86_400;

const UPDATE_ITEM: &str = "dynamodb:UpdateItem";

/// What a tag pointed at from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct TagMoment {
    /// The digest of the image.
    pub digest: String,
    /// Its platforms, for example `linux/amd64`.
    pub platforms: Vec<String>,
    /// The time of the event, in seconds since 1970.
    pub since: u64,
    /// The ID of the event.
    pub event_id: String,
}

/// What was reported about a tag last, until the tag is healthy again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct NotifiedState {
    /// The digest of the image.
    pub digest: String,
    /// A hash of what was reported. The same is not reported again.
    pub content: String,
    /// The codes of the faults.
    pub faults: Vec<String>,
    /// Whether a fault was one of the program that starts. It is over only if the program is followed again.
    pub was_about_program: bool,
    /// Whether a fault was one for a consumer. It is not over if it is unknown where the consumer runs now.
    pub was_about_consumer: bool,
    /// The ID of the event since which the tag pointed at it. If the tag points at the same image again later, that is reported
    /// again.
    pub since_event: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The ID of the event because of which it was reported.
    pub event_id: String,
}

/// What is known about a tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers create it")]
pub struct TagRecord {
    /// Whether the image of this event is what the tag points at. If it is not, a later event was recorded already.
    pub is_current: bool,
    /// When the tag began to point at what it points at, in seconds since 1970.
    pub since: u64,
    /// The ID of the event that said so.
    pub since_event: String,
    /// What the tag pointed at before this image.
    pub previous: Option<TagMoment>,
    /// What was reported about the tag last.
    pub notified: Option<NotifiedState>,
}

impl Table {
    /// Records what a tag points at, and returns what is known about it. `reference` names the image by its tag, or by its
    /// digest if it has none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn record_tag(&self, reference: &str, moment: &TagMoment) -> Result<TagRecord, CallError> {
        let reply = self
            .update_tag(reference)
            .update_expression(
                "SET previousImage = if_not_exists(presentImage, :none), presentImage = :new, imageDigest = :digest, \
                 presentSince = :since, expiresAt = :expires",
            )
            // Events have whole seconds, so one of the same second may be later.
            .condition_expression(
                "attribute_not_exists(imageDigest) OR (imageDigest <> :digest AND presentSince <= :since)",
            )
            .expression_attribute_values(":none", text(""))
            .expression_attribute_values(":new", json(moment))
            .expression_attribute_values(":digest", text(&moment.digest))
            .expression_attribute_values(":since", number(moment.since))
            .expression_attribute_values(":expires", number(moment.since.saturating_add(KEPT_SECONDS)))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match reply {
            Ok(reply) => {
                let before = reply.attributes.unwrap_or_default();
                Ok(TagRecord {
                    is_current: true,
                    since: moment.since,
                    since_event: moment.event_id.clone(),
                    previous: parse_json(&before, "presentImage"),
                    notified: parse_json(&before, "notifiedState"),
                })
            }
            Err(error) => match find_present(error.as_service_error()) {
                Some(present) => {
                    let image: Option<TagMoment> = parse_json(present, "presentImage");
                    Ok(TagRecord {
                        is_current: image.as_ref().is_some_and(|image| image.digest == moment.digest),
                        since: image.as_ref().map_or(0, |image| image.since),
                        since_event: image.map(|image| image.event_id).unwrap_or_default(),
                        previous: parse_json(present, "previousImage"),
                        notified: parse_json(present, "notifiedState"),
                    })
                }
                None => Err(CallError::new(UPDATE_ITEM, self.name.clone(), convert_sdk_error(error))),
            },
        }
    }

    /// Records what was reported about a tag, unless the tag has moved and something was reported about its new image.
    ///
    /// # Errors
    /// The call failed.
    pub async fn record_notified(&self, reference: &str, notified: &NotifiedState) -> Result<(), CallError> {
        let request = self
            .update_tag(reference)
            .update_expression("SET notifiedState = :notified, expiresAt = :expires")
            .condition_expression("imageDigest = :digest OR attribute_not_exists(notifiedState)")
            .expression_attribute_values(":digest", text(&notified.digest))
            .expression_attribute_values(":notified", json(notified))
            .expression_attribute_values(":expires", number(notified.at.saturating_add(KEPT_SECONDS)));
        self.write_if(request).await.map(|_is_written| ())
    }

    /// Forgets what was reported about a tag, because the tag points at this image, which is healthy. Returns whether there was
    /// something to forget: then this event is the one that says so. Another attempt of the same event's call gives the same
    /// answer.
    ///
    /// # Errors
    /// The call failed.
    pub async fn resolve(&self, reference: &str, digest: &str, event_id: &str) -> Result<bool, CallError> {
        let request = self
            .update_tag(reference)
            .update_expression("SET resolvedBy = :event REMOVE notifiedState")
            .condition_expression("imageDigest = :digest AND (attribute_exists(notifiedState) OR resolvedBy = :event)")
            .expression_attribute_values(":digest", text(digest))
            .expression_attribute_values(":event", text(event_id));
        self.write_if(request).await
    }

    fn update_tag(&self, reference: &str) -> UpdateItemFluentBuilder {
        let request = self.client.update_item().table_name(&self.name);
        request.key("pk", text(tag_partition(reference))).key("sk", text(TAG))
    }

    /// Sends a conditional write, and returns whether its condition held.
    async fn write_if(&self, request: UpdateItemFluentBuilder) -> Result<bool, CallError> {
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(CallError::new(UPDATE_ITEM, self.name.clone(), convert_sdk_error(error))),
        }
    }
}

/// Returns the item that made the condition fail.
fn find_present(error: Option<&UpdateItemError>) -> Option<&Item> {
    match error? {
        UpdateItemError::ConditionalCheckFailedException(failure) => failure.item(),
        _ => None,
    }
}
