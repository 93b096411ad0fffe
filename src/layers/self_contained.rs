//! Whether a layer's changes are tidy: then what it does to a name hangs on nothing but the layer.
//!
//! Does not look at lower layers, which is the point of it.
//!
//! Changes are tidy where every name lies in the root or in a directory that was put before, no name changes its kind,
//! and every hard link leads to a file that was put before. So Docker, `BuildKit`, buildah, kaniko and Jib write layers.
//! No link of a lower layer can move such a name, so that the layer puts it, hides it, or leaves it as it is. Tidy changes
//! are kept in the order of their paths, each path once and hard links resolved; others stay as they came.

use std::collections::HashMap;
use std::mem::discriminant;

use super::changes::{PackedChange, PackedChanges, PackedKind, slice_span};
use crate::path;
use crate::rootfs::Node;

/// What a tidy layer does to a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayerLookup<'a> {
    /// It puts it.
    Present(&'a Node),
    /// It takes it away from what lower layers have.
    Hidden,
    /// It leaves it to the lower layers.
    Unchanged,
}

impl PackedChanges {
    /// All changes are there.
    pub(super) fn finish(mut self) -> Self {
        if let Some(links) = self.resolve_hard_links() {
            self.sort_by_path(&links);
        }
        self.paths.shrink_to_fit();
        self.entries.shrink_to_fit();
        self
    }

    pub(super) fn is_self_contained(&self) -> bool {
        self.is_self_contained
    }

    /// What tidy changes do to a name, whatever the lower layers are. Above every name that they have stand all its
    /// directories, so that a missing one ends the search.
    pub(super) fn look_up(&self, path: &[u8]) -> LayerLookup<'_> {
        let mut hidden = matches!(self.find_entry(b""), Some(PackedChange { kind: PackedKind::Opaque, .. }));
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let packed = self.find_entry(&path[..end]);
            match packed.map(|packed| &packed.kind) {
                Some(PackedKind::Node(node)) if end == path.len() => return LayerLookup::Present(node),
                Some(PackedKind::Node(Node::Directory(_))) => hidden |= packed.is_some_and(|packed| packed.is_opaque),
                Some(_) => return LayerLookup::Hidden,
                None => break,
            }
        }
        if hidden { LayerLookup::Hidden } else { LayerLookup::Unchanged }
    }

    fn find_entry(&self, path: &[u8]) -> Option<&PackedChange> {
        self.entries.binary_search_by(|packed| self.path_of(packed).cmp(path)).ok().map(|at| &self.entries[at])
    }

    /// Where these changes are tidy, the places of hard links, each with that of the node it leads to.
    fn resolve_hard_links(&self) -> Option<Vec<(usize, usize)>> {
        let mut put: HashMap<&[u8], usize> = HashMap::new();
        let mut links = Vec::new();
        let node = |place: usize| match &self.entries[place].kind {
            PackedKind::Node(node) => Some(node),
            _ => None,
        };
        let is_directory = |place: usize| matches!(node(place), Some(Node::Directory(_)));
        for (place, packed) in self.entries.iter().enumerate() {
            let path = self.path_of(packed);
            let above = if packed.kind == PackedKind::Opaque { path } else { path::split_parent(path).0 };
            if !above.is_empty() && !put.get(above).is_some_and(|place| is_directory(*place)) {
                return None;
            }
            let leads_to = match packed.kind {
                PackedKind::Whiteout | PackedKind::Opaque => continue,
                PackedKind::Node(_) => place,
                PackedKind::HardLink(target) => {
                    let target = Some(self.span_bytes(target)).filter(|target| *target != path)?;
                    let leads_to = put.get(target).copied().filter(|place| !is_directory(*place))?;
                    links.push((place, leads_to));
                    leads_to
                }
            };
            let before = put.insert(path, leads_to);
            if before.is_some_and(|before| node(before).map(discriminant) != node(leads_to).map(discriminant)) {
                return None;
            }
        }
        Some(links)
    }

    /// Brings tidy changes into the order of their paths, each path once.
    fn sort_by_path(&mut self, links: &[(usize, usize)]) {
        self.is_self_contained = true;
        for (place, leads_to) in links {
            self.entries[*place].kind = self.entries[*leads_to].kind.clone();
        }
        let text = &self.paths;
        // Of one path the last one put counts, so the order among them stays.
        self.entries.sort_by(|a, b| slice_span(text, a.path_span()).cmp(slice_span(text, b.path_span())));
        let all = self.entries.len();
        self.entries.dedup_by(|later, earlier| {
            let same = slice_span(text, later.path_span()) == slice_span(text, earlier.path_span());
            if same {
                earlier.merge_later(later);
            }
            same
        });
        self.memory_size -= (all - self.entries.len()) * size_of::<PackedChange>();
    }
}

impl PackedChange {
    /// Takes a later change of the same path in. A removal takes nothing away that its own layer puts, wherever it stands.
    fn merge_later(&mut self, later: &mut Self) {
        let removes = |what: &PackedKind| matches!(what, PackedKind::Whiteout | PackedKind::Opaque);
        let hides = self.is_opaque || removes(&self.kind) || removes(&later.kind);
        match (&self.kind, &later.kind) {
            (_, PackedKind::Node(_)) => std::mem::swap(&mut self.kind, &mut later.kind),
            // A whiteout takes away what an opaque directory would, and the name itself.
            (PackedKind::Opaque, PackedKind::Whiteout) => self.kind = PackedKind::Whiteout,
            _ => {}
        }
        // Below what is no directory everything is hidden anyway.
        self.is_opaque = hides && matches!(self.kind, PackedKind::Node(Node::Directory(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::LayerChange;
    use crate::rootfs::Permissions;
    use crate::settings::LayerLimits;

    #[test]
    fn tidy_changes_come_in_the_order_of_their_paths_and_others_as_they_came() {
        let limits = LayerLimits::default();
        let directory = Node::Directory(Permissions::default());
        let put = |path: &'static [u8]| LayerChange::Insert(path, &directory);
        let pack = |list: &[LayerChange<'_>]| {
            let mut changes = PackedChanges::default();
            list.iter().for_each(|change| changes.push(*change, &limits).unwrap());
            changes.finish()
        };
        let tidy = pack(&[put(b"b"), LayerChange::Whiteout(b"c"), LayerChange::Opaque(b"b"), put(b"a"), put(b"b")]);
        let sorted = [put(b"a"), put(b"b"), LayerChange::Opaque(b"b"), LayerChange::Whiteout(b"c")];
        assert!(tidy.is_self_contained());
        assert_eq!(tidy.iter().collect::<Vec<_>>(), sorted);
        let list = [put(b"b"), put(b"a/x"), LayerChange::HardLink { path: b"h", target: b"none" }];
        let untidy = pack(&list);
        assert!(!untidy.is_self_contained());
        assert_eq!(untidy.iter().collect::<Vec<_>>(), list);
    }
}
