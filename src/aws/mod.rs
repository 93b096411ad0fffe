//! Clients of AWS services, and their errors. The clients share one HTTP and TLS stack, and every call has a time limit.
//!
//! The function reads credentials and region from environment variables. The command line also supports profiles and
//! single sign-on: it passes its own configuration to [`Aws::new`].

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

/// The attempts of a call, with the SDK's exponential backoff between them.
const MAX_ATTEMPTS: u32 = 4;

/// How long a chunk of a streamed blob may take. Storage services deliver many per second.
pub(crate) const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limits of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of a response.
    pub read: Duration,
    /// For one attempt of a call.
    pub attempt: Duration,
    /// For one call with all its attempts and the pauses between them.
    pub call: Duration,
    /// For a blob that is read as a whole: from the request to the last byte.
    pub blob: Duration,
    /// For the reply and for each chunk of a blob that is streamed. The reader limits the total.
    pub chunk: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            // Within a region, connecting takes a few milliseconds.
            connect: Duration::from_secs(2),
            read: Duration::from_secs(5),
            attempt: Duration::from_secs(6),
            // Two attempts if the service does not respond. An event needs at most seven calls in sequence; if several
            // of them take this long, the function times out and the event is retried.
            call: Duration::from_secs(14),
            // Configs have a few kilobytes and S3 responds in tens of milliseconds.
            blob: Duration::from_secs(10),
            chunk: CHUNK_TIMEOUT,
        }
    }
}

/// Creates the clients of AWS services.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    pub(crate) timeouts: ClientTimeouts,
    /// Sends all requests, also those to presigned URLs.
    pub(crate) http: SharedHttpConnector,
}

/// An environment variable that Lambda sets is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set: Lambda sets it for a function; elsewhere, set it yourself")]
pub struct MissingVariable(&'static str);

impl Aws {
    /// Uses the region and credentials that Lambda sets for a function.
    ///
    /// # Errors
    /// Returns an error if a variable is missing.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingVariable> {
        let optional = |name| variable(name).filter(|value| !value.is_empty());
        let required = |name| optional(name).ok_or(MissingVariable(name));
        let region = Region::new(required("AWS_REGION")?);
        let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, secret, optional("AWS_SESSION_TOKEN"), None, "environment");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        Ok(Self::new(config.build(), default_connector()))
    }

    /// Uses this configuration, except for its time limits and number of attempts. `http` sends all requests.
    pub fn new(config: SdkConfig, http: SharedHttpConnector) -> Self {
        let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let shared = http.clone();
        let config = config
            .into_builder()
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(retries.with_max_attempts(MAX_ATTEMPTS))
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .build();
        let timeouts = ClientTimeouts::default();
        Self { config, timeouts, http }.with_timeouts(timeouts)
    }

    /// Changes the time limits except `connect` and `read`, which [`connector_with_timeouts`] sets.
    pub fn with_timeouts(self, timeouts: ClientTimeouts) -> Self {
        let config = TimeoutConfig::builder();
        let config = config.operation_attempt_timeout(timeouts.attempt).operation_timeout(timeouts.call).build();
        let config = self.config.into_builder().timeout_config(config).build();
        Self { config, timeouts, http: self.http }
    }

    /// Sends all requests by this connector.
    #[cfg(feature = "consumers")]
    pub fn with_connector(self, http: SharedHttpConnector) -> Self {
        let timeouts = self.timeouts;
        Self::new(self.config, http).with_timeouts(timeouts)
    }

    /// Returns the region of the clients, if it is known.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    /// Creates the ECR client; `endpoint` replaces the endpoint of the region.
    pub fn ecr_client(&self, endpoint: Option<String>) -> aws_sdk_ecr::Client {
        let mut config = aws_sdk_ecr::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    /// Creates the `DynamoDB` client; `endpoint` replaces the endpoint of the region.
    pub fn dynamodb_client(&self, endpoint: Option<String>) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Creates the ECS client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn ecs_client(&self, endpoint: Option<String>) -> aws_sdk_ecs::Client {
        let mut config = aws_sdk_ecs::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_ecs::Client::from_conf(config.build())
    }

    /// Creates the SNS client; `endpoint` replaces the endpoint of the region.
    pub fn sns_client(&self, endpoint: Option<String>) -> aws_sdk_sns::Client {
        let mut config = aws_sdk_sns::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_sns::Client::from_conf(config.build())
    }

    /// Creates the `EventBridge` client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn events_client(&self, endpoint: Option<String>) -> aws_sdk_eventbridge::Client {
        let mut config = aws_sdk_eventbridge::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }

    /// Creates the AWS Lambda client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn lambda_client(&self, endpoint: Option<String>) -> aws_sdk_lambda::Client {
        let mut config = aws_sdk_lambda::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_lambda::Client::from_conf(config.build())
    }

    /// Creates the App Runner client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn app_runner_client(&self, endpoint: Option<String>) -> aws_sdk_apprunner::Client {
        let mut config = aws_sdk_apprunner::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_apprunner::Client::from_conf(config.build())
    }

    /// Creates the AWS Batch client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn batch_client(&self, endpoint: Option<String>) -> aws_sdk_batch::Client {
        let mut config = aws_sdk_batch::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_batch::Client::from_conf(config.build())
    }

    /// Creates the Bedrock AgentCore client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "consumers")]
    pub fn agent_core_client(&self, endpoint: Option<String>) -> aws_sdk_bedrockagentcorecontrol::Client {
        let mut config = aws_sdk_bedrockagentcorecontrol::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_bedrockagentcorecontrol::Client::from_conf(config.build())
    }

    /// Creates the CloudWatch Logs client; `endpoint` replaces the endpoint of the region.
    #[cfg(feature = "cli")]
    pub fn logs_client(&self, endpoint: Option<String>) -> aws_sdk_cloudwatchlogs::Client {
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config);
        config.set_endpoint_url(endpoint);
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }
}

/// Returns the endpoint that the environment sets for a service or for all services, as in the AWS SDKs.
pub fn endpoint_override(service: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    value(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| value("AWS_ENDPOINT_URL"))
}

/// Creates an HTTPS connector with rustls and ring. Compared with AWS-LC, ring saves 2 MB and, at the first event, 400
/// million instructions that gather entropy.
///
/// The first request builds it, because reading the trusted roots takes longer than the rest of the start.
pub fn default_connector() -> SharedHttpConnector {
    let ClientTimeouts { connect, read, .. } = ClientTimeouts::default();
    connector_with_timeouts(connect, read)
}

/// Creates the default connector with other time limits for connecting and for the first byte of a response.
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

/// A connector that is built when it is first used.
#[derive(Debug)]
struct LazyConnector(LazyLock<Connector, Box<dyn FnOnce() -> Connector + Send>>);

impl HttpConnector for LazyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.call(request)
    }
}
