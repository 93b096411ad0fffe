//! Self-contained layers, whose effect on a path does not depend on lower layers.
//!
//! A layer is self-contained if the parent of every entry is the root or a directory that the layer added before, no
//! path changes its kind, and every hard link points to a file that the layer added before. Docker, `BuildKit`,
//! buildah, kaniko and Jib write such layers. No link in a lower layer can redirect these paths, so the layer adds a
//! path, hides it or keeps it. Self-contained changes are sorted by path, with each path once and hard links resolved;
//! others keep their order.

use std::collections::HashMap;
use std::mem::discriminant;

use super::changes::{PackedChange, PackedChanges, PackedKind, slice_span};
use crate::path;
use crate::rootfs::Node;

/// The effect of a self-contained layer on a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayerLookup<'a> {
    /// The layer adds it.
    Present(&'a Node),
    /// The layer removes it from lower layers.
    Hidden,
    /// Lower layers decide.
    Unchanged,
}

impl PackedChanges {
    /// Sorts the changes if they are self-contained. No change may be added afterwards.
    pub(super) fn finish(mut self) -> Self {
        if let Some(links) = self.resolve_hard_links() {
            self.sort_by_path(&links);
        }
        self.paths.shrink_to_fit();
        self.entries.shrink_to_fit();
        self
    }

    /// Returns the effect of self-contained changes on a path. They contain all parents of their paths, so a missing
    /// directory ends the search.
    pub(super) fn look_up(&self, path: &[u8]) -> LayerLookup<'_> {
        let mut is_hidden = matches!(self.find_entry(b""), Some(PackedChange { kind: PackedKind::Opaque, .. }));
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let packed = self.find_entry(&path[..end]);
            match packed.map(|packed| &packed.kind) {
                Some(PackedKind::Node(node)) if end == path.len() => return LayerLookup::Present(node),
                Some(PackedKind::Node(Node::Directory(_))) => {
                    is_hidden |= packed.is_some_and(|packed| packed.is_opaque);
                }
                Some(_) => return LayerLookup::Hidden,
                None => break,
            }
        }
        if is_hidden { LayerLookup::Hidden } else { LayerLookup::Unchanged }
    }

    fn find_entry(&self, path: &[u8]) -> Option<&PackedChange> {
        self.entries.binary_search_by(|packed| self.path_of(packed).cmp(path)).ok().map(|at| &self.entries[at])
    }

    /// Returns the indices of each hard link and its target, or `None` if the changes are not self-contained.
    fn resolve_hard_links(&self) -> Option<Vec<(usize, usize)>> {
        let mut added: HashMap<&[u8], usize> = HashMap::new();
        let mut links = Vec::new();
        let node = |index: usize| match &self.entries[index].kind {
            PackedKind::Node(node) => Some(node),
            _ => None,
        };
        let is_directory = |index: usize| matches!(node(index), Some(Node::Directory(_)));
        for (index, packed) in self.entries.iter().enumerate() {
            let path = self.path_of(packed);
            let parent = if packed.kind == PackedKind::Opaque { path } else { path::split_parent(path).0 };
            if !parent.is_empty() && !added.get(parent).is_some_and(|index| is_directory(*index)) {
                return None;
            }
            let target_index = match packed.kind {
                PackedKind::Whiteout | PackedKind::Opaque => continue,
                PackedKind::Node(_) => index,
                PackedKind::HardLink(target) => {
                    let target = Some(slice_span(&self.paths, target)).filter(|target| *target != path)?;
                    let target_index = added.get(target).copied().filter(|index| !is_directory(*index))?;
                    links.push((index, target_index));
                    target_index
                }
            };
            let before = added.insert(path, target_index);
            if before.is_some_and(|before| node(before).map(discriminant) != node(target_index).map(discriminant)) {
                return None;
            }
        }
        Some(links)
    }

    /// Resolves hard links and sorts the changes by path, each path once.
    fn sort_by_path(&mut self, links: &[(usize, usize)]) {
        self.is_self_contained = true;
        for (link, target) in links {
            self.entries[*link].kind = self.entries[*target].kind.clone();
        }
        let paths = &self.paths;
        // The last entry of a path wins, so the sort must be stable.
        self.entries.sort_by(|a, b| slice_span(paths, a.path_span()).cmp(slice_span(paths, b.path_span())));
        let count = self.entries.len();
        self.entries.dedup_by(|later, earlier| {
            let is_same = slice_span(paths, later.path_span()) == slice_span(paths, earlier.path_span());
            if is_same {
                earlier.merge_later(later);
            }
            is_same
        });
        self.memory_size -= (count - self.entries.len()) * size_of::<PackedChange>();
    }
}

impl PackedChange {
    /// Merges a later change of the same path. A removal never affects entries of its own layer, whatever their order.
    fn merge_later(&mut self, later: &mut Self) {
        let is_removal = |kind: &PackedKind| matches!(kind, PackedKind::Whiteout | PackedKind::Opaque);
        let hides_lower = self.is_opaque || is_removal(&self.kind) || is_removal(&later.kind);
        match (&self.kind, &later.kind) {
            (_, PackedKind::Node(_)) => std::mem::swap(&mut self.kind, &mut later.kind),
            // A whiteout removes the same descendants as an opaque directory, and the path itself.
            (PackedKind::Opaque, PackedKind::Whiteout) => self.kind = PackedKind::Whiteout,
            _ => {}
        }
        // Anything but a directory hides all descendants anyway.
        self.is_opaque = hides_lower && matches!(self.kind, PackedKind::Node(Node::Directory(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::LayerChange;
    use crate::rootfs::Permissions;
    use crate::settings::LayerLimits;

    #[test]
    fn self_contained_changes_are_sorted_by_path() {
        let limits = LayerLimits::default();
        let directory = Node::Directory(Permissions::default());
        let insert = |path: &'static [u8]| LayerChange::Insert(path, &directory);
        let pack = |list: &[LayerChange<'_>]| {
            let mut changes = PackedChanges::default();
            list.iter().for_each(|change| changes.push(*change, &limits).unwrap());
            changes.finish()
        };
        let self_contained =
            pack(&[insert(b"b"), LayerChange::Whiteout(b"c"), LayerChange::Opaque(b"b"), insert(b"a"), insert(b"b")]);
        let sorted = [insert(b"a"), insert(b"b"), LayerChange::Opaque(b"b"), LayerChange::Whiteout(b"c")];
        assert!(self_contained.is_self_contained);
        assert_eq!(self_contained.iter().collect::<Vec<_>>(), sorted);
        let list = [insert(b"b"), insert(b"a/x"), LayerChange::HardLink { path: b"h", target: b"none" }];
        let other = pack(&list);
        assert!(!other.is_self_contained);
        assert_eq!(other.iter().collect::<Vec<_>>(), list);
    }
}
