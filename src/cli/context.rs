//! What the commands share: settings, AWS clients for the caller's profile and region, and common options.

use std::process::ExitCode;
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
use crate::settings::{CheckSettings, InspectionDepth, Settings, SettingsError};
use crate::verdict::Verdict;

/// The version, followed by the commit if it was built in a git repository.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("ECR_PREFLIGHT_COMMIT"));

/// The commit and its date, ` (487876fc0d2e 2026-11-21)`; empty if it was not built in a git repository.
pub(super) const COMMIT: &str = env!("ECR_PREFLIGHT_COMMIT");

/// The target that the program is built for, for example `x86_64-unknown-linux-musl`.
pub(super) const TARGET: &str = env!("ECR_PREFLIGHT_TARGET");

/// The exit code for a wrong command line or setting: `EX_USAGE` of sysexits.h. Clap's own 2 already means that a result
/// is unknown, which a CI job may tolerate.
pub(super) const EXIT_USAGE: u8 = 64;

/// The results of commands, the one to report last. Several images or subjects have the last of their results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExitStatus {
    /// Nothing is wrong.
    Success,
    /// A result is unknown.
    Unknown,
    /// An image fails.
    Fails,
    /// An error occurred, or an image could not be read: the result is incomplete, so it may hide another image that
    /// fails. `grep`, `diff` and `shellcheck` also report an error rather than what they found.
    Error,
}

impl From<Verdict> for ExitStatus {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ignored | Verdict::Undeclared | Verdict::Runs => Self::Success,
            Verdict::Unknown => Self::Unknown,
            Verdict::Fails => Self::Fails,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Fails => 1,
            ExitStatus::Unknown => 2,
            ExitStatus::Error => 3,
        })
    }
}

/// The options that limit how far an image is inspected.
#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// Read manifests and configs only; do not inspect the program in the layers.
    #[arg(long)]
    no_exec: bool,
}

impl InspectArguments {
    pub(super) fn apply(&self, settings: &mut CheckSettings) {
        if self.no_exec {
            settings.depth = settings.depth.min(InspectionDepth::Config);
        }
    }
}

pub(super) fn build_inspector(settings: &CheckSettings) -> Inspector {
    Inspector::new(&settings.limits)
}

/// Returns an HTTP connector for registries outside AWS. Its timeouts are longer than those of [`default_connector`]:
/// these registries are further away, and many requests need a token first.
pub(super) fn registry_connector() -> SharedHttpConnector {
    connector_with_timeouts(Duration::from_secs(5), Duration::from_secs(15))
}

/// Loads the AWS configuration that the AWS CLI would use: profile, region, single sign-on. `region` overrides it.
pub(super) async fn load_aws(region: Option<String>) -> Aws {
    load_aws_with(region, default_connector(), None).await
}

/// Same as [`load_aws`], with another HTTP connector and, if given, other retries.
pub(super) async fn load_aws_with(
    region: Option<String>,
    http: SharedHttpConnector,
    retries: Option<RetryConfig>,
) -> Aws {
    let region_variables = ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| std::env::var(name).ok());
    let shared = http.clone();
    let client = http_client_fn(move |_, _| shared.clone());
    let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(client.clone());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    } else if region_variables.iter().flatten().any(String::is_empty) {
        // The AWS CLI ignores an empty variable; the SDK would use it as the region.
        let configured = region_variables.into_iter().flatten().find(|region| !region.is_empty());
        let provider = ProviderConfig::without_region().with_http_client(client);
        let chain = RegionProviderChain::first_try(configured.map(Region::new))
            .or_else(ProfileFileRegionProvider::builder().configure(&provider).build())
            .or_else(ImdsRegionProvider::builder().configure(&provider).build());
        loader = loader.region(chain);
    }
    if let Some(retries) = retries {
        loader = loader.retry_config(retries);
    }
    Aws::new(loader.load().await, http)
}

/// Reads the settings from the environment, as the function does.
pub(super) fn load_settings() -> Result<Settings, SettingsError> {
    Settings::from_variables(std::env::vars_os())
}

/// The endpoint that the environment sets for an AWS service, if any.
pub(super) fn endpoint_url(service: &str) -> Option<String> {
    crate::aws::endpoint_override(service, |name| std::env::var(name).ok())
}
