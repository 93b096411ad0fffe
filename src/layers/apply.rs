//! Layers laid one over the other, from the lowest to the highest.
//!
//! Does not read them. Where two unpackers differ, containerd is followed, which Amazon ECS and AWS Fargate run
//! (`applyNaive` in `pkg/archive/tar.go`), but for whiteouts: those remove from lower layers only, as the OCI image
//! specification has it and umoci does, while containerd's naive way lets a whiteout remove what the same layer made
//! before it.

use std::collections::HashSet;

use super::changes::Change;
use super::layer::LayerNames;
use super::work::Work;
use crate::path;
use crate::rootfs::{Node, Owner, Rootfs};
use crate::settings::{Bound, Limits};

/// How many links a path may lead through: containerd's `fs.RootPath` and `securejoin`, which umoci uses, stop at 255.
const MAX_LINKS: usize = 255;

/// The layers cannot be unpacked, or would take too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Too much of something.
    #[error(transparent)]
    Bound(#[from] Bound),
    /// A path leads through links in a circle, or through too many.
    #[error("/{0} leads through too many links")]
    Loop(String),
    /// A path leads through what is no directory.
    #[error("/{0} is no directory, but a layer puts something below it")]
    NoDirectory(String),
    /// A hard link's target.
    #[error("a layer links to /{0}, which is not there or is a directory")]
    NoTarget(String),
    /// The deadline is over, or whoever asked is gone.
    #[error("nobody waits for it any more")]
    Unwanted,
}

/// Lays a layer over those below it.
///
/// # Errors
/// Where no runtime could unpack it, or a limit is exceeded; the root filesystem is to be given up then.
pub fn apply(rootfs: &mut Rootfs, layer: &LayerNames, limits: &Limits) -> Result<(), ApplyError> {
    apply_within(rootfs, layer, limits, &mut Work::new(limits, &|| true))
}

/// The same, with a budget for more layers than this one.
pub(super) fn apply_within(
    rootfs: &mut Rootfs,
    layer: &LayerNames,
    limits: &Limits,
    work: &mut Work<'_>,
) -> Result<(), ApplyError> {
    let removes = |change: Change<'_>| matches!(change, Change::Whiteout(_) | Change::Opaque(_));
    let upper = layer.changes.iter().any(removes).then(HashSet::new);
    let mut merge = Merge { rootfs, limits, upper, work, parent: None };
    layer.changes.iter().try_for_each(|change| merge.change(change))
}

struct Merge<'a, 'w> {
    rootfs: &'a mut Rootfs,
    limits: &'a Limits,
    /// What this layer has put so far, with all directories above it. Kept only where the layer removes anything.
    upper: Option<HashSet<Vec<u8>>>,
    work: &'a mut Work<'w>,
    /// The directory that was last made sure of, as written and as resolved: the next entry mostly lies there too.
    parent: Option<(Vec<u8>, Vec<u8>)>,
}

impl Merge<'_, '_> {
    fn change(&mut self, change: Change<'_>) -> Result<(), ApplyError> {
        self.work.change()?;
        match change {
            Change::Put(path, node) => {
                let path = self.place(path)?;
                self.put(path, node.clone())
            }
            Change::HardLink { path, target } => {
                let path = self.place(path)?;
                // What is there goes first, as with any other entry; it may be the target, or a link on the way to it.
                self.rootfs.remove(&path);
                self.parent = None;
                let target = self.resolve(target)?;
                match self.rootfs.at(&target) {
                    None | Some(Node::Directory(_)) => Err(ApplyError::NoTarget(lossy(&target))),
                    Some(node) => {
                        let node = node.clone();
                        self.put(path, node)
                    }
                }
            }
            Change::Whiteout(path) => {
                let path = self.resolve(path)?;
                self.parent = None;
                self.remove_lower(&path, true)
            }
            Change::Opaque(directory) => {
                let directory = self.follow(directory)?;
                self.parent = None;
                self.remove_lower(&directory, false)
            }
        }
    }

    fn put(&mut self, path: Vec<u8>, node: Node) -> Result<(), ApplyError> {
        if let Some(upper) = &mut self.upper {
            let mut above = path.clone();
            while !above.is_empty() && upper.insert(above.clone()) {
                path::up(&mut above);
            }
        }
        // Where a link comes or goes, or a directory goes, paths may lead elsewhere.
        let stays = match self.rootfs.at(&path) {
            Some(Node::Link(_)) => false,
            Some(Node::Directory(_)) => matches!(node, Node::Directory(_)),
            _ => !matches!(node, Node::Link(_)),
        };
        if !stays {
            self.parent = None;
        }
        self.rootfs.put(path, node);
        // The root is there without anybody putting it.
        if self.rootfs.len() - 1 > self.limits.entries_in_all {
            return Err(Bound::EntriesInAll(self.limits.entries_in_all).into());
        }
        if self.rootfs.kept() > self.limits.kept {
            return Err(Bound::Kept(self.limits.kept).into());
        }
        Ok(())
    }

    /// Where an entry goes: the directory above it is followed through links within the root, and made where it is
    /// missing.
    fn place(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = path::split(path);
        let known = self.parent.as_ref().filter(|(written, _)| written == directory);
        let mut place = if let Some((_, resolved)) = known {
            resolved.clone()
        } else {
            let resolved = self.follow(directory)?;
            self.make_directories(&resolved)?;
            self.parent = Some((directory.to_vec(), resolved.clone()));
            resolved
        };
        path::down(&mut place, name);
        Ok(place)
    }

    /// `mkparent` in containerd's `pkg/archive/tar.go`: root's, with mode 755.
    fn make_directories(&mut self, path: &[u8]) -> Result<(), ApplyError> {
        let mut above = Vec::new();
        for component in path::components(path) {
            path::down(&mut above, component);
            match self.rootfs.at(&above) {
                Some(Node::Directory(_)) => {}
                Some(_) => return Err(ApplyError::NoDirectory(lossy(&above))),
                None => self.put(above.clone(), Node::Directory(Owner { mode: 0o755, ..Owner::default() }))?,
            }
        }
        Ok(())
    }

    /// The path with the directory above it followed, and not its own name.
    fn resolve(&mut self, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let (directory, name) = path::split(path);
        let mut resolved = self.follow(directory)?;
        path::down(&mut resolved, name);
        Ok(resolved)
    }

    /// Where a directory lies when all links on the way are followed within the root. What is missing counts as there.
    fn follow(&mut self, directory: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let mut at = Vec::new();
        let (mut links, mut steps) = (0, 0);
        let rootfs = &*self.rootfs;
        let mut left: Vec<&[u8]> = path::components(directory).rev().collect();
        while let Some(component) = left.pop() {
            // What no link leads to is as long as it is written.
            steps += usize::from(links > 0);
            if component == b".." {
                path::up(&mut at);
                continue;
            }
            let above = at.len();
            path::down(&mut at, component);
            if at.len() > self.limits.path {
                return Err(Bound::Path(self.limits.path).into());
            }
            if let Some(Node::Link(target)) = rootfs.at(&at) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ApplyError::Loop(lossy(directory)));
                }
                at.truncate(if target.starts_with(b"/") { 0 } else { above });
                left.extend(path::components(target).rev());
            }
        }
        self.work.step(steps)?;
        Ok(at)
    }

    /// Removes what lower layers put below a path, and at it.
    fn remove_lower(&mut self, path: &[u8], itself: bool) -> Result<(), ApplyError> {
        let upper = self.upper.get_or_insert_default();
        if !upper.contains(path) && !path.is_empty() {
            if itself {
                self.rootfs.remove(path);
            } else {
                self.rootfs.remove_below(path);
            }
            return Ok(());
        }
        let (mut removed, mut walked) = (Vec::new(), 0);
        for (below, _) in self.rootfs.below(path) {
            walked += 1;
            if !upper.contains(below) {
                removed.push(below.to_vec());
            }
        }
        self.work.walk(walked)?;
        removed.iter().for_each(|path| self.rootfs.remove(path));
        Ok(())
    }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
