//! Why a layer cannot be read, and why layers cannot be unpacked.

use std::io::{self, ErrorKind};

use crate::name::Digest;
use crate::path::display_path;
use crate::settings::LimitExceeded;

/// Why a layer was not read. Only a failed transfer and a wrong digest can be fixed by reading it again.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The bytes did not arrive.
    #[error("the layer transfer failed")]
    Transfer(#[source] io::Error),
    /// Other bytes arrived than the digest names.
    #[error("the layer's content has digest {0}")]
    DigestMismatch(Digest),
    /// The layer exceeds a limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The compressed data is truncated or damaged.
    #[error("the layer cannot be decompressed: {0}")]
    Compression(String),
    /// No container runtime can unpack the archive.
    #[error("the layer's archive is damaged: {0}")]
    Archive(&'static str),
}

impl LayerError {
    /// Converts an I/O error from the tar stream.
    pub(super) fn from_read_error(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof {
            return Self::Compression("unexpected end of data".into());
        }
        match error.downcast::<LimitExceeded>() {
            Ok(limit) => Self::LimitExceeded(limit),
            Err(error) => Self::Compression(error.to_string()),
        }
    }
}

/// Why layers were not unpacked: either a container runtime fails to pull the image, or the result is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The pull fails.
    #[error(transparent)]
    Refused(#[from] PullRefusal),
    /// Container runtimes differ, or more than the image determines the result.
    #[error("a layer cannot be unpacked for certain: {0}")]
    Uncertain(String),
    /// The layers exceed a limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The caller's deadline has passed.
    #[error("canceled")]
    Canceled,
}

impl ApplyError {
    /// Creates the refusal of an entry, with the message of containerd.
    pub(super) fn refused(message: String) -> Self {
        Self::Refused(PullRefusal { message, by_docker: true })
    }

    /// Returns why the pull certainly fails, or `None` if the result is unknown.
    pub fn refusal(&self) -> Option<&PullRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// The error with which containerd fails to pull an image: "failed to extract layer", its digest, and this message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("container runtimes fail to pull the image: failed to extract layer: {message}")]
pub struct PullRefusal {
    /// The message of containerd 1.6. Paths are those in the image, not in the snapshot.
    pub message: String,
    /// Whether Docker's overlay2 driver fails, too.
    pub by_docker: bool,
}

/// Returns a path for a message, with the leading slash that it lacks.
pub(super) fn show(path: &[u8]) -> String {
    format!("/{}", display_path(path))
}
