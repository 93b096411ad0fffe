//! Waivers together, and the answer of the first that is for a fault.

use super::rule::{FaultPlace, Waiver};
use crate::date::Date;

/// The answer of a waiver to a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaiverAnswer<'a> {
    /// The fault is accepted.
    Accepted(&'a Waiver),
    /// It was accepted until the waiver expired.
    Expired(&'a Waiver),
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
    use crate::verdict::FaultCode;
    use crate::waiver::image_names;

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
