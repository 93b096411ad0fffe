//! The changes that a layer makes, packed.
//!
//! Does not read a layer, and does not bring them into another order.

use crate::rootfs::Node;
use crate::settings::{LayerLimits, LimitExceeded};

/// One change. Paths are clean, links not yet followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerChange<'a> {
    Insert(&'a [u8], &'a Node),
    HardLink { path: &'a [u8], target: &'a [u8] },
    Whiteout(&'a [u8]),
    Opaque(&'a [u8]),
}

/// Changes in an order in which they can be applied: as they came, or in the order of their paths where they are tidy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PackedChanges {
    /// All paths, one after the other.
    pub(super) paths: Vec<u8>,
    pub(super) entries: Vec<PackedChange>,
    pub(super) is_self_contained: bool,
    pub(super) memory_size: usize,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathSpan {
    offset: u32,
    length: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackedChange {
    /// Where its path lies in the text. Not as one, because the flag has room behind the length.
    path_offset: u32,
    path_length: u16,
    /// What lower layers have below the path is hidden too; only of tidy changes, and beside a directory.
    pub(super) is_opaque: bool,
    pub(super) kind: PackedKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PackedKind {
    Node(Node),
    HardLink(PathSpan),
    Whiteout,
    Opaque,
}

impl PackedChanges {
    /// Takes the next change.
    pub(super) fn push(&mut self, change: LayerChange<'_>, limits: &LayerLimits) -> Result<(), LimitExceeded> {
        let (path, what) = match change {
            LayerChange::Insert(path, node) => (path, PackedKind::Node(node.clone())),
            LayerChange::HardLink { path, target } => (path, PackedKind::HardLink(self.push_path(target, limits)?)),
            LayerChange::Whiteout(path) => (path, PackedKind::Whiteout),
            LayerChange::Opaque(path) => (path, PackedKind::Opaque),
        };
        self.memory_size +=
            size_of::<PackedChange>() + if let PackedKind::Node(node) = &what { node.heap_size() } else { 0 };
        let PathSpan { offset: at, length } = self.push_path(path, limits)?;
        if self.memory_size > limits.memory {
            return Err(LimitExceeded::Memory(limits.memory));
        }
        self.entries.push(PackedChange { path_offset: at, path_length: length, is_opaque: false, kind: what });
        Ok(())
    }

    fn push_path(&mut self, bytes: &[u8], limits: &LayerLimits) -> Result<PathSpan, LimitExceeded> {
        let at = u32::try_from(self.paths.len()).map_err(|_| LimitExceeded::Memory(limits.memory))?;
        let length = u16::try_from(bytes.len()).map_err(|_| LimitExceeded::Path(limits.path))?;
        self.paths.extend_from_slice(bytes);
        self.memory_size += bytes.len();
        Ok(PathSpan { offset: at, length })
    }

    /// The bytes that they take, at most: what a later change of the same name replaced is still counted.
    pub(super) fn memory_size(&self) -> usize {
        self.memory_size
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All of them, in an order in which they can be applied.
    pub(super) fn iter(&self) -> impl Iterator<Item = LayerChange<'_>> {
        self.entries.iter().flat_map(|packed| {
            let path = self.path_of(packed);
            let change = match &packed.kind {
                PackedKind::Node(node) => LayerChange::Insert(path, node),
                PackedKind::HardLink(target) => LayerChange::HardLink { path, target: self.span_bytes(*target) },
                PackedKind::Whiteout => LayerChange::Whiteout(path),
                PackedKind::Opaque => LayerChange::Opaque(path),
            };
            std::iter::once(change).chain(packed.is_opaque.then_some(LayerChange::Opaque(path)))
        })
    }

    pub(super) fn path_of(&self, packed: &PackedChange) -> &[u8] {
        self.span_bytes(packed.path_span())
    }

    pub(super) fn span_bytes(&self, text: PathSpan) -> &[u8] {
        slice_span(&self.paths, text)
    }
}

impl PackedChange {
    pub(super) fn path_span(&self) -> PathSpan {
        PathSpan { offset: self.path_offset, length: self.path_length }
    }
}

/// The bytes of a place in the text.
pub(super) fn slice_span(text: &[u8], PathSpan { offset: at, length }: PathSpan) -> &[u8] {
    let at = usize::try_from(at).expect("an offset into what is in memory");
    &text[at..at + usize::from(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_little_beyond_its_letters() {
        assert_eq!((size_of::<Node>(), size_of::<PackedChange>()), (32, 40));
    }
}
