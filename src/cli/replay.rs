//! `ecr-preflight replay EVENT`: runs an event through the function's handler and prints what it would send and write.

use std::io::Write;
use std::path::PathBuf;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::context::{InspectArguments, build_inspector, endpoint_url, load_aws, load_settings};
use super::error::CliError;
use super::preview::NotificationPreview;
use crate::event::is_audit;
use crate::lambda::handler::{DeliveryContext, EventHandler};
use crate::lambda::log::today;
use crate::lambda::recent::RecentMessages;
use crate::name::Repository;
use crate::registry::ecr::EcrRegistry;
use crate::registry::oci_layout::OciLayout;
use crate::report;
use crate::settings::Settings;
use crate::table::Table;
use crate::text::{escape_json_commands, escape_terminal};
use crate::verdict::Verdict;

/// Run an event through the function's handler, and print what it would send.
///
/// Prints the message and the verdict tags that the deployed function would write; nothing is sent or written. Settings
/// are read from the PREFLIGHT_ variables, as in the function.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArguments {
    /// A JSON file with the event, as EventBridge delivers it.
    event: PathBuf,
    /// Read images from this OCI image layout. Default: Amazon ECR.
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// With --layout: the value of the repository's resource tag that declares runtimes.
    #[arg(long, value_name = "RUNTIMES", requires = "layout")]
    declared: Option<String>,
    #[command(flatten)]
    inspect: InspectArguments,
    /// The output format.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    format: ReplayFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayFormat {
    /// The message as it appears in Slack, and the verdict tags.
    Text,
    /// The message to Slack, as JSON.
    Card,
    /// The e-mail.
    Email,
    /// The text message.
    Sms,
    /// The function's return value, schema `ecr-preflight/1`.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner
  PREFLIGHT_VERDICT_TAGS=failures ecr-preflight replay event.json
  ecr-preflight replay event.json --format email
  ecr-preflight replay event.json --format json

Exit codes:
  0   the image runs, no runtime is declared for it, or the event is ignored
  1   the image fails
  2   the result is unknown
  3   an error occurred, for example the event or the image could not be read
  64  the command line or a setting is wrong";

pub(super) async fn run(arguments: ReplayArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let mut settings = load_settings()?;
    arguments.inspect.apply(&mut settings.check);
    let read_error = |source| CliError::FileRead { path: arguments.event.display().to_string(), source };
    let bytes = std::fs::read(&arguments.event).map_err(|error| read_error(error.into()))?;
    let event: EventBridgeEvent<Value> = serde_json::from_slice(&bytes)
        .map_err(|error| read_error(format!("not an EventBridge event in JSON: {error}").into()))?;
    let preview = NotificationPreview::default();
    let report = if let Some(directory) = &arguments.layout {
        let layout = OciLayout::open(directory, arguments.declared.clone())?;
        build_handler(|_| layout.clone(), &preview, settings).handle(&event, DeliveryContext::default()).await?
    } else {
        let aws = load_aws(event.region.clone()).await;
        let ecr = EcrRegistry::new(&aws, endpoint_url("ECR"));
        build_handler(|repository| ecr.repository(repository), &preview, settings)
            .handle(&event, DeliveryContext::default())
            .await?
    };
    let output = match arguments.format {
        ReplayFormat::Json => {
            let json = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
            Some(escape_json_commands(&json))
        }
        ReplayFormat::Text => Some(preview.text()).filter(|text| !text.is_empty()).map(|text| escape_lines(&text)),
        ReplayFormat::Card => preview.card().map(|card| escape_json_commands(&card)),
        ReplayFormat::Email => preview.email().map(|email| escape_lines(&email)),
        ReplayFormat::Sms => preview.sms().map(|text| escape_lines(&text)),
    };
    let explain_nothing = || {
        let kind = if is_audit(&event) { " for an audit event" } else { "" };
        escape_lines(&format!("Nothing to send{kind}: {}", report::format_headline(&report)))
    };
    writeln!(out, "{}", output.unwrap_or_else(explain_nothing))?;
    Ok(report.unwaived_verdict())
}

/// Escapes each line of a text, which has names from an image.
fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape_terminal).collect::<Vec<_>>().join("\n")
}

/// Builds the function's own handler, with a preview for everything that it writes.
fn build_handler<'a, R, O: Fn(&Repository) -> R>(
    open_registry: O,
    preview: &'a NotificationPreview,
    settings: Settings,
) -> EventHandler<O, &'a NotificationPreview, impl Fn(&Repository) -> &'a NotificationPreview, Table> {
    EventHandler {
        open_registry,
        open_tagger: move |_: &Repository| preview,
        notifier: Some(preview),
        table: None,
        inspector: build_inspector(&settings.check),
        settings,
        region: None,
        account: None,
        recent_messages: RecentMessages::default(),
        today,
        write_metrics: |_| {},
    }
}
