//! What container runtimes refuse before they call execve(2).

use crate::path::display_path;
use crate::rootfs::{MountFailure, UnknownReason};
use crate::text::sanitize_quoted;

/// Why a container runtime refuses to create the first process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupRefusal {
    /// The user or the group is a name, and the file lacks it.
    UnknownAccount {
        /// The kind of name.
        kind: AccountKind,
        /// The name.
        name: Vec<u8>,
        /// The file that lacks it.
        file: AccountFile,
    },
    /// A variable of the environment has no name, or contains a NUL byte.
    Environment {
        /// Whether the name is missing.
        is_unnamed: bool,
    },
    /// The working directory cannot be created, because a part of its path is not a directory.
    WorkingDirectory {
        /// The working directory.
        directory: Vec<u8>,
        /// The part that is not a directory.
        blocked_at: Vec<u8>,
    },
    /// The image has a directory where the container runtime mounts a file.
    Mount(MountFailure),
}

/// What is at the path of the file of users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountFile {
    /// A file.
    Present,
    /// Nothing.
    Missing,
    /// A link or a parent that leads to no file.
    Unreachable,
}

/// A kind of name that container runtimes look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum AccountKind {
    User,
    Group,
}

impl AccountKind {
    /// Returns the kind and the file as Go programs name them.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::User => ("user", "passwd"),
            Self::Group => ("group", "group"),
        }
    }

    /// Returns the file that contains the names.
    pub fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/passwd",
            Self::Group => "/etc/group",
        }
    }
}

impl SetupRefusal {
    /// Returns what is wrong with the image, as a part of a sentence.
    pub fn describe(&self) -> String {
        match self {
            Self::UnknownAccount { kind, name, file } => {
                let kind_name = match kind {
                    AccountKind::User => "user",
                    AccountKind::Group => "group",
                };
                let name = sanitize_quoted(&display_path(name));
                // A frequent cause: `USER ${UID}` with a variable that is unset in the last stage.
                let variable = if name.contains('$') { ", and variables are not expanded" } else { "" };
                let place = match file {
                    AccountFile::Present => "is not in",
                    AccountFile::Missing | AccountFile::Unreachable => "is a name, and the image has no",
                };
                format!("the image's {kind_name} `{name}` {place} {}{variable}", kind.file())
            }
            Self::Environment { is_unnamed: true } => "an environment variable has no name".to_owned(),
            Self::Environment { is_unnamed: false } => "an environment variable contains a NUL byte".to_owned(),
            Self::WorkingDirectory { directory, blocked_at } => {
                let [directory, part] = [directory, blocked_at].map(|path| sanitize_quoted(&display_path(path)));
                format!("the working directory {directory} cannot be entered: {part} is not a directory")
            }
            Self::Mount(failure) => failure.describe(),
        }
    }

    /// Returns the message of containerd (1.6.20) or runc (1.1.5), or `None` if it contains
    /// other paths. Docker
    /// Engine has its own for accounts: "unable to find user NAME: no matching entries in passwd file".
    pub fn message(&self) -> Option<String> {
        Some(match self {
            Self::UnknownAccount { kind: AccountKind::User, file: AccountFile::Present, .. } => {
                "no users found".to_owned()
            }
            Self::UnknownAccount { kind: AccountKind::Group, file: AccountFile::Present, .. } => {
                "no groups found".to_owned()
            }
            Self::UnknownAccount { kind, file: AccountFile::Missing, .. } => {
                format!("open …{}: no such file or directory", kind.file())
            }
            // The messages about mounts contain paths of the host.
            Self::UnknownAccount { file: AccountFile::Unreachable, .. } | Self::Mount(_) => return None,
            // The messages go on with the variable, which may be a secret.
            Self::Environment { is_unnamed: true } => "environment variable name can't be empty".to_owned(),
            Self::Environment { is_unnamed: false } => "can't contain null(\\x00)".to_owned(),
            Self::WorkingDirectory { blocked_at, .. } => format!("mkdir {}: not a directory", display_path(blocked_at)),
        })
    }
}

/// Why a process cannot be set up, or why that is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupError {
    /// Every container runtime refuses it.
    Refused(SetupRefusal),
    /// The image does not determine whether it is refused.
    Unknown(UnknownReason),
}

impl From<SetupRefusal> for SetupError {
    fn from(refusal: SetupRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<UnknownReason> for SetupError {
    fn from(reason: UnknownReason) -> Self {
        Self::Unknown(reason)
    }
}
