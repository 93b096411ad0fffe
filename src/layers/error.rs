//! Why a layer cannot be read, and why layers cannot be merged.

use std::io::{self, ErrorKind};

use crate::name::Digest;
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

/// Why layers cannot be merged. Paths have no leading slash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The layers exceed a limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The links of a path form a cycle, or there are too many.
    #[error("/{0} has too many symbolic links")]
    TooManyLinks(String),
    /// A parent of an entry is not a directory.
    #[error("/{0} is not a directory, but a layer adds entries below it")]
    NotADirectory(String),
    /// The target of a hard link is missing or is a directory.
    #[error("a layer has a hard link to /{0}, which does not exist or is a directory")]
    MissingLinkTarget(String),
    /// The caller's deadline has passed.
    #[error("canceled")]
    Canceled,
}
