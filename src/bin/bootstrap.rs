//! The Lambda function: builds the clients once, then handles events.
//!
//! Does not decide anything; [`ecr_preflight::lambda::handler`] does.

// The walk's futures, within those of the runtime, nest deeper than the compiler follows by default.
#![recursion_limit = "256"]

use std::cell::LazyCell;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::aws::{Aws, endpoint_override};
use ecr_preflight::event;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::EventHandler;
use ecr_preflight::lambda::notify::sns::SnsTopic;
use ecr_preflight::lambda::verdict_tag::ecr::EcrVerdictTagger;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::settings::Settings;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    // A variable that is no text is no reason to panic: among the settings it is refused like any bad value.
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let settings = Settings::from_variables(variables).and_then(Settings::require_output).map_err(startup_error)?;
    ecr_preflight::lambda::log::init(settings.log_level);
    let aws = Aws::from_variables(variable).map_err(startup_error)?;
    // Built with the first event, so that the start costs hardly more than that of a function that does nothing.
    let walk = LazyCell::new(|| {
        let (ecr, client) = (
            EcrRegistry::new(&aws, endpoint_override("ECR", variable)),
            aws.ecr_client(endpoint_override("ECR", variable)),
        );
        let sns = aws.sns_client(endpoint_override("SNS", variable));
        EventHandler {
            open_registry: move |repository: &Repository| ecr.repository(repository),
            open_tagger: move |repository: &Repository| EcrVerdictTagger::new(client.clone(), repository),
            inspector: Inspector::new(settings.check.limits.layers, settings.check.limits.cache_bytes),
            notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(sns, topic)),
            region: aws.region().map(str::to_owned),
            settings,
            write_metrics: ecr_preflight::lambda::log::write_json_line,
        }
    });
    let handle = async |event: LambdaEvent<EventBridgeEvent<Value>>| {
        let told = walk.handle(&event.payload, Some(time_until(event.context.deadline))).await;
        let error = match told {
            Ok(report) => return Ok(Some(report)),
            Err(error) => ecr_preflight::text::error_chain(&error),
        };
        // Who asks reads this line and asks again; a retry, the failure queue and its alarm are for pushes.
        if event::is_audit(&event.payload) {
            tracing::error!(event_id = event.payload.id, error, "failed; an audit asks again by itself");
            return Ok(None);
        }
        tracing::error!(event_id = event.payload.id, error, "failed; the event is retried");
        Err(Diagnostic { error_type: "ecr-preflight".to_owned(), error_message: error })
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// How much time is left until a deadline in milliseconds since 1970.
fn time_until(deadline: u64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline).saturating_sub(now)
}

/// The function cannot start: the text stands in its log, and the service reports the exit.
fn startup_error(error: impl std::error::Error + 'static) -> Error {
    ecr_preflight::text::error_chain(&error).into()
}
