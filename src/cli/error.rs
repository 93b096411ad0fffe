//! Anything that keeps a command from answering.
//!
//! Does not say what may help; the hints do.

use super::image_ref::ImageArgumentError;
use super::scheme_check::WrongSchemeError;
use crate::lambda::handler;
use crate::name::RepositoryError;
use crate::registry::RegistryError;
use crate::settings::SettingsError;

#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Image(#[from] ImageArgumentError),
    #[error(transparent)]
    WrongScheme(#[from] WrongSchemeError),
    #[error("{reference}: {source}")]
    ForReference { reference: String, source: Box<CliError> },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Handler(#[from] handler::HandlerError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{path} cannot be read")]
    FileRead { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path} cannot be written")]
    FileWrite { path: String, source: std::io::Error },
    #[error("{path} is named twice: for {one} and for {other}")]
    SameFile { path: String, one: &'static str, other: &'static str },
    #[error("{reference} is not there")]
    ImageNotFound { reference: String, hint: Option<String> },
    #[error("{reference} holds several images")]
    AmbiguousImage { reference: String, hint: Option<String> },
    #[error("{reference} cannot be had: {reason}")]
    ImageUnavailable { reference: String, reason: String },
    #[error("platforms are printed as text or json")]
    UnsupportedFormat,
    #[error("no AWS region is configured")]
    NoRegion,
    #[error("nothing was written: there is no terminal to ask at")]
    NoTerminal,
    #[error("nothing was written: the declaration has been changed by somebody else meanwhile")]
    DeclarationChanged,
    #[error("nothing was written: the tag's key would be `{0}`, and AWS keeps keys that begin with `aws:` for itself")]
    ReservedTagKey(String),
    #[error("there is no command `{0}`")]
    UnknownCommand(String),
    /// An error of one command.
    #[error("{source}")]
    Command { source: Box<dyn std::error::Error + Send + Sync>, hint: Option<String>, is_usage: bool },
    #[error("interrupted")]
    Interrupted,
    #[error("the answer cannot be printed")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// Whether it lies in what was typed or set: it will be the same whenever it is run again.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::Image(_)
            | Self::WrongScheme(_)
            | Self::ForReference { .. }
            | Self::Repository(_)
            | Self::Settings(_)
            | Self::UnsupportedFormat
            | Self::SameFile { .. }
            | Self::UnknownCommand(_)
            | Self::ReservedTagKey(_) => true,
            Self::Command { is_usage, .. } => *is_usage,
            Self::Registry(_)
            | Self::Handler(_)
            | Self::FileRead { .. }
            | Self::FileWrite { .. }
            | Self::ImageNotFound { .. }
            | Self::AmbiguousImage { .. }
            | Self::ImageUnavailable { .. }
            | Self::NoRegion
            | Self::NoTerminal
            | Self::DeclarationChanged
            | Self::Interrupted
            | Self::Output(_) => false,
        }
    }

    /// That of a registry, where it is one.
    pub(super) fn registry_error(&self) -> Option<&RegistryError> {
        match self {
            Self::Registry(error) | Self::Handler(handler::HandlerError::Registry(error)) => Some(error),
            _ => None,
        }
    }
}
