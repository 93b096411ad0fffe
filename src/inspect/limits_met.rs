//! A memory of inspections that met a limit, so that pushing an image again does not read its layers again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::inspection::{InspectionOutcome, InspectionTarget};
use crate::name::Digest;
use crate::oci::ProcessConfig;

/// The maximum number of remembered inspections; the oldest are forgotten first. An inspection takes some 400 bytes.
const MAX_REMEMBERED: usize = 1000;

/// How long an inspection is remembered. A limit on content is met every time, but a slow transfer that met the time
/// limit may be faster later.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// What was inspected: an image, where it runs, and a hash of the process that it starts there. Consumers start others.
type InspectionKey = (Digest, InspectionTarget, u64);

/// The outcomes of inspections that met a limit.
#[derive(Debug, Default)]
pub(super) struct LimitsMet {
    outcomes: Mutex<VecDeque<(Instant, InspectionKey, InspectionOutcome)>>,
}

impl LimitsMet {
    pub(super) fn get(&self, image: (&Digest, &ProcessConfig), target: InspectionTarget) -> Option<InspectionOutcome> {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.retain(|(since, ..)| since.elapsed() < REMEMBERED_FOR);
        let key = key_of(image, target);
        outcomes.iter().find(|(_, known, _)| *known == key).map(|(.., outcome)| outcome.clone())
    }

    /// Remembers the outcome if it is due to a limit.
    pub(super) fn record(
        &self,
        image: (&Digest, &ProcessConfig),
        target: InspectionTarget,
        outcome: &InspectionOutcome,
    ) {
        if !matches!(outcome, InspectionOutcome::Unreadable(_) | InspectionOutcome::TimedOut) {
            return;
        }
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.push_back((Instant::now(), key_of(image, target), outcome.clone()));
        if outcomes.len() > MAX_REMEMBERED {
            outcomes.pop_front();
        }
    }
}

fn key_of(image: (&Digest, &ProcessConfig), target: InspectionTarget) -> InspectionKey {
    let mut hasher = DefaultHasher::new();
    image.1.hash(&mut hasher);
    (image.0.clone(), target, hasher.finish())
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
        let (own, other) =
            (ProcessConfig::default(), ProcessConfig { argv: vec!["/other".to_owned()], ..ProcessConfig::default() });
        let digest = |number: usize| Digest::of(number.to_string().as_bytes());
        let too_large = InspectionOutcome::Unreadable("too large".to_owned());
        limits.record((&digest(0), &own), amd64, &too_large);
        limits.record((&digest(0), &own), arm64, &InspectionOutcome::Unavailable("missing".to_owned()));
        assert_eq!(limits.get((&digest(0), &own), amd64), Some(too_large));
        assert_eq!(limits.get((&digest(0), &own), arm64), None);
        // A consumer may start another program of the same image.
        assert_eq!(limits.get((&digest(0), &other), amd64), None);
        for number in 1..=MAX_REMEMBERED {
            limits.record((&digest(number), &own), amd64, &InspectionOutcome::TimedOut);
        }
        assert_eq!(limits.get((&digest(0), &own), amd64), None);
        assert_eq!(limits.get((&digest(1), &own), amd64), Some(InspectionOutcome::TimedOut));
    }
}
