//! The part of a report about what is known of the image's consumers.

use serde::Serialize;

use crate::consumer::{ConsumerLookup, RelevantConsumers};
use crate::text::sanitize;

/// The longest reason, in characters.
const MAX_REASON: usize = 300;

/// The most services that are named as not read: there are five.
const MAX_NOT_READ: usize = 16;

/// What is known about the consumers of the image.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumersReport {
    /// Whether they are known.
    pub known: bool,
    /// Why they are not.
    pub reason: Option<String>,
    /// When they were read from AWS, in RFC 3339 format.
    pub as_of: Option<String>,
    /// How many ways to run the image there are that name its tag or digest.
    pub bound: usize,
    /// The same for those that name another tag or digest of its repository.
    pub related: usize,
    /// How many consumers run on an unknown architecture.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// How many consumers were not looked at, because there are too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// Whether a consumer that names its tag or digest runs on an unknown architecture. Not in the JSON.
    #[serde(skip)]
    pub is_bound_unknown: bool,
    /// The services that were not read, with the reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
}

impl ConsumersReport {
    /// Says which consumers are not known, if any are not.
    pub(super) fn describe_unknown(&self) -> Option<String> {
        if let Some(reason) = &self.reason {
            return Some(format!("What runs the image could not be read: {reason}"));
        }
        (!self.not_read.is_empty())
            .then(|| format!("Not everything that may run the image is known: {}", self.not_read.join("; ")))
    }

    /// Describes what was read; `None` if nobody asked.
    pub fn new(lookup: &ConsumerLookup, relevant: &RelevantConsumers) -> Option<Self> {
        match lookup {
            ConsumerLookup::NotRead => None,
            ConsumerLookup::Failed(reason) => {
                Some(Self { reason: Some(sanitize(reason, MAX_REASON)), ..Self::default() })
            }
            ConsumerLookup::Known(known) => Some(Self {
                known: true,
                reason: None,
                as_of: known.as_of.clone(),
                bound: relevant.bound.len(),
                related: relevant.related.len(),
                unknown: relevant.unknown,
                is_bound_unknown: relevant.is_bound_unknown,
                omitted: relevant.omitted,
                not_read: known.not_read.iter().take(MAX_NOT_READ).map(|text| sanitize(text, MAX_REASON)).collect(),
            }),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "Serde calls it")]
pub(super) fn is_zero(count: &usize) -> bool {
    *count == 0
}
