//! The files of an image as the kernel sees them: paths, permissions, first bytes, and path lookup.

mod accounts;
mod contents;
mod contents_collector;
mod files;
mod error;
mod user;
mod view;
mod mount_failure;

pub(crate) use accounts::{parse_groups, parse_id, parse_passwd};
pub use contents::FileContents;
pub(crate) use contents::{BINPRM_BUF_SIZE, RangeContents};
pub use contents_collector::{ContentsCollector, HEAD_SIZE};
pub use error::{ExecError, UnknownReason};
pub(crate) use files::DIRECTORY_755;
pub use files::{FileTree, Node, Permissions, Rootfs};
pub use mount_failure::{MountFailure, find_mount_failure};
pub use user::User;
pub use view::FilesystemView;
