//! The command-line tool: the same checks by hand, in CI, and on events that are kept in files.
//!
//! Does not judge; it shows what the walk says and turns it into an exit code.

mod audit;
mod binary;
mod check;
mod choice;
mod completions;
mod declare;
mod output_file;
mod error;
mod hint;
mod image_ref;
mod scheme_check;
mod manual;
mod suggest;
mod page;
mod preview;
mod registry_ref;
mod replay;
mod terminal;
mod image_source;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anstream::stream::RawStream;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_types::region::Region;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::check::report_to_sarif;
use self::error::CliError;
use self::terminal::{ColorMode, StyledOutput};
use crate::aws::{Aws, connector_with_timeouts, default_connector};
use crate::inspect::Inspector;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::settings::{CheckSettings, Settings, SettingsError};
use crate::verdict::Verdict;

/// Will this container image start where it is meant to run?
///
/// An image's manifest and config are held against the runtimes that it is meant for, and what it starts is followed into
/// its layers. Nothing is run.
#[derive(Debug, Parser)]
#[command(name = "ecr-preflight", version = VERSION, max_term_width = 100, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct CliArguments {
    #[command(subcommand)]
    command: CliCommand,
    /// Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorMode::Auto)]
    color: ColorMode,
}

/// With the commit, where it was built in a repository.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("ECR_PREFLIGHT_COMMIT"));

const EXAMPLES: &str = "\
Examples:
  Check what `docker buildx build --output type=oci,dest=image,tar=false` made, before it is pushed:
    ecr-preflight check oci:image:v1 --runtime ecs/arm64

  Check what `docker save app:v1 --output image.tar` wrote:
    ecr-preflight check docker-archive:image.tar --runtime ecs/amd64

  Check an image in Amazon ECR against what its repository declares:
    ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

  Check an image of any registry before it is copied:
    ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

  Check what a registry of Amazon ECR already holds:
    ecr-preflight audit --prefix team/ --results team.jsonl

  See what the function would say of an event, without an AWS account:
    ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

  Declare where a repository's images run; list what is declared:
    ecr-preflight declare team/app ecs/arm64 apprunner
    ecr-preflight declare --list

Each command has more to say: `ecr-preflight check --help`

Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, linux/amd64, linux/arm64

Exit code: 0 it runs, or nothing is declared for it; 1 it fails; 2 it could not be told, or an
error; 64 the command line or a setting is wrong, and nothing was done";

/// What was typed or set is wrong: `EX_USAGE` of sysexits.h. Not clap's own 2, which says that an image could not be told,
/// and which whoever runs this may let pass.
const EXIT_USAGE: u8 = 64;

#[derive(Debug, Subcommand)]
enum CliCommand {
    Check(check::CheckArguments),
    Replay(replay::ReplayArguments),
    Binary(binary::BinaryArguments),
    Audit(audit::AuditArguments),
    Declare(declare::DeclareArguments),
    Completions(completions::CompletionsArguments),
    Man(manual::ManArguments),
    Page(page::PageArguments),
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// For people.
    Text,
    /// For programs: one object, schema `ecr-preflight/1`.
    Json,
}

/// How far an image is looked at.
#[derive(Debug, Args)]
struct InspectArguments {
    /// Read labels only: do not look into layers at what the image really starts.
    #[arg(long)]
    no_exec: bool,
}

impl InspectArguments {
    fn apply(&self, rules: &mut CheckSettings) {
        if self.no_exec {
            rules.depth = rules.depth.min(Depth::Config);
        }
    }
}

/// What programs are looked at with.
fn build_inspector(rules: &CheckSettings) -> Inspector {
    Inspector::new(rules.limits.layers, rules.limits.cache_bytes)
}

/// Runs the command that the arguments name; writes the answer to `out` and errors to `err`.
#[must_use]
pub async fn run(arguments: CliArguments, out: impl RawStream, err: impl RawStream) -> ExitCode {
    let (mut out, mut err) = (StyledOutput::new(out, arguments.color), StyledOutput::new(err, arguments.color));
    let verdict = match arguments.command {
        CliCommand::Check(arguments) => check::run(arguments, &mut out, &mut err).await,
        CliCommand::Replay(arguments) => replay::run(arguments, &mut out).await,
        CliCommand::Binary(arguments) => binary::run(&arguments, &mut out),
        CliCommand::Audit(arguments) => audit::run(arguments, &mut out, &mut err).await,
        CliCommand::Declare(arguments) => declare::run(arguments, &mut out, &mut err).await,
        CliCommand::Completions(arguments) => completions::run(&arguments, &mut out),
        CliCommand::Man(arguments) => manual::run(&arguments, &mut out),
        CliCommand::Page(arguments) => page::run(&arguments, &mut out, &mut err).map(|()| Verdict::Ignored),
    };
    match verdict {
        Ok(Verdict::Runs | Verdict::Undeclared | Verdict::Ignored) => ExitCode::SUCCESS,
        Ok(Verdict::Fails) => ExitCode::FAILURE,
        Ok(Verdict::Unknown) => ExitCode::from(2),
        // The reader has seen enough, as `| head` does; shells show a writer's SIGPIPE as 141.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        // As shells show a program that SIGINT has ended; what there is to say has been said.
        Err(CliError::Audit(audit::AuditError::Interrupted)) => ExitCode::from(130),
        Err(error) => {
            let hint = suggest::find_hint(&error).await;
            // Where even standard error is closed, the exit code is all that is left.
            let _ = err.write_error(None, &error, hint.as_deref());
            ExitCode::from(if error.is_usage() { EXIT_USAGE } else { 2 })
        }
    }
}

/// Writes what is wrong with a command line, or the help or version that was asked for.
#[must_use]
pub fn report_usage_error(error: &clap::Error) -> ExitCode {
    // Where its output is closed, the exit code is all that is left.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

/// The way to registries: further than to a region's own services, and often through a token service.
fn registry_connector() -> SharedHttpConnector {
    connector_with_timeouts(Duration::from_secs(5), Duration::from_secs(15))
}

/// The clients for a person: profile, region and single sign-on as the AWS CLI has them.
async fn load_aws(region: Option<String>) -> Aws {
    load_aws_with(region, default_connector(), None).await
}

/// The variables that name a region.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The same over another HTTP stack, and with other pauses between attempts than the configuration's.
async fn load_aws_with(region: Option<String>, http: SharedHttpConnector, retries: Option<RetryConfig>) -> Aws {
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

fn load_settings() -> Result<Settings, SettingsError> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    Settings::from_variables(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
}

fn endpoint_url(service: &str) -> Option<String> {
    crate::aws::endpoint_override(service, |name| std::env::var(name).ok())
}

fn to_pretty_json(report: &Report) -> std::io::Result<String> {
    Ok(serde_json::to_string_pretty(report)?)
}

fn parse_runtime(text: &str) -> Result<Runtime, String> {
    text.parse().map_err(|error: crate::runtime::RuntimeError| error.to_string())
}
