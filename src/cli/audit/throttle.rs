//! How many calls the service is asked at once: half as many whenever it throttles, gradually more while it answers.
//!
//! Does not know what is asked, nor retry anything but what was throttled. The SDK's adaptive mode slows each call down
//! by itself, within the time that the call may take, and gives up with its quota of retries; here all calls wait
//! together, outside of that time, and each is asked again until it is answered.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::aws::service_error;
use crate::registry::RegistryError;

/// How fast it goes up again: one more call at once after eight times as many answers as there are calls at once.
/// Faster, every other call at the edge of a quota would be throttled.
const INCREASE: f64 = 0.125;

/// The pause after a first throttling, doubled with each further one up to the longest, until something is answered.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// A minute's quota is spent no sooner by waiting longer.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// How often one call is asked again, beside the SDK's own attempts, before it counts as failed: where nothing at all is
/// answered, after two minutes of pauses.
const MAX_ATTEMPTS: u32 = 12;

/// Codes of throttling, as the SDKs know them.
pub(super) const THROTTLING_CODES: [&str; 8] = [
    "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown",
];

/// The turns that calls take. It gives no jitter: who paused together comes back one after the other.
#[derive(Debug)]
pub(super) struct AdaptiveLimiter {
    max_concurrency: f64,
    state: RefCell<LimiterState>,
    changed: Notify,
    throttle_count: Cell<u64>,
}

#[derive(Debug)]
struct LimiterState {
    /// How many calls may be under way.
    limit: f64,
    /// How many are.
    in_flight: f64,
    pause: Duration,
    /// When the pause ends.
    pause_end: Option<Instant>,
}

impl AdaptiveLimiter {
    /// At most so many calls at once.
    pub(super) fn new(most: u16) -> Self {
        let most = f64::from(most);
        let state = LimiterState { limit: most, in_flight: 0.0, pause: MIN_PAUSE, pause_end: None };
        Self { max_concurrency: most, state: RefCell::new(state), changed: Notify::new(), throttle_count: Cell::new(0) }
    }

    /// The pauses between the SDK's own attempts: short ones, so that a call that is throttled is soon known here.
    pub(super) fn retry_config() -> RetryConfig {
        RetryConfig::standard().with_initial_backoff(MIN_PAUSE).with_max_backoff(MIN_PAUSE * 4)
    }

    /// How often the service throttled a call for good, as far as the SDK goes.
    pub(super) fn throttle_count(&self) -> u64 {
        self.throttle_count.get()
    }

    /// Makes a call when its turn has come, and again while it is throttled.
    ///
    /// # Errors
    /// The call's own.
    pub(super) async fn call<T>(&self, call: impl AsyncFn() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        for _ in 0..MAX_ATTEMPTS {
            let turn = self.acquire().await;
            let answer = call().await;
            drop(turn);
            match &answer {
                Err(error) if is_throttling(error) => self.slow_down(),
                _ => {
                    self.speed_up();
                    return answer;
                }
            }
        }
        let _turn = self.acquire().await;
        call().await
    }

    async fn acquire(&self) -> LimiterPermit<'_> {
        loop {
            let until = self.state.borrow().pause_end.filter(|until| *until > Instant::now());
            if let Some(until) = until {
                tokio::time::sleep_until(until).await;
                continue;
            }
            if self.try_acquire() {
                return LimiterPermit(self);
            }
            self.changed.notified().await;
        }
    }

    /// Whether there is room for one more.
    fn try_acquire(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let fits = state.in_flight + 1.0 <= state.limit;
        state.in_flight += if fits { 1.0 } else { 0.0 };
        fits
    }

    fn slow_down(&self) {
        self.throttle_count.set(self.throttle_count.get() + 1);
        let (mut state, now) = (self.state.borrow_mut(), Instant::now());
        // Calls that were under way when the first was throttled tell nothing new.
        if state.pause_end.is_none_or(|until| until <= now) {
            state.limit = (state.limit / 2.0).max(1.0);
            state.pause_end = Some(now + state.pause);
            state.pause = (state.pause * 2).min(MAX_PAUSE);
        }
    }

    fn speed_up(&self) {
        let mut state = self.state.borrow_mut();
        state.limit = (state.limit + INCREASE / state.limit).min(self.max_concurrency);
        state.pause = MIN_PAUSE;
        drop(state);
        self.changed.notify_one();
    }
}

/// One call under way.
struct LimiterPermit<'a>(&'a AdaptiveLimiter);

impl Drop for LimiterPermit<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().in_flight -= 1.0;
        self.0.changed.notify_one();
    }
}

fn is_throttling(error: &RegistryError) -> bool {
    match error {
        RegistryError::Failed { source, .. } => {
            service_error::service_error_code(source).is_some_and(|code| THROTTLING_CODES.contains(&code))
        }
        _ => false,
    }
}
