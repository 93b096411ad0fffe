//! The Lambda function: builds the clients once, then passes each event to [`ecr_preflight::lambda::handler`].

// The handler's futures nest too deeply for the compiler's default limit.
#![recursion_limit = "256"]

use std::cell::OnceCell;
use std::time::Duration;

use ecr_preflight::aws::{Aws, endpoint_override};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::handler::EventHandler;
use ecr_preflight::lambda::log::{self, unix_time};
use ecr_preflight::lambda::notify::SnsTopic;
use ecr_preflight::lambda::payload::Payload;
use ecr_preflight::lambda::recent::RecentMessages;
use ecr_preflight::lambda::verdict_tag::EcrVerdictTagger;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::settings::Settings;
use ecr_preflight::table::Table;
use ecr_preflight::text::error_chain;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::from_variables(std::env::vars_os()).and_then(Settings::require_output);
    let settings = settings.map_err(startup_error)?;
    log::init(settings.log_level);
    let aws = Aws::from_variables(variable).map_err(startup_error)?;
    // Built by the first invocation, so the function starts almost as fast as an empty one.
    let built = OnceCell::new();
    let build_handler = |function_arn: &str| {
        let registry = EcrRegistry::new(&aws, endpoint_override("ECR", variable));
        let ecr = aws.ecr_client(endpoint_override("ECR", variable));
        let sns = aws.sns_client(endpoint_override("SNS", variable));
        let dynamodb = aws.dynamodb_client(endpoint_override("DYNAMODB", variable));
        EventHandler {
            open_registry: move |repository: &Repository| registry.repository(repository),
            open_tagger: move |repository: &Repository| EcrVerdictTagger::new(ecr.clone(), repository),
            inspector: Inspector::new(&settings.check.limits),
            table: settings.table.clone().map(|name| Table::new(dynamodb, name)),
            notifier: settings.topic_arn.clone().map(|topic| SnsTopic::new(sns, topic)),
            region: aws.region().map(str::to_owned),
            // arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME
            account: function_arn.split(':').nth(4).map(str::to_owned),
            recent_messages: RecentMessages::default(),
            settings: settings.clone(),
            today: log::today,
            write_metrics: log::write_json_line,
        }
    };
    let handle = async |invocation: LambdaEvent<Payload>| {
        let LambdaEvent { payload, context } = invocation;
        let handler = built.get_or_init(|| build_handler(&context.invoked_function_arn));
        // The deadline is in milliseconds since 1970.
        let time_left = || Duration::from_millis(context.deadline).saturating_sub(unix_time());
        handler.respond(payload, time_left).await.map_err(failure)
    };
    // The future of an invocation is large.
    Box::pin(lambda_runtime::run(service_fn(handle))).await
}

/// Builds the response to an invocation that failed.
fn failure(error_message: String) -> Diagnostic {
    Diagnostic { error_type: "ecr-preflight".to_owned(), error_message }
}

/// Converts an error that prevents the start; Lambda logs its text.
fn startup_error(error: impl std::error::Error + 'static) -> Error {
    error_chain(&error).into()
}
