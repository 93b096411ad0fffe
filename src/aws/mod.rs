//! The AWS clients: one HTTP and TLS stack for all, bounded in time.
//!
//! Does not know the walk. In the function, credentials and region are environment variables; profiles and single
//! sign-on are the command line's, which brings its own loader.

pub mod service_error;

use std::sync::LazyLock;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

/// How long a connection may take: within a region it takes a few milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the first byte of an answer may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// How long one call may take with all its attempts; a stalled one gets two of them. A walk has at most seven calls one
/// after another, and only a few of them can stall before the function's own timeout ends it, to be retried.
const CALL_TIMEOUT: Duration = Duration::from_secs(14);
/// How often a call is attempted, with the SDK's jittered, growing pauses between.
const MAX_ATTEMPTS: u32 = 4;

/// How long one piece may take. Storage services deliver many in a second; what takes so much longer has stalled.
pub(crate) const PIECE: Duration = Duration::from_secs(10);

/// How long one transfer may take from request to last byte. Config blobs are a few kilobytes; S3 answers in tens of
/// milliseconds, and what is slower by two orders of magnitude has stalled.
const WHOLE: Duration = Duration::from_secs(10);

/// How long the storage service may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferTimeouts {
    /// For a blob that is read whole, from request to last byte.
    pub whole: Duration,
    /// For one that is read while it arrives: from request to first byte, and from each piece to the next. What it
    /// takes in all is bounded by whoever reads.
    pub piece: Duration,
}

impl Default for TransferTimeouts {
    fn default() -> Self {
        Self { whole: WHOLE, piece: PIECE }
    }
}

/// How long the clients wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub read: Duration,
    /// For one attempt of a call.
    pub attempt: Duration,
    /// For one call with all its attempts and the pauses between them.
    pub call: Duration,
    /// For blobs.
    pub blob_transfer: TransferTimeouts,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            read: READ_TIMEOUT,
            attempt: ATTEMPT_TIMEOUT,
            call: CALL_TIMEOUT,
            blob_transfer: TransferTimeouts::default(),
        }
    }
}

/// What the clients are made of.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    transfer_timeouts: TransferTimeouts,
    /// Every request goes through this one, those to presigned addresses too: one set of trusted roots, one pool.
    http: SharedHttpConnector,
}

/// A variable that the Lambda service always sets is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set; the Lambda service sets it, elsewhere set it yourself")]
pub struct MissingVariable(&'static str);

impl Aws {
    /// From the variables that the Lambda service sets for a function.
    ///
    /// # Errors
    /// Where the region or the credentials are not there.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingVariable> {
        let need = |name| variable(name).filter(|value| !value.is_empty()).ok_or(MissingVariable(name));
        let region = Region::new(need("AWS_REGION")?);
        let (id, secret) = (need("AWS_ACCESS_KEY_ID")?, need("AWS_SECRET_ACCESS_KEY")?);
        let token = variable("AWS_SESSION_TOKEN").filter(|token| !token.is_empty());
        let credentials = Credentials::new(id, secret, token, None, "environment");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        Ok(Self::new(config.build(), default_connector()))
    }

    /// From a configuration that says who and where, and a connector for every request. How long the pauses between
    /// attempts grow is the configuration's too, where it says so; how often a call is attempted is not.
    #[must_use]
    pub fn new(config: SdkConfig, http: SharedHttpConnector) -> Self {
        let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let shared = http.clone();
        let config = config
            .into_builder()
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(retries.with_max_attempts(MAX_ATTEMPTS))
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .build();
        Self { config, transfer_timeouts: TransferTimeouts::default(), http }.with_timeouts(ClientTimeouts::default())
    }

    /// The same with another patience. How long a connection and its first byte may take, is the connector's to say.
    #[must_use]
    pub fn with_timeouts(self, patience: ClientTimeouts) -> Self {
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.operation_attempt_timeout(patience.attempt).operation_timeout(patience.call);
        let config = self.config.into_builder().timeout_config(timeouts.build()).build();
        Self { config, transfer_timeouts: patience.blob_transfer, http: self.http }
    }

    /// The region of the clients, where one is known.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    /// How long a blob may take.
    pub(crate) fn transfer_timeouts(&self) -> TransferTimeouts {
        self.transfer_timeouts
    }

    /// The connector of every request.
    pub(crate) fn http(&self) -> SharedHttpConnector {
        self.http.clone()
    }

    /// The ECR client alone.
    #[must_use]
    pub fn ecr_client(&self, endpoint: Option<String>) -> aws_sdk_ecr::Client {
        let mut config = aws_sdk_ecr::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    /// The SNS client; `endpoint` takes the place of the region's own.
    #[must_use]
    pub fn sns_client(&self, endpoint: Option<String>) -> aws_sdk_sns::Client {
        let mut config = aws_sdk_sns::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_sns::Client::from_conf(config.build())
    }

    /// The `EventBridge` client; `endpoint` takes the place of the region's own.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn events_client(&self, endpoint: Option<String>) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    /// The client of CloudWatch Logs; `endpoint` takes the place of the region's own.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn logs_client(&self, endpoint: Option<String>) -> aws_sdk_cloudwatchlogs::Client {
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }
}

/// The endpoint that the environment names for a service, as the AWS SDKs and tools read it: the service's own
/// variable, else the common one.
pub fn endpoint_override(service: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    given(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| given("AWS_ENDPOINT_URL"))
}

/// HTTPS with rustls and ring: beside AWS-LC it saves 2 MB and, on the first event, 400 million instructions of entropy.
///
/// It is built with the first request: reading the system's trusted roots takes longer than all else before it.
#[must_use]
pub fn default_connector() -> SharedHttpConnector {
    connector_with_timeouts(CONNECT_TIMEOUT, READ_TIMEOUT)
}

/// The same, where a connection and the first byte of an answer may take as long as this.
#[must_use]
pub fn connector_with_timeouts(connect: Duration, read: Duration) -> SharedHttpConnector {
    SharedHttpConnector::new(LazyConnector(LazyLock::new(Box::new(move || {
        let settings = HttpConnectorSettings::builder().connect_timeout(connect).read_timeout(read).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::rustls(CryptoMode::Ring));
        connector.build()
    }))))
}

/// A connector that is built when it is first called; most events that are ignored never do.
#[derive(Debug)]
struct LazyConnector(LazyLock<Connector, Box<dyn FnOnce() -> Connector + Send>>);

impl HttpConnector for LazyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}
