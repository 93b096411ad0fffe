//! Events: an `EventBridge` event becomes an [`Arrival`], or a reason to ignore it.

mod arrival;
mod detail;
mod parse;

pub use arrival::{Arrival, ArrivalKind, IgnoreReason};
pub use detail::{EventError, detect_artifact};
pub use parse::{AUDIT_DETAIL_TYPE, AUDIT_SOURCE, Event, is_audit};
