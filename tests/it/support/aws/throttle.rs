//! A service's quota of calls: a bucket of tokens that fills at a rate.

use std::time::Instant;

#[derive(Debug)]
pub struct Throttle {
    rate: f64,
    tokens: f64,
    last: Instant,
}

impl Throttle {
    /// So many calls a second.
    pub fn new(rate: f64) -> Self {
        Self { rate, tokens: rate / 10.0, last: Instant::now() }
    }

    /// Whether one more call is taken.
    pub fn takes(&mut self) -> bool {
        let now = Instant::now();
        let filled = self.tokens + now.duration_since(self.last).as_secs_f64() * self.rate;
        (self.tokens, self.last) = (filled.min((self.rate / 10.0).max(1.0)), now);
        let takes = self.tokens >= 1.0;
        if takes {
            self.tokens -= 1.0;
        }
        takes
    }
}
