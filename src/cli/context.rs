//! What every command starts from: settings, AWS clients with the caller's profile and region, and common options.

use std::time::Duration;

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_types::region::Region;
use clap::Args;

use crate::aws::{Aws, connector_with_timeouts, default_connector};
use crate::inspect::Inspector;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::settings::InspectionDepth;
use crate::settings::{CheckSettings, Settings, SettingsError};

/// With the commit, where it was built in a repository.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("ECR_PREFLIGHT_COMMIT"));

/// What was typed or set is wrong: `EX_USAGE` of sysexits.h. Not clap's own 2, which says that an image could not be told,
/// and which whoever runs this may let pass.
pub(super) const EXIT_USAGE: u8 = 64;

/// How far an image is looked at.
#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// Read labels only: do not look into layers at what the image really starts.
    #[arg(long)]
    no_exec: bool,
}

impl InspectArguments {
    pub(super) fn apply(&self, rules: &mut CheckSettings) {
        if self.no_exec {
            rules.depth = rules.depth.min(InspectionDepth::Config);
        }
    }
}

/// What programs are looked at with.
pub(super) fn build_inspector(rules: &CheckSettings) -> Inspector {
    Inspector::new(rules.limits.layers, rules.limits.cache_bytes)
}

/// The way to registries: further than to a region's own services, and often through a token service.
pub(super) fn registry_connector() -> SharedHttpConnector {
    connector_with_timeouts(Duration::from_secs(5), Duration::from_secs(15))
}

/// The clients for a person: profile, region and single sign-on as the AWS CLI has them.
pub(super) async fn load_aws(region: Option<String>) -> Aws {
    load_aws_with(region, default_connector(), None).await
}

/// The variables that name a region.
pub(super) const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The same over another HTTP stack, and with other pauses between attempts than the configuration's.
pub(super) async fn load_aws_with(
    region: Option<String>,
    http: SharedHttpConnector,
    retries: Option<RetryConfig>,
) -> Aws {
    let shared = http.clone();
    let client = http_client_fn(move |_, _| shared.clone());
    let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(client.clone());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    } else if REGION_VARIABLES.iter().any(|name| std::env::var_os(name).is_some_and(|region| region.is_empty())) {
        // A variable without a value is as one that is not set, as the AWS CLI has it; the SDK takes it for a region.
        let named =
            REGION_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|region| !region.is_empty()));
        let provider = ProviderConfig::without_region().with_http_client(client);
        let chain = RegionProviderChain::first_try(named.map(Region::new))
            .or_else(ProfileFileRegionProvider::builder().configure(&provider).build())
            .or_else(ImdsRegionProvider::builder().configure(&provider).build());
        loader = loader.region(chain);
    }
    if let Some(retries) = retries {
        loader = loader.retry_config(retries);
    }
    Aws::new(loader.load().await, http)
}

pub(super) fn load_settings() -> Result<Settings, SettingsError> {
    Settings::from_variables(std::env::vars_os())
}

pub(super) fn endpoint_url(service: &str) -> Option<String> {
    crate::aws::endpoint_override(service, |name| std::env::var(name).ok())
}

pub(super) fn to_pretty_json(report: &Report) -> std::io::Result<String> {
    Ok(serde_json::to_string_pretty(report)?)
}

pub(super) fn parse_runtime(text: &str) -> Result<Runtime, String> {
    text.parse().map_err(|error: crate::runtime::RuntimeError| error.to_string())
}
