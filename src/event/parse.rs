//! Parses an event. Unknown fields are ignored, and events of unknown types too.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;

use super::arrival::{Arrival, ArrivalKind, IgnoreReason};
use super::detail::{EventDetail, EventError};

/// The source of events that this program sends.
pub const OWN_SOURCE: &str = "ecr-preflight";

/// The detail type of events that the command line sends.
pub const AUDIT_DETAIL_TYPE: &str = "ECR Preflight Audit";

/// The detail type of the event that starts a census.
pub const CENSUS_DETAIL_TYPE: &str = "ECR Preflight Census";

/// The detail type of events that the census sends about an image whose consumer has changed.
pub const CONSUMER_DETAIL_TYPE: &str = "ECR Preflight Consumer";

/// The detail type of events that the census sends about an image whose task has stopped.
pub const STOPPED_DETAIL_TYPE: &str = "ECR Preflight Stopped Task";

/// A parsed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An image to check.
    Arrival(Arrival),
    /// The reason to ignore the event, details for the log, and the arrival if there is one.
    Ignored(IgnoreReason, String, Option<Arrival>),
}

/// Returns whether `audit --via-lambda` sent the event.
pub fn is_audit(event: &EventBridgeEvent<Value>) -> bool {
    event.source == OWN_SOURCE && event.detail_type == AUDIT_DETAIL_TYPE
}

impl Event {
    /// Parses an event.
    ///
    /// # Errors
    /// Returns an error if it announces an arrival, but a name is missing or invalid.
    pub fn parse(event: &EventBridgeEvent<Value>) -> Result<Self, EventError> {
        let how = match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecr", "ECR Image Action") => ArrivalKind::Push,
            ("aws.ecr", "ECR Replication Action") => ArrivalKind::Replica,
            ("aws.ecr", "ECR Pull Through Cache Action") => ArrivalKind::PullThroughCache,
            (OWN_SOURCE, AUDIT_DETAIL_TYPE) => ArrivalKind::Audit,
            (OWN_SOURCE, CONSUMER_DETAIL_TYPE) => ArrivalKind::Consumer,
            (OWN_SOURCE, STOPPED_DETAIL_TYPE) => ArrivalKind::StoppedTask,
            ("aws.ecr", "ECR Referrer Action") => {
                return Ok(Self::Ignored(IgnoreReason::Artifact, "a referrer".to_owned(), None));
            }
            (source, kind) => {
                return Ok(Self::Ignored(IgnoreReason::NotAnArrival, format!("`{kind}` from `{source}`"), None));
            }
        };
        let detail = EventDetail::parse(event)?;
        if let Some(other) = detail.describe_other_event(how) {
            return Ok(Self::Ignored(IgnoreReason::NotAnArrival, other, None));
        }
        let arrival = detail.to_arrival(event, how);
        match detail.ignore_reason(how)? {
            Some((reason, shown_by)) => Ok(Self::Ignored(reason, shown_by, arrival.ok())),
            None => arrival.map(Self::Arrival),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:3c949327e3253c949327e3253c949327e3253c949327e3253c949327e325abcd";

    /// Parses an event whose detail is that of a push, with these changes.
    fn parse(detail_type: &str, changes: &Value) -> Result<Event, EventError> {
        let mut detail = json!({"result": "SUCCESS", "repository-name": "team/app", "image-digest": DIGEST,
            "action-type": "PUSH", "image-tag": "v1"});
        for (key, value) in changes.as_object().unwrap() {
            detail[key] = value.clone();
        }
        let source = if detail_type == AUDIT_DETAIL_TYPE { OWN_SOURCE } else { "aws.ecr" };
        let event = json!({"id": "1", "source": source, "detail-type": detail_type, "account": "123456789012",
            "region": "us-west-2", "detail": detail});
        Event::parse(&serde_json::from_value(event).unwrap())
    }

    #[test]
    fn every_kind_of_arrival_is_parsed() {
        use ArrivalKind::{Audit, PullThroughCache, Push, Replica};
        let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
        for (detail_type, how, changes) in [
            ("ECR Image Action", Push, json!({})),
            ("ECR Image Action", Push, json!({"image-digest": "", "new-field": {"a": [1]}})),
            ("ECR Image Action", Push, json!({"artifact-media-type": "application/vnd.cncf.helm.config.v1+json"})),
            ("ECR Replication Action", Replica, json!({"action-type": "REPLICATE", "source-region": "x"})),
            ("ECR Pull Through Cache Action", PullThroughCache, json!({"sync-status": "SUCCESS", "result": null})),
            ("ECR Preflight Audit", Audit, json!({"result": null, "action-type": null})),
        ] {
            let Ok(Event::Arrival(arrival)) = parse(detail_type, &changes) else { panic!("{changes}") };
            assert_eq!((arrival.how, arrival.reference().as_str()), (how, uri), "{changes}");
        }
    }

    #[test]
    fn other_events_are_ignored_with_a_reason() {
        let helm = json!({"artifact-media-type": "application/vnd.cncf.helm.config.v1+json",
            "manifest-media-type": "application/vnd.oci.image.manifest.v1+json"});
        let signature = json!({"image-tag": format!("{}.sig", DIGEST.replace(':', "-"))});
        for (detail_type, why, changes) in [
            ("ECR Image Action", "not-an-arrival", json!({"action-type": "DELETE"})),
            ("ECR Image Action", "not-an-arrival", json!({"action-type": "UPDATE_STORAGE_CLASS"})),
            ("ECR Image Action", "not-an-arrival", json!({"result": "FAILURE"})),
            ("ECR Image Action", "not-an-arrival", json!({"action-type": null})),
            ("ECR Image Scan", "not-an-arrival", json!({})),
            ("ECR Replication Action", "not-an-arrival", json!({})),
            ("ECR Pull Through Cache Action", "not-an-arrival", json!({"sync-status": "FAILURE"})),
            ("ECR Image Action", "untagged", json!({"image-tag": ""})),
            ("ECR Image Action", "untagged", json!({"image-tag": null})),
            ("ECR Image Action", "verdict-tag", json!({"image-tag": "preflight-fail-apprunner-3c949327e3253c94"})),
            ("ECR Image Action", "verdict-tag", json!({"image-tag": "preflight-pass-ecs-arm64-3c949327e3253c94"})),
            ("ECR Image Action", "artifact", signature),
            ("ECR Image Action", "artifact", helm.clone()),
            ("ECR Preflight Audit", "artifact", helm),
            ("ECR Preflight Audit", "untagged", json!({"image-tag": null})),
            ("ECR Referrer Action", "artifact", json!({})),
        ] {
            let Ok(Event::Ignored(found, ..)) = parse(detail_type, &changes) else { panic!("{changes}") };
            assert_eq!(found.as_str(), why, "{changes}");
        }
    }

    #[test]
    fn audit_events_carry_other_tags_and_push_date() {
        let date = "2026-11-21T15:21:21Z";
        for (changes, tags, pushed_at) in [
            (json!({"also-tagged": ["1.4", "latest"], "pushed-at": date}), 2, Some(date)),
            (json!({"pushed-at": "<script>"}), 0, None),
            (json!({"pushed-at": "", "also-tagged": null}), 0, None),
        ] {
            let Ok(Event::Arrival(arrival)) = parse(AUDIT_DETAIL_TYPE, &changes) else { panic!("{changes}") };
            assert_eq!((arrival.also_tagged.len(), arrival.pushed_at.as_deref()), (tags, pushed_at), "{changes}");
        }
        assert!(parse(AUDIT_DETAIL_TYPE, &json!({"also-tagged": ["a b"]})).is_err());
    }

    #[test]
    fn malformed_arrivals_are_errors() {
        for (message, changes) in [
            ("the event has no `repository-name`", json!({"repository-name": null})),
            ("the detail of the `ECR Image Action` event is malformed", json!({"image-tag": 7})),
            ("`Team` is not a valid repository name", json!({"repository-name": "Team"})),
            ("`sha256:x` is not a valid digest", json!({"image-digest": "sha256:x"})),
            ("`a b` is not a valid tag", json!({"image-tag": "a b"})),
        ] {
            let error = parse("ECR Image Action", &changes).unwrap_err().to_string();
            assert!(error.starts_with(message), "{changes}: {error}");
        }
    }
}
