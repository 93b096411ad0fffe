//! How many calls AWS receives at once: half as many each time it throttles, gradually more while it answers.
//!
//! The SDK's adaptive mode slows down each call by itself, within the time that the call may take, and gives up when its
//! retry quota is used up. Here all calls pause together, outside of that time, and each is repeated until it is answered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::retry::RetryConfig;
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;

use super::scope::increment;
use crate::aws::service_error;
use crate::backoff::{Aimd, Backoff};
use crate::name::{Digest, Selector};
use crate::registry::ecr::EcrRepository;
use crate::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

/// How fast the limit grows: by one call after eight times as many answers as there are calls at once. If it grew faster,
/// every other call close to a quota would be throttled.
const INCREASE: f64 = 0.125;

/// The shortest pause, after the first throttled call.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: a quota that is counted by the minute is not available sooner after longer ones.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// How often one call is repeated, in addition to the SDK's own attempts, before it fails: after two minutes of pauses, if
/// nothing at all is answered.
const MAX_ATTEMPTS: u32 = 12;

/// Whether an AWS service throttles, by its error code: the codes that the SDKs know.
pub(super) fn is_throttling_code(code: &str) -> bool {
    const CODES: [&str; 8] = [
        "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown", "ThrottledException",
        "Throttling", "ThrottlingException", "TooManyRequestsException",
    ];
    CODES.contains(&code)
}

/// Limits the calls in flight. Pauses have no jitter: calls that paused together resume one after the other.
#[derive(Debug)]
pub(super) struct AdaptiveLimiter {
    state: RefCell<LimiterState>,
    changed: Notify,
    /// How many calls were throttled, after the SDK's own retries.
    pub(super) throttle_count: Cell<u64>,
}

#[derive(Debug)]
struct LimiterState {
    /// How many calls may be in flight.
    limit: Aimd,
    in_flight: f64,
    backoff: Backoff,
    pause_end: Option<Instant>,
}

impl AdaptiveLimiter {
    /// Creates a limiter for at most so many calls at once.
    pub(super) fn new(max_concurrency: u16) -> Self {
        let state = LimiterState {
            limit: Aimd::new(1.0, f64::from(max_concurrency)),
            in_flight: 0.0,
            backoff: Backoff::new(MIN_PAUSE, MAX_PAUSE),
            pause_end: None,
        };
        Self { state: RefCell::new(state), changed: Notify::new(), throttle_count: Cell::new(0) }
    }

    /// The SDK's own retries: with short pauses, so that the limiter soon sees a throttled call.
    pub(super) fn retry_config() -> RetryConfig {
        RetryConfig::standard().with_initial_backoff(MIN_PAUSE).with_max_backoff(MIN_PAUSE * 4)
    }

    /// Makes a call as soon as the limit allows it, and repeats it while it is throttled.
    ///
    /// # Errors
    /// Those of the call.
    pub(super) async fn call<T>(&self, call: impl AsyncFn() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        for _ in 0..MAX_ATTEMPTS {
            let permit = self.acquire().await;
            let result = call().await;
            drop(permit);
            match &result {
                Err(error) if is_throttling(error) => self.slow_down(),
                _ => {
                    self.speed_up();
                    return result;
                }
            }
        }
        let _permit = self.acquire().await;
        call().await
    }

    async fn acquire(&self) -> LimiterPermit<'_> {
        loop {
            let pause_end = self.state.borrow().pause_end.filter(|end| *end > Instant::now());
            if let Some(end) = pause_end {
                tokio::time::sleep_until(end).await;
                continue;
            }
            {
                let mut state = self.state.borrow_mut();
                if state.in_flight + 1.0 <= state.limit.value {
                    state.in_flight += 1.0;
                    return LimiterPermit(self);
                }
            }
            self.changed.notified().await;
        }
    }

    fn slow_down(&self) {
        increment(&self.throttle_count);
        let (mut state, now) = (self.state.borrow_mut(), Instant::now());
        // Calls that were in flight when the first one was throttled say nothing new.
        if state.pause_end.is_none_or(|end| end <= now) {
            state.limit.halve();
            state.pause_end = Some(now + state.backoff.next_pause());
        }
    }

    fn speed_up(&self) {
        let mut state = self.state.borrow_mut();
        let step = INCREASE / state.limit.value;
        state.limit.increase(step);
        state.backoff.reset();
        drop(state);
        self.changed.notify_one();
    }
}

/// One call in flight.
struct LimiterPermit<'a>(&'a AdaptiveLimiter);

impl Drop for LimiterPermit<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().in_flight -= 1.0;
        self.0.changed.notify_one();
    }
}

fn is_throttling(error: &RegistryError) -> bool {
    let RegistryError::Failed { source, .. } = error else { return false };
    service_error::service_error_code(source).is_some_and(is_throttling_code)
}

/// The resource tags of one repository, read once for all its images.
#[derive(Debug, Default)]
pub(super) struct ResourceTags(OnceCell<Vec<(String, String)>>);

impl ResourceTags {
    /// Returns all tags; reads them at the first call.
    ///
    /// # Errors
    /// The tags cannot be read. The next call tries again.
    async fn all(
        &self,
        repository: &EcrRepository,
        limiter: &AdaptiveLimiter,
    ) -> Result<&[(String, String)], RegistryError> {
        let tags = self.0.get_or_try_init(|| limiter.call(async || repository.list_resource_tags().await)).await?;
        Ok(tags)
    }

    /// Returns the value of a tag; reads the tags at the first call.
    ///
    /// # Errors
    /// The tags cannot be read. The next call tries again.
    pub(super) async fn value(
        &self,
        repository: &EcrRepository,
        limiter: &AdaptiveLimiter,
        key: &str,
    ) -> Result<Option<&str>, RegistryError> {
        let tags = self.all(repository, limiter).await?;
        Ok(tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str()))
    }
}

/// A repository whose calls go through the limiter.
pub(super) struct ThrottledRegistry<'a> {
    pub(super) repository: EcrRepository,
    pub(super) tags: Rc<ResourceTags>,
    pub(super) limiter: &'a AdaptiveLimiter,
}

impl Registry for ThrottledRegistry<'_> {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        self.limiter.call(async || self.repository.fetch_manifests(which).await).await
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        self.limiter.call(async || self.repository.fetch_blob(digest, limit).await).await
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        self.limiter.call(async || self.repository.open_blob(digest).await).await
    }

    async fn fetch_resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, RegistryError> {
        Ok(self.tags.all(&self.repository, self.limiter).await?.to_vec())
    }
}

/// Counts the HTTP requests of an audit, including those to storage and repeated ones.
#[derive(Debug, Clone)]
pub(super) struct CountingConnector {
    inner: SharedHttpConnector,
    count: Arc<AtomicU64>,
}

impl CountingConnector {
    pub(super) fn new(inner: SharedHttpConnector) -> Self {
        Self { inner, count: Arc::default() }
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}
