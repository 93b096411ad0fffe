//! Why a program does not start, or why that is unknown.

use crate::errno::Errno;
use crate::path::display_path;

/// Why the kernel's answer is unknown. This is never a fault of the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// Something may be mounted over this path when the container runs.
    #[error("{} may be mounted over at run time", display_path(.0))]
    MountPoint(Vec<u8>),
    /// containerd refuses to mount something here, and Docker Engine replaces what the image has here.
    #[error("{path} {found}: containerd refuses that, Docker Engine replaces it")]
    MountRefusedByContainerd {
        /// The path.
        path: &'static str,
        /// What the image has there, as a predicate.
        found: &'static str,
    },
    /// Docker Engine refuses a volume at a file, below one, or in `/proc`.
    #[error("Docker Engine refuses a volume at {}", display_path(.0))]
    VolumeRefusedByDocker(Vec<u8>),
    /// containerd follows a link, and Docker Engine replaces it with an empty directory.
    #[error("{0} is a link, which containerd follows, and which Docker Engine replaces with an empty directory")]
    LinkReplacedByDocker(&'static str),
    /// A layer that was not read yet decides what this path is.
    #[error("{} depends on a layer that was not read", display_path(.0))]
    LayerNotRead(Vec<u8>),
    /// The bytes had already been streamed when they turned out to be needed.
    #[error("the loader path of {} was not retained", display_path(.0))]
    ContentsNotKept(Vec<u8>),
    /// The file is too large, or is stored under another name.
    #[error("the contents of {} were not retained", display_path(.0))]
    FileNotKept(Vec<u8>),
    /// Container engines look up the user in different ways.
    #[error("container engines interpret the user {} differently", display_path(.0))]
    User(Vec<u8>),
    /// The image has neither an entrypoint nor a command.
    #[error("neither an entrypoint nor a command is set")]
    NoCommand,
    /// The working directory does not exist, and container runtimes may differ in creating it.
    #[error("the working directory {} could not be determined", display_path(.0))]
    WorkingDirectory(Vec<u8>),
    /// runc refuses a relative working directory, and Docker Engine may make it absolute.
    #[error("container engines treat the relative working directory {} differently", display_path(.0))]
    RelativeWorkingDirectory(Vec<u8>),
    /// The working directory is not in the image, and not every runtime is known to create it.
    #[error("the working directory {} is not in the image, and Lambda is not documented to create it", display_path(.0))]
    MissingWorkingDirectory(Vec<u8>),
    /// runc refuses a variable without an equals sign, and Docker Engine ignores it.
    #[error("container engines treat an environment variable without `=` differently")]
    EnvironmentVariable,
    /// containerd sets no `PATH` if the image sets other variables, and Docker Engine always does.
    #[error("container engines look up {} in different directories, because the image does not set PATH", display_path(.0))]
    NoSearchPath(Vec<u8>),
    /// The result depends on which of several possible identities the user has.
    #[error("access to {} depends on the user's identity, its groups and the host", display_path(.0))]
    UserPermission(Vec<u8>),
    /// A segment of the program ends beyond its file. Whether the program uses that part is unknown.
    #[error("{} is truncated: its segments end beyond the file", display_path(.0))]
    TruncatedProgram(Vec<u8>),
    /// Only containers with additional capabilities may start the program.
    #[error("{} sets a file capability that containers do not have by default", display_path(.0))]
    Capabilities(Vec<u8>),
    /// A directory has more files than are inspected.
    #[error("{} has too many files", display_path(.0))]
    TooManyNames(Vec<u8>),
    /// Following the symbolic links or `PATH` exceeds the lookup limit or the deadline.
    #[error("resolving {} takes too many lookups", display_path(.0))]
    TooManyLookups(Vec<u8>),
    /// Some hosts add this program to the container when it starts.
    #[error("{} is not in the image, but may be added by the host", display_path(.0))]
    AddedByHost(Vec<u8>),
    /// Only hosts with 32-bit support run this program.
    #[error("{} is a 32-bit program, which only some hosts run: those whose kernel and processor support it", display_path(.0))]
    Program32Bit(Vec<u8>),
}

/// Why a path cannot be resolved or a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecError {
    /// The kernel returns this error.
    Errno(Errno),
    /// The image does not determine what the kernel returns.
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
