//! Pauses that double (exponential back-off) and rates that follow what a service accepts (AIMD).
//!
//! Neither waits nor reads a clock, so both can be tested without one.

use std::time::Duration;

/// A pause that doubles with each failure, up to the longest, until something succeeds.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// Returns the pause after this failure.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// Starts again with the shortest pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

/// A value that is halved when a service throttles and grows slowly while it accepts: additive increase, multiplicative
/// decrease, as in TCP's congestion control.
#[derive(Debug)]
pub(crate) struct Aimd {
    pub(crate) value: f64,
    min: f64,
    max: f64,
}

impl Aimd {
    /// Starts at the maximum.
    pub(crate) fn new(min: f64, max: f64) -> Self {
        let max = max.max(min);
        Self { value: max, min, max }
    }

    pub(crate) fn increase(&mut self, step: f64) {
        self.value = (self.value + step).min(self.max);
    }

    pub(crate) fn halve(&mut self) {
        self.value = (self.value / 2.0).max(self.min);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        let pauses: Vec<u64> = (0..5).map(|_| backoff.next_pause().as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 10, 10]);
        backoff.reset();
        assert_eq!(backoff.next_pause().as_secs(), 2);
    }

    #[test]
    fn value_stays_between_its_bounds() {
        let mut value = Aimd::new(10.0, 25.0);
        for (halvings, expected) in [(0, 25.0), (1, 12.5), (3, 10.0)] {
            (0..halvings).for_each(|_| value.halve());
            assert!((value.value - expected).abs() < f64::EPSILON, "{}", value.value);
            value.increase(100.0);
        }
        assert!((Aimd::new(10.0, 1.0).value - 10.0).abs() < f64::EPSILON);
    }
}
