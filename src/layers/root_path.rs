//! Follows the links of a path within a layer, step by step as `fs.RootPath` in containerd's continuity
//! (`fs/path.go`): `..` in a relative target is removed lexically, before links in the target are followed.

use super::error::{ApplyError, show};
use super::tree::{Inode, InodeId, LayerTree, TreeLookup};
use crate::path::{clean_archive_path, components, to_absolute};
use crate::rootfs::Node;
use crate::settings::{LayerLimits, LimitExceeded};

/// The maximum number of links in a path.
const MAX_LINKS: usize = 255;

/// The number of path components that may be visited, per allowed name. In a real layer few entries are reached through
/// links. Without a limit, an entry behind 255 links takes half a million steps.
const STEPS_PER_NAME: usize = 16;

/// Resolver of paths, with a limit on the work.
#[derive(Debug)]
pub(super) struct PathResolver {
    limits: LayerLimits,
    steps: usize,
    /// Whether a result depended on a whiteout of the layer itself.
    pub(super) met_whiteout: bool,
}

impl PathResolver {
    pub(super) fn new(limits: &LayerLimits) -> Self {
        Self { limits: *limits, steps: 0, met_whiteout: false }
    }

    /// Returns the path with all links followed within the root, without leading slash. Missing components are kept.
    pub(super) fn resolve(&mut self, tree: &LayerTree, path: &[u8]) -> Result<Vec<u8>, ApplyError> {
        let cleaned = clean_archive_path(path, &self.limits)?;
        if !components(path).any(|name| name == b"..") {
            match self.find(tree, &cleaned)? {
                TreeLookup::Found(id) if is_link(tree, id) => {}
                TreeLookup::Found(_) | TreeLookup::Missing => return Ok(cleaned),
                TreeLookup::BehindLink | TreeLookup::BehindFile(_) => {}
            }
        }
        let (mut path, mut links) = (path.to_vec(), 0);
        loop {
            let before = links;
            path = self.follow_once(tree, &path, &mut links)?;
            if links == before {
                return Ok(clean_archive_path(&path, &self.limits)?);
            }
        }
    }

    /// Replaces each link in a path by its target once (`walkLinks`).
    fn follow_once(&mut self, tree: &LayerTree, path: &[u8], links: &mut usize) -> Result<Vec<u8>, ApplyError> {
        let (mut at, mut is_first) = (Vec::new(), !path.starts_with(b"/"));
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            if *links > MAX_LINKS {
                return Err(ApplyError::refused("too many links".to_owned()));
            }
            let next = self.join(&at, name)?;
            let target = match self.find(tree, &next)? {
                TreeLookup::Found(id) => link_target(tree, id),
                TreeLookup::Missing => None,
                // containerd asks the kernel, which does not know the image's root.
                TreeLookup::BehindLink => {
                    return Err(ApplyError::Uncertain(format!("{} leads through several links", show(&next))));
                }
                TreeLookup::BehindFile(_) => {
                    return Err(ApplyError::refused(format!("lstat {}: not a directory", show(&next))));
                }
            };
            at = match target {
                None => to_absolute(&next),
                Some(target) => {
                    *links += 1;
                    let is_kept = is_first || target.starts_with(b"/");
                    if is_kept { target.to_vec() } else { to_absolute(&self.join(&at, target)?) }
                }
            };
            is_first = false;
        }
        Ok(at)
    }

    /// Looks up a path without following links.
    pub(super) fn find(&mut self, tree: &LayerTree, path: &[u8]) -> Result<TreeLookup, LimitExceeded> {
        let found = tree.find(path, &mut self.steps);
        if let TreeLookup::Found(id) | TreeLookup::BehindFile(id) = found {
            self.met_whiteout |= matches!(tree.inode(id), Inode::Whiteout);
        }
        let max = self.limits.total_entries.saturating_mul(STEPS_PER_NAME);
        if self.steps > max { Err(LimitExceeded::LinkSteps(max)) } else { Ok(found) }
    }

    /// Joins two paths and removes `..` lexically: Go's `filepath.Join`.
    fn join(&self, directory: &[u8], name: &[u8]) -> Result<Vec<u8>, LimitExceeded> {
        clean_archive_path(&[directory, b"/", name].concat(), &self.limits)
    }
}

fn is_link(tree: &LayerTree, id: InodeId) -> bool {
    link_target(tree, id).is_some()
}

fn link_target(tree: &LayerTree, id: InodeId) -> Option<&[u8]> {
    match tree.inode(id) {
        Inode::Node(Node::Symlink(target)) => Some(target),
        _ => None,
    }
}
