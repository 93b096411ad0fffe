//! Resolves the working directory, which runc creates with `MkdirAll` in the root filesystem and enters as root.

use super::setup_refusal::{SetupError, SetupRefusal};
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

/// Determines whether container runtimes can enter the working directory of an image's config, and returns it in the
/// form of [`FilesystemView::working_directory`].
///
/// # Errors
/// Every runtime refuses it, or the image does not determine what happens. Docker Engine follows a dangling link before
/// it creates the directory (`FollowSymlinkInScope`), and runc does not; runc refuses a relative path.
pub fn enter_working_directory(files: &dyn FileTree, mounts: &[Vec<u8>], path: &[u8]) -> Result<Vec<u8>, SetupError> {
    if !matches!(path.first(), None | Some(b'/')) {
        return Err(UnknownReason::RelativeWorkingDirectory(path.to_vec()).into());
    }
    match resolve_working_directory(files, mounts, path) {
        Ok(resolved) => Ok(resolved),
        Err(ExecError::Unknown(reason)) => Err(reason.into()),
        Err(ExecError::Errno(Errno::NotDirectory)) => {
            let view = FilesystemView { mounts: mounts.to_vec(), ..FilesystemView::new(files) };
            let is_end = |at: &usize| path.get(*at).is_none_or(|byte| *byte == b'/');
            let is_blocked =
                |part: &[u8]| view.resolve(part).is_ok_and(|found| !matches!(found.node, Node::Directory(_)));
            let part = (1..=path.len()).filter(is_end).map(|end| &path[..end]).find(|part| is_blocked(part));
            let blocked_at = part.ok_or_else(|| UnknownReason::WorkingDirectory(path.to_vec()))?.to_vec();
            Err(SetupError::Refused(SetupRefusal::WorkingDirectory { directory: path.to_vec(), blocked_at }))
        }
        Err(ExecError::Errno(_)) => Err(UnknownReason::WorkingDirectory(path.to_vec()).into()),
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

    #[test]
    fn directory_is_refused_only_if_every_runtime_does_so() {
        let mut rootfs = Rootfs::default();
        rootfs.insert(b"file".to_vec(), Node::file(0, b""));
        rootfs.insert(b"link".to_vec(), Node::Symlink(b"/file".to_vec()));
        rootfs.insert(b"dangling".to_vec(), Node::Symlink(b"none".to_vec()));
        rootfs.insert(b"loop".to_vec(), Node::Symlink(b"loop".to_vec()));
        for (path, expected) in [
            ("", "entered"),
            ("/new/$X", "entered"),
            ("/file", "mkdir /file: not a directory"),
            ("/file/x", "mkdir /file: not a directory"),
            ("//link/", "mkdir //link: not a directory"),
            ("/dangling", "the working directory /dangling could not be determined"),
            ("/dangling/x", "the working directory /dangling could not be determined"),
            ("/loop", "the working directory /loop could not be determined"),
            ("app", "container engines treat the relative working directory app differently"),
            ("$HOME", "container engines treat the relative working directory $HOME differently"),
        ] {
            let found = match enter_working_directory(&rootfs, &[], path.as_bytes()) {
                Ok(_) => "entered".to_owned(),
                Err(SetupError::Refused(refusal)) => refusal.message().unwrap_or_default(),
                Err(SetupError::Unknown(reason)) => reason.to_string(),
            };
            assert_eq!(found, expected, "{path}");
        }
    }
}
