//! How fast events are put on the bus: fewer at a time where the service says that they are too many.
//!
//! Does not wait; it says how long to. Times are given, so that it can be tested without a clock.

use std::time::Duration;

/// The slowest that it becomes, in events a second: one request of ten.
const MIN_RATE: f64 = 10.0;

/// What the rate is multiplied by when the service refuses, and what is added for each event that it takes: half at once, and
/// back to a hundred a second more within some seconds, as congestion control in networks does (AIMD).
const DECREASE_FACTOR: f64 = 0.5;
const INCREASE_PER_EVENT: f64 = 0.2;

/// A rate that follows what the service takes.
#[derive(Debug)]
pub(super) struct EventRate {
    current: f64,
    max: f64,
    /// When the next events may go.
    next_send: Duration,
}

impl EventRate {
    /// Begins at the greatest rate, in events a second.
    pub(super) fn new(max: f64) -> Self {
        let max = max.max(MIN_RATE);
        Self { current: max, max, next_send: Duration::ZERO }
    }

    /// How long to wait at this time, since the beginning, before so many events go.
    pub(super) fn reserve(&mut self, events: usize, at: Duration) -> Duration {
        let from = self.next_send.max(at);
        #[allow(clippy::cast_precision_loss, reason = "there are ten")]
        let takes = Duration::from_secs_f64(events as f64 / self.current);
        self.next_send = from + takes;
        from.saturating_sub(at)
    }

    /// So many were taken.
    pub(super) fn increase(&mut self, events: usize) {
        #[allow(clippy::cast_precision_loss, reason = "there are ten")]
        let creep = INCREASE_PER_EVENT * events as f64;
        self.current = (self.current + creep).min(self.max);
    }

    /// Some were refused, because they are too many.
    pub(super) fn decrease(&mut self) {
        self.current = (self.current * DECREASE_FACTOR).max(MIN_RATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many events go within ten seconds, where the service takes so many a second.
    fn gone(max: f64, takes: Option<f64>) -> usize {
        let (mut rate, mut at, mut gone, mut refused) = (EventRate::new(max), Duration::ZERO, 0, 0);
        while at < Duration::from_secs(10) {
            at += rate.reserve(10, at);
            match takes {
                Some(takes) if rate.current > takes => {
                    refused += 1;
                    rate.decrease();
                }
                _ => {
                    rate.increase(10);
                    gone += 10;
                }
            }
        }
        assert!(refused * 10 <= gone.max(100), "{refused} refusals for {gone} events");
        gone
    }

    #[test]
    fn the_rate_is_that_asked_for_or_follows_what_the_service_takes() {
        for (max, takes, at_least, at_most) in [
            (100.0, None, 990, 1010),
            (1.0, None, 90, 110),
            (400.0, Some(200.0), 1000, 2100),
            (400.0, Some(40.0), 200, 500),
        ] {
            let gone = gone(max, takes);
            assert!((at_least..=at_most).contains(&gone), "{max} {takes:?}: {gone}");
        }
    }
}
