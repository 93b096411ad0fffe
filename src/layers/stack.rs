//! Looks up paths in a stack of layers from the top, without merging them.
//!
//! An answer that is given while lower layers are missing stays the same when they are added.

use std::sync::Arc;

use super::apply::apply_layer_within_budget;
use super::budget::ApplyBudget;
use super::error::ApplyError;
use super::layer::LayerChangeset;
use super::self_contained::LayerLookup;
use crate::path::to_absolute;
use crate::rootfs::{DIRECTORY_755, FileTree, Node, Rootfs, UnknownReason};
use crate::settings::{LayerLimits, LimitExceeded};

/// The layers of an image that were read so far, the highest first.
///
/// A self-contained layer, as image builders write them, adds, hides or leaves a path whatever the lower layers contain. So
/// paths are looked up from the top. Below any other layer nothing is known until all layers are read; then they are
/// merged.
#[derive(Debug, Clone, Default)]
pub struct LayerStack {
    layers: Vec<Arc<LayerChangeset>>,
    is_complete: bool,
    /// The merged layers, if not all of them are self-contained.
    merged: Option<Rootfs>,
}

impl LayerStack {
    /// Creates an empty stack.
    #[must_use]
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

    /// Declares that all layers were added. Inspection uses [`Self::complete_while_wanted`]; this is for tests and fuzzing.
    ///
    /// # Errors
    /// No container runtime could unpack the layers, or they exceed a limit. The stack is then incomplete.
    pub fn complete(&mut self, limits: &LayerLimits) -> Result<(), ApplyError> {
        self.complete_while_wanted(limits, &|| true)
    }

    /// Declares that all layers were added, and cancels merging when `is_wanted` returns false.
    ///
    /// # Errors
    /// No container runtime could unpack the layers, they exceed a limit, or merging was cancelled.
    pub fn complete_while_wanted(
        &mut self,
        limits: &LayerLimits,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), ApplyError> {
        if self.layers.iter().any(|layer| !layer.changes.is_self_contained) {
            let (mut rootfs, mut budget) = (Rootfs::default(), ApplyBudget::new(limits, is_wanted));
            // Each layer is dropped as soon as it is merged, so that no path is in memory twice for long.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::{LayerChange, PackedChanges};
    use crate::rootfs::{FileContents, Permissions};

    /// Builds a layer: `d a` adds a directory, `f a` a file, `l a` a link, `h a b` a hard link to b; `w a` removes a, and
    /// `o a` everything that lower layers have below it.
    fn layer(words: &[&str]) -> Arc<LayerChangeset> {
        let limits = LayerLimits::default();
        let mut changes = PackedChanges::default();
        for word in words {
            let (kind, path) = word.split_once(' ').unwrap();
            let (path, target) = path.split_once(' ').unwrap_or((path, ""));
            let (path, target) = (path.as_bytes(), target.as_bytes());
            let file = Node::File(Permissions::owned_by_root(0o755), FileContents::with_size(words.len() as u64));
            let change = match kind {
                "d" => LayerChange::Insert(path, &DIRECTORY_755),
                "f" => LayerChange::Insert(path, &file),
                "l" => LayerChange::Insert(path, &Node::Symlink(b"/elsewhere".to_vec())),
                "h" => LayerChange::HardLink { path, target },
                "w" => LayerChange::Whiteout(path),
                _ => LayerChange::Opaque(path),
            };
            changes.push(change, &limits).unwrap();
        }
        let changes = changes.finish();
        let memory_size = changes.memory_size;
        Arc::new(LayerChangeset { changes, decompressed_bytes: 0, memory_size })
    }

    /// Returns a letter as above for each path, `-` if it does not exist, and `?` while it is unknown.
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
        const LOWER: [&str; 6] = ["d a", "f a/x", "d a/d", "f a/d/y", "f b", "l l"];
        for (upper, names, before, after) in [
            (vec!["d a", "f a/z"], ["", "a", "a/z", "a/x", "b"], "ddf??", "ddfff"),
            (vec!["d a", "w a/x"], ["a", "a/x", "a/x/y", "a/d", "b"], "d--??", "d--df"),
            (vec!["w a"], ["a", "a/x", "a/d/y", "ab", "b"], "---??", "----f"),
            (vec!["w a", "d a", "f a/z"], ["a", "a/z", "a/x", "a/d", "a/d/y"], "df---", "df---"),
            (vec!["d a", "f a/z", "w a"], ["a", "a/z", "a/x", "a/d", "a/d/y"], "df---", "df---"),
            (vec!["d a", "o a", "d a/d"], ["a", "a/x", "a/d", "a/d/y", "b"], "d-d-?", "d-d-f"),
            (vec!["o ", "f c"], ["", "c", "a", "a/x", "b"], "df---", "df---"),
            (vec!["f a"], ["a", "a/x", "a/d/y", "a.x", "b"], "f--??", "f---f"),
            (vec!["l a"], ["a", "a/x", "a/d", "a/d/y", "b"], "l---?", "l---f"),
            (vec!["w b", "f b"], ["b", "b/x", "a", "a/x", "l"], "f-???", "f-dfl"),
            (vec!["d b", "w b/x", "f b/z"], ["b", "b/x", "b/z", "b/y", "a"], "d-f??", "d-f-d"),
            (vec!["d l", "f l/x"], ["l", "l/x", "l/y", "l/x/z", "a"], "df?-?", "df--d"),
            (vec!["f c", "h e c", "h g e", "f c"], ["c", "e", "g", "g/x", "b"], "fff-?", "fff-f"),
            (vec![], ["", "a", "none", "none/x", "b"], "d????", "dd--f"),
        ] {
            let mut stack = LayerStack::new();
            stack.push(layer(&upper), &LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &names), before, "{upper:?}");
            stack.push(layer(&LOWER), &LayerLimits::default()).unwrap();
            stack.complete(&LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &names), after, "{upper:?}");
        }
    }

    #[test]
    fn other_layers_answer_when_all_are_read() {
        for entries in [
            vec!["f a/x"],
            vec!["f a/x", "d a"],
            vec!["w a/x"],
            vec!["o a"],
            vec!["l a", "f a/x"],
            vec!["f a", "d a"],
            vec!["f a", "l a"],
            vec!["h a b"],
            vec!["d b", "h a b"],
            vec!["h a a"],
            vec!["f a", "h a a"],
        ] {
            let mut stack = LayerStack::new();
            stack.push(layer(&["f top"]), &LayerLimits::default()).unwrap();
            stack.push(layer(&entries), &LayerLimits::default()).unwrap();
            assert_eq!(kinds(&stack, &["", "top", "a", "b"]), "df??", "{entries:?}");
        }
        let mut stack = LayerStack::new();
        for words in [vec!["f l/x"], vec!["d elsewhere", "l l"]] {
            stack.push(layer(&words), &LayerLimits::default()).unwrap();
        }
        stack.complete(&LayerLimits::default()).unwrap();
        assert_eq!(kinds(&stack, &["l", "l/x", "elsewhere/x", "none"]), "l-f-");
    }

    #[test]
    fn limits_apply_to_all_layers_together() {
        let two = || layer(&["d a", "f a/x"]);
        let push = |limits: LayerLimits| {
            let mut stack = LayerStack::new();
            stack.push(two(), &limits).and_then(|()| stack.push(two(), &limits))
        };
        let memory = 2 * two().memory_size;
        assert_eq!(push(LayerLimits { total_entries: 4, memory, ..LayerLimits::default() }), Ok(()));
        assert_eq!(
            push(LayerLimits { total_entries: 3, ..LayerLimits::default() }),
            Err(LimitExceeded::TotalEntries(3))
        );
        assert_eq!(
            push(LayerLimits { memory: memory - 1, ..LayerLimits::default() }),
            Err(LimitExceeded::Memory(memory - 1))
        );
    }

    #[test]
    fn stack_that_cannot_be_unpacked_is_refused() {
        let mut stack = LayerStack::new();
        stack.push(layer(&["f a/x"]), &LayerLimits::default()).unwrap();
        stack.push(layer(&["f a"]), &LayerLimits::default()).unwrap();
        assert_eq!(stack.complete(&LayerLimits::default()), Err(ApplyError::NotADirectory("a".into())));
    }
}
