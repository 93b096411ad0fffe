//! The files of an image as the kernel sees them: names, owners, heads of files, and path lookup.

mod contents;
mod files;
mod unknown;
mod user;
mod view;

pub use contents::{ContentsCollector, FileContents, HEAD_SIZE};
pub(crate) use contents::{MAX_LOADER_PATH, RangeContents};
pub(crate) use files::ROOT_DIRECTORY;
pub use files::{FileTree, Node, Permissions, Rootfs};
pub(crate) use unknown::ExecError;
pub use unknown::UnknownReason;
pub use user::User;
pub use view::FilesystemView;
