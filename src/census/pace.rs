//! Keeps calls to AWS below the published rates, also those that the SDK repeats: the deployments of the account use up the
//! same rates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use super::token_bucket::TokenBucket;

/// How many calls to one service are open at the same time: with answers after 100 ms, enough for the published rates.
pub(super) const MAX_CONCURRENT_CALLS: usize = 8;

/// A rate that several actions share.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Copy)]
struct Rate {
    /// The last words of the header `x-amz-target`, or the beginning of the path.
    actions: &'static [&'static str],
    burst: u32,
    per_second: u32,
}

/// Three quarters of each published rate. Amazon ECS: "Request throttling for the Amazon ECS API" in its API reference (bursts
/// and calls a second: clusters and definitions 50 and 20, services and tasks 100 and 20). AWS Lambda: "Lambda quotas"
/// (`GetFunction` 100 a second, other actions together 15). The rates of the others are not published.
const RATES: [Rate; 10] = [
    Rate { actions: &["DescribeTaskDefinition"], burst: 37, per_second: 15 },
    Rate { actions: &["ListClusters"], burst: 37, per_second: 15 },
    Rate { actions: &["DescribeServiceRevisions"], burst: 37, per_second: 15 },
    Rate { actions: &["ContainerServiceV20141113.ListServices", "DescribeServices"], burst: 75, per_second: 15 },
    Rate { actions: &["ListTasks", "DescribeTasks"], burst: 75, per_second: 15 },
    Rate { actions: &["/2015-03-31/functions/?"], burst: 11, per_second: 11 },
    Rate { actions: &["/2015-03-31/functions/"], burst: 75, per_second: 75 },
    Rate { actions: &["AppRunner.ListServices", "AppRunner.DescribeService"], burst: 10, per_second: 5 },
    Rate { actions: &["/v1/describejobdefinitions"], burst: 10, per_second: 5 },
    Rate { actions: &["/runtimes/"], burst: 10, per_second: 5 },
];

impl Rate {
    /// Finds the rate of a request.
    fn find(request: &HttpRequest) -> Option<Self> {
        let target = request.headers().get("x-amz-target");
        let after_host = request.uri().split_once("://").map_or(request.uri(), |(_, rest)| rest);
        let path = after_host.find('/').map_or("", |start| &after_host[start..]);
        RATES.into_iter().find(|rate| {
            rate.actions.iter().any(|action| match target {
                Some(target) => !action.starts_with('/') && target.ends_with(action),
                // The list of functions has a query, or nothing after the path.
                None => match action.strip_suffix('?') {
                    Some(list) => path
                        .split('?')
                        .next()
                        .is_some_and(|path| path.trim_end_matches('/') == list.trim_end_matches('/')),
                    None => action.starts_with('/') && path.starts_with(action),
                },
            })
        })
    }
}

/// A connector that delays requests to the services that are read, to stay below their rates.
#[derive(Debug, Clone)]
pub struct PacedConnector {
    connector: SharedHttpConnector,
    sleep: SharedAsyncSleep,
    time: SharedTimeSource,
    buckets: Arc<Mutex<HashMap<Rate, TokenBucket>>>,
}

impl PacedConnector {
    /// Creates a connector that sends its requests with this one.
    pub fn new(connector: SharedHttpConnector) -> Self {
        Self::with_clock(connector, TokioSleep::new(), SystemTimeSource::new())
    }

    /// Same as [`new`](Self::new), with another clock.
    pub fn with_clock(
        connector: SharedHttpConnector,
        sleep: impl AsyncSleep + 'static,
        time: impl TimeSource + 'static,
    ) -> Self {
        let (sleep, time) = (SharedAsyncSleep::new(sleep), SharedTimeSource::new(time));
        Self { connector, sleep, time, buckets: Arc::default() }
    }
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(rate) = Rate::find(&request) else { return self.connector.call(request) };
        let wait = {
            // A clock before 1970 would only delay nothing.
            let now = self.time.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            buckets.entry(rate).or_insert_with(|| TokenBucket::new(rate.burst, rate.per_second)).take(now)
        };
        if wait.is_zero() {
            return self.connector.call(request);
        }
        let (connector, sleep) = (self.connector.clone(), self.sleep.sleep(wait));
        HttpConnectorFuture::new(async move {
            sleep.await;
            connector.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_rates_of_their_actions() {
        let rate = |target: Option<&'static str>, path: &str| {
            let mut request = HttpRequest::empty();
            request.set_uri(format!("https://service.us-west-2.amazonaws.com{path}")).unwrap();
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", target);
            }
            Rate::find(&request).map(|rate| rate.actions[0])
        };
        for (target, path, expected) in [
            (Some("AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition"), "/", Some("DescribeTaskDefinition")),
            (Some("AmazonEC2ContainerServiceV20141113.DescribeTasks"), "/", Some("ListTasks")),
            (
                Some("AmazonEC2ContainerServiceV20141113.ListServices"),
                "/",
                Some("ContainerServiceV20141113.ListServices"),
            ),
            (Some("AppRunner.ListServices"), "/", Some("AppRunner.ListServices")),
            (Some("AppRunner.DescribeService"), "/", Some("AppRunner.ListServices")),
            (None, "/2015-03-31/functions?MaxItems=50", Some("/2015-03-31/functions/?")),
            (None, "/2015-03-31/functions/", Some("/2015-03-31/functions/?")),
            (None, "/2015-03-31/functions/worker", Some("/2015-03-31/functions/")),
            (None, "/v1/describejobdefinitions", Some("/v1/describejobdefinitions")),
            (None, "/runtimes/?maxResults=100", Some("/runtimes/")),
            (Some("AmazonEC2ContainerRegistry_V20150921.BatchGetImage"), "/", None),
            (None, "/", None),
        ] {
            assert_eq!(rate(target, path), expected, "{target:?} {path}");
        }
    }
}
