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
        TagRecord { is_current, previous: item.previous.clone(), notified }
    }

    /// Same as `Table::record_notified`.
    pub fn record_notified(&mut self, reference: &str, digest: &str, notified: Option<&NotifiedState>) {
        let item = self.0.entry(reference.to_owned()).or_default();
        if item.notified.is_none() || item.present.as_ref().is_some_and(|present| present.digest == digest) {
            item.notified = notified.cloned();
        }
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
            let moment = TagMoment { digest, platforms, since: random.below(6) as u64 };
            let found = table.record_tag(&reference, &moment).await.unwrap();
            assert_eq!(found, state.record_tag(&reference, &moment), "call {call}");
            refused += usize::from(!found.is_current);
            moved += usize::from(found.previous.is_some() && found.notified.is_some());
        } else {
            let notified = (random.below(3) > 0).then(|| NotifiedState {
                digest: digest.clone(),
                content: call.to_string(),
                faults: vec!["wrong-architecture".to_owned()],
                at: call,
                event_id: format!("event-{call}"),
            });
            resolved += usize::from(notified.is_none());
            table.record_notified(&reference, &digest, notified.as_ref()).await.unwrap();
            state.record_notified(&reference, &digest, notified.as_ref());
        }
    }
    assert!(refused > 20 && moved > 20 && resolved > 20, "{refused} {moved} {resolved}");
}
