//! Waivers: faults that somebody accepts, with a reason and until a date. A waiver never changes a verdict; it decides
//! whether a fault counts.
//!
//! The command line reads them from its configuration file, and every command and the function from a resource tag of the
//! repository.

mod date;
mod pattern;

pub use self::date::{Date, DateError};
pub use self::pattern::{ImagePattern, PatternError, image_names};
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

/// The answer of a waiver to a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaiverAnswer<'a> {
    /// The fault is accepted.
    Accepted(&'a Waiver),
    /// It was accepted until the waiver expired.
    Expired(&'a Waiver),
}

impl Waiver {
    /// Formats the waiver as it is named in notes: its conditions, without the reason.
    pub fn describe(&self) -> String {
        let image = self.image.as_ref().map(|image| format!(" of {}", image.as_str())).unwrap_or_default();
        let runtime = self.runtime.map(|runtime| format!(" on {runtime}")).unwrap_or_default();
        format!("{}{image}{runtime}", self.fault.as_str())
    }

    fn matches(&self, place: FaultPlace<'_>) -> bool {
        self.fault.as_str() == place.code
            && self.runtime.is_none_or(|runtime| runtime.profile().name == place.runtime)
            && self.image.as_ref().is_none_or(|image| image.matches_any(place.image_names))
    }

    fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }
}

/// Sanitizes a reason; `None` if it is empty.
pub fn parse_reason(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| sanitize(text, MAX_REASON_CHARS))
}

/// Waivers, and the day on which they are asked for.
#[derive(Debug, Clone)]
pub struct WaiverList {
    /// The waivers, in the order of their source.
    pub waivers: Vec<Waiver>,
    /// The present day in UTC.
    pub today: Date,
}

impl WaiverList {
    /// Returns the answer about a fault: the first waiver that accepts it, else the one that expired last.
    pub fn answer(&self, place: FaultPlace<'_>) -> Option<WaiverAnswer<'_>> {
        let matching = || self.waivers.iter().filter(|waiver| waiver.matches(place));
        let accepted = matching().find(|waiver| !waiver.is_expired(self.today)).map(WaiverAnswer::Accepted);
        accepted.or_else(|| matching().max_by_key(|waiver| waiver.expires).map(WaiverAnswer::Expired))
    }

    /// Returns the positions of all waivers for a fault, also of those that have expired.
    pub fn matching(&self, place: FaultPlace<'_>) -> impl Iterator<Item = usize> {
        (0..self.waivers.len()).filter(move |at| self.waivers[*at].matches(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(image: Option<&str>, runtime: Option<&str>, expires: Option<&str>) -> Waiver {
        Waiver {
            fault: FaultCode::WrongArchitecture,
            image: image.map(|image| image.parse().unwrap()),
            runtime: runtime.map(|runtime| runtime.parse().unwrap()),
            reason: "legacy".to_owned(),
            expires: expires.map(|expires| expires.parse().unwrap()),
        }
    }

    #[test]
    fn waiver_accepts_through_its_last_day() {
        let names = ["team/app".to_owned()];
        let place = FaultPlace { code: "wrong-architecture", runtime: "ecs/arm64", image_names: &names };
        let answer = |waivers: &[Waiver], today: &str| {
            let list = WaiverList { waivers: waivers.to_vec(), today: today.parse().unwrap() };
            list.answer(place).map(|answer| match answer {
                WaiverAnswer::Accepted(waiver) => (true, waiver.expires.map(|date| date.to_string())),
                WaiverAnswer::Expired(waiver) => (false, waiver.expires.map(|date| date.to_string())),
            })
        };
        let (january, february) = (waiver(None, None, Some("2027-01-31")), waiver(None, None, Some("2027-02-28")));
        let day = |text: &str| Some(text.to_owned());
        assert_eq!(answer(std::slice::from_ref(&january), "2027-01-31"), Some((true, day("2027-01-31"))));
        assert_eq!(answer(std::slice::from_ref(&january), "2027-02-01"), Some((false, day("2027-01-31"))));
        let both = [january, february];
        assert_eq!(answer(&both, "2027-02-01"), Some((true, day("2027-02-28"))));
        assert_eq!(answer(&both, "2027-03-01"), Some((false, day("2027-02-28"))));
        assert_eq!(answer(&[waiver(None, None, None)], "9999-12-31"), Some((true, None)));
    }

    #[test]
    fn waiver_is_for_its_image_and_runtime() {
        let names = image_names("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1", "team/app", "v1");
        let place = FaultPlace { code: "wrong-architecture", runtime: "ecs/arm64", image_names: &names };
        for (image, runtime, expected) in [
            (None, None, true),
            (Some("team/*"), Some("ecs/arm64"), true),
            (Some("*.dkr.ecr.us-west-2.amazonaws.com/team/app:v1"), None, true),
            (Some("team/app:v1"), None, true),
            (Some("team/app:v2"), None, false),
            (Some("app"), None, false),
            (None, Some("ecs/amd64"), false),
        ] {
            let list = WaiverList { waivers: vec![waiver(image, runtime, None)], today: "2027-01-01".parse().unwrap() };
            assert_eq!(list.answer(place).is_some(), expected, "{image:?} {runtime:?}");
            assert_eq!(list.matching(place).count(), usize::from(expected));
        }
        let list = WaiverList { waivers: vec![waiver(None, None, None)], today: "2027-01-01".parse().unwrap() };
        assert_eq!(list.answer(FaultPlace { code: "exec-format", ..place }), None);
        assert_eq!(list.waivers[0].describe(), "wrong-architecture");
        assert_eq!(
            waiver(Some("team/*"), Some("ecs/arm64"), None).describe(),
            "wrong-architecture of team/* on ecs/arm64"
        );
    }
}
