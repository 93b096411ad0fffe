//! Layers laid one over the other, from the lowest to the highest.
//!
//! Does not read them. Where two unpackers differ, containerd is followed, which Amazon ECS and AWS Fargate run
//! (`applyNaive` in `pkg/archive/tar.go`), but for whiteouts: those remove from lower layers only, as the OCI image
//! specification has it and umoci does, while containerd's naive way lets a whiteout remove what the same layer made
//! before it.

use std::collections::HashSet;

use super::budget::ApplyBudget;
use super::changes::LayerChange;
use super::layer::LayerChangeset;
use crate::path;
use crate::rootfs::{Node, Permissions, Rootfs};
use crate::settings::{LayerLimits, LimitExceeded};

/// How many links a path may lead through: containerd's `fs.RootPath` and `securejoin`, which umoci uses, stop at 255.
const MAX_LINKS: usize = 255;

/// The layers cannot be unpacked, or would take too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Too much of something.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// A path leads through links in a circle, or through too many.
    #[error("/{0} leads through too many links")]
    TooManyLinks(String),
    /// A path leads through what is no directory.
    #[error("/{0} is no directory, but a layer puts something below it")]
    NotADirectory(String),
    /// A hard link's target.
    #[error("a layer links to /{0}, which is not there or is a directory")]
    MissingLinkTarget(String),
    /// The deadline is over, or whoever asked is gone.
    #[error("nobody waits for it any more")]
    Cancelled,
}

/// Lays a layer over those below it.
///
/// # Errors
/// Where no runtime could unpack it, or a limit is exceeded; the root filesystem is to be given up then.
pub fn apply_layer(rootfs: &mut Rootfs, layer: &LayerChangeset, limits: &LayerLimits) -> Result<(), ApplyError> {
    apply_layer_within_budget(rootfs, layer, limits, &mut ApplyBudget::new(limits, &|| true))
}

/// The same, with a budget for more layers than this one.
pub(super) fn apply_layer_within_budget(
    rootfs: &mut Rootfs,
    layer: &LayerChangeset,
    limits: &LayerLimits,
    work: &mut ApplyBudget<'_>,
) -> Result<(), ApplyError> {
    let removes = |change: LayerChange<'_>| matches!(change, LayerChange::Whiteout(_) | LayerChange::Opaque(_));
    let upper = layer.changes.iter().any(removes).then(HashSet::new);
    let mut merge = LayerMerge { rootfs, limits, layer_paths: upper, budget: work, last_directory: None };
    layer.changes.iter().try_for_each(|change| merge.apply_change(change))
}

struct LayerMerge<'a, 'w> {
    rootfs: &'a mut Rootfs,
    limits: &'a LayerLimits,
    /// What this layer has put so far, with all directories above it. Kept only where the layer removes anything.
    layer_paths: Option<HashSet<Vec<u8>>>,
    budget: &'a mut ApplyBudget<'w>,
    /// The directory that was last made sure of, as written and as resolved: the next entry mostly lies there too.
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
                // What is there goes first, as with any other entry; it may be the target, or a link on the way to it.
                self.rootfs.remove(&path);
                self.last_directory = None;
                let target = self.resolve_entry(target)?;
                match self.rootfs.get(&target) {
                    None | Some(Node::Directory(_)) => Err(ApplyError::MissingLinkTarget(to_lossy_string(&target))),
                    Some(node) => {
                        let node = node.clone();
                        self.insert_node(path, node)
                    }
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
        if let Some(upper) = &mut self.layer_paths {
            let mut above = path.clone();
            while !above.is_empty() && upper.insert(above.clone()) {
                path::pop_component(&mut above);
            }
        }
        // Where a link comes or goes, or a directory goes, paths may lead elsewhere.
        let stays = match self.rootfs.get(&path) {
            Some(Node::Symlink(_)) => false,
            Some(Node::Directory(_)) => matches!(node, Node::Directory(_)),
            _ => !matches!(node, Node::Symlink(_)),
        };
        if !stays {
            self.last_directory = None;
        }
        self.rootfs.insert(path, node);
        // The root is there without anybody putting it.
        if self.rootfs.len() - 1 > self.limits.total_entries {
            return Err(LimitExceeded::TotalEntries(self.limits.total_entries).into());
        }
        if self.rootfs.memory_size() > self.limits.memory {
            return Err(LimitExceeded::Memory(self.limits.memory).into());
        }
        Ok(())
    }

    /// Where an entry goes: the directory above it is followed through links within the root, and made where it is
    /// missing.
    fn prepare_path(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = path::split_parent(path);
        let known = self.last_directory.as_ref().filter(|(written, _)| written == directory);
        let mut place = if let Some((_, resolved)) = known {
            resolved.clone()
        } else {
            let resolved = self.resolve_directory(directory)?;
            self.create_directories(&resolved)?;
            self.last_directory = Some((directory.to_vec(), resolved.clone()));
            resolved
        };
        path::push_component(&mut place, name);
        Ok(place)
    }

    /// `mkparent` in containerd's `pkg/archive/tar.go`: root's, with mode 755.
    fn create_directories(&mut self, path: &[u8]) -> Result<(), ApplyError> {
        let mut above = Vec::new();
        for component in path::components(path) {
            path::push_component(&mut above, component);
            match self.rootfs.get(&above) {
                Some(Node::Directory(_)) => {}
                Some(_) => return Err(ApplyError::NotADirectory(to_lossy_string(&above))),
                None => self.insert_node(
                    above.clone(),
                    Node::Directory(Permissions { mode: 0o755, ..Permissions::default() }),
                )?,
            }
        }
        Ok(())
    }

    /// The path with the directory above it followed, and not its own name.
    fn resolve_entry(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = path::split_parent(path);
        let mut resolved = self.resolve_directory(directory)?;
        path::push_component(&mut resolved, name);
        Ok(resolved)
    }

    /// Where a directory lies when all links on the way are followed within the root. What is missing counts as there.
    fn resolve_directory(&mut self, directory: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let mut at = Vec::new();
        let (mut links, mut steps) = (0, 0);
        let rootfs = &*self.rootfs;
        let mut left: Vec<&[u8]> = path::components(directory).rev().collect();
        while let Some(component) = left.pop() {
            // What no link leads to is as long as it is written.
            steps += usize::from(links > 0);
            if component == b".." {
                path::pop_component(&mut at);
                continue;
            }
            let above = at.len();
            path::push_component(&mut at, component);
            if at.len() > self.limits.path {
                return Err(LimitExceeded::Path(self.limits.path).into());
            }
            if let Some(Node::Symlink(target)) = rootfs.get(&at) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ApplyError::TooManyLinks(to_lossy_string(directory)));
                }
                at.truncate(if target.starts_with(b"/") { 0 } else { above });
                left.extend(path::components(target).rev());
            }
        }
        self.budget.count_link_steps(steps)?;
        Ok(at)
    }

    /// Removes what lower layers put below a path, and at it.
    fn remove_lower(&mut self, path: &[u8], itself: bool) -> Result<(), ApplyError> {
        let upper = self.layer_paths.get_or_insert_default();
        if !upper.contains(path) && !path.is_empty() {
            if itself {
                self.rootfs.remove(path);
            } else {
                self.rootfs.remove_descendants(path);
            }
            return Ok(());
        }
        let (mut removed, mut walked) = (Vec::new(), 0);
        for (below, _) in self.rootfs.descendants(path) {
            walked += 1;
            if !upper.contains(below) {
                removed.push(below.to_vec());
            }
        }
        self.budget.count_whiteout_steps(walked)?;
        removed.iter().for_each(|path| self.rootfs.remove(path));
        Ok(())
    }
}

fn to_lossy_string(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
