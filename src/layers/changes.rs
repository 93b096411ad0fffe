//! The changes of a layer in compact form.

use crate::rootfs::Node;
use crate::settings::{LayerLimits, LimitExceeded};

/// One change. Paths are normalized, and links in them are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerChange<'a> {
    Insert(&'a [u8], &'a Node),
    HardLink { path: &'a [u8], target: &'a [u8] },
    Whiteout(&'a [u8]),
    Opaque(&'a [u8]),
}

/// Changes in the order in which they are applied: sorted by path if self-contained, otherwise as in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PackedChanges {
    /// All paths, concatenated.
    pub(super) paths: Vec<u8>,
    pub(super) entries: Vec<PackedChange>,
    pub(super) is_self_contained: bool,
    /// The memory of the changes in bytes. Changes that were replaced may still be counted.
    pub(super) memory_size: usize,
}

/// The position of a path in [`PackedChanges::paths`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathSpan {
    offset: u32,
    length: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PackedChange {
    /// The fields of a [`PathSpan`], stored separately so that the flag fits into the padding after the length.
    path_offset: u32,
    path_length: u16,
    /// Whether descendants in lower layers are hidden. Only set for directories of self-contained changes.
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
    /// Adds the next change.
    pub(super) fn push(&mut self, change: LayerChange<'_>, limits: &LayerLimits) -> Result<(), LimitExceeded> {
        let (path, kind) = match change {
            LayerChange::Insert(path, node) => (path, PackedKind::Node(node.clone())),
            LayerChange::HardLink { path, target } => (path, PackedKind::HardLink(self.push_path(target, limits)?)),
            LayerChange::Whiteout(path) => (path, PackedKind::Whiteout),
            LayerChange::Opaque(path) => (path, PackedKind::Opaque),
        };
        self.memory_size +=
            size_of::<PackedChange>() + if let PackedKind::Node(node) = &kind { node.heap_size() } else { 0 };
        let PathSpan { offset, length } = self.push_path(path, limits)?;
        if self.memory_size > limits.memory {
            return Err(LimitExceeded::Memory(limits.memory));
        }
        self.entries.push(PackedChange { path_offset: offset, path_length: length, is_opaque: false, kind });
        Ok(())
    }

    fn push_path(&mut self, path: &[u8], limits: &LayerLimits) -> Result<PathSpan, LimitExceeded> {
        let offset = u32::try_from(self.paths.len()).map_err(|_| LimitExceeded::Memory(limits.memory))?;
        let length = u16::try_from(path.len()).map_err(|_| LimitExceeded::Path(limits.path))?;
        self.paths.extend_from_slice(path);
        self.memory_size += path.len();
        Ok(PathSpan { offset, length })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Iterates over the changes in the order in which they are applied.
    pub(super) fn iter(&self) -> impl Iterator<Item = LayerChange<'_>> {
        self.entries.iter().flat_map(|packed| {
            let path = self.path_of(packed);
            let change = match &packed.kind {
                PackedKind::Node(node) => LayerChange::Insert(path, node),
                PackedKind::HardLink(target) => {
                    LayerChange::HardLink { path, target: slice_span(&self.paths, *target) }
                }
                PackedKind::Whiteout => LayerChange::Whiteout(path),
                PackedKind::Opaque => LayerChange::Opaque(path),
            };
            std::iter::once(change).chain(packed.is_opaque.then_some(LayerChange::Opaque(path)))
        })
    }

    pub(super) fn path_of(&self, packed: &PackedChange) -> &[u8] {
        slice_span(&self.paths, packed.path_span())
    }
}

impl PackedChange {
    pub(super) fn path_span(&self) -> PathSpan {
        PathSpan { offset: self.path_offset, length: self.path_length }
    }
}

/// Returns the path at a position in [`PackedChanges::paths`].
pub(super) fn slice_span(paths: &[u8], PathSpan { offset, length }: PathSpan) -> &[u8] {
    let offset = usize::try_from(offset).expect("an offset into memory");
    &paths[offset..offset + usize::from(length)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_change_has_40_bytes() {
        assert_eq!((size_of::<Node>(), size_of::<PackedChange>()), (32, 40));
    }
}
