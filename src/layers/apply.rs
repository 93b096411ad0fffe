//! Merges layers from the lowest to the highest into a root filesystem.
//!
//! Where unpackers differ, this follows containerd, which Amazon ECS and AWS Fargate use (`applyNaive` in
//! `pkg/archive/tar.go`), except for whiteouts: they remove only entries of lower layers, as in the OCI image
//! specification and umoci, while in `applyNaive` a whiteout also removes earlier entries of its own layer.

use std::collections::HashSet;

use super::budget::ApplyBudget;
use super::changes::LayerChange;
use super::error::ApplyError;
use super::layer::LayerChangeset;
use crate::path::{components, display_path, pop_component, push_component, split_parent};
use crate::rootfs::{DIRECTORY_755, Node, Rootfs};
use crate::settings::{LayerLimits, LimitExceeded};

/// The maximum number of links in a path: containerd's `fs.RootPath` and umoci's `securejoin` stop at 255.
const MAX_LINKS: usize = 255;

/// Applies a layer to the layers below it. Tests and fuzzing compare [`super::LayerStack`], which inspection uses, with
/// this function.
///
/// # Errors
/// No container runtime can unpack the layer, or it exceeds a limit. The root filesystem is then incomplete.
pub fn apply_layer(rootfs: &mut Rootfs, layer: &LayerChangeset, limits: &LayerLimits) -> Result<(), ApplyError> {
    apply_layer_within_budget(rootfs, layer, limits, &mut ApplyBudget::new(limits, &|| true))
}

/// Applies a layer, with a budget that several layers share.
pub(super) fn apply_layer_within_budget(
    rootfs: &mut Rootfs,
    layer: &LayerChangeset,
    limits: &LayerLimits,
    budget: &mut ApplyBudget<'_>,
) -> Result<(), ApplyError> {
    let is_removal = |change: LayerChange<'_>| matches!(change, LayerChange::Whiteout(_) | LayerChange::Opaque(_));
    let layer_paths = layer.changes.iter().any(is_removal).then(HashSet::new);
    let mut merge = LayerMerge { rootfs, limits, layer_paths, budget, last_directory: None };
    layer.changes.iter().try_for_each(|change| merge.apply_change(change))
}

struct LayerMerge<'a, 'w> {
    rootfs: &'a mut Rootfs,
    limits: &'a LayerLimits,
    /// The paths that this layer has added so far and their parents. Kept only if the layer removes anything.
    layer_paths: Option<HashSet<Vec<u8>>>,
    budget: &'a mut ApplyBudget<'w>,
    /// The parent directory of the last entry, as written and as resolved. The next entry usually has the same.
    last_directory: Option<(Vec<u8>, Vec<u8>)>,
}

impl LayerMerge<'_, '_> {
    fn apply_change(&mut self, change: LayerChange<'_>) -> Result<(), ApplyError> {
        self.budget.count_change()?;
        match change {
            LayerChange::Insert(path, node) => {
                let path = self.prepare_path(path)?;
                self.insert_node(path, node.clone())
            }
            LayerChange::HardLink { path, target } => {
                let path = self.prepare_path(path)?;
                // The existing node is removed first, as for any entry, even if it is the target or a link in its path.
                self.rootfs.remove(&path);
                self.last_directory = None;
                let target = self.resolve_entry(target)?;
                match self.rootfs.get(&target).cloned() {
                    None | Some(Node::Directory(_)) => Err(ApplyError::MissingLinkTarget(to_text(&target))),
                    Some(node) => self.insert_node(path, node),
                }
            }
            LayerChange::Whiteout(path) => {
                let path = self.resolve_entry(path)?;
                self.last_directory = None;
                self.remove_lower(&path, true)
            }
            LayerChange::Opaque(directory) => {
                let directory = self.resolve_directory(directory)?;
                self.last_directory = None;
                self.remove_lower(&directory, false)
            }
        }
    }

    fn insert_node(&mut self, path: Vec<u8>, node: Node) -> Result<(), ApplyError> {
        if let Some(layer_paths) = &mut self.layer_paths {
            let mut ancestor = path.clone();
            while !ancestor.is_empty() && layer_paths.insert(ancestor.clone()) {
                pop_component(&mut ancestor);
            }
        }
        // Adding or removing a link, or removing a directory, may change how paths resolve.
        let keeps_paths = match self.rootfs.get(&path) {
            Some(Node::Symlink(_)) => false,
            Some(Node::Directory(_)) => matches!(node, Node::Directory(_)),
            _ => !matches!(node, Node::Symlink(_)),
        };
        if !keeps_paths {
            self.last_directory = None;
        }
        self.rootfs.insert(path, node);
        // The root exists without an entry.
        if self.rootfs.len() - 1 > self.limits.total_entries {
            return Err(LimitExceeded::TotalEntries(self.limits.total_entries).into());
        }
        if self.rootfs.memory_size() > self.limits.memory {
            return Err(LimitExceeded::Memory(self.limits.memory).into());
        }
        Ok(())
    }

    /// Returns the resolved path of an entry. Links above it are followed within the root, and missing directories are
    /// created.
    fn prepare_path(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = split_parent(path);
        let known = self.last_directory.as_ref().filter(|(written, _)| written == directory);
        let mut resolved = if let Some((_, resolved)) = known {
            resolved.clone()
        } else {
            let resolved = self.resolve_directory(directory)?;
            self.create_directories(&resolved)?;
            self.last_directory = Some((directory.to_vec(), resolved.clone()));
            resolved
        };
        push_component(&mut resolved, name);
        Ok(resolved)
    }

    /// Creates missing directories, owned by root with mode 755: `mkparent` in containerd's `pkg/archive/tar.go`.
    fn create_directories(&mut self, path: &[u8]) -> Result<(), ApplyError> {
        let mut directory = Vec::new();
        for component in components(path) {
            push_component(&mut directory, component);
            match self.rootfs.get(&directory) {
                Some(Node::Directory(_)) => {}
                Some(_) => return Err(ApplyError::NotADirectory(to_text(&directory))),
                None => self.insert_node(directory.clone(), DIRECTORY_755.clone())?,
            }
        }
        Ok(())
    }

    /// Follows the links in the parent directory of a path, but not the path itself.
    fn resolve_entry(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = split_parent(path);
        let mut resolved = self.resolve_directory(directory)?;
        push_component(&mut resolved, name);
        Ok(resolved)
    }

    /// Follows all links in a directory's path within the root. Missing components are kept.
    fn resolve_directory(&mut self, directory: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let mut at = Vec::new();
        let (mut links, mut steps) = (0, 0);
        let rootfs = &*self.rootfs;
        let mut remaining: Vec<&[u8]> = components(directory).rev().collect();
        while let Some(component) = remaining.pop() {
            // Before the first link, the length of the path limits the steps.
            steps += usize::from(links > 0);
            if component == b".." {
                pop_component(&mut at);
                continue;
            }
            let parent_length = at.len();
            push_component(&mut at, component);
            if at.len() > self.limits.path {
                return Err(LimitExceeded::Path(self.limits.path).into());
            }
            if let Some(Node::Symlink(target)) = rootfs.get(&at) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ApplyError::TooManyLinks(to_text(directory)));
                }
                at.truncate(if target.starts_with(b"/") { 0 } else { parent_length });
                remaining.extend(components(target).rev());
            }
        }
        self.budget.count_link_steps(steps)?;
        Ok(at)
    }

    /// Removes what lower layers have below a path and, if `includes_path`, at the path.
    fn remove_lower(&mut self, path: &[u8], includes_path: bool) -> Result<(), ApplyError> {
        let layer_paths = self.layer_paths.get_or_insert_default();
        if !layer_paths.contains(path) && !path.is_empty() {
            if includes_path {
                self.rootfs.remove(path);
            } else {
                self.rootfs.remove_descendants(path);
            }
            return Ok(());
        }
        let (mut removed, mut steps) = (Vec::new(), 0);
        for (below, _) in self.rootfs.descendants(path) {
            steps += 1;
            if !layer_paths.contains(below) {
                removed.push(below.to_vec());
            }
        }
        self.budget.count_whiteout_steps(steps)?;
        removed.iter().for_each(|path| self.rootfs.remove(path));
        Ok(())
    }
}

fn to_text(path: &[u8]) -> String {
    display_path(path).into_owned()
}
