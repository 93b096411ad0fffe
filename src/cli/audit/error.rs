//! What keeps an audit from beginning, from going on, or from being told, and what may help.
//!
//! Does not hold what keeps single images from being read; those are told as they come.

use std::io;

use super::results_file::ResultsError;
use super::via_lambda::{LogFollowError, ViaLambdaError};
use crate::cli::error::CliError;
use crate::cli::hint;
use crate::registry::RegistryError;

/// What keeps an audit from beginning, or from being told.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AuditError {
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    ResultsIo(io::Error),
    #[error("not all repositories were listed")]
    ListingFailed(#[source] RegistryError),
    #[error("{what}")]
    EmptyScope { what: String, hint: String },
    #[error("nobody would be told: PREFLIGHT_TOPIC_ARN is not set")]
    NoTopic,
    #[error(transparent)]
    Notify(#[from] crate::aws::service_error::CallError),
    #[error(transparent)]
    ViaLambda(#[from] ViaLambdaError),
    #[error("interrupted")]
    Interrupted,
}

impl AuditError {
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Results(ResultsError::SettingsMismatch { .. }) => {
                "use the same settings, another file, or `--fresh` to begin anew"
            }
            Self::EmptyScope { hint, .. } => hint,
            Self::ListingFailed(error) => return hint::hint_for_registry_error(error),
            Self::Results(ResultsError::InvalidLine { .. } | ResultsError::InvalidLastLine { .. }) => {
                "it was left as it is; name another file"
            }
            Self::Results(ResultsError::NotRegularFile { .. }) => {
                "name a file; `--format jsonl` prints the answers on standard output"
            }
            Self::ViaLambda(ViaLambdaError::FollowLog(LogFollowError::MissingLogGroup { .. })) => {
                "name the function's stack by `--stack`"
            }
            Self::ViaLambda(ViaLambdaError::NoAnswer { .. }) => {
                "look at the function's log and alarms; `--timeout` waits longer, and a lower `--rate` asks more slowly"
            }
            Self::NoTopic => "set it to the ARN of the topic that the function tells",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        if matches!(error, AuditError::Interrupted) {
            return Self::Interrupted;
        }
        let (hint, is_usage) = (error.hint(), matches!(error, AuditError::NoTopic));
        Self::Command { source: Box::new(error), hint, is_usage }
    }
}
