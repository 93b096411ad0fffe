//! A waiver in a report.

use serde::Serialize;

use crate::date::Date;
use crate::waiver::Waiver;

/// A waiver, as a report shows it beside the fault.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiverReport {
    /// Why the fault is accepted.
    pub reason: String,
    /// The last day on which it is accepted, in UTC; absent for no end.
    pub expires: Option<Date>,
}

impl WaiverReport {
    pub(super) fn new(waiver: &Waiver) -> Self {
        Self { reason: waiver.reason.clone(), expires: waiver.expires }
    }

    /// Returns `waived`, with the last day if there is one.
    pub fn title(&self) -> String {
        self.expires.map_or_else(|| "waived".to_owned(), |expires| format!("waived until {expires}"))
    }
}
