//! Reads a fake account in this process with the clients of the SDK. Waiting advances a clock of its own.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ecr_preflight::aws::Aws;
use ecr_preflight::aws::service_error::CallError;
use ecr_preflight::census::{CacheEntry, CacheStore, Census, CensusCache, PacedConnector, SERVICES, read_consumers};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::aws::account::Account;
use crate::support::aws::server::rest_action;

/// A clock that only waiting advances.
#[derive(Debug, Clone, Default)]
struct VirtualClock(Arc<Mutex<Duration>>);

impl VirtualClock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl TimeSource for VirtualClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now()
    }
}

impl AsyncSleep for VirtualClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(VirtualSleep { clock: self.clone(), until: self.now() + duration, was_polled: false })
    }
}

/// Ends when it is polled again: by then, nothing else can proceed without it.
struct VirtualSleep {
    clock: VirtualClock,
    until: Duration,
    was_polled: bool,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.was_polled {
            self.was_polled = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut now = self.clock.0.lock().unwrap();
        *now = (*now).max(self.until);
        Poll::Ready(())
    }
}

/// A call to the account.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: String,
    /// The body, or the path of a request without one.
    pub request: String,
    pub time: Duration,
}

/// Answers requests from an account, and keeps them.
#[derive(Debug, Clone)]
struct AccountConnector {
    account: Arc<Account>,
    clock: VirtualClock,
    calls: Arc<Mutex<Vec<Call>>>,
    /// After how many calls none is answered any more.
    limit: usize,
    is_interrupted: Arc<Notify>,
}

impl HttpConnector for AccountConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.uri().split_once("://").unwrap().1;
        let target = &target[target.find('/').unwrap()..];
        let named = request.headers().get("x-amz-target").map(|name| name.rsplit_once('.').unwrap());
        let action = match named {
            Some(("AppRunner", action)) => format!("AppRunner.{action}"),
            Some((_, action)) => action.to_owned(),
            None => rest_action(target).unwrap().to_owned(),
        };
        let bytes = request.body().bytes().unwrap();
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let shown = if bytes.is_empty() { target.to_owned() } else { body.to_string() };
        let count = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(Call { action: action.clone(), request: shown, time: self.clock.now() });
            calls.len()
        };
        if count > self.limit {
            self.is_interrupted.notify_one();
            return HttpConnectorFuture::new(std::future::pending());
        }
        let (status, answer) = match self.account.answer(&action, &body, target).unwrap() {
            Ok(answer) => (200, answer),
            Err(code) => (400, json!({"__type": code})),
        };
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()))))
    }
}

/// Keeps the entries of a census, as a table does.
#[derive(Debug, Default)]
pub struct MemoryStore {
    pub entries: Mutex<BTreeMap<(String, String), String>>,
    pub batches: Mutex<Vec<usize>>,
    /// The numbers of the batches that it refuses, from 1.
    pub refused: Vec<usize>,
}

impl CacheStore for MemoryStore {
    async fn store(&self, entries: Vec<CacheEntry>) -> Result<(), CallError> {
        // A table takes a while: a census is interrupted here too.
        tokio::task::yield_now().await;
        let number = {
            let mut batches = self.batches.lock().unwrap();
            batches.push(entries.len());
            batches.len()
        };
        if self.refused.contains(&number) {
            let (resource, source) = ("table".to_owned(), format!("batch {number} is refused").into());
            return Err(CallError { action: "dynamodb:BatchWriteItem", resource, problem: "failed", source });
        }
        let entries = entries.into_iter().map(|entry| ((entry.kind, entry.key), entry.value));
        self.entries.lock().unwrap().extend(entries);
        Ok(())
    }
}

impl MemoryStore {
    pub fn list(&self) -> Vec<CacheEntry> {
        let entries = self.entries.lock().unwrap().clone();
        entries.into_iter().map(|((kind, key), value)| CacheEntry { kind, key, value }).collect()
    }

    /// The cache of the next census.
    pub fn cache(&self) -> CensusCache {
        self.list().into_iter().collect()
    }
}

/// Clients that call an account.
pub struct Clients {
    pub aws: Aws,
    connector: AccountConnector,
}

impl Clients {
    pub fn new(account: &Arc<Account>) -> Self {
        Self::with_limit(account, usize::MAX)
    }

    /// Clients that get no more answers after this many calls.
    pub fn with_limit(account: &Arc<Account>, limit: usize) -> Self {
        let (clock, account) = (VirtualClock::default(), account.clone());
        let (calls, is_interrupted) = (Arc::default(), Arc::default());
        let connector = AccountConnector { account, clock: clock.clone(), calls, limit, is_interrupted };
        let paced = PacedConnector::with_clock(SharedHttpConnector::new(connector.clone()), clock.clone(), clock);
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-west-2"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "key", None, None, "test")))
            .build();
        Self { aws: Aws::new(config, SharedHttpConnector::new(paced)), connector }
    }

    pub fn calls(&self) -> Vec<Call> {
        self.connector.calls.lock().unwrap().clone()
    }

    /// How often each action was called.
    pub fn count_calls(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.calls().into_iter().for_each(|call| *counts.entry(call.action).or_default() += 1);
        counts
    }

    pub async fn read(&self, cache: &CensusCache, store: &MemoryStore) -> Census {
        read_consumers(&self.aws, &SERVICES, |_| None, cache, store, &|_| {}).await
    }

    /// Reads until the limit of calls, as a process does that is killed.
    pub async fn read_until_killed(&self, cache: &CensusCache, store: &MemoryStore) {
        tokio::select! {
            _ = self.read(cache, store) => panic!("all was read with {} calls", self.calls().len()),
            () = self.connector.is_interrupted.notified() => {}
        }
    }
}
