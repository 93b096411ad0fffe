//! The changes that a layer makes, packed.
//!
//! Does not read a layer, and does not bring them into another order.

use crate::rootfs::Node;
use crate::settings::{Bound, Limits};

/// One change. Paths are clean, links not yet followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Put(&'a [u8], &'a Node),
    HardLink { path: &'a [u8], target: &'a [u8] },
    Whiteout(&'a [u8]),
    Opaque(&'a [u8]),
}

/// Changes in an order in which they can be applied: as they came, or in the order of their paths where they are tidy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    /// All paths, one after the other.
    pub(super) text: Vec<u8>,
    pub(super) list: Vec<Packed>,
    pub(super) tidy: bool,
    pub(super) kept: usize,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    at: u32,
    length: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// Where its path lies in the text. Not as one, because the flag has room behind the length.
    at: u32,
    length: u16,
    /// What lower layers have below the path is hidden too; only of tidy changes, and beside a directory.
    pub(super) hides: bool,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Node(Node),
    HardLink(Text),
    Whiteout,
    Opaque,
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

    /// The bytes that they take, at most: what a later change of the same name replaced is still counted.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
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

    pub(super) fn path(&self, packed: &Packed) -> &[u8] {
        self.at(packed.path())
    }

    pub(super) fn at(&self, text: Text) -> &[u8] {
        stretch(&self.text, text)
    }
}

impl Packed {
    pub(super) fn path(&self) -> Text {
        Text { at: self.at, length: self.length }
    }
}

/// The bytes of a place in the text.
pub(super) fn stretch(text: &[u8], Text { at, length }: Text) -> &[u8] {
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
}
