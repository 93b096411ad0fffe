//! The log, in Lambda's JSON format. One line per event contains its result and the metrics. No line contains a URL
//! with a query, because a presigned URL is a secret.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

use super::payload::QueueMessage;
use crate::date::Date;
use crate::event::IgnoreReason;
use crate::name::{Digest, Tag};
use crate::report::{self, Report};

/// The target with which `lambda_runtime` logs an error of the handler, which is already logged with the event's ID.
const DUPLICATE_ERROR_TARGET: &str = "lambda_runtime::layers::panic";

/// Writes log lines of this level and above to standard output, without a time: CloudWatch Logs adds it.
pub fn init(level: tracing::Level) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_max_level(level)
        .with_writer(std::io::stdout.with_filter(|metadata| metadata.target() != DUPLICATE_ERROR_TARGET))
        .init();
}

/// Writes a JSON value as one line, regardless of the log level.
pub fn write_json_line(line: &Value) {
    // If standard output is closed, the failure cannot be reported anywhere.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Returns the time since 1970.
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns the present day in UTC.
pub fn today() -> Date {
    Date::from_unix_seconds(unix_time().as_secs())
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The namespace of the metrics.
pub const NAMESPACE: &str = "ecr-preflight";

/// The contents of an event's log line in addition to its report.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventRecord<'a> {
    /// The name of the stack, a dimension of the metrics.
    pub stack: Option<&'a str>,
    /// The ID of the event.
    pub event_id: &'a str,
    /// Whether `audit --via-lambda` sent the event.
    pub is_audit: bool,
    /// Why the event is ignored, in detail; empty if it is not.
    pub ignored_detail: &'a str,
    /// Whether a message was sent.
    pub notified: bool,
    /// The event that caused the same message a short time ago, if no message was sent for this reason.
    pub duplicate_of: Option<&'a str>,
    /// How long the event took, in milliseconds.
    pub duration_ms: u64,
    /// The bytes of manifests, configs and layers (as stored) that were read.
    pub bytes_read: u64,
    /// When the event was completed, in milliseconds since 1970.
    pub ended_at_ms: u64,
}

/// Builds a directive, which names metrics and their dimensions: that of the stack, if its name is known, and one more.
pub(crate) fn directive(stack: Option<&str>, dimension: Option<&str>, metrics: &Value) -> Value {
    let dimensions: Vec<&str> = stack.map(|_| "stack").into_iter().chain(dimension).collect();
    json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics})
}

/// Builds the log line of a message that failed, which is received again or moved to the failure queue. It counts in a
/// metric of its own, because Lambda does not count a failed message of a batch as an error of the function.
pub fn failure_line(stack: Option<&str>, message: &QueueMessage, event_id: Option<&str>, error: &str) -> Value {
    let metrics = json!([{"Name": "FailedEvents", "Unit": "Count"}]);
    let mut line = json!({
        "_aws": {"Timestamp": milliseconds(unix_time()), "CloudWatchMetrics": [directive(stack, None, &metrics)]},
        "level": "ERROR",
        "message": "failed; the event stays in the queue",
        "error": error,
        "message_id": message.id,
        "FailedEvents": 1,
    });
    if let Some(stack) = stack {
        line["stack"] = stack.into();
    }
    if let Some(event_id) = event_id {
        line["event_id"] = event_id.into();
    }
    if let Some(attempt) = message.attempt {
        line["attempt"] = attempt.into();
    }
    line
}

/// The contents of the log line of a gate.
#[cfg(feature = "consumers")]
#[derive(Debug, Clone)]
pub(super) struct DecisionRecord<'a> {
    /// The kind of the gate.
    pub(super) gate: &'static str,
    /// The decision; `None` if there is none yet.
    pub(super) decision: Option<&'static str>,
    /// The message to the service that called the gate.
    pub(super) message: &'a str,
    /// What is deployed.
    pub(super) target: String,
    /// The deployment that it is a part of.
    pub(super) deployment: String,
    /// The number of the invocation for this deployment, from 1 on.
    pub(super) attempt: u64,
    /// The number of images that were judged or skipped.
    pub(super) images: usize,
    /// The codes of the certain faults.
    pub(super) faults: Vec<&'static str>,
    /// How long the gate took.
    pub(super) duration: Duration,
}

#[cfg(feature = "consumers")]
/// Builds the log line of a gate. A decision counts in the metric `GateDecisions`.
pub(super) fn decision_line(stack: Option<&str>, record: &DecisionRecord<'_>) -> Value {
    let mut line = json!({
        "level": "INFO",
        "message": record.message,
        "gate": record.gate,
        "decision": record.decision.unwrap_or("in-progress"),
        "target": record.target,
        "deployment": record.deployment,
        "attempt": record.attempt,
        "images": record.images,
        "faults": record.faults.join(" "),
        "duration_ms": milliseconds(record.duration),
    });
    if record.decision.is_some() {
        let metrics = json!([{"Name": "GateDecisions", "Unit": "Count"}]);
        let directives = [directive(stack, Some("decision"), &metrics)];
        line["_aws"] = json!({"Timestamp": milliseconds(unix_time()), "CloudWatchMetrics": directives});
        line["GateDecisions"] = 1.into();
    }
    if let Some(stack) = stack {
        line["stack"] = stack.into();
    }
    line
}

/// The largest report in the log line of an audit event, in bytes of JSON. It fits into the former limit of CloudWatch
/// Logs, 256 KiB ("Event size" in its quotas).
const MAX_REPORT_BYTES: usize = 200_000;

/// Builds the log line of an event. Its member `_aws` names the members that are metrics ("Specification: Embedded
/// metric format" in the CloudWatch user guide).
///
/// The line of an audit event has no metrics, but the full report, which `audit --via-lambda` reads.
pub fn metrics_line(report: &Report, record: EventRecord<'_>) -> Value {
    let faults: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
    // Waived faults are listed, but do not count.
    let counting: Vec<&str> =
        report.faults().filter(|fault| fault.waived.is_none()).map(|fault| fault.code.as_str()).collect();
    let runtimes: Vec<String> = report.runtimes().map(|runtime| runtime.subject.name()).collect();
    let arrival = report.arrival.as_ref();
    // For an image that was not read, the event has the digest.
    let digest = report.image.as_ref().map(|image| &image.digest);
    let digest = digest.or(arrival.and_then(|arrival| arrival.digest.as_ref()));
    let totals = json!([{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "BytesRead", "Unit": "Bytes"}]);
    let arrivals = json!([{"Name": "Arrivals", "Unit": "Count"}]);
    let directive = |dimension, metrics| directive(record.stack, dimension, metrics);
    let mut directives = vec![directive(Some("verdict"), &arrivals), directive(None, &totals)];
    if !counting.is_empty() {
        directives.push(directive(Some("fault"), &json!([{"Name": "Faults", "Unit": "Count"}])));
    }
    let mut line = json!({
        "_aws": {"Timestamp": record.ended_at_ms, "CloudWatchMetrics": directives},
        "level": "INFO",
        "message": report::format_headline(report),
        "stack": record.stack,
        "event_id": record.event_id,
        "how": arrival.map(|arrival| arrival.how),
        "repository": arrival.map(|arrival| &arrival.repository),
        "digest": digest.map(Digest::as_str),
        "tag": arrival.and_then(|arrival| arrival.tag.as_ref()).map(Tag::as_str),
        "verdict": report.verdict.as_str(),
        // Present only if it is true: the image fails, but nobody is notified.
        "waived": report.is_waived().then_some(true),
        "ignored": report.ignored.map(IgnoreReason::as_str),
        "detail": Some(record.ignored_detail).filter(|detail| !detail.is_empty()),
        "runtimes": runtimes.join(" "),
        "faults": faults.join(" "),
        // A metric dimension can only have one value.
        "fault": counting.first(),
        "notified": record.notified,
        "duplicate_of": record.duplicate_of,
        "Arrivals": 1,
        "Faults": counting.len(),
        "Duration": record.duration_ms,
        "BytesRead": record.bytes_read,
    });
    if record.is_audit {
        let full = serde_json::to_value(report).unwrap_or_default();
        line["report"] = if full.to_string().len() > MAX_REPORT_BYTES { Value::Null } else { full };
        for metric in ["_aws", "Arrivals", "Faults", "Duration", "BytesRead"] {
            line[metric] = Value::Null;
        }
    }
    if let Some(members) = line.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    line
}
