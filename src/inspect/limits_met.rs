//! A memory of inspections that met a limit, so that pushing an image again does not read its layers again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::inspection::{InspectionOutcome, InspectionTarget};
use crate::name::Digest;

/// The maximum number of remembered inspections; the oldest are forgotten first. An inspection takes some 400 bytes.
const MAX_REMEMBERED: usize = 1000;

/// How long an inspection is remembered. A limit on content is met every time, but a slow transfer that met the time
/// limit may be faster later.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// The outcomes of inspections that met a limit, by image and target.
#[derive(Debug, Default)]
pub(super) struct LimitsMet {
    outcomes: Mutex<VecDeque<(Instant, Digest, InspectionTarget, InspectionOutcome)>>,
}

impl LimitsMet {
    pub(super) fn get(&self, digest: &Digest, target: InspectionTarget) -> Option<InspectionOutcome> {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.retain(|(since, ..)| since.elapsed() < REMEMBERED_FOR);
        let is_asked = |(_, known, of, _): &&(_, Digest, InspectionTarget, _)| known == digest && *of == target;
        outcomes.iter().find(is_asked).map(|(.., outcome)| outcome.clone())
    }

    /// Remembers the outcome if it is due to a limit.
    pub(super) fn record(&self, digest: &Digest, target: InspectionTarget, outcome: &InspectionOutcome) {
        if !matches!(outcome, InspectionOutcome::Unreadable(_) | InspectionOutcome::TimedOut) {
            return;
        }
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.push_back((Instant::now(), digest.clone(), target, outcome.clone()));
        if outcomes.len() > MAX_REMEMBERED {
            outcomes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Processor;

    #[test]
    fn only_limits_are_remembered_and_the_oldest_is_forgotten() {
        let limits = LimitsMet::default();
        let [amd64, arm64] =
            [Processor::Amd64, Processor::Arm64].map(|processor| InspectionTarget { processor, is_lambda: false });
        let digest = |number: usize| Digest::of(number.to_string().as_bytes());
        let too_large = InspectionOutcome::Unreadable("too large".to_owned());
        limits.record(&digest(0), amd64, &too_large);
        limits.record(&digest(0), arm64, &InspectionOutcome::Unavailable("missing".to_owned()));
        assert_eq!((limits.get(&digest(0), amd64), limits.get(&digest(0), arm64)), (Some(too_large), None));
        (1..=MAX_REMEMBERED).for_each(|number| limits.record(&digest(number), amd64, &InspectionOutcome::TimedOut));
        assert_eq!(limits.get(&digest(0), amd64), None);
        assert_eq!(limits.get(&digest(1), amd64), Some(InspectionOutcome::TimedOut));
    }
}
