//! Sends events to the function that checks images: check this image again.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use crate::aws::service_error::{CallError, convert_sdk_error};
use crate::consumer::Consumer;
use crate::event::{CONSUMER_DETAIL_TYPE, OWN_SOURCE};
use crate::name::EcrImage;
use crate::table::StoredConsumer;

/// How many events one call sends: the most that `PutEvents` accepts.
const EVENTS_PER_CALL: usize = 10;

/// How often events are sent again that the bus did not take. The SDK retries throttled calls itself.
const MAX_ATTEMPTS: usize = 4;

/// The bus that rules of the stack listen to.
const BUS: &str = "default";

/// An event to send.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Announcement {
    /// The kind of the event.
    pub(super) detail_type: &'static str,
    /// The image to check.
    pub(super) image: EcrImage,
    /// The ARN of what runs it.
    pub(super) arn: String,
    /// Further members of the detail.
    pub(super) members: Value,
}

impl Announcement {
    fn to_entry(&self) -> PutEventsRequestEntry {
        let selector = self.image.selector();
        let mut detail = json!({"repository-name": self.image.repository.name()});
        if let Some(tag) = selector.tag() {
            detail["image-tag"] = tag.as_str().into();
        }
        if let Some(digest) = selector.digest() {
            detail["image-digest"] = digest.as_str().into();
        }
        if let (Some(detail), Some(members)) = (detail.as_object_mut(), self.members.as_object()) {
            detail.extend(members.clone());
        }
        PutEventsRequestEntry::builder()
            .event_bus_name(BUS)
            .source(OWN_SOURCE)
            .detail_type(self.detail_type)
            .resources(&self.arn)
            .detail(detail.to_string())
            .build()
    }
}

/// Returns whether an image is in the account and region of the resource with this ARN.
pub(super) fn is_at_home(image: &EcrImage, arn: &str) -> bool {
    let mut parts = arn.split(':').skip(3);
    parts.next() == Some(image.repository.region()) && parts.next() == Some(image.repository.account())
}

/// An image that something runs, or ran until now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    image: &'a str,
    arn: &'a str,
}

impl<'a> From<&'a Consumer> for Run<'a> {
    fn from(consumer: &'a Consumer) -> Self {
        Self { image: &consumer.image, arn: &consumer.arn }
    }
}

impl<'a> From<&'a StoredConsumer> for Run<'a> {
    fn from(stored: &'a StoredConsumer) -> Self {
        Self { image: &stored.image, arn: &stored.arn }
    }
}

/// Returns an event for each distinct image. Only images of the account and region of what runs them can be checked.
pub(super) fn announce_images(runs: &[Run<'_>]) -> Vec<Announcement> {
    let mut announcements: Vec<Announcement> = Vec::new();
    for run in runs {
        let Some(image) = EcrImage::parse(run.image).filter(|image| is_at_home(image, run.arn)) else { continue };
        let is_same = |known: &Announcement| {
            known.image.repository == image.repository && known.image.selector() == image.selector()
        };
        if !announcements.iter().any(is_same) {
            let (detail_type, arn) = (CONSUMER_DETAIL_TYPE, run.arn.to_owned());
            announcements.push(Announcement { detail_type, image, arn, members: json!({}) });
        }
    }
    announcements
}

/// Sends these events.
///
/// # Errors
/// A call failed, or the bus did not take all events after [`MAX_ATTEMPTS`].
pub(super) async fn announce(client: &Client, announcements: &[Announcement]) -> Result<(), CallError> {
    let failed = |source| CallError::new("events:PutEvents", BUS.to_owned(), source);
    for batch in announcements.chunks(EVENTS_PER_CALL) {
        let mut left: Vec<PutEventsRequestEntry> = batch.iter().map(Announcement::to_entry).collect();
        for attempt in 1.. {
            let reply = client.put_events().set_entries(Some(left.clone())).send().await;
            let results = reply.map_err(|error| failed(convert_sdk_error(error)))?.entries.unwrap_or_default();
            let refused = results.iter().find_map(|result| result.error_code.clone());
            // The results are in the order of the events.
            let mut results = results.into_iter();
            left.retain(|_| results.next().is_some_and(|result| result.error_code.is_some()));
            if left.is_empty() {
                break;
            }
            if attempt == MAX_ATTEMPTS {
                return Err(failed(refused.unwrap_or_default().into()));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100 << attempt)).await;
        }
    }
    Ok(())
}
