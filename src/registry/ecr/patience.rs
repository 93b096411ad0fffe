//! How long the transfer of a blob may take.
//!
//! Does not bound the calls of the API: its client is made with bounds of its own.

use std::time::Duration;

use super::super::pieces::PIECE;

/// How long one transfer may take from request to last byte. Config blobs are a few kilobytes; S3 answers in tens of
/// milliseconds, and what is slower by two orders of magnitude has stalled.
const WHOLE: Duration = Duration::from_secs(10);

/// How long the storage service may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a blob that is read whole, from request to last byte.
    pub whole: Duration,
    /// For one that is read while it arrives: from request to first byte, and from each piece to the next. What it
    /// takes in all is bounded by whoever reads.
    pub piece: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { whole: WHOLE, piece: PIECE }
    }
}
