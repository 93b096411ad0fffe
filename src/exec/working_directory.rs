//! Resolves the working directory, which runc creates with `MkdirAll` in the root filesystem and enters as root.

use crate::errno::Errno;
use crate::path::{PATH_MAX, push_component, split_parent};
use crate::rootfs::{ExecError, FileTree, FilesystemView, Node, UnknownReason};

/// Resolves the working directory of an image's config to the form of [`FilesystemView::working_directory`]. Missing
/// directories count as created.
///
/// # Errors
/// A component is not a directory, or the path could not be determined. That includes paths longer than `PATH_MAX`, whose
/// directories would be entered one by one.
pub fn resolve_working_directory(files: &dyn FileTree, mounts: &[Vec<u8>], path: &[u8]) -> Result<Vec<u8>, ExecError> {
    if path.len() >= PATH_MAX {
        return Err(UnknownReason::WorkingDirectory(path.to_vec()).into());
    }
    resolve_or_create(&FilesystemView { mounts: mounts.to_vec(), ..FilesystemView::new(files) }, path)
}

fn resolve_or_create(view: &FilesystemView<'_>, path: &[u8]) -> Result<Vec<u8>, ExecError> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    match view.resolve(path) {
        Ok(found) if matches!(found.node, Node::Directory(_)) => Ok(found.path),
        Ok(_) => Err(Errno::NotDirectory.into()),
        Err(ExecError::Errno(Errno::NoEntry)) => {
            let (parent, name) = split_parent(path);
            let mut created = resolve_or_create(view, parent)?;
            push_component(&mut created, name);
            // A dangling link cannot be created, and runtimes treat dots after a missing directory differently.
            if matches!(name, b"" | b"." | b"..") || view.files.get(&created)?.is_some() {
                return Err(UnknownReason::WorkingDirectory(path.to_vec()).into());
            }
            Ok(created)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Rootfs;

    #[test]
    fn working_directory_is_found_created_or_refused() {
        let mut rootfs = Rootfs::default();
        rootfs.insert(b"srv".to_vec(), Node::directory(0o700));
        rootfs.insert(b"file".to_vec(), Node::file(0, b""));
        rootfs.insert(b"link".to_vec(), Node::Symlink(b"srv".to_vec()));
        rootfs.insert(b"dangling".to_vec(), Node::Symlink(b"none".to_vec()));
        let not_directory = || Err(Errno::NotDirectory.into());
        let unknown = |path: &str| Err(UnknownReason::WorkingDirectory(path.into()).into());
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
            ("/dangling", unknown("/dangling")),
            ("/new/../srv", unknown("/new/..")),
            ("/proc/x", Err(UnknownReason::MountPoint(b"/proc".to_vec()).into())),
        ] {
            let found = resolve_working_directory(&rootfs, &[b"proc".to_vec()], path.as_bytes());
            assert_eq!(found, expected.map(|place| place.as_bytes().to_vec()), "{path}");
        }
    }
}
