//! A layer as container runtimes unpack it: the upper directory of an overlay, without the layers below.

use std::collections::{BTreeMap, BTreeSet};

use crate::path::components;
use crate::rootfs::{DIRECTORY_755, Node};
use crate::settings::{LayerLimits, LimitExceeded};

/// The index of an inode in [`LayerTree::inodes`].
pub(super) type InodeId = u32;

/// The root directory of every layer.
pub(super) const ROOT: InodeId = 0;

/// The bytes that a name takes in addition to its length and the size of a map entry: nodes of the map are half empty if
/// names arrive in order, and glibc rounds allocations. A million names take 36 bytes more each (`make bench-hostile`).
const NAME_OVERHEAD: usize = 48;

/// The unpacked names and inodes of one layer. Hard links share an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerTree {
    /// The inode of each name. A key is the directory's inode in big-endian order and the name, so that the names of a
    /// directory are adjacent. Removing a directory's name is enough to remove what is below: inodes are not reused.
    names: BTreeMap<Box<[u8]>, InodeId>,
    inodes: Vec<Inode>,
    /// The directories that hide what lower layers have below them.
    opaque: BTreeSet<InodeId>,
    /// The memory of the tree in bytes, without the overhead of maps and the allocator. What was removed is still
    /// counted.
    memory_size: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inode {
    /// A character device 0/0: overlayfs hides the name in lower layers (`ovl_is_whiteout` in the kernel's
    /// `fs/overlayfs/util.c`).
    Whiteout,
    /// A directory without an entry of its own. Lower layers determine its permissions.
    ImpliedDirectory,
    /// What an entry creates.
    Node(Node),
}

impl Inode {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self, Self::ImpliedDirectory | Self::Node(Node::Directory(_)))
    }
}

/// What a layer has at a path.
pub(super) enum TreeLookup {
    Found(InodeId),
    /// The last name, or a directory above it, does not exist.
    Missing,
    /// A name above the last one is a symbolic link, which was not followed.
    BehindLink,
    /// A name above the last one is neither a directory nor a link.
    BehindFile(InodeId),
}

/// The effect of a layer on a path of the image.
pub(super) enum LayerEffect {
    Present(InodeId),
    Hidden,
    /// Lower layers decide.
    Unchanged,
}

impl Default for LayerTree {
    fn default() -> Self {
        let inodes = vec![Inode::Node(DIRECTORY_755.clone())];
        Self { names: BTreeMap::new(), inodes, opaque: BTreeSet::new(), memory_size: 0 }
    }
}

impl LayerTree {
    pub(super) fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id as usize]
    }

    pub(super) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        &mut self.inodes[id as usize]
    }

    /// Returns the inode of a name in a directory.
    pub(super) fn child(&self, directory: InodeId, name: &[u8]) -> Option<InodeId> {
        self.names.get(key(directory, name).as_slice()).copied()
    }

    /// Iterates over the names in a directory.
    pub(super) fn children(&self, directory: InodeId) -> impl Iterator<Item = (&[u8], InodeId)> {
        let start: Box<[u8]> = key(directory, b"").into();
        let entries = self.names.range(start..).map(|(key, id)| (key.split_at(4), *id));
        let is_in = move |((parent, _), _): &((&[u8], &[u8]), InodeId)| *parent == directory.to_be_bytes();
        entries.take_while(is_in).map(|((_, name), id)| (name, id))
    }

    /// Adds a name for an existing inode.
    pub(super) fn link(
        &mut self,
        directory: InodeId,
        name: &[u8],
        id: InodeId,
        limits: &LayerLimits,
    ) -> Result<(), LimitExceeded> {
        let key: Box<[u8]> = key(directory, name).into();
        self.charge_memory(size_of::<(Box<[u8]>, InodeId)>() + key.len(), limits)?;
        self.names.insert(key, id);
        let max = limits.total_entries;
        if self.names.len() > max { Err(LimitExceeded::TotalEntries(max)) } else { Ok(()) }
    }

    /// Adds a name with a new inode.
    pub(super) fn insert(
        &mut self,
        directory: InodeId,
        name: &[u8],
        inode: Inode,
        limits: &LayerLimits,
    ) -> Result<InodeId, LimitExceeded> {
        let heap_size = if let Inode::Node(node) = &inode { node.heap_size() } else { 0 };
        self.charge_memory(size_of::<Inode>() + heap_size, limits)?;
        let id = InodeId::try_from(self.inodes.len()).map_err(|_| LimitExceeded::Memory(limits.memory))?;
        self.inodes.push(inode);
        self.link(directory, name, id, limits)?;
        Ok(id)
    }

    /// Removes a name and, if it is a directory, everything below it.
    pub(super) fn remove(&mut self, directory: InodeId, name: &[u8]) {
        self.names.remove(key(directory, name).as_slice());
    }

    pub(super) fn is_opaque(&self, directory: InodeId) -> bool {
        self.opaque.contains(&directory)
    }

    pub(super) fn set_opaque(&mut self, directory: InodeId, limits: &LayerLimits) -> Result<(), LimitExceeded> {
        if self.opaque.insert(directory) { self.charge_memory(size_of::<InodeId>(), limits) } else { Ok(()) }
    }

    /// Counts memory that the layer needs in addition to its names and inodes.
    pub(super) fn charge_memory(&mut self, bytes: usize, limits: &LayerLimits) -> Result<(), LimitExceeded> {
        self.memory_size += bytes;
        if self.memory_size > limits.memory { Err(LimitExceeded::Memory(limits.memory)) } else { Ok(()) }
    }

    pub(super) fn memory_size(&self) -> usize {
        self.memory_size
    }

    /// Returns the memory that the tree takes from the system in bytes, with the overhead that [`Self::memory_size`] does
    /// not include.
    pub(super) fn resident_size(&self) -> usize {
        self.memory_size + self.names.len() * NAME_OVERHEAD
    }

    /// Returns the number of names.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.inodes.shrink_to_fit();
    }

    /// Looks up a path without `..`, and counts its components.
    pub(super) fn find(&self, path: &[u8], steps: &mut usize) -> TreeLookup {
        let mut at = ROOT;
        for name in components(path) {
            *steps += 1;
            match self.inode(at) {
                Inode::Node(Node::Symlink(_)) => return TreeLookup::BehindLink,
                inode if !inode.is_directory() => return TreeLookup::BehindFile(at),
                _ => {}
            }
            let Some(id) = self.child(at, name) else { return TreeLookup::Missing };
            at = id;
        }
        TreeLookup::Found(at)
    }

    /// Returns the effect on a path of the image, which overlayfs determines (`ovl_lookup` in the kernel's
    /// `fs/overlayfs/namei.c`): directories are merged until a layer has something else at their path or an opaque
    /// directory. The root is always merged.
    pub(super) fn effect_on(&self, path: &[u8]) -> LayerEffect {
        let (mut at, mut is_hidden) = (ROOT, false);
        for name in components(path) {
            if !self.inode(at).is_directory() {
                return LayerEffect::Hidden;
            }
            is_hidden |= at != ROOT && self.is_opaque(at);
            let Some(child) = self.child(at, name) else {
                return if is_hidden { LayerEffect::Hidden } else { LayerEffect::Unchanged };
            };
            at = child;
        }
        if matches!(self.inode(at), Inode::Whiteout) { LayerEffect::Hidden } else { LayerEffect::Present(at) }
    }
}

fn key(directory: InodeId, name: &[u8]) -> Vec<u8> {
    [&directory.to_be_bytes(), name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inode_has_32_bytes() {
        assert_eq!((size_of::<Inode>(), size_of::<(Box<[u8]>, InodeId)>()), (32, 24));
    }
}
