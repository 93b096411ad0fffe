//! Events: an `EventBridge` event becomes an [`Arrival`], or a reason to ignore it.

mod arrival;
mod detail;
mod parse;

pub use arrival::{Arrival, ArrivalKind, IgnoreReason};
#[cfg(feature = "consumers")]
pub(crate) use detail::has_date_characters;
pub use detail::{EventError, detect_artifact};
pub use parse::{
    AUDIT_DETAIL_TYPE, CENSUS_DETAIL_TYPE, CONSUMER_DETAIL_TYPE, Event, OWN_SOURCE, STOPPED_DETAIL_TYPE, is_audit,
};
