//! The working directory, as runc makes and enters it before it starts anything: `MkdirAll` within the root, as root.
//!
//! Does not make anything: a directory that is missing is only said to be there.

use crate::errno::Errno;
use crate::rootfs::FilesystemView;
use crate::rootfs::User;
use crate::rootfs::{ExecError, UnknownReason};
use crate::rootfs::{FileTree, Node};

/// Why there is no working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkingDirectoryError {
    /// The kernel says no.
    Errno(Errno),
    /// It cannot be told.
    Unknown(UnknownReason),
}

/// The kernel enters no longer path, with its final NUL (`include/uapi/linux/limits.h`), and each of its directories is
/// looked up after the one above it.
const PATH_MAX: usize = 4096;

/// The place of a working directory as an image's configuration names it, in the form that a [`View`] has it.
///
/// # Errors
/// Where a file stands in its way, or where it cannot be told.
pub fn resolve_working_directory(
    files: &dyn FileTree,
    mounts: &[Vec<u8>],
    path: &[u8],
) -> Result<Vec<u8>, WorkingDirectoryError> {
    if path.len() >= PATH_MAX {
        return Err(WorkingDirectoryError::Unknown(UnknownReason::WorkingDirectory(path.to_vec())));
    }
    let view =
        FilesystemView { files, working_directory: Some(Vec::new()), user: User::default(), mounts: mounts.to_vec() };
    resolve_or_create(&view, path).map_err(|stop| match stop {
        ExecError::Errno(errno) => WorkingDirectoryError::Errno(errno),
        ExecError::Unknown(reason) => WorkingDirectoryError::Unknown(reason),
    })
}

fn resolve_or_create(view: &FilesystemView<'_>, path: &[u8]) -> Result<Vec<u8>, ExecError> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    match view.resolve(path) {
        Ok(found) if matches!(found.node, Node::Directory(_)) => Ok(found.path),
        Ok(_) => Err(Errno::NotDirectory.into()),
        Err(ExecError::Errno(Errno::NoEntry)) => {
            let split = path.iter().rposition(|byte| *byte == b'/');
            let (parent, name) = split.map_or((b"".as_slice(), path), |at| (&path[..at], &path[at + 1..]));
            let place = [&resolve_or_create(view, parent)?, b"/".as_slice(), name].concat();
            let place = place.strip_prefix(b"/").unwrap_or(&place).to_vec();
            // A link that leads nowhere stands in the way; dots behind what is missing are read in more than one way.
            if matches!(name, b"" | b"." | b"..") || view.files.get(&place)?.is_some() {
                return Err(UnknownReason::WorkingDirectory(path.to_vec()).into());
            }
            Ok(place)
        }
        Err(stop) => Err(stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::FileContents;
    use crate::rootfs::{Permissions, Rootfs};

    #[test]
    fn a_working_directory_is_found_or_made_or_something_stands_in_its_way() {
        let mut rootfs = Rootfs::default();
        rootfs.insert(b"srv".to_vec(), Node::Directory(Permissions { mode: 0o700, uid: 7, gid: 7 }));
        rootfs.insert(b"file".to_vec(), Node::File(Permissions::default(), FileContents::default()));
        rootfs.insert(b"link".to_vec(), Node::Symlink(b"srv".to_vec()));
        rootfs.insert(b"dangling".to_vec(), Node::Symlink(b"none".to_vec()));
        let not_directory = || Err(WorkingDirectoryError::Errno(Errno::NotDirectory));
        let untold = |path: &str| Err(WorkingDirectoryError::Unknown(UnknownReason::WorkingDirectory(path.into())));
        for (path, expected) in [
            ("", Ok("")),
            ("/", Ok("")),
            ("/srv", Ok("srv")),
            ("/link/", Ok("srv")),
            ("/link/app/src", Ok("srv/app/src")),
            ("/new", Ok("new")),
            ("new/er", Ok("new/er")),
            ("/file", not_directory()),
            ("/file/x", not_directory()),
            ("/dangling", untold("/dangling")),
            ("/new/../srv", untold("/new/..")),
            ("/proc/x", Err(WorkingDirectoryError::Unknown(UnknownReason::MountPoint(b"/proc".to_vec())))),
        ] {
            let found = resolve_working_directory(&rootfs, &[b"proc".to_vec()], path.as_bytes());
            assert_eq!(found, expected.map(|place| place.as_bytes().to_vec()), "{path}");
        }
    }
}
