//! The Lambda function: builds the clients once, then passes each event to [`ecr_preflight::lambda::handler`].

// The handler's futures nest too deeply for the compiler's default limit.
#![recursion_limit = "256"]

use std::cell::LazyCell;
use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::aws::{Aws, endpoint_override};
use ecr_preflight::event;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::{EventHandler, unix_time};
use ecr_preflight::lambda::log;
use ecr_preflight::lambda::notify::SnsTopic;
use ecr_preflight::lambda::verdict_tag::EcrVerdictTagger;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::settings::Settings;
use ecr_preflight::text::error_chain;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::from_variables(std::env::vars_os()).and_then(Settings::require_output);
    let settings = settings.map_err(startup_error)?;
    log::init(settings.log_level);
    let aws = Aws::from_variables(variable).map_err(startup_error)?;
    // Built by the first event, so the function starts almost as fast as an empty one.
    let handler = LazyCell::new(|| {
        let registry = EcrRegistry::new(&aws, endpoint_override("ECR", variable));
        let ecr = aws.ecr_client(endpoint_override("ECR", variable));
        let sns = aws.sns_client(endpoint_override("SNS", variable));
        EventHandler {
            open_registry: move |repository: &Repository| registry.repository(repository),
            open_tagger: move |repository: &Repository| EcrVerdictTagger::new(ecr.clone(), repository),
            inspector: Inspector::new(settings.check.limits.layers, settings.check.limits.cache_bytes),
            notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(sns, topic)),
            region: aws.region().map(str::to_owned),
            settings,
            write_metrics: log::write_json_line,
        }
    });
    let handle = async |invocation: LambdaEvent<EventBridgeEvent<Value>>| {
        let event = &invocation.payload;
        // The deadline is in milliseconds since 1970.
        let time_left = Duration::from_millis(invocation.context.deadline).saturating_sub(unix_time());
        let error = match handler.handle(event, Some(time_left)).await {
            Ok(report) => return Ok(Some(report)),
            Err(error) => error_chain(&error),
        };
        // The audit reads this line and sends the event again; Lambda's retries and the failure queue are for pushes.
        if event::is_audit(event) {
            tracing::error!(event_id = event.id, error, "failed; the audit sends the event again");
            return Ok(None);
        }
        tracing::error!(event_id = event.id, error, "failed; the event is retried");
        Err(Diagnostic { error_type: "ecr-preflight".to_owned(), error_message: error })
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// Converts an error that prevents the start; Lambda logs its text.
fn startup_error(error: impl std::error::Error + 'static) -> Error {
    error_chain(&error).into()
}
