//! A root filesystem in memory, with only those bytes of each file that decide whether it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::contents::FileContents;
use super::error::UnknownReason;
use crate::path::to_absolute;

/// A node of a filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory(Permissions),
    /// A regular file.
    File(Permissions, FileContents),
    /// A symbolic link, with its target as written.
    Symlink(Vec<u8>),
    /// A device, a pipe or a socket, which cannot be executed.
    Special(Permissions),
}

/// The owner and the permission bits of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The permission bits. Only the lower twelve count, and [`Self::HAS_CAPABILITIES`].
    pub mode: u32,
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
}

impl Permissions {
    /// The permission bits in [`Self::mode`].
    pub(crate) const BITS: u32 = 0o7777;

    /// The bit of [`Self::mode`] of a file with capabilities (`security.capability`).
    pub(crate) const HAS_CAPABILITIES: u32 = 1 << 31;

    /// The bit of [`Self::mode`] of a file that sets a capability which containers do not have by default. Without it in
    /// the bounding set, execve(2) returns EPERM (`bprm_caps_from_vfs_caps` in `security/commoncap.c`).
    pub(crate) const NEEDS_CAPABILITIES: u32 = 1 << 30;

    /// Returns whether a program may give its process other rights than its user has: by capabilities, or by a
    /// set-user-ID or set-group-ID bit.
    pub(crate) fn is_privileged(self) -> bool {
        const S_ISUID_OR_S_ISGID: u32 = 0o6000;
        self.mode & (S_ISUID_OR_S_ISGID | Self::HAS_CAPABILITIES) != 0
    }

    /// Returns these permission bits for user 0 and group 0.
    pub const fn owned_by_root(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }
}

impl Node {
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::File(_, contents) => contents.heap_size(),
            Self::Symlink(target) => target.len(),
            Self::Directory(_) | Self::Special(_) => 0,
        }
    }
}

/// A directory as container runtimes create it, including the root directory.
pub(crate) static DIRECTORY_755: Node = Node::Directory(Permissions::owned_by_root(0o755));

/// A filesystem that may be only partly known.
pub trait FileTree: Debug {
    /// Returns the node at a path without symbolic links, dots, doubled slashes and leading slash. The root is the
    /// empty path.
    ///
    /// # Errors
    /// The node is not known yet.
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason>;

    /// Returns the sorted names in a directory, among them perhaps some that a higher layer removed.
    ///
    /// # Errors
    /// Not all names are known yet, or there are more than `limit`.
    fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason>;
}

/// Collects the names in a directory from the paths below it.
///
/// # Errors
/// There are more than `limit` names.
pub(crate) fn collect_names<'a>(
    directory: &[u8],
    paths: impl Iterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
    let mut names = BTreeSet::new();
    for path in paths {
        let below = match directory {
            b"" => Some(path),
            _ => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix(b"/")),
        };
        let name = below.and_then(|rest| rest.split(|byte| *byte == b'/').next()).filter(|name| !name.is_empty());
        names.extend(name.map(<[u8]>::to_vec));
        if names.len() > limit {
            return Err(UnknownReason::TooManyNames(to_absolute(directory)));
        }
    }
    Ok(names)
}

impl FileTree for Rootfs {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        Ok(Self::get(self, path))
    }

    fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
        collect_names(directory, self.descendants(directory).map(|(path, _)| path), limit)
    }
}

/// A complete root filesystem. Paths have no leading slash, as in tar; the root is the empty path and always exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl Default for Rootfs {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(Vec::new(), DIRECTORY_755.clone())]) }
    }
}

impl Rootfs {
    /// Returns the node at a path without symbolic links, dots and doubled slashes.
    pub fn get(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Sets the node at a path, and removes descendants of the old node unless the new one is a directory.
    pub fn insert(&mut self, path: Vec<u8>, node: Node) {
        if !matches!(node, Node::Directory(_)) {
            self.remove(&path);
        }
        self.nodes.insert(path, node);
    }

    /// Removes a path and its descendants, but never the root itself.
    pub fn remove(&mut self, path: &[u8]) {
        let descendants: Vec<Vec<u8>> = self.descendants(path).map(|(path, _)| path.to_vec()).collect();
        for path in descendants {
            self.nodes.remove(&path);
        }
        if !path.is_empty() {
            self.nodes.remove(path);
        }
    }

    /// Iterates over everything below a directory, in the order of the paths.
    pub fn descendants<'a>(&'a self, path: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> + use<'a> {
        let prefix = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let start = prefix.clone();
        self.nodes
            .range(start..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .filter(|(path, _)| !path.is_empty())
            .map(|(path, node)| (path.as_slice(), node))
    }
}

/// Nodes for unit tests, owned by root.
#[cfg(test)]
impl Node {
    pub(crate) fn directory(mode: u32) -> Self {
        Self::Directory(Permissions::owned_by_root(mode))
    }

    pub(crate) fn file(mode: u32, bytes: &[u8]) -> Self {
        Self::File(Permissions::owned_by_root(mode), FileContents::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(rootfs: &Rootfs) -> Vec<String> {
        rootfs.descendants(b"").map(|(path, _)| String::from_utf8(path.to_vec()).unwrap()).collect()
    }

    #[test]
    fn link_replaces_a_directory_and_its_descendants() {
        let mut rootfs = Rootfs::default();
        for path in ["a", "a/b", "a/b/c", "a.b", "ab"] {
            rootfs.insert(path.into(), Node::directory(0o755));
        }
        rootfs.insert(b"a".to_vec(), Node::Symlink(b"ab".to_vec()));
        assert_eq!(paths(&rootfs), ["a", "a.b", "ab"]);
        rootfs.remove(b"a");
        rootfs.remove(b"");
        assert_eq!((paths(&rootfs).len(), rootfs.get(b"").is_some()), (0, true));
    }
}
