//! A quota of calls: a token bucket.

use std::time::Instant;

#[derive(Debug)]
pub struct Throttle {
    rate: f64,
    tokens: f64,
    last: Instant,
}

impl Throttle {
    /// A quota of this many calls per second.
    pub fn new(rate: f64) -> Self {
        Self { rate, tokens: rate / 10.0, last: Instant::now() }
    }

    /// Whether another call is accepted.
    pub fn try_take(&mut self) -> bool {
        let now = Instant::now();
        let filled = self.tokens + now.duration_since(self.last).as_secs_f64() * self.rate;
        (self.tokens, self.last) = (filled.min((self.rate / 10.0).max(1.0)), now);
        let try_take = self.tokens >= 1.0;
        if try_take {
            self.tokens -= 1.0;
        }
        try_take
    }
}
