//! Where knowledge ends: what the kernel would look at, but an image does not tell.
//!
//! Does not decide what follows from it; it is never a fault.

use crate::errno::Errno;

/// Why no answer can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// Something may be mounted over this path when the container runs.
    #[error("{} may be mounted over at run time", String::from_utf8_lossy(.0))]
    MountPoint(Vec<u8>),
    /// A layer that was not read yet decides what is there.
    #[error("what {} is, a lower layer says", String::from_utf8_lossy(.0))]
    LayerNotRead(Vec<u8>),
    /// The bytes lay behind, in the stream, when it was learnt that they are needed.
    #[error("the part of {} that names its loader was not kept", String::from_utf8_lossy(.0))]
    ContentsNotKept(Vec<u8>),
    /// There is nothing to start.
    #[error("neither an entrypoint nor a command is set")]
    NoCommand,
    /// The working directory is neither there nor can it be made without doubt.
    #[error("the working directory {} cannot be told", String::from_utf8_lossy(.0))]
    WorkingDirectory(Vec<u8>),
    /// The permission bits do not say the same for all that the user may be.
    #[error("whether the user may use {} hangs on who that is, on its groups, and on the host", String::from_utf8_lossy(.0))]
    UserPermission(Vec<u8>),
    /// Its links, or its `PATH`, are made so that it would take for ever.
    #[error("finding out what {} is takes too many steps", String::from_utf8_lossy(.0))]
    TooManyLookups(Vec<u8>),
    /// A program of 32 bits: some hosts start it, others are built without.
    #[error("{} is a program of 32 bits, which only some hosts start", String::from_utf8_lossy(.0))]
    Program32Bit(Vec<u8>),
}

/// What ends a question before a program starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExecError {
    /// The kernel says no.
    Errno(Errno),
    /// It cannot be told what the kernel says.
    Unknown(UnknownReason),
}

impl From<Errno> for ExecError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<UnknownReason> for ExecError {
    fn from(unknown: UnknownReason) -> Self {
        Self::Unknown(unknown)
    }
}
