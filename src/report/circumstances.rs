//! The parts of a report about its circumstances: what the tag pointed at before, an earlier report that no longer holds, and
//! the task that stopped.

use serde::Serialize;

use crate::date::{format_minute, format_rfc3339};
use crate::name::Digest;
use crate::text::sanitize;

/// The most platforms of an earlier image that are named.
const MAX_PLATFORMS: usize = 8;

/// The longest reason of a stopped task, in characters. Amazon ECS allows 1,024 for a container ("`Container`" in its API
/// reference).
const MAX_REASON: usize = 300;

/// The image that a tag pointed at before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousImage {
    /// Its digest.
    pub digest: Digest,
    /// Its platforms.
    pub platforms: Vec<String>,
    /// Until when, as an RFC 3339 date.
    pub until: String,
    /// The same for people. Not in the JSON.
    #[serde(skip)]
    pub(super) until_minute: String,
}

impl PreviousImage {
    /// Describes the image that a tag pointed at until this time, in seconds since 1970.
    pub fn new(digest: Digest, platforms: &[String], until: u64) -> Self {
        let platforms = platforms.iter().take(MAX_PLATFORMS).map(|platform| sanitize(platform, 100)).collect();
        Self { digest, platforms, until: format_rfc3339(until), until_minute: format_minute(until) }
    }
}

/// An earlier report about the tag that no longer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedReport {
    /// The digest of the image that it was about.
    pub digest: String,
    /// The codes of its faults; none if a result was unknown.
    pub faults: Vec<String>,
    /// When it was sent, as an RFC 3339 date.
    pub reported_at: String,
    /// The same for people. Not in the JSON.
    #[serde(skip)]
    pub(super) reported_minute: String,
}

impl ResolvedReport {
    /// Describes a report with these faults that was sent at this time, in seconds since 1970.
    pub fn new(digest: String, faults: Vec<String>, at: u64) -> Self {
        Self { digest, faults, reported_at: format_rfc3339(at), reported_minute: format_minute(at) }
    }
}

/// A task that stopped.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoppedReport {
    /// The ARN of the task.
    pub task: String,
    /// The exit code of the container, if it had one.
    pub exit_code: Option<i64>,
    /// Why the container stopped, in the words of Amazon ECS.
    pub reason: Option<String>,
}

impl StoppedReport {
    /// Describes a task.
    pub fn new(task: &str, exit_code: Option<i64>, reason: Option<&str>) -> Self {
        let clean = |text: &str| sanitize(text, MAX_REASON);
        Self { task: clean(task), exit_code, reason: reason.map(clean).filter(|reason| !reason.is_empty()) }
    }
}
