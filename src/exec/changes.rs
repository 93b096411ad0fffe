//! The changes that a layer makes, packed, and whether they are tidy.
//!
//! Does not read a layer, and does not apply anything.

use std::collections::HashMap;
use std::mem::discriminant;

use super::limits::{Bound, Limits};
use super::path;
use super::rootfs::Node;

/// One change. Paths are clean, links not yet followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Put(&'a [u8], &'a Node),
    HardLink { path: &'a [u8], target: &'a [u8] },
    Whiteout(&'a [u8]),
    Opaque(&'a [u8]),
}

/// Changes in an order in which they can be applied.
///
/// They are *tidy* where no lower layer bears on where they go: every name lies in the root or in a directory that was
/// put before, no name changes its kind, and every hard link leads to a file that was put before. So Docker, `BuildKit`,
/// buildah, kaniko and Jib write layers. Such a layer does the same to a name whatever else is there: it puts it, hides
/// it, or leaves it as it is. Tidy changes are kept in the order of their paths, each path once and hard links resolved;
/// others stay as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    /// All paths, one after the other.
    text: Vec<u8>,
    list: Vec<Packed>,
    tidy: bool,
    kept: usize,
}

/// A stretch of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    at: u32,
    length: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Packed {
    /// Where its path lies in the text. Not as one, because the flag has room behind the length.
    at: u32,
    length: u16,
    /// What lower layers have below the path is hidden too; only of tidy changes, and beside a directory.
    hides: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Node(Node),
    HardLink(Text),
    Whiteout,
    Opaque,
}

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
    /// Takes the next change.
    pub(super) fn push(&mut self, change: Change<'_>, limits: &Limits) -> Result<(), Bound> {
        let (path, what) = match change {
            Change::Put(path, node) => (path, What::Node(node.clone())),
            Change::HardLink { path, target } => (path, What::HardLink(self.text(target, limits)?)),
            Change::Whiteout(path) => (path, What::Whiteout),
            Change::Opaque(path) => (path, What::Opaque),
        };
        self.kept += size_of::<Packed>() + if let What::Node(node) = &what { node.weight() } else { 0 };
        let Text { at, length } = self.text(path, limits)?;
        if self.kept > limits.kept {
            return Err(Bound::Kept(limits.kept));
        }
        self.list.push(Packed { at, length, hides: false, what });
        Ok(())
    }

    fn text(&mut self, bytes: &[u8], limits: &Limits) -> Result<Text, Bound> {
        let at = u32::try_from(self.text.len()).map_err(|_| Bound::Kept(limits.kept))?;
        let length = u16::try_from(bytes.len()).map_err(|_| Bound::Path(limits.path))?;
        self.text.extend_from_slice(bytes);
        self.kept += bytes.len();
        Ok(Text { at, length })
    }

    /// All changes are there.
    pub(super) fn finish(mut self) -> Self {
        if let Some(links) = self.tidy_links() {
            self.sort(&links);
        }
        self.text.shrink_to_fit();
        self.list.shrink_to_fit();
        self
    }

    /// The bytes that they take, at most: what a later change of the same name replaced is still counted.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_tidy(&self) -> bool {
        self.tidy
    }

    /// All of them, in an order in which they can be applied.
    pub(super) fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.list.iter().flat_map(|packed| {
            let path = self.path(packed);
            let change = match &packed.what {
                What::Node(node) => Change::Put(path, node),
                What::HardLink(target) => Change::HardLink { path, target: self.at(*target) },
                What::Whiteout => Change::Whiteout(path),
                What::Opaque => Change::Opaque(path),
            };
            std::iter::once(change).chain(packed.hides.then_some(Change::Opaque(path)))
        })
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

    fn path(&self, packed: &Packed) -> &[u8] {
        self.at(packed.path())
    }

    fn at(&self, text: Text) -> &[u8] {
        stretch(&self.text, text)
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
    fn path(&self) -> Text {
        Text { at: self.at, length: self.length }
    }

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

fn stretch(text: &[u8], Text { at, length }: Text) -> &[u8] {
    let at = usize::try_from(at).expect("an offset into what is in memory");
    &text[at..at + usize::from(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_little_beyond_its_letters() {
        assert_eq!((size_of::<Node>(), size_of::<Packed>()), (32, 40));
    }

    #[test]
    fn tidy_changes_come_in_the_order_of_their_paths_and_others_as_they_came() {
        let limits = Limits::default();
        let directory = Node::Directory(super::super::rootfs::Owner::default());
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
