//! What keeps an audit from beginning, from going on, or from being told, and what may help.
//!
//! Does not hold what keeps single images from being read; those are told as they come.

use std::io;

use super::results::ResultsError;
use super::via_lambda::{FollowError, ViaError};
use crate::cli::hint;
use crate::registry::RegistryError;

/// What keeps an audit from beginning, or from being told.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    Walk(io::Error),
    #[error("not all repositories were listed")]
    Unlisted(#[source] RegistryError),
    #[error("{what}")]
    Nowhere { what: String, hint: String },
    #[error("nobody would be told: PREFLIGHT_TOPIC_ARN is not set")]
    NoTopic,
    #[error(transparent)]
    Notify(#[from] crate::lambda::notify::NotifyError),
    #[error(transparent)]
    Via(#[from] ViaError),
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Results(ResultsError::Settings { .. }) => {
                "use the same settings, another file, or `--fresh` to begin anew"
            }
            Self::Nowhere { hint, .. } => hint,
            Self::Unlisted(error) => return hint::of_registry(error),
            Self::Results(ResultsError::Foreign { .. } | ResultsError::ForeignEnd { .. }) => {
                "it was left as it is; name another file"
            }
            Self::Results(ResultsError::Irregular { .. }) => {
                "name a file; `--format jsonl` prints the answers on standard output"
            }
            Self::Via(ViaError::Follow(FollowError::NoGroup { .. })) => "name the function's stack by `--stack`",
            Self::Via(ViaError::Silent { .. }) => {
                "look at the function's log and alarms; `--patience` waits longer, and a lower `--rate` asks more slowly"
            }
            Self::NoTopic => "set it to the ARN of the topic that the function tells",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
