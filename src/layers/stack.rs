//! Looks up paths in a stack of layers from the top, as overlayfs merges them. Answers never change when lower layers
//! are added.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::{ApplyError, PullRefusal};
use super::layer::LayerChangeset;
use super::root_path::PathResolver;
use super::tree::{Inode, InodeId, LayerEffect, LayerTree, ROOT, TreeLookup};
use crate::path::{push_component, to_absolute};
use crate::rootfs::{DIRECTORY_755, FileTree, Node, Rootfs, UnknownReason};
use crate::settings::{LayerLimits, LimitExceeded};

/// The number of directories between two checks for cancellation.
const CANCEL_CHECK_INTERVAL: usize = 1024;

/// The layers of an image that were read so far, the highest first.
#[derive(Debug, Clone, Default)]
pub struct LayerStack {
    layers: Vec<Arc<LayerChangeset>>,
    is_complete: bool,
    /// The directories without entries of their own as layer and inode, in ascending order, with the permissions that
    /// they have in a complete stack.
    implied: Vec<((usize, InodeId), Node)>,
}

impl LayerStack {
    /// Creates an empty stack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next lower layer.
    ///
    /// # Errors
    /// The layers together have too many names or need too much memory, or container runtimes cannot unpack a layer.
    pub fn push(&mut self, layer: Arc<LayerChangeset>, limits: &LayerLimits) -> Result<(), ApplyError> {
        // The layer above is not the lowest one.
        let above = self.layers.last().and_then(|above| above.unpacked.error.clone());
        let own = layer.unpacked.error.clone().filter(|_| !layer.unpacked.is_uncertain_as_lowest);
        self.layers.push(layer);
        if let Some(error) = own.or(above) {
            return Err(error);
        }
        let sum = |of: fn(&LayerChangeset) -> usize| self.layers.iter().map(|layer| of(layer)).sum::<usize>();
        if sum(|layer| layer.unpacked.tree.len()) > limits.total_entries {
            return Err(LimitExceeded::TotalEntries(limits.total_entries).into());
        }
        if sum(|layer| layer.memory_size) > limits.memory {
            return Err(LimitExceeded::Memory(limits.memory).into());
        }
        Ok(())
    }

    /// Marks the stack as complete. For tests and fuzzing; inspection uses [`Self::complete_cancellable`].
    ///
    /// # Errors
    /// Container runtimes cannot unpack the layers, they exceed a limit, or the result is uncertain.
    pub fn complete(&mut self, limits: &LayerLimits) -> Result<(), ApplyError> {
        self.complete_cancellable(limits, &|| true)
    }

    /// Marks the stack as complete, and determines the permissions of directories without entries of their own.
    /// Canceled when `should_continue` returns false.
    ///
    /// # Errors
    /// Container runtimes cannot unpack the layers, they exceed a limit, the result is uncertain, or the work was
    /// canceled. The stack stays incomplete.
    pub fn complete_cancellable(
        &mut self,
        limits: &LayerLimits,
        should_continue: &dyn Fn() -> bool,
    ) -> Result<(), ApplyError> {
        if self.layers.last().is_some_and(|lowest| lowest.unpacked.is_uncertain_as_lowest) {
            let reason = "container runtimes differ in the whiteouts of the lowest layer";
            return Err(ApplyError::Uncertain(reason.to_owned()));
        }
        let mut resolver = PathResolver::new(limits);
        let mut implied = Vec::new();
        // Container runtimes unpack the lowest layer first, and report its error.
        for (index, layer) in self.layers.iter().enumerate().rev() {
            for (path, id) in &layer.unpacked.implied {
                if implied.len() % CANCEL_CHECK_INTERVAL == 0 && !should_continue() {
                    return Err(ApplyError::Canceled);
                }
                implied.push(((index, *id), find_permissions(&self.layers[index + 1..], path, &mut resolver)?));
            }
        }
        implied.sort_unstable_by_key(|(key, _)| *key);
        self.implied = implied;
        self.is_complete = true;
        Ok(())
    }

    /// Returns the node of a layer's inode. It is unknown for a directory without an entry of its own, until the stack
    /// is complete.
    fn node(&self, layer: usize, id: InodeId) -> Option<&Node> {
        match self.layers[layer].unpacked.tree.inode(id) {
            Inode::Node(node) => Some(node),
            Inode::ImpliedDirectory | Inode::Whiteout => {
                let at = self.implied.binary_search_by_key(&(layer, id), |(key, _)| *key).ok()?;
                Some(&self.implied[at].1)
            }
        }
    }

    /// Merges the layers of a complete stack. Tests and fuzzing compare lookups with the result.
    pub fn to_rootfs(&self) -> Rootfs {
        let mut rootfs = Rootfs::default();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let tree = &layer.unpacked.tree;
            let mut remaining = vec![(Vec::new(), ROOT)];
            while let Some((directory, id)) = remaining.pop() {
                for (name, id) in tree.children(id) {
                    let mut path = directory.clone();
                    push_component(&mut path, name);
                    let was_directory = matches!(rootfs.get(&path), Some(Node::Directory(_)));
                    let is_directory = tree.inode(id).is_directory();
                    if !(is_directory && was_directory) || tree.is_opaque(id) {
                        rootfs.remove(&path);
                    }
                    if let Some(node) = self.node(index, id) {
                        rootfs.insert(path.clone(), node.clone());
                    }
                    if is_directory {
                        remaining.push((path, id));
                    }
                }
            }
        }
        rootfs
    }
}

/// Returns the permissions of a directory without an entry of its own: those of the directory at its path in the next
/// lower layer that has the path, with that layer's links followed (`mkparent` in containerd's `archive/tar.go`).
/// Docker does not look at lower layers.
fn find_permissions(
    lower: &[Arc<LayerChangeset>],
    path: &[u8],
    resolver: &mut PathResolver,
) -> Result<Node, ApplyError> {
    let mut path = path.to_vec();
    for layer in lower {
        let tree = &layer.unpacked.tree;
        path = match find_followed(tree, &path, resolver)? {
            None => continue,
            Some((id, followed)) => match tree.inode(id) {
                Inode::Node(node @ Node::Directory(_)) => return Ok(node.clone()),
                // This directory was created in the same way.
                Inode::ImpliedDirectory => followed,
                Inode::Whiteout | Inode::Node(_) => break,
            },
        };
    }
    Ok(DIRECTORY_755.clone())
}

/// Looks up a path in a layer with its links followed.
fn find_followed(
    tree: &LayerTree,
    path: &[u8],
    resolver: &mut PathResolver,
) -> Result<Option<(InodeId, Vec<u8>)>, ApplyError> {
    let by_containerd_only = |error| match error {
        ApplyError::Refused(refusal) => ApplyError::Refused(PullRefusal { by_docker: false, ..refusal }),
        error => error,
    };
    let followed = resolver.resolve(tree, path).map_err(by_containerd_only)?;
    let found = resolver.find(tree, &followed)?;
    Ok(if let TreeLookup::Found(id) = found { Some((id, followed)) } else { None })
}

impl FileTree for LayerStack {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        let unread = || UnknownReason::LayerNotRead(to_absolute(path));
        if path.is_empty() {
            return Ok(Some(&DIRECTORY_755));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if index + 1 == self.layers.len() && !self.is_complete && layer.unpacked.is_uncertain_as_lowest {
                break;
            }
            match layer.unpacked.tree.effect_on(path) {
                LayerEffect::Present(id) => return self.node(index, id).map(Some).ok_or_else(unread),
                LayerEffect::Hidden => return Ok(None),
                LayerEffect::Unchanged => {}
            }
        }
        if self.is_complete { Ok(None) } else { Err(unread()) }
    }

    fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
        if !self.is_complete {
            return Err(UnknownReason::LayerNotRead(to_absolute(directory)));
        }
        let mut names = BTreeSet::new();
        for layer in &self.layers {
            let LayerEffect::Present(id) = layer.unpacked.tree.effect_on(directory) else { continue };
            for (name, _) in layer.unpacked.tree.children(id) {
                names.insert(name.to_vec());
                if names.len() > limit {
                    return Err(UnknownReason::TooManyNames(to_absolute(directory)));
                }
            }
        }
        Ok(names)
    }
}
