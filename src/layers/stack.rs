//! Layers as a stack that is looked at from the top, without laying them one over the other.
//!
//! Does not read them. What it answers while lower layers are missing is what it will answer when they are there.

use std::sync::Arc;

use super::apply::{ApplyError, apply_layer_within_budget};
use super::budget::ApplyBudget;
use super::layer::LayerChangeset;
use super::self_contained::LayerLookup;
use crate::rootfs::UnknownReason;
use crate::rootfs::{FileTree, Node, ROOT_DIRECTORY, Rootfs};
use crate::settings::{LayerLimits, LimitExceeded};

/// The layers of an image that were read so far, the highest first.
///
/// A tidy layer, as all image builders write them, puts, hides or passes on every name whatever the lower layers are, so
/// that names are looked up from the top. Other layers are an exception: below one nothing is known until all are there,
/// and then they are laid one over the other.
#[derive(Debug, Clone, Default)]
pub struct LayerStack {
    layers: Vec<Arc<LayerChangeset>>,
    is_complete: bool,
    /// What the layers make, where not all of them are tidy.
    merged: Option<Rootfs>,
}

impl LayerStack {
    /// Of no layers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next lower layer.
    ///
    /// # Errors
    /// Where the layers together have too many names, or too much is kept of them.
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

    /// All layers are there.
    ///
    /// # Errors
    /// Where no runtime could unpack them, or a limit is exceeded; the stack is to be given up then.
    pub fn complete(&mut self, limits: &LayerLimits) -> Result<(), ApplyError> {
        self.complete_while_wanted(limits, &|| true)
    }

    /// The same, given up where that says that nobody waits any more.
    ///
    /// # Errors
    /// Likewise, and where it was given up.
    pub fn complete_while_wanted(
        &mut self,
        limits: &LayerLimits,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), ApplyError> {
        if self.layers.iter().any(|layer| !layer.changes.is_self_contained()) {
            let (mut rootfs, mut work) = (Rootfs::default(), ApplyBudget::new(limits, goes_on));
            // Each layer goes as soon as it is laid out, so that no name is kept twice for long.
            while let Some(layer) = self.layers.pop() {
                apply_layer_within_budget(&mut rootfs, &layer, limits, &mut work)?;
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
            return Ok(Some(&ROOT_DIRECTORY));
        }
        for layer in self.layers.iter().take_while(|layer| layer.changes.is_self_contained()) {
            match layer.changes.look_up(path) {
                LayerLookup::Present(node) => return Ok(Some(node)),
                LayerLookup::Hidden => return Ok(None),
                LayerLookup::Unchanged => {}
            }
        }
        if self.is_complete { Ok(None) } else { Err(UnknownReason::LayerNotRead([b"/", path].concat())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::{LayerChange, PackedChanges};
    use crate::rootfs::FileContents;
    use crate::rootfs::Permissions;

    /// A layer from words: `d a` puts a directory, `f a` a file, `l a` a link, `h a b` a hard link to b, `w a` removes a,
    /// `o a` all that lower layers have below it.
    fn layer(words: &[&str]) -> Arc<LayerChangeset> {
        let limits = LayerLimits::default();
        let mut changes = PackedChanges::default();
        for word in words {
            let (kind, path) = word.split_once(' ').unwrap();
            let (path, target) = path.split_once(' ').unwrap_or((path, ""));
            let (path, target) = (path.as_bytes(), target.as_bytes());
            let file = Node::File(
                Permissions { mode: 0o755, ..Permissions::default() },
                FileContents::with_size(words.len() as u64),
            );
            let change = match kind {
                "d" => LayerChange::Insert(path, &ROOT_DIRECTORY),
                "f" => LayerChange::Insert(path, &file),
                "l" => LayerChange::Insert(path, &Node::Symlink(b"/elsewhere".to_vec())),
                "h" => LayerChange::HardLink { path, target },
                "w" => LayerChange::Whiteout(path),
                _ => LayerChange::Opaque(path),
            };
            changes.push(change, &limits).unwrap();
        }
        let changes = changes.finish();
        let kept = changes.memory_size();
        Arc::new(LayerChangeset { changes, decompressed_bytes: 0, memory_size: kept })
    }

    /// What each of the names is: a letter as above, `-` for nothing, `?` while it is not known.
    fn told(stack: &LayerStack, names: &[&str]) -> String {
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
    fn what_a_tidy_layer_puts_or_hides_is_known_at_once_and_the_rest_by_lower_layers() {
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
            assert_eq!(told(&stack, &names), before, "{upper:?}");
            stack.push(layer(&LOWER), &LayerLimits::default()).unwrap();
            stack.complete(&LayerLimits::default()).unwrap();
            assert_eq!(told(&stack, &names), after, "{upper:?}");
        }
    }

    #[test]
    fn nothing_is_known_below_an_untidy_layer_until_all_are_there() {
        for untidy in [
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
            stack.push(layer(&untidy), &LayerLimits::default()).unwrap();
            assert_eq!(told(&stack, &["", "top", "a", "b"]), "df??", "{untidy:?}");
        }
        let mut stack = LayerStack::new();
        for words in [vec!["f l/x"], vec!["d elsewhere", "l l"]] {
            stack.push(layer(&words), &LayerLimits::default()).unwrap();
        }
        stack.complete(&LayerLimits::default()).unwrap();
        assert_eq!(told(&stack, &["l", "l/x", "elsewhere/x", "none"]), "l-f-");
    }

    #[test]
    fn names_and_bytes_are_bounded_over_all_layers() {
        let two = || layer(&["d a", "f a/x"]);
        let push = |limits: LayerLimits| {
            let mut stack = LayerStack::new();
            stack.push(two(), &limits).and_then(|()| stack.push(two(), &limits))
        };
        let kept = 2 * two().memory_size;
        assert_eq!(push(LayerLimits { total_entries: 4, memory: kept, ..LayerLimits::default() }), Ok(()));
        assert_eq!(
            push(LayerLimits { total_entries: 3, ..LayerLimits::default() }),
            Err(LimitExceeded::TotalEntries(3))
        );
        assert_eq!(
            push(LayerLimits { memory: kept - 1, ..LayerLimits::default() }),
            Err(LimitExceeded::Memory(kept - 1))
        );
    }

    #[test]
    fn a_stack_that_no_runtime_could_unpack_is_refused() {
        let mut stack = LayerStack::new();
        stack.push(layer(&["f a/x"]), &LayerLimits::default()).unwrap();
        stack.push(layer(&["f a"]), &LayerLimits::default()).unwrap();
        assert_eq!(stack.complete(&LayerLimits::default()), Err(ApplyError::NotADirectory("a".into())));
    }
}
