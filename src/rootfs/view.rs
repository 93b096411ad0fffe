//! What a path leads to, as `link_path_walk` in `fs/namei.c` walks it, confined to the root.
//!
//! Does not follow what may be mounted over, and does not know the rule for links in sticky directories
//! (`fs.protected_symlinks`), which an image's own root never breaks.

use std::collections::VecDeque;

use super::files::{FileTree, Node, Permissions};
use super::unknown::{ExecError, UnknownReason};
use super::user::User;
use crate::errno::Errno;

/// A component takes no more bytes than this: `NAME_MAX`.
const NAME_MAX: usize = 255;
/// So many links are followed for one path: `MAXSYMLINKS` in `include/linux/namei.h`.
const MAXSYMLINKS: u32 = 40;

/// Where paths are looked up, and by whom.
#[derive(Debug, Clone)]
pub struct FilesystemView<'a> {
    /// The files.
    pub files: &'a dyn FileTree,
    /// The working directory, without a leading slash, links or dots; none while it is not known. Where it is missing,
    /// container runtimes make it.
    pub working_directory: Option<Vec<u8>>,
    /// Who looks.
    pub user: User,
    /// What may be mounted over at run time, in the same form as the working directory.
    pub mounts: Vec<Vec<u8>>,
}

/// What a path led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResolvedPath<'a> {
    /// Its place, without a leading slash, links or dots.
    pub(crate) path: Vec<u8>,
    pub(crate) node: &'a Node,
}

/// The names that a path is made of.
fn split_components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
}

impl<'a> FilesystemView<'a> {
    /// Follows a path to its end, links included.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<ResolvedPath<'a>, ExecError> {
        let unread = || UnknownReason::LayerNotRead(path.to_vec());
        let start = if path.starts_with(b"/") { Some(Vec::new()) } else { self.working_directory.clone() };
        let mut place = start.ok_or_else(unread)?;
        let mut names: VecDeque<&[u8]> = split_components(path).collect();
        let mut directory_wanted = path.ends_with(b"/");
        let mut links = 0;
        let mut node = self.node_at(&place)?.ok_or(Errno::NoEntry)?;
        while let Some(name) = names.pop_front() {
            let Node::Directory(owner) = node else { return Err(Errno::NotDirectory.into()) };
            match self.user.may_search(*owner) {
                Some(true) => {}
                Some(false) => return Err(Errno::Access.into()),
                None => return Err(UnknownReason::UserPermission([b"/", place.as_slice()].concat()).into()),
            }
            let next = match name {
                b"." => continue,
                b".." => place[..place.iter().rposition(|byte| *byte == b'/').unwrap_or(0)].to_vec(),
                name if name.len() > NAME_MAX => return Err(Errno::NameTooLong.into()),
                name if place.is_empty() => name.to_vec(),
                name => [&place, b"/".as_slice(), name].concat(),
            };
            node = self.node_at(&next)?.ok_or(Errno::NoEntry)?;
            let Node::Symlink(target) = node else {
                place = next;
                continue;
            };
            links += 1;
            if links > MAXSYMLINKS {
                return Err(Errno::Loop.into());
            }
            directory_wanted |= names.is_empty() && target.ends_with(b"/");
            if target.starts_with(b"/") {
                place.clear();
            }
            split_components(target).rev().for_each(|name| names.push_front(name));
            node = self.node_at(&place)?.ok_or(Errno::NoEntry)?;
        }
        if directory_wanted && !matches!(node, Node::Directory(_)) {
            return Err(Errno::NotDirectory.into());
        }
        Ok(ResolvedPath { path: place, node })
    }

    /// Whether the user may execute a file that was found.
    pub(crate) fn may_execute(&self, place: &[u8], file: Permissions) -> Result<bool, ExecError> {
        let may = self.user.may_execute(file);
        may.ok_or_else(|| UnknownReason::UserPermission([b"/", place].concat()).into())
    }

    /// What stands at a place.
    fn node_at(&self, place: &[u8]) -> Result<Option<&'a Node>, ExecError> {
        /// As a container runtime makes a working directory, and the directories above a mount.
        static CREATED_DIRECTORY: Node = Node::Directory(Permissions { mode: 0o755, uid: 0, gid: 0 });
        if let Some(mount) = self.mounts.iter().find(|mount| is_at_or_below(place, mount)) {
            return Err(UnknownReason::MountPoint([b"/", mount.as_slice()].concat()).into());
        }
        let leads_to = |directory: &Vec<u8>| is_at_or_below(directory, place);
        let is_made = || self.working_directory.iter().chain(&self.mounts).any(leads_to);
        Ok(self.files.get(place)?.or_else(|| is_made().then_some(&CREATED_DIRECTORY)))
    }
}

/// Whether a place is this directory or lies below it.
fn is_at_or_below(place: &[u8], directory: &[u8]) -> bool {
    let below = place.strip_prefix(directory);
    directory.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::contents::FileContents;
    use crate::rootfs::files::Rootfs;

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let mut put = |path: &str, node: Node| rootfs.insert(path.into(), node);
        let open = Permissions { mode: 0o755, ..Permissions::default() };
        put("usr", Node::Directory(open));
        put("usr/bin", Node::Directory(open));
        put("usr/bin/sh", Node::File(open, FileContents::default()));
        put("closed", Node::Directory(Permissions { mode: 0o700, ..Permissions::default() }));
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
            files: rootfs,
            working_directory: Some(b"usr".to_vec()),
            user: User::default(),
            mounts: vec![b"proc".to_vec()],
        }
    }

    #[test]
    fn paths_lead_through_links_and_never_out_of_the_root() {
        let rootfs = rootfs();
        for (path, place) in [
            ("/bin/sh", "usr/bin/sh"),
            ("bin/sh", "usr/bin/sh"),
            ("./bin/../up", "usr/bin/sh"),
            ("../../../bin/./sh", "usr/bin/sh"),
            ("//usr//absolute", "usr/bin/sh"),
            ("/usr/root/bin/", "usr/bin"),
            ("root", ""),
            ("", "usr"),
            ("/..", ""),
        ] {
            let found = view(&rootfs).resolve(path.as_bytes()).map(|found| found.path);
            assert_eq!(found, Ok(place.as_bytes().to_vec()), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_say_why() {
        let rootfs = rootfs();
        let long = format!("/{}", "a".repeat(256));
        for (path, errno) in [
            ("/none", Errno::NoEntry),
            ("/dangling", Errno::NoEntry),
            ("/none/..", Errno::NoEntry),
            ("/bin/sh/", Errno::NotDirectory),
            ("/bin/sh/.", Errno::NotDirectory),
            ("slash", Errno::NotDirectory),
            ("/loop", Errno::Loop),
            (&long, Errno::NameTooLong),
        ] {
            assert_eq!(view(&rootfs).resolve(path.as_bytes()), Err(ExecError::Errno(errno)), "{path}");
        }
    }

    #[test]
    fn a_directory_is_searched_only_by_whom_it_lets() {
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
    fn what_is_mounted_over_is_unknown_and_a_missing_working_directory_is_made() {
        let rootfs = rootfs();
        let mut view = view(&rootfs);
        for path in ["/proc", "/proc/self/exe", "../proc/x"] {
            assert_eq!(
                view.resolve(path.as_bytes()),
                Err(UnknownReason::MountPoint(b"/proc".to_vec()).into()),
                "{path}"
            );
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
