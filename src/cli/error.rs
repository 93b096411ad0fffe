//! `CliError`: every error that ends a command.

use std::error::Error;

use super::registry_ref::ReferenceError;
use crate::lambda::handler::HandlerError;
use crate::name::RepositoryError;
use crate::registry::RegistryError;
use crate::settings::SettingsError;

#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Image(#[from] ReferenceError),
    /// A local image exists, but the scheme of the reference is wrong or missing.
    #[error("`{reference}` {problem}")]
    WrongScheme { reference: String, problem: &'static str, hint: String },
    #[error("{reference}: {source}")]
    ForReference { reference: String, source: Box<CliError> },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Handler(#[from] HandlerError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot read {path}")]
    FileRead { path: String, source: Box<dyn Error + Send + Sync> },
    #[error("cannot write {path}")]
    FileWrite { path: String, source: std::io::Error },
    #[error("{path} is given twice: for {one} and for {other}")]
    SameFile { path: String, one: &'static str, other: &'static str },
    #[error("{reference} does not exist")]
    ImageNotFound { reference: String, hint: Option<String> },
    #[error("{reference} contains several images")]
    AmbiguousImage { reference: String, hint: Option<String> },
    #[error("cannot read {reference}: {reason}")]
    ImageUnavailable { reference: String, reason: String },
    #[error("`--platforms` supports only `--format text` and `--format json`")]
    UnsupportedFormat,
    #[error("no AWS region is configured")]
    NoRegion,
    #[error("nothing was written: standard input is not a terminal, so the change cannot be confirmed")]
    NoTerminal,
    #[error("nothing was written: the declaration has changed since it was shown")]
    DeclarationChanged,
    #[error("nothing was written: AWS reserves tag keys that begin with `aws:`, as `{0}` does")]
    ReservedTagKey(String),
    #[error("unknown command `{0}`")]
    UnknownCommand(String),
    /// An error that only one command reports.
    #[error("{source}")]
    Command { source: Box<dyn Error + Send + Sync>, hint: Option<String>, is_usage: bool },
    #[error("interrupted")]
    Interrupted,
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// Whether the command line or a setting is wrong, so that the same command always fails in the same way.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::Command { is_usage, .. } => *is_usage,
            Self::Image(_)
            | Self::WrongScheme { .. }
            | Self::ForReference { .. }
            | Self::Repository(_)
            | Self::Settings(_)
            | Self::UnsupportedFormat
            | Self::NoRegion
            | Self::SameFile { .. }
            | Self::UnknownCommand(_)
            | Self::ReservedTagKey(_) => true,
            _ => false,
        }
    }

    /// The error of a registry, if this is one.
    pub(super) fn registry_error(&self) -> Option<&RegistryError> {
        match self {
            Self::Registry(error) | Self::Handler(HandlerError::Registry(error)) => Some(error),
            _ => None,
        }
    }
}
