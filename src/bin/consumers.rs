//! The Lambda function that knows what runs images: builds the clients once, then passes each invocation to
//! [`ecr_preflight::lambda::consumers`].

// The futures of checks nest too deeply for the compiler's default limit.
#![recursion_limit = "256"]

use std::cell::OnceCell;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use ecr_preflight::aws::{Aws, default_connector, endpoint_override};
use ecr_preflight::census::PacedConnector;
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::consumers::payload::ConsumersPayload;
use ecr_preflight::lambda::consumers::respond::{ConsumersHandler, respond_without_settings};
use ecr_preflight::lambda::consumers::take_census::CensusTaker;
use ecr_preflight::lambda::gate::DeploymentReader;
use ecr_preflight::lambda::log::{self, unix_time};
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::settings::Settings;
use ecr_preflight::table::Table;
use ecr_preflight::text::error_chain;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = match Settings::from_variables(std::env::vars_os()) {
        Ok(settings) => settings,
        Err(error) => return run_without_settings(&error_chain(&error)).await,
    };
    log::init(settings.log_level);
    let aws = Aws::from_variables(variable).map_err(startup_error)?;
    // Built by the first invocation, so the function starts almost as fast as an empty one.
    let built = OnceCell::new();
    let build_handler = |function_arn: &str| {
        let registry = EcrRegistry::new(&aws, endpoint_override("ECR", variable));
        let census = settings.table.clone().map(|name| CensusTaker {
            table: Table::new(aws.dynamodb_client(endpoint_override("DYNAMODB", variable)), name),
            aws: aws.clone().with_connector(SharedHttpConnector::new(PacedConnector::new(default_connector()))),
            events: aws.events_client(endpoint_override("EVENTBRIDGE", variable)),
            endpoint: |service| endpoint_override(service, variable),
        });
        ConsumersHandler {
            census,
            open_registry: move |repository: &Repository| registry.repository(repository),
            deployments: DeploymentReader::new(aws.ecs_client(endpoint_override("ECS", variable))),
            inspector: Inspector::new(&settings.check.limits),
            region: aws.region().map(str::to_owned),
            // arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME
            account: function_arn.split(':').nth(4).map(str::to_owned),
            settings: settings.clone(),
            today: log::today,
            write_metrics: log::write_json_line,
        }
    };
    let handle = async |invocation: LambdaEvent<ConsumersPayload>| {
        let LambdaEvent { payload, context } = invocation;
        let handler = built.get_or_init(|| build_handler(&context.invoked_function_arn));
        // The deadline is in milliseconds since 1970.
        let time_left = Duration::from_millis(context.deadline).saturating_sub(unix_time());
        handler.respond(payload, time_left).await.map_err(failure)
    };
    // The future of an invocation is large.
    Box::pin(lambda_runtime::run(service_fn(handle))).await
}

/// Returns the value of an environment variable.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs without valid settings: a gate lets everything pass, because one that does not start stops deployments.
async fn run_without_settings(error: &str) -> Result<(), Error> {
    log::init(tracing::Level::ERROR);
    let handle = async |invocation: LambdaEvent<ConsumersPayload>| {
        respond_without_settings(&invocation.payload, error).map_err(failure)
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// Builds the response to an invocation that failed.
fn failure(error_message: String) -> Diagnostic {
    Diagnostic { error_type: "ecr-preflight".to_owned(), error_message }
}

/// Converts an error that prevents the start; Lambda logs its text.
fn startup_error(error: impl std::error::Error + 'static) -> Error {
    error_chain(&error).into()
}
