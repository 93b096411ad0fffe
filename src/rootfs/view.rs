//! Path lookup as in `link_path_walk` of `fs/namei.c`, confined to the root filesystem.
//!
//! `fs.protected_symlinks`, the rule for links in sticky directories, is not modeled: an image's own root never
//! violates it.

use std::collections::VecDeque;

use super::error::{ExecError, UnknownReason};
use super::files::{DIRECTORY_755, FileTree, Node, Permissions};
use super::user::User;
use crate::errno::Errno;
use crate::path::{split_parent, to_absolute};

/// The maximum length of a path component in bytes: `NAME_MAX` in `include/uapi/linux/limits.h`.
const NAME_MAX: usize = 255;
/// The maximum number of symbolic links in one lookup: `MAXSYMLINKS` in `include/linux/namei.h`.
const MAXSYMLINKS: u32 = 40;

/// A filesystem as a process sees it.
#[derive(Debug, Clone)]
pub struct FilesystemView<'a> {
    /// The files.
    pub files: &'a dyn FileTree,
    /// The working directory, without leading slash, links and dots; `None` while it is unknown. If it is missing,
    /// container runtimes create it.
    pub working_directory: Option<Vec<u8>>,
    /// The user of the process.
    pub user: User,
    /// Paths that may be mounted over at run time, in the same form as the working directory.
    pub mounts: Vec<Vec<u8>>,
}

/// A path with all links followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResolvedPath<'a> {
    /// The path without leading slash, links and dots.
    pub(crate) path: Vec<u8>,
    pub(crate) node: &'a Node,
}

/// Returns the components of a path, including `.`, which must follow a directory. [`crate::path::components`] drops
/// it.
fn split_components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

impl<'a> FilesystemView<'a> {
    /// Creates the view of user root in directory `/`, without mounts.
    pub fn new(files: &'a dyn FileTree) -> Self {
        Self { files, working_directory: Some(Vec::new()), user: User::default(), mounts: Vec::new() }
    }

    /// Follows a path to its node, including all links.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<ResolvedPath<'a>, ExecError> {
        let start = if path.starts_with(b"/") { Some(Vec::new()) } else { self.working_directory.clone() };
        let mut resolved = start.ok_or_else(|| UnknownReason::LayerNotRead(path.to_vec()))?;
        let mut names: VecDeque<&[u8]> = split_components(path).collect();
        let mut needs_directory = path.ends_with(b"/");
        let mut links = 0;
        let mut node = self.node_at(&resolved)?.ok_or(Errno::NoEntry)?;
        while let Some(name) = names.pop_front() {
            let Node::Directory(permissions) = node else { return Err(Errno::NotDirectory.into()) };
            match self.user.may_search(*permissions) {
                Some(true) => {}
                Some(false) => return Err(Errno::Access.into()),
                None => return Err(UnknownReason::UserPermission(to_absolute(&resolved)).into()),
            }
            let next = match name {
                b"." => continue,
                b".." => split_parent(&resolved).0.to_vec(),
                name if name.len() > NAME_MAX => return Err(Errno::NameTooLong.into()),
                name if resolved.is_empty() => name.to_vec(),
                name => [&resolved, b"/".as_slice(), name].concat(),
            };
            node = self.node_at(&next)?.ok_or(Errno::NoEntry)?;
            let Node::Symlink(target) = node else {
                resolved = next;
                continue;
            };
            links += 1;
            if links > MAXSYMLINKS {
                return Err(Errno::Loop.into());
            }
            needs_directory |= names.is_empty() && target.ends_with(b"/");
            if target.starts_with(b"/") {
                resolved.clear();
            }
            split_components(target).rev().for_each(|name| names.push_front(name));
            node = self.node_at(&resolved)?.ok_or(Errno::NoEntry)?;
        }
        if needs_directory && !matches!(node, Node::Directory(_)) {
            return Err(Errno::NotDirectory.into());
        }
        Ok(ResolvedPath { path: resolved, node })
    }

    pub(crate) fn may_execute(&self, path: &[u8], file: Permissions) -> Result<bool, ExecError> {
        let may = self.user.may_execute(file);
        may.ok_or_else(|| UnknownReason::UserPermission(to_absolute(path)).into())
    }

    /// Returns the node at a resolved path. Container runtimes create the working directory, the mount points and their
    /// parents.
    fn node_at(&self, path: &[u8]) -> Result<Option<&'a Node>, ExecError> {
        if let Some(mount) = self.mounts.iter().find(|mount| is_at_or_below(path, mount)) {
            return Err(UnknownReason::MountPoint(to_absolute(mount)).into());
        }
        let is_created =
            || self.working_directory.iter().chain(&self.mounts).any(|directory| is_at_or_below(directory, path));
        Ok(self.files.get(path)?.or_else(|| is_created().then_some(&DIRECTORY_755)))
    }
}

fn is_at_or_below(path: &[u8], directory: &[u8]) -> bool {
    let below = path.strip_prefix(directory);
    directory.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::files::Rootfs;

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let mut put = |path: &str, node: Node| rootfs.insert(path.into(), node);
        put("usr", Node::directory(0o755));
        put("usr/bin", Node::directory(0o755));
        put("usr/bin/sh", Node::file(0o755, b""));
        put("closed", Node::directory(0o700));
        for (link, target) in [
            ("bin", "usr/bin"),
            ("usr/up", "../../../usr/bin/sh"),
            ("usr/absolute", "/bin/sh"),
            ("usr/slash", "/bin/sh/"),
            ("usr/root", "///"),
            ("dangling", "usr/none"),
            ("loop", "loop"),
        ] {
            put(link, Node::Symlink(target.into()));
        }
        rootfs
    }

    fn view(rootfs: &Rootfs) -> FilesystemView<'_> {
        FilesystemView {
            working_directory: Some(b"usr".to_vec()),
            mounts: vec![b"proc".to_vec()],
            ..FilesystemView::new(rootfs)
        }
    }

    #[test]
    fn resolve_follows_links_within_the_root() {
        let rootfs = rootfs();
        for (paths, target) in [
            (["/bin/sh", "bin/sh", "./bin/../up", "../../../bin/./sh", "//usr//absolute"].as_slice(), "usr/bin/sh"),
            (&["/usr/root/bin/"], "usr/bin"),
            (&["root", "/.."], ""),
            (&[""], "usr"),
        ] {
            for path in paths {
                let found = view(&rootfs).resolve(path.as_bytes()).map(|found| found.path);
                assert_eq!(found, Ok(target.as_bytes().to_vec()), "{path}");
            }
        }
    }

    #[test]
    fn resolve_fails_with_the_kernels_error() {
        let rootfs = rootfs();
        let long = format!("/{}", "a".repeat(256));
        for (paths, errno) in [
            (["/none", "/dangling", "/none/.."].as_slice(), Errno::NoEntry),
            (&["/bin/sh/", "/bin/sh/.", "slash"], Errno::NotDirectory),
            (&["/loop"], Errno::Loop),
            (&[&long], Errno::NameTooLong),
        ] {
            for path in paths {
                assert_eq!(view(&rootfs).resolve(path.as_bytes()), Err(ExecError::Errno(errno)), "{path}");
            }
        }
    }

    #[test]
    fn resolve_needs_search_permission() {
        let rootfs = rootfs();
        let mut view = view(&rootfs);
        assert_eq!(view.resolve(b"/closed/none"), Err(Errno::NoEntry.into()));
        view.user = User::Exact { uid: 7, gid: 7, supplementary_gids: Vec::new() };
        assert_eq!(view.resolve(b"/closed/none"), Err(Errno::Access.into()));
        assert_eq!(view.resolve(b"/closed").map(|found| found.path), Ok(b"closed".to_vec()));
        view.user = User::Named;
        assert_eq!(view.resolve(b"/closed/none"), Err(UnknownReason::UserPermission(b"/closed".to_vec()).into()));
    }

    #[test]
    fn mounts_are_unknown_and_working_directory_is_created() {
        let rootfs = rootfs();
        let mut view = view(&rootfs);
        for path in ["/proc", "/proc/self/exe", "../proc/x"] {
            let mounted = UnknownReason::MountPoint(b"/proc".to_vec()).into();
            assert_eq!(view.resolve(path.as_bytes()), Err(mounted), "{path}");
        }
        assert_eq!(view.resolve(b"/process"), Err(Errno::NoEntry.into()));
        view.working_directory = Some(b"srv/app".to_vec());
        assert_eq!(view.resolve(b"run"), Err(Errno::NoEntry.into()));
        assert_eq!(view.resolve(b"../../bin/sh").map(|found| found.path), Ok(b"usr/bin/sh".to_vec()));
        view.working_directory = None;
        assert_eq!(view.resolve(b"run"), Err(UnknownReason::LayerNotRead(b"run".to_vec()).into()));
        assert_eq!(view.resolve(b"/bin/sh").map(|found| found.path), Ok(b"usr/bin/sh".to_vec()));
    }
}
