//! The Lambda function against a fake AWS, with the SDK's real clients.
#![allow(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::needless_raw_string_hashes, reason = "snapshots are written with them")]

mod at_least_once;
mod batch;
mod clients;
mod ecs_gate;
mod events;
mod failures;
mod filter_policies;
pub mod function;
mod gate;
mod load;
mod memory_limit;
mod message_size;
mod metrics_log;
mod requests;
mod round_trips;
mod table;
mod waivers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ecr_preflight::aws::{Aws, default_connector};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::consumers::respond::ConsumersHandler;
use ecr_preflight::lambda::gate::DeploymentReader;
use ecr_preflight::lambda::handler::{DeliveryContext, EventHandler, HandlerError};
use ecr_preflight::lambda::log::today;
use ecr_preflight::lambda::notify::SnsTopic;
use ecr_preflight::lambda::recent::RecentMessages;
use ecr_preflight::lambda::verdict_tag::EcrVerdictTagger;
use ecr_preflight::name::{Digest, Repository};
use ecr_preflight::registry::ecr::{EcrRegistry, EcrRepository};
use ecr_preflight::report::Report;
use ecr_preflight::settings::Settings;
use ecr_preflight::table::Table;
use serde_json::{Value, json};

use crate::report::schema::assert_valid;
use crate::support::aws::{ACCOUNT, FakeAws};

pub const REPOSITORY: &str = "team/app";
pub const ARN: &str = "arn:aws:ecr:us-west-2:123456789012:repository/team/app";
pub const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:alerts";

/// A push event as `EventBridge` delivers it.
pub fn push_event(digest: &Digest, tag: &str) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": ACCOUNT, "time": "2026-11-16T01:54:34Z", "region": "us-west-2", "resources": [],
        "detail": {"result": "SUCCESS", "repository-name": REPOSITORY, "image-digest": digest.as_str(),
            "action-type": "PUSH", "image-tag": tag},
    })
}

/// The verdict tag of an image: `fail-apprunner` and the beginning of its digest.
pub fn verdict_tag(verdict: &str, digest: &Digest) -> String {
    format!("preflight-{verdict}-{}", &digest.hex()[..16])
}

/// Settings from environment variables; a topic is always set.
pub fn settings(variables: &[(&str, &str)]) -> Settings {
    let all = variables.iter().chain(&[("PREFLIGHT_TOPIC_ARN", TOPIC)]);
    Settings::from_variables(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

/// The clients as the function builds them, except for pauses of a millisecond between attempts. Each has its own
/// region, because the SDK keeps one retry quota per region for the whole process.
pub fn clients(http: SharedHttpConnector) -> Aws {
    static CLIENTS: AtomicUsize = AtomicUsize::new(0);
    let region = Region::new(format!("us-test-{}", CLIENTS.fetch_add(1, Ordering::Relaxed)));
    let credentials = Credentials::new("id", "key", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_backoff(Duration::from_millis(1)));
    Aws::new(config.build(), http)
}

/// Handles an event as the function does.
pub async fn handle(aws: &FakeAws, settings: Settings, event: Value) -> Result<Report, HandlerError> {
    handle_with(default_connector(), aws, settings, event).await
}

/// Same as `handle`, with another HTTP connector.
pub async fn handle_with(
    http: SharedHttpConnector,
    aws: &FakeAws,
    settings: Settings,
    event: Value,
) -> Result<Report, HandlerError> {
    let event: EventBridgeEvent<Value> = serde_json::from_value(event).unwrap();
    let result = build_handler(http, aws, settings, |_| {}).handle(&event, DeliveryContext::default()).await;
    if let Ok(report) = &result {
        assert_valid(&serde_json::to_value(report).unwrap(), "the function");
    }
    result
}

/// Builds the handler as the function does, for any region and account.
pub fn build_handler(
    http: SharedHttpConnector,
    aws: &FakeAws,
    settings: Settings,
    write_metrics: fn(&Value),
) -> EventHandler<impl Fn(&Repository) -> EcrRepository, SnsTopic, impl Fn(&Repository) -> EcrVerdictTagger, Table> {
    let clients = clients(http);
    let endpoint = Some(aws.url());
    let (ecr, client) = (EcrRegistry::new(&clients, endpoint.clone()), clients.ecr_client(endpoint.clone()));
    EventHandler {
        open_registry: move |repository: &Repository| ecr.repository(repository),
        open_tagger: move |repository: &Repository| EcrVerdictTagger::new(client.clone(), repository),
        region: None,
        account: None,
        recent_messages: RecentMessages::default(),
        table: settings.table.clone().map(|name| Table::new(clients.dynamodb_client(endpoint.clone()), name)),
        notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(clients.sns_client(endpoint), topic)),
        inspector: Inspector::new(&settings.check.limits),
        settings,
        today,
        write_metrics,
    }
}

/// Builds the handler of the function for consumers as the function does, for any region.
pub fn build_consumers_handler(
    http: SharedHttpConnector,
    aws: &FakeAws,
    settings: Settings,
    write_metrics: fn(&Value),
) -> ConsumersHandler<impl Fn(&Repository) -> EcrRepository> {
    let clients = clients(http);
    let endpoint = Some(aws.url());
    let ecr = EcrRegistry::new(&clients, endpoint.clone());
    ConsumersHandler {
        open_registry: move |repository: &Repository| ecr.repository(repository),
        region: None,
        census: None,
        account: None,
        deployments: DeploymentReader::new(clients.ecs_client(endpoint)),
        inspector: Inspector::new(&settings.check.limits),
        settings,
        today,
        write_metrics,
    }
}
