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
    /// The compressed data is truncated or damaged, and no decoder reads it to its end.
    #[error("the layer cannot be decompressed: {0}")]
    Damaged(String),
    /// The compressed data cannot be read here. Decoders differ, for example on bytes after the last gzip member: Go's
    /// refuses them, and `unpigz`, which containerd and Docker prefer if it is installed, ignores them.
    #[error("the layer cannot be decompressed: {0}")]
    Compression(String),
    /// Go's `archive/tar` refuses the archive, or it has an entry that no container runtime creates.
    #[error("the layer's archive is damaged: {0}")]
    Archive(&'static str),
    /// The archive cannot be read here, and container runtimes may read it.
    #[error("the layer's archive cannot be read: {0}")]
    Unsupported(&'static str),
}

impl LayerError {
    /// Converts an I/O error from the tar stream.
    pub(super) fn from_read_error(error: io::Error) -> Self {
        match (error.kind(), error.downcast::<LimitExceeded>()) {
            (_, Ok(limit)) => Self::LimitExceeded(limit),
            (ErrorKind::UnexpectedEof, _) => Self::Damaged("unexpected end of data".into()),
            // The kind of flate2's errors. Those of `ruzstd` have another, and may be due to its limitations.
            (ErrorKind::InvalidInput, Err(error)) => Self::Damaged(error.to_string()),
            (_, Err(error)) => Self::Compression(error.to_string()),
        }
    }

    /// Converts an error after the end of the archive, where only a wrong checksum is certainly not a stray byte after
    /// the last gzip member.
    pub(super) fn after_archive(self) -> Self {
        match self {
            Self::Damaged(reason) if !reason.contains("checksum") => Self::Compression(reason),
            other => other,
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
#[error("a layer cannot be unpacked: {message}")]
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
