//! `ecr-preflight replay EVENT`: what the function would do with an event, printed instead of done.
//!
//! Does not send a message or set a mark.

use std::io::Write;
use std::path::PathBuf;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::preview::NotificationPreview;
use crate::cli::error::CliError;
use crate::lambda::handler::EventHandler;
use crate::name::Repository;
use crate::registry::ecr::EcrRegistry;
use crate::registry::oci_layout::OciLayout;
use crate::report;
use crate::settings::Settings;
use crate::verdict::Verdict;

/// Replay an event through the function's own handler and print what it would send and mark.
///
/// Settings come from the same PREFLIGHT_ variables as the function's.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArguments {
    /// The event, a JSON file as EventBridge delivers it.
    event: PathBuf,
    /// An OCI image layout that stands in for the repository; without it, Amazon ECR is read.
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// The value of the repository's resource tag that declares runtimes, in the layout's place.
    #[arg(long, value_name = "RUNTIMES", requires = "layout")]
    declared: Option<String>,
    #[command(flatten)]
    inspect: crate::cli::context::InspectArguments,
    /// What to print: the message as people see it, or the function's return value.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    format: ReplayFormat,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner
  PREFLIGHT_VERDICT_TAGS=failures ecr-preflight replay events/push-arm64-for-ecs-amd64.json --layout events/images
  ecr-preflight replay event.json --format json";

pub(super) async fn run(arguments: ReplayArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let mut settings = crate::cli::context::load_settings()?;
    arguments.inspect.apply(&mut settings.check);
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| CliError::FileRead {
        path: arguments.event.display().to_string(),
        source,
    };
    let bytes = std::fs::read(&arguments.event).map_err(|error| unreadable(error.into()))?;
    let event: EventBridgeEvent<Value> = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?;
    let printer = NotificationPreview::default();
    let report = if let Some(directory) = &arguments.layout {
        let layout = OciLayout::open(directory, arguments.declared.clone())?;
        build_handler(|_| &layout, &printer, settings).handle(&event, None).await?
    } else {
        let aws = crate::cli::context::load_aws(event.region.clone()).await;
        let ecr = EcrRegistry::new(&aws, crate::cli::context::endpoint_url("ECR"));
        build_handler(|repository| ecr.repository(repository), &printer, settings).handle(&event, None).await?
    };
    let sent = printer.text();
    match arguments.format {
        ReplayFormat::Json => writeln!(out, "{}", crate::cli::context::to_pretty_json(&report)?)?,
        ReplayFormat::Text if sent.is_empty() => {
            writeln!(out, "Nothing to send: {}", report::format_headline(&report))?
        }
        ReplayFormat::Text => writeln!(out, "{sent}")?,
    }
    Ok(report.verdict)
}

/// The function's own walk, with a printer in the place of everything that writes.
fn build_handler<'a, R, O: Fn(&Repository) -> R>(
    registry: O,
    printer: &'a NotificationPreview,
    settings: Settings,
) -> EventHandler<O, &'a NotificationPreview, impl Fn(&Repository) -> &'a NotificationPreview> {
    let inspector = crate::cli::context::build_inspector(&settings.check);
    let marker = move |_: &Repository| printer;
    EventHandler {
        open_registry: registry,
        open_tagger: marker,
        notifier: Some(printer),
        inspector,
        settings,
        region: None,
        write_metrics: |_| {},
    }
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// For people.
    Text,
    /// For programs: one object, schema `ecr-preflight/1`.
    Json,
}
