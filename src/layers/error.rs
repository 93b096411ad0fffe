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
