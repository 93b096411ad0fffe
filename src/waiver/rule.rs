//! One waiver: what it is for, and until when.

use super::pattern::ImagePattern;
use crate::date::Date;
use crate::runtime::Runtime;
use crate::text::sanitize;
use crate::verdict::FaultCode;

/// The longest reason, in characters: some lines of a report.
const MAX_REASON_CHARS: usize = 500;

/// One accepted fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The kind of the fault.
    pub fault: FaultCode,
    /// The images; `None` for all.
    pub image: Option<ImagePattern>,
    /// The runtime; `None` for all.
    pub runtime: Option<Runtime>,
    /// Why the fault is accepted; sanitized and not empty.
    pub reason: String,
    /// The last day on which it is accepted, in UTC; `None` for no end.
    pub expires: Option<Date>,
}

/// A fault of an image, by names, so that a stored report can be asked for as well.
#[derive(Debug, Clone, Copy)]
pub struct FaultPlace<'a> {
    /// The code of the fault.
    pub code: &'a str,
    /// The name of the runtime.
    pub runtime: &'a str,
    /// The names of the image, see [`image_names`].
    pub image_names: &'a [String],
}

impl Waiver {
    /// Formats the waiver as it is named in notes: its conditions, without the reason.
    pub fn describe(&self) -> String {
        let image = self.image.as_ref().map(|image| format!(" of {}", image.as_str())).unwrap_or_default();
        let runtime = self.runtime.map(|runtime| format!(" on {runtime}")).unwrap_or_default();
        format!("{}{image}{runtime}", self.fault.as_str())
    }

    pub(super) fn matches(&self, place: FaultPlace<'_>) -> bool {
        self.fault.as_str() == place.code
            && self.runtime.is_none_or(|runtime| runtime.profile().name == place.runtime)
            && self.image.as_ref().is_none_or(|image| image.matches_any(place.image_names))
    }

    pub(super) fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }
}

/// Sanitizes a reason; `None` if it is empty.
pub fn parse_reason(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| sanitize(text, MAX_REASON_CHARS))
}
