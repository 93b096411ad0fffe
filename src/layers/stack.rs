//! Looks up paths in a stack of layers from the top, without merging them. Answers never change when lower layers are
//! added.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::apply::apply_layer_within_budget;
use super::budget::ApplyBudget;
use super::changes::LayerChange;
use super::error::ApplyError;
use super::layer::LayerChangeset;
use super::self_contained::LayerLookup;
use crate::path::to_absolute;
use crate::rootfs::{DIRECTORY_755, FileTree, Node, Rootfs, UnknownReason, collect_names};
use crate::settings::{LayerLimits, LimitExceeded};

/// The layers of an image that were read so far, the highest first.
///
/// Image builders write self-contained layers, which add, hide or keep a path regardless of the lower layers, so paths
/// are looked up from the top. From any other layer downward, nothing is known until all layers are read and merged.
#[derive(Debug, Clone, Default)]
pub struct LayerStack {
    layers: Vec<Arc<LayerChangeset>>,
    is_complete: bool,
    /// The merged layers, if not all of them are self-contained.
    merged: Option<Rootfs>,
}

impl LayerStack {
    /// Creates an empty stack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next lower layer.
    ///
    /// # Errors
    /// The layers together have too many changes or need too much memory.
    pub fn push(&mut self, layer: Arc<LayerChangeset>, limits: &LayerLimits) -> Result<(), LimitExceeded> {
        self.layers.push(layer);
        let sum = |of: fn(&LayerChangeset) -> usize| self.layers.iter().map(|layer| of(layer)).sum::<usize>();
        if sum(|layer| layer.changes.len()) > limits.total_entries {
            return Err(LimitExceeded::TotalEntries(limits.total_entries));
        }
        if sum(|layer| layer.memory_size) > limits.memory {
            return Err(LimitExceeded::Memory(limits.memory));
        }
        Ok(())
    }

    /// Marks the stack as complete. For tests and fuzzing; inspection uses [`Self::complete_cancellable`].
    ///
    /// # Errors
    /// No container runtime can unpack the layers, or they exceed a limit. The stack stays incomplete.
    pub fn complete(&mut self, limits: &LayerLimits) -> Result<(), ApplyError> {
        self.complete_cancellable(limits, &|| true)
    }

    /// Marks the stack as complete. Merging is canceled when `should_continue` returns false.
    ///
    /// # Errors
    /// No container runtime can unpack the layers, they exceed a limit, or merging was canceled.
    pub fn complete_cancellable(
        &mut self,
        limits: &LayerLimits,
        should_continue: &dyn Fn() -> bool,
    ) -> Result<(), ApplyError> {
        if self.layers.iter().any(|layer| !layer.changes.is_self_contained) {
            let (mut rootfs, mut budget) = (Rootfs::default(), ApplyBudget::new(limits, should_continue));
            // Each layer is dropped as soon as it is merged, so that few paths are in memory twice.
            while let Some(layer) = self.layers.pop() {
                apply_layer_within_budget(&mut rootfs, &layer, limits, &mut budget)?;
            }
            self.merged = Some(rootfs);
        }
        self.is_complete = true;
        Ok(())
    }
}

impl FileTree for LayerStack {
    fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
        if let Some(rootfs) = &self.merged {
            return Ok(rootfs.get(path));
        }
        if path.is_empty() {
            return Ok(Some(&DIRECTORY_755));
        }
        for layer in self.layers.iter().take_while(|layer| layer.changes.is_self_contained) {
            match layer.changes.look_up(path) {
                LayerLookup::Present(node) => return Ok(Some(node)),
                LayerLookup::Hidden => return Ok(None),
                LayerLookup::Unchanged => {}
            }
        }
        if self.is_complete { Ok(None) } else { Err(UnknownReason::LayerNotRead(to_absolute(path))) }
    }

    fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
        if let Some(rootfs) = &self.merged {
            return rootfs.list(directory, limit);
        }
        if !self.is_complete {
            return Err(UnknownReason::LayerNotRead(to_absolute(directory)));
        }
        let inserted = |change| if let LayerChange::Insert(path, _) = change { Some(path) } else { None };
        collect_names(directory, self.layers.iter().flat_map(|layer| layer.changes.iter()).filter_map(inserted), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::PackedChanges;
    use crate::rootfs::{FileContents, Permissions};

    /// Builds a layer from comma-separated changes: `d a` adds a directory, `f a` a file, `l a` a link, `h a b` a hard
    /// link to b; `w a` removes a, and `o a` everything that lower layers have below it.
    fn layer(changes: &str) -> Arc<LayerChangeset> {
        let limits = LayerLimits::default();
        let mut packed = PackedChanges::default();
        for change in changes.split_terminator(',') {
            let (kind, path) = change.split_once(' ').unwrap();
            let (path, target) = path.split_once(' ').unwrap_or((path, ""));
            let (path, target) = (path.as_bytes(), target.as_bytes());
            let file = Node::File(Permissions::owned_by_root(0o755), FileContents::with_size(changes.len() as u64));
            let change = match kind {
                "d" => LayerChange::Insert(path, &DIRECTORY_755),
                "f" => LayerChange::Insert(path, &file),
                "l" => LayerChange::Insert(path, &Node::Symlink(b"/elsewhere".to_vec())),
                "h" => LayerChange::HardLink { path, target },
                "w" => LayerChange::Whiteout(path),
                _ => LayerChange::Opaque(path),
            };
            packed.push(change, &limits).unwrap();
        }
        let changes = packed.finish();
        let memory_size = changes.memory_size;
        Arc::new(LayerChangeset { changes, decompressed_bytes: 0, memory_size })
    }

    /// Returns a letter as above for each path, `-` if it does not exist, and `?` if it is unknown.
    fn kinds(stack: &LayerStack, names: &[&str]) -> String {
        let letter = |name: &&str| match stack.get(name.as_bytes()) {
            Err(_) => '?',
            Ok(None) => '-',
            Ok(Some(Node::Directory(_))) => 'd',
            Ok(Some(Node::File(..))) => 'f',
            Ok(Some(Node::Symlink(_))) => 'l',
            Ok(Some(Node::Special(_))) => 's',
        };
        names.iter().map(letter).collect()
    }

    #[test]
    fn self_contained_layer_answers_before_lower_layers() {
        for (upper, names, before, after) in [
            ("d a,f a/z", ["", "a", "a/z", "a/x", "b"], "ddf??", "ddfff"),
            ("d a,w a/x", ["a", "a/x", "a/x/y", "a/d", "b"], "d--??", "d--df"),
            ("w a", ["a", "a/x", "a/d/y", "ab", "b"], "---??", "----f"),
            ("w a,d a,f a/z", ["a", "a/z", "a/x", "a/d", "a/d/y"], "df---", "df---"),
            ("d a,f a/z,w a", ["a", "a/z", "a/x", "a/d", "a/d/y"], "df---", "df---"),
            ("d a,o a,d a/d", ["a", "a/x", "a/d", "a/d/y", "b"], "d-d-?", "d-d-f"),
            ("o ,f c", ["", "c", "a", "a/x", "b"], "df---", "df---"),
            ("f a", ["a", "a/x", "a/d/y", "a.x", "b"], "f--??", "f---f"),
            ("l a", ["a", "a/x", "a/d", "a/d/y", "b"], "l---?", "l---f"),
            ("w b,f b", ["b", "b/x", "a", "a/x", "l"], "f-???", "f-dfl"),
            ("d b,w b/x,f b/z", ["b", "b/x", "b/z", "b/y", "a"], "d-f??", "d-f-d"),
            ("d l,f l/x", ["l", "l/x", "l/y", "l/x/z", "a"], "df?-?", "df--d"),
            ("f c,h e c,h g e,f c", ["c", "e", "g", "g/x", "b"], "fff-?", "fff-f"),
            ("", ["", "a", "none", "none/x", "b"], "d????", "dd--f"),
        ] {
            let mut stack = LayerStack::new();
            stack.push(layer(upper), &LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &names), before, "{upper}");
            stack.push(layer("d a,f a/x,d a/d,f a/d/y,f b,l l"), &LayerLimits::default()).unwrap();
            stack.complete(&LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &names), after, "{upper}");
        }
    }

    #[test]
    fn other_layers_answer_when_all_are_read() {
        for changes in [
            "f a/x", "f a/x,d a", "w a/x", "o a", "l a,f a/x", "f a,d a", "f a,l a", "h a b", "d b,h a b", "h a a",
            "f a,h a a",
        ] {
            let mut stack = LayerStack::new();
            stack.push(layer("f top"), &LayerLimits::default()).unwrap();
            stack.push(layer(changes), &LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &["", "top", "a", "b"]), "df??", "{changes}");
        }
        let mut stack = LayerStack::new();
        for changes in ["f l/x", "d elsewhere,l l"] {
            stack.push(layer(changes), &LayerLimits::default()).unwrap();
        }
        stack.complete(&LayerLimits::default()).unwrap();
        assert_eq!(kinds(&stack, &["l", "l/x", "elsewhere/x", "none"]), "l-f-");
    }

    #[test]
    fn names_are_listed_when_all_layers_are_read() {
        let limits = LayerLimits::default();
        for upper in ["d a,f a/z,f ab", "f a/z,f ab"] {
            let mut stack = LayerStack::new();
            stack.push(layer(upper), &limits).unwrap();
            stack.push(layer("d a,f a/x,d a/d,f a/d/y"), &limits).unwrap();
            assert!(stack.list(b"a", 9).is_err());
            stack.complete(&limits).unwrap();
            let names: Vec<_> = stack.list(b"a", 9).unwrap().into_iter().collect();
            assert_eq!(names, [b"d", b"x", b"z"], "{upper}");
            assert_eq!(stack.list(b"a", 2), Err(UnknownReason::TooManyNames(b"/a".to_vec())));
            assert_eq!(stack.list(b"none", 9), Ok(BTreeSet::new()));
        }
    }

    #[test]
    fn limits_apply_to_all_layers_together() {
        let default = LayerLimits::default();
        let two = || layer("d a,f a/x");
        let push = |limits: LayerLimits| {
            let mut stack = LayerStack::new();
            stack.push(two(), &limits).and_then(|()| stack.push(two(), &limits))
        };
        let memory = 2 * two().memory_size;
        assert_eq!(push(LayerLimits { total_entries: 4, memory, ..default }), Ok(()));
        assert_eq!(push(LayerLimits { total_entries: 3, ..default }), Err(LimitExceeded::TotalEntries(3)));
        assert_eq!(push(LayerLimits { memory: memory - 1, ..default }), Err(LimitExceeded::Memory(memory - 1)));
    }

    #[test]
    fn stack_that_cannot_be_unpacked_is_refused() {
        let mut stack = LayerStack::new();
        stack.push(layer("f a/x"), &LayerLimits::default()).unwrap();
        stack.push(layer("f a"), &LayerLimits::default()).unwrap();
        assert_eq!(stack.complete(&LayerLimits::default()), Err(ApplyError::NotADirectory("a".into())));
    }
}
