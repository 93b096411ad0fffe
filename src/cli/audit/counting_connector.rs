//! How many requests an audit makes, those to storage and those that are made again included.
//!
//! Does not look at them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// Counts what goes through a connector.
#[derive(Debug, Clone)]
pub(super) struct CountingConnector {
    inner: SharedHttpConnector,
    count: Arc<AtomicU64>,
}

impl CountingConnector {
    pub(super) fn new(inner: SharedHttpConnector) -> Self {
        Self { inner, count: Arc::default() }
    }

    pub(super) fn connector(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
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
