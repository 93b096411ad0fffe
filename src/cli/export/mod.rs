//! Results of an audit in formats to share, from any source of stored reports.

pub(super) mod csv;
pub(super) mod markdown;
