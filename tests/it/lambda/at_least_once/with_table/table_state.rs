//! What the table knows about tags, with the conditions of its writes. Nothing expires here: a history takes less than a minute.

use std::collections::BTreeMap;

use ecr_preflight::aws::default_connector;
use ecr_preflight::table::{NotifiedState, Table, TagMoment, TagRecord};

use crate::lambda::clients;
use crate::support::aws::FakeAws;
use crate::support::random::Random;

/// The items of tags, by reference.
#[derive(Debug, Default)]
pub struct TableState(BTreeMap<String, TagItem>);

#[derive(Debug, Default)]
struct TagItem {
    present: Option<TagMoment>,
    previous: Option<TagMoment>,
    notified: Option<NotifiedState>,
    resolved_by: Option<String>,
}

impl TableState {
    /// Same as `Table::record_tag`.
    pub fn record_tag(&mut self, reference: &str, moment: &TagMoment) -> TagRecord {
        let item = self.0.entry(reference.to_owned()).or_default();
        let notified = item.notified.clone();
        let is_written = item
            .present
            .as_ref()
            .is_none_or(|present| present.digest != moment.digest && present.since <= moment.since);
        if is_written {
            item.previous = item.present.replace(moment.clone());
        }
        let is_current = item.present.as_ref().is_some_and(|present| present.digest == moment.digest);
        let since_event = item.present.as_ref().map(|present| present.event_id.clone()).unwrap_or_default();
        let since = item.present.as_ref().map_or(0, |present| present.since);
        TagRecord { is_current, since, since_event, previous: item.previous.clone(), notified }
    }

    /// Same as `Table::record_notified`.
    pub fn record_notified(&mut self, reference: &str, notified: &NotifiedState) {
        let item = self.0.entry(reference.to_owned()).or_default();
        if item.notified.is_none() || item.present.as_ref().is_some_and(|present| present.digest == notified.digest) {
            item.notified = Some(notified.clone());
        }
    }

    /// Same as `Table::resolve`.
    pub fn resolve(&mut self, reference: &str, digest: &str, event_id: &str) -> bool {
        let item = self.0.entry(reference.to_owned()).or_default();
        let is_current = item.present.as_ref().is_some_and(|present| present.digest == digest);
        let is_own = item.resolved_by.as_deref() == Some(event_id);
        let is_written = is_current && (item.notified.is_some() || is_own);
        if is_written {
            item.notified = None;
            item.resolved_by = Some(event_id.to_owned());
        }
        is_written
    }
}

#[tokio::test]
async fn state_of_histories_has_the_conditions_of_the_table() {
    let aws = FakeAws::start();
    let table = Table::new(clients(default_connector()).dynamodb_client(Some(aws.url())), "preflight".to_owned());
    let (mut state, mut random) = (TableState::default(), Random(0x9E37_79B9_7F4A_7C15));
    let (mut refused, mut moved, mut resolved) = (0, 0, 0);
    for call in 0..400 {
        // From time to time, an image that nothing is known about.
        let reference = format!("registry/team/app:{}-{}", call / 40, random.below(2));
        let digest = format!("sha256:{}", random.below(3));
        if random.below(2) == 0 {
            let platforms = vec![format!("linux/{digest}")];
            let moment =
                TagMoment { digest, platforms, since: random.below(6) as u64, event_id: format!("event-{call}") };
            let found = table.record_tag(&reference, &moment).await.unwrap();
            assert_eq!(found, state.record_tag(&reference, &moment), "call {call}");
            refused += usize::from(!found.is_current);
            moved += usize::from(found.previous.is_some() && found.notified.is_some());
        } else if random.below(3) > 0 {
            let notified = NotifiedState {
                digest,
                content: call.to_string(),
                faults: vec!["wrong-architecture".to_owned()],
                was_about_program: call % 2 == 0,
                was_about_consumer: call % 3 == 0,
                since_event: format!("event-{call}"),
                at: call,
                event_id: format!("event-{call}"),
            };
            table.record_notified(&reference, &notified).await.unwrap();
            state.record_notified(&reference, &notified);
        } else {
            let event = format!("event-{}", random.below(2));
            let found = table.resolve(&reference, &digest, &event).await.unwrap();
            assert_eq!(found, state.resolve(&reference, &digest, &event), "call {call}");
            resolved += usize::from(found);
        }
    }
    assert!(refused > 20 && moved > 20 && resolved > 5, "{refused} {moved} {resolved}");
}
