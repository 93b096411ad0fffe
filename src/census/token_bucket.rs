//! A token bucket, as AWS limits the rates of its APIs ("Request throttling for the Amazon ECS API" in the Amazon ECS API
//! reference).
//!
//! Neither waits nor reads a clock, so it can be tested without one.

use std::time::Duration;

/// Allows a burst of calls, and then a number of calls a second.
#[derive(Debug)]
pub(super) struct TokenBucket {
    /// The time between two calls after the burst.
    interval: Duration,
    /// How far ahead of the rate the calls may be.
    tolerance: Duration,
    /// When the bucket is full again, by the clock of the caller.
    full_at: Duration,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second;
        Self { interval, tolerance: interval * burst.saturating_sub(1), full_at: Duration::ZERO }
    }

    /// Takes a token, and returns how long the call has to wait for it.
    pub(super) fn take(&mut self, now: Duration) -> Duration {
        let due = self.full_at.max(now);
        self.full_at = due + self.interval;
        due.saturating_sub(self.tolerance).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_after_the_burst_wait_for_the_rate() {
        let mut bucket = TokenBucket::new(3, 10);
        let mut now = Duration::from_secs(5);
        let mut take = |now: Duration| bucket.take(now).as_millis();
        assert_eq!([take(now), take(now), take(now), take(now), take(now)], [0, 0, 0, 100, 200]);
        // The next token after the two that were promised.
        now += Duration::from_millis(250);
        assert_eq!(take(now), 50);
        // Full again.
        now += Duration::from_mins(1);
        assert_eq!([take(now), take(now), take(now), take(now)], [0, 0, 0, 100]);
    }
}
