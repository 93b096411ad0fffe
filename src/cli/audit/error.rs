//! What stops an audit, and how to fix it. Images that cannot be read do not stop it.

use std::io;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::throttle::is_throttling_code;
use crate::aws::service_error::{BoxError, CallError};
use crate::cli::aws_failure::AwsFailure;
use crate::cli::error::CliError;
use crate::cli::hint;
use crate::cli::stored_report::StoredReportError;
use crate::registry::RegistryError;
use crate::text::sanitize_quoted;

/// What stops an audit.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuditError {
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    ResultsIo(io::Error),
    #[error("some repositories could not be listed")]
    ListingFailed(#[source] RegistryError),
    #[error("{message}")]
    EmptyScope { message: String, hint: String },
    #[error("--notify needs a topic: PREFLIGHT_TOPIC_ARN is not set")]
    NoTopic,
    #[error(transparent)]
    Notify(#[from] CallError),
    #[error(transparent)]
    ViaLambda(#[from] ViaLambdaError),
    #[error("interrupted")]
    Interrupted,
}

/// Why a results file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResultsError {
    #[error("{path} cannot be opened or read")]
    Open { path: String, source: io::Error },
    #[error("{path} is not a results file: line {line} is not a report of an audit")]
    InvalidLine { path: String, line: u64, source: StoredReportError },
    #[error("{path} is not a results file: its last line is not the beginning of a report")]
    InvalidLastLine { path: String },
    #[error("{path} was written with other settings: {}, now {}", settings_or_defaults(.stored), settings_or_defaults(.current))]
    SettingsMismatch { path: String, stored: String, current: String },
    #[error("another audit is writing to {path}")]
    Locked { path: String },
    #[error("{path} is not a regular file, so results cannot be read back from it")]
    NotRegularFile { path: String },
    #[error("{path} cannot be written")]
    Write { path: String, source: io::Error },
}

fn settings_or_defaults(settings: &str) -> String {
    if settings.is_empty() { "the defaults".to_owned() } else { format!("`{}`", sanitize_quoted(settings)) }
}

/// What stops an audit with `--via-lambda`.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViaLambdaError {
    #[error("events:PutEvents was denied: allow the caller this action on the event bus in the function's region")]
    SendDenied(#[source] BoxError),
    #[error("events:PutEvents failed")]
    SendFailed(#[source] BoxError),
    #[error("the event bus rejected an event repeatedly: {0}")]
    EventRejected(String),
    #[error("logs:FilterLogEvents on {group} was denied: allow the caller this action on this log group")]
    LogDenied { group: String, source: BoxError },
    #[error("the log group {group} does not exist")]
    MissingLogGroup { group: String, source: BoxError },
    #[error("logs:FilterLogEvents on {group} failed")]
    LogFailed { group: String, source: BoxError },
    /// The next read may succeed.
    #[error("logs:FilterLogEvents on {group} failed repeatedly")]
    LogBusy { group: String, source: BoxError },
    #[error("the function has not answered for {seconds} s, with {open} images pending: no more images were sent")]
    NoAnswer { seconds: u64, open: usize },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How the checks of an audit ended.
#[derive(Debug)]
pub(super) enum AuditEnd {
    /// Every image in scope was checked, or reported as unreadable.
    Complete,
    /// The list of repositories is incomplete.
    ListingFailed(RegistryError),
    /// SIGINT or SIGTERM.
    Interrupted,
    /// The function cannot be called any more, or does not answer.
    ViaLambdaFailed(ViaLambdaError),
}

impl AuditError {
    /// The next step.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Results(ResultsError::SettingsMismatch { .. }) => {
                "use the same settings, another file, or `--fresh` to start again"
            }
            Self::EmptyScope { hint, .. } => hint,
            Self::ListingFailed(error) => return hint::hint_for_registry_error(error),
            Self::Results(ResultsError::InvalidLine { .. } | ResultsError::InvalidLastLine { .. }) => {
                "the file was not changed; name another file"
            }
            Self::Results(ResultsError::NotRegularFile { .. }) => {
                "name a regular file; `--format jsonl` prints the reports to standard output"
            }
            Self::ViaLambda(ViaLambdaError::MissingLogGroup { .. }) => "name the function's stack with `--stack`",
            Self::ViaLambda(ViaLambdaError::NoAnswer { .. }) => {
                "check the function's log and alarms; `--timeout` waits longer, and a lower `--rate` sends fewer events a second"
            }
            Self::NoTopic => "set it to the ARN of the topic that the function notifies",
            Self::Notify(error) => return AwsFailure::find(error)?.hint(error),
            Self::ViaLambda(error) => return AwsFailure::find(error)?.hint(error),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Interrupted => Self::Interrupted,
            error => Self::Command {
                hint: error.hint(),
                is_usage: matches!(error, AuditError::NoTopic),
                source: error.into(),
            },
        }
    }
}

/// Whether the same call may succeed a while later: the service is busy or throttles, or the connection failed. The SDK's
/// own retries come first.
pub(super) fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        // Missing credentials are neither of these.
        SdkError::DispatchFailure(failure) => failure.is_timeout() || failure.is_io() || failure.as_other().is_some(),
        SdkError::ServiceError(context) => {
            let status = context.raw().status();
            let is_throttled = context.err().code().is_some_and(is_throttling_code);
            !status.is_client_error() || status.as_u16() == 429 || is_throttled
        }
        _ => false,
    }
}
