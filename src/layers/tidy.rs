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

use super::changes::{Changes, Packed, What, stretch};
use crate::path;
use crate::rootfs::Node;

/// What a tidy layer does to a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// It puts it.
    Put(&'a Node),
    /// It takes it away from what lower layers have.
    Hidden,
    /// It leaves it to the lower layers.
    Nothing,
}

impl Changes {
    /// All changes are there.
    pub(super) fn finish(mut self) -> Self {
        if let Some(links) = self.tidy_links() {
            self.sort(&links);
        }
        self.text.shrink_to_fit();
        self.list.shrink_to_fit();
        self
    }

    pub(super) fn is_tidy(&self) -> bool {
        self.tidy
    }

    /// What tidy changes do to a name, whatever the lower layers are. Above every name that they have stand all its
    /// directories, so that a missing one ends the search.
    pub(super) fn said(&self, path: &[u8]) -> Said<'_> {
        let mut hidden = matches!(self.found(b""), Some(Packed { what: What::Opaque, .. }));
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let packed = self.found(&path[..end]);
            match packed.map(|packed| &packed.what) {
                Some(What::Node(node)) if end == path.len() => return Said::Put(node),
                Some(What::Node(Node::Directory(_))) => hidden |= packed.is_some_and(|packed| packed.hides),
                Some(_) => return Said::Hidden,
                None => break,
            }
        }
        if hidden { Said::Hidden } else { Said::Nothing }
    }

    fn found(&self, path: &[u8]) -> Option<&Packed> {
        self.list.binary_search_by(|packed| self.path(packed).cmp(path)).ok().map(|at| &self.list[at])
    }

    /// Where these changes are tidy, the places of hard links, each with that of the node it leads to.
    fn tidy_links(&self) -> Option<Vec<(usize, usize)>> {
        let mut put: HashMap<&[u8], usize> = HashMap::new();
        let mut links = Vec::new();
        let node = |place: usize| match &self.list[place].what {
            What::Node(node) => Some(node),
            _ => None,
        };
        let is_directory = |place: usize| matches!(node(place), Some(Node::Directory(_)));
        for (place, packed) in self.list.iter().enumerate() {
            let path = self.path(packed);
            let above = if packed.what == What::Opaque { path } else { path::split(path).0 };
            if !above.is_empty() && !put.get(above).is_some_and(|place| is_directory(*place)) {
                return None;
            }
            let leads_to = match packed.what {
                What::Whiteout | What::Opaque => continue,
                What::Node(_) => place,
                What::HardLink(target) => {
                    let target = Some(self.at(target)).filter(|target| *target != path)?;
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
    fn sort(&mut self, links: &[(usize, usize)]) {
        self.tidy = true;
        for (place, leads_to) in links {
            self.list[*place].what = self.list[*leads_to].what.clone();
        }
        let text = &self.text;
        // Of one path the last one put counts, so the order among them stays.
        self.list.sort_by(|a, b| stretch(text, a.path()).cmp(stretch(text, b.path())));
        let all = self.list.len();
        self.list.dedup_by(|later, earlier| {
            let same = stretch(text, later.path()) == stretch(text, earlier.path());
            if same {
                earlier.merge(later);
            }
            same
        });
        self.kept -= (all - self.list.len()) * size_of::<Packed>();
    }
}

impl Packed {
    /// Takes a later change of the same path in. A removal takes nothing away that its own layer puts, wherever it stands.
    fn merge(&mut self, later: &mut Self) {
        let removes = |what: &What| matches!(what, What::Whiteout | What::Opaque);
        let hides = self.hides || removes(&self.what) || removes(&later.what);
        match (&self.what, &later.what) {
            (_, What::Node(_)) => std::mem::swap(&mut self.what, &mut later.what),
            // A whiteout takes away what an opaque directory would, and the name itself.
            (What::Opaque, What::Whiteout) => self.what = What::Whiteout,
            _ => {}
        }
        // Below what is no directory everything is hidden anyway.
        self.hides = hides && matches!(self.what, What::Node(Node::Directory(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::Change;
    use crate::rootfs::Owner;
    use crate::settings::Limits;

    #[test]
    fn tidy_changes_come_in_the_order_of_their_paths_and_others_as_they_came() {
        let limits = Limits::default();
        let directory = Node::Directory(Owner::default());
        let put = |path: &'static [u8]| Change::Put(path, &directory);
        let pack = |list: &[Change<'_>]| {
            let mut changes = Changes::default();
            list.iter().for_each(|change| changes.push(*change, &limits).unwrap());
            changes.finish()
        };
        let tidy = pack(&[put(b"b"), Change::Whiteout(b"c"), Change::Opaque(b"b"), put(b"a"), put(b"b")]);
        let sorted = [put(b"a"), put(b"b"), Change::Opaque(b"b"), Change::Whiteout(b"c")];
        assert!(tidy.is_tidy());
        assert_eq!(tidy.iter().collect::<Vec<_>>(), sorted);
        let list = [put(b"b"), put(b"a/x"), Change::HardLink { path: b"h", target: b"none" }];
        let untidy = pack(&list);
        assert!(!untidy.is_tidy());
        assert_eq!(untidy.iter().collect::<Vec<_>>(), list);
    }
}
