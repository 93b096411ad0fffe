//! What is written down of each event: one line for the log, which is the metrics too.
//!
//! Does not hold an address with a query, which may be a secret. The form is CloudWatch's "embedded metric format"
//! (its specification is in the CloudWatch user guide): an ordinary JSON line with a member `_aws` that says which of
//! the others are metrics.

use crate::name::{Digest, Tag};
use crate::report::{self, Report};
use serde_json::{Value, json};

/// The namespace of the metrics.
pub const NAMESPACE: &str = "ecr-preflight";

/// What happened on the way to a report.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventRecord<'a> {
    /// The event's own id.
    pub event_id: &'a str,
    /// Whether it is an audit that asks; its line holds the whole report, and no metric.
    pub is_audit: bool,
    /// What the event told of instead of an image to judge; empty otherwise.
    pub ignored_detail: &'a str,
    /// Whether a message was sent.
    pub notified: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many bytes of manifests, configs and layers were read, the latter as stored.
    pub bytes_read: u64,
    /// When it ended, in milliseconds since 1970.
    pub ended_at_ms: u64,
}

/// The largest report, in bytes of JSON, that an audit's line holds: CloudWatch Logs once took no more than 256 KiB a line
/// (its quotas, "Event size"), and who reads answers by the thousand has no use for larger ones.
const MAX_REPORT_BYTES: usize = 200_000;

/// The line of one event. That of an audit holds the whole report and no metric: it is the audit's answer, and the metrics
/// are of what arrives.
#[must_use]
pub fn metrics_line(report: &Report, walked: EventRecord<'_>) -> Value {
    let faults: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
    let runtimes: Vec<String> = report.runtimes().map(|runtime| runtime.subject.name()).collect();
    let arrival = report.arrival.as_ref();
    // An image that was not read is known by what the event says of it.
    let asked = arrival.and_then(|arrival| arrival.digest.as_ref());
    let digest = report.image.as_ref().map(|image| &image.digest).or(asked);
    let metrics = |dimensions: Value, metrics: Value| json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics});
    let mut directives = vec![
        metrics(json!([["verdict"]]), json!([{"Name": "Arrivals", "Unit": "Count"}])),
        metrics(
            json!([[]]),
            json!([{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "BytesRead", "Unit": "Bytes"}]),
        ),
    ];
    if !faults.is_empty() {
        directives.push(metrics(json!([["fault"]]), json!([{"Name": "Faults", "Unit": "Count"}])));
    }
    let mut line = json!({
        "_aws": {"Timestamp": walked.ended_at_ms, "CloudWatchMetrics": directives},
        "level": "INFO",
        "message": report::format_headline(report),
        "event_id": walked.event_id,
        "how": arrival.map(|arrival| arrival.how),
        "repository": arrival.map(|arrival| &arrival.repository),
        "digest": digest.map(Digest::as_str),
        "tag": arrival.and_then(|arrival| arrival.tag.as_ref()).map(Tag::as_str),
        "verdict": report.verdict.as_str(),
        "ignored": report.ignored.map(crate::event::IgnoreReason::as_str),
        "detail": Some(walked.ignored_detail).filter(|said| !said.is_empty()),
        "runtimes": runtimes.join(" "),
        "faults": faults.join(" "),
        // A dimension holds one value; the others stand in `faults`.
        "fault": faults.first(),
        "notified": walked.notified,
        "Arrivals": 1,
        "Faults": faults.len(),
        "Duration": walked.duration_ms,
        "BytesRead": walked.bytes_read,
    });
    if walked.is_audit {
        let whole = serde_json::to_value(report).unwrap_or_default();
        line["report"] = if whole.to_string().len() > MAX_REPORT_BYTES { Value::Null } else { whole };
        for metric in ["_aws", "Arrivals", "Faults", "Duration", "BytesRead"] {
            line[metric] = Value::Null;
        }
    }
    if let Some(members) = line.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    line
}
