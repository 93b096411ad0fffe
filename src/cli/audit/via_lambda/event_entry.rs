//! The event that asks the deployed function about one image.
//!
//! Does not send it. [`Event::read`](crate::event::Event::read) reads what is written here.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use crate::event::{AUDIT_DETAIL_TYPE, AUDIT_SOURCE, Arrival};
use crate::name::{Digest, Tag};

/// The event, for the account's default bus.
pub(super) fn build_entry(arrival: &Arrival) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source(AUDIT_SOURCE)
        .detail_type(AUDIT_DETAIL_TYPE)
        .resources(arrival.repository.arn())
        .detail(build_detail(arrival).to_string())
        .build()
}

/// The event's `detail`; account and region are the bus's own.
fn build_detail(arrival: &Arrival) -> Value {
    let also_tagged: Vec<&str> = arrival.also_tagged.iter().map(Tag::as_str).collect();
    json!({
        "repository-name": arrival.repository.name(),
        "image-digest": arrival.selector.digest().map(Digest::as_str),
        "image-tag": arrival.selector.tag().map(Tag::as_str),
        "also-tagged": also_tagged,
        "pushed-at": arrival.pushed_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ArrivalKind, Event};
    use crate::name::{Repository, Selector};

    #[test]
    fn the_function_reads_what_is_asked() {
        let repository = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
        let (digest, tag) = (Digest::of(b"image"), "v1".parse::<Tag>().unwrap());
        for (also_tagged, pushed_at) in [
            (vec!["latest".parse().unwrap(), "1.4".parse().unwrap()], Some("2026-11-21T15:21:21Z".to_owned())),
            (Vec::new(), None),
        ] {
            let arrival = Arrival {
                how: ArrivalKind::Audit,
                repository: repository.clone(),
                selector: Selector::DigestAndTag(digest.clone(), tag.clone()),
                event_id: "1".to_owned(),
                also_tagged,
                pushed_at,
            };
            let entry = build_entry(&arrival);
            assert_eq!(entry.resources(), &[repository.arn()]);
            // As EventBridge delivers it.
            let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
            let event = json!({"id": "1", "source": entry.source(), "detail-type": entry.detail_type(),
                "account": "123456789012", "region": "us-west-2", "detail": detail});
            assert_eq!(Event::parse(&serde_json::from_value(event).unwrap()).unwrap(), Event::Arrival(arrival));
        }
    }
}
