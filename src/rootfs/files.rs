//! The root filesystem of an image, as names: what each path leads to, and of a file only what the kernel would look at.
//!
//! Does not read layers, and does not write anything to disk.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::contents::FileContents;
use super::unknown::UnknownReason;

/// What a name stands for.
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

/// Whose it is, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The permission bits, of which the lower twelve count.
    pub mode: u32,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Node {
    /// How many bytes it takes beyond its own size.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::File(_, contents) => contents.heap_size(),
            Self::Symlink(target) => target.len(),
            Self::Directory(_) | Self::Special(_) => 0,
        }
    }
}

/// The root, which is there before any layer is.
pub(crate) static ROOT_DIRECTORY: Node = Node::Directory(Permissions { mode: 0o755, uid: 0, gid: 0 });

/// Files by their names, as far as these are known.
pub trait FileTree: Debug {
    /// What stands at a path that holds no links, dots or doubled slashes, nor a leading one; the root is the empty path.
    ///
    /// # Errors
    /// Where it is not known yet.
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason>;
}

impl FileTree for Rootfs {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        Ok(Self::get(self, path))
    }
}

/// What a name takes. Of short names, most of it is what holds them.
fn entry_size(path: &[u8], node: &Node) -> usize {
    size_of::<(Vec<u8>, Node)>() + path.len() + node.heap_size()
}

/// A root filesystem. Paths are kept without a leading slash, in bytes, as tar has them; the root itself is the empty
/// path and always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// The bytes of paths, targets and heads, and of what holds them.
    memory_size: usize,
}

impl Default for Rootfs {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(Vec::new(), ROOT_DIRECTORY.clone())]), memory_size: 0 }
    }
}

impl Rootfs {
    /// What stands at a path that holds no links, dots or doubled slashes.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Puts a node at a path, in the place of what was there. What lies below it is kept only below a directory.
    pub fn insert(&mut self, path: Vec<u8>, node: Node) {
        if !matches!(node, Node::Directory(_)) {
            self.remove_descendants(&path);
        }
        self.remove_node(&path);
        self.memory_size += entry_size(&path, &node);
        self.nodes.insert(path, node);
    }

    /// How many names there are, the root included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many bytes names, targets and heads take, and what holds them; not the room that a map and an allocator leave.
    pub(crate) fn memory_size(&self) -> usize {
        self.memory_size
    }

    fn remove_node(&mut self, path: &[u8]) {
        if let Some(node) = self.nodes.remove(path) {
            self.memory_size -= entry_size(path, &node);
        }
    }

    /// Removes a path and all that lies below it.
    pub fn remove(&mut self, path: &[u8]) {
        self.remove_descendants(path);
        if !path.is_empty() {
            self.remove_node(path);
        }
    }

    /// Removes all that lies below a directory.
    pub fn remove_descendants(&mut self, path: &[u8]) {
        let below: Vec<Vec<u8>> = self.descendants(path).map(|(path, _)| path.to_vec()).collect();
        for path in below {
            self.remove_node(&path);
        }
    }

    /// All that lies below a directory, in the order of the paths.
    pub fn descendants<'a>(&'a self, path: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> + use<'a> {
        let prefix = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let begins = prefix.clone();
        self.nodes
            .range(prefix..)
            .take_while(move |(path, _)| path.starts_with(&begins))
            .filter(|(path, _)| !path.is_empty())
            .map(|(path, node)| (path.as_slice(), node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Node {
        Node::Directory(Permissions { mode: 0o755, ..Permissions::default() })
    }

    fn paths(rootfs: &Rootfs) -> Vec<String> {
        rootfs.descendants(b"").map(|(path, _)| String::from_utf8(path.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_takes_all_below_with_it() {
        let mut rootfs = Rootfs::default();
        for path in ["a", "a/b", "a/b/c", "a.b", "ab"] {
            rootfs.insert(path.into(), directory());
        }
        rootfs.insert(b"a".to_vec(), Node::Symlink(b"ab".to_vec()));
        assert_eq!(paths(&rootfs), ["a", "a.b", "ab"]);
        rootfs.remove(b"a");
        rootfs.remove(b"");
        assert_eq!((paths(&rootfs).len(), rootfs.get(b"").is_some()), (0, true));
    }
}
