//! Anything that keeps a command from answering.
//!
//! Does not say what may help; the hints do.

use super::audit;
use super::image::ImageError;
use super::local::Misnamed;
use crate::lambda::handler;
use crate::name::RepositoryError;
use crate::registry::RegistryError;
use crate::settings::SettingsError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Misnamed(#[from] Misnamed),
    #[error("{reference}: {source}")]
    Among { reference: String, source: Box<Error> },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Walk(#[from] handler::Error),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{path} cannot be read")]
    File { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{path} cannot be written")]
    Unwritten { path: String, source: std::io::Error },
    #[error("{path} is named twice: for {one} and for {other}")]
    OneFile { path: String, one: &'static str, other: &'static str },
    #[error("{reference} is not there")]
    Absent { reference: String, hint: Option<String> },
    #[error("{reference} holds several images")]
    Unnamed { reference: String, hint: Option<String> },
    #[error("{reference} cannot be had: {reason}")]
    Refused { reference: String, reason: String },
    #[error("platforms are printed as text or json")]
    NoFormat,
    #[error("no AWS region is configured")]
    NoRegion,
    #[error("nothing was written: there is no terminal to ask at")]
    Unasked,
    #[error("nothing was written: the declaration has been changed by somebody else meanwhile")]
    Changed,
    #[error("nothing was written: the tag's key would be `{0}`, and AWS keeps keys that begin with `aws:` for itself")]
    Reserved(String),
    #[error("there is no command `{0}`")]
    NoCommand(String),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    #[error("the answer cannot be printed")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// Whether it lies in what was typed or set: it will be the same whenever it is run again.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::Image(_)
            | Self::Misnamed(_)
            | Self::Among { .. }
            | Self::Repository(_)
            | Self::Settings(_)
            | Self::NoFormat
            | Self::OneFile { .. }
            | Self::NoCommand(_)
            | Self::Reserved(_)
            | Self::Audit(audit::Error::NoTopic) => true,
            Self::Registry(_)
            | Self::Walk(_)
            | Self::File { .. }
            | Self::Unwritten { .. }
            | Self::Absent { .. }
            | Self::Unnamed { .. }
            | Self::Refused { .. }
            | Self::NoRegion
            | Self::Unasked
            | Self::Changed
            | Self::Audit(_)
            | Self::Output(_) => false,
        }
    }

    /// That of a registry, where it is one.
    pub(super) fn registry(&self) -> Option<&RegistryError> {
        match self {
            Self::Registry(error) | Self::Walk(handler::Error::Registry(error)) => Some(error),
            _ => None,
        }
    }
}
