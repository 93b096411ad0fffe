//! Layers as a stack that is looked at from the top, without laying them one over the other.
//!
//! Does not read them. What it answers while lower layers are missing is what it will answer when they are there.

use std::sync::Arc;

use super::apply::{ApplyError, apply_within};
use super::layer::LayerNames;
use super::tidy::Said;
use super::work::Work;
use crate::rootfs::Unknown;
use crate::rootfs::{Files, Node, ROOT, Rootfs};
use crate::settings::{Bound, Limits};

/// The layers of an image that were read so far, the highest first.
///
/// A tidy layer, as all image builders write them, puts, hides or passes on every name whatever the lower layers are, so
/// that names are looked up from the top. Other layers are an exception: below one nothing is known until all are there,
/// and then they are laid one over the other.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    layers: Vec<Arc<LayerNames>>,
    complete: bool,
    /// What the layers make, where not all of them are tidy.
    laid_out: Option<Rootfs>,
}

impl Stack {
    /// Of no layers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next lower layer.
    ///
    /// # Errors
    /// Where the layers together have too many names, or too much is kept of them.
    pub fn push(&mut self, layer: Arc<LayerNames>, limits: &Limits) -> Result<(), Bound> {
        self.layers.push(layer);
        let sum = |of: fn(&LayerNames) -> usize| self.layers.iter().map(|layer| of(layer)).sum::<usize>();
        if sum(|layer| layer.changes.len()) > limits.entries_in_all {
            return Err(Bound::EntriesInAll(limits.entries_in_all));
        }
        if sum(|layer| layer.kept) > limits.kept {
            return Err(Bound::Kept(limits.kept));
        }
        Ok(())
    }

    /// All layers are there.
    ///
    /// # Errors
    /// Where no runtime could unpack them, or a limit is exceeded; the stack is to be given up then.
    pub fn complete(&mut self, limits: &Limits) -> Result<(), ApplyError> {
        self.complete_while(limits, &|| true)
    }

    /// The same, given up where that says that nobody waits any more.
    ///
    /// # Errors
    /// Likewise, and where it was given up.
    pub fn complete_while(&mut self, limits: &Limits, goes_on: &dyn Fn() -> bool) -> Result<(), ApplyError> {
        if self.layers.iter().any(|layer| !layer.changes.is_tidy()) {
            let (mut rootfs, mut work) = (Rootfs::default(), Work::new(limits, goes_on));
            // Each layer goes as soon as it is laid out, so that no name is kept twice for long.
            while let Some(layer) = self.layers.pop() {
                apply_within(&mut rootfs, &layer, limits, &mut work)?;
            }
            self.laid_out = Some(rootfs);
        }
        self.complete = true;
        Ok(())
    }
}

impl Files for Stack {
    fn at(&self, path: &[u8]) -> Result<Option<&Node>, Unknown> {
        if let Some(rootfs) = &self.laid_out {
            return Ok(rootfs.at(path));
        }
        if path.is_empty() {
            return Ok(Some(&ROOT));
        }
        for layer in self.layers.iter().take_while(|layer| layer.changes.is_tidy()) {
            match layer.changes.said(path) {
                Said::Put(node) => return Ok(Some(node)),
                Said::Hidden => return Ok(None),
                Said::Nothing => {}
            }
        }
        if self.complete { Ok(None) } else { Err(Unknown::Unread([b"/", path].concat())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::changes::{Change, Changes};
    use crate::rootfs::Contents;
    use crate::rootfs::Owner;

    /// A layer from words: `d a` puts a directory, `f a` a file, `l a` a link, `h a b` a hard link to b, `w a` removes a,
    /// `o a` all that lower layers have below it.
    fn layer(words: &[&str]) -> Arc<LayerNames> {
        let limits = Limits::default();
        let mut changes = Changes::default();
        for word in words {
            let (kind, path) = word.split_once(' ').unwrap();
            let (path, target) = path.split_once(' ').unwrap_or((path, ""));
            let (path, target) = (path.as_bytes(), target.as_bytes());
            let file = Node::File(Owner { mode: 0o755, ..Owner::default() }, Contents::sized(words.len() as u64));
            let change = match kind {
                "d" => Change::Put(path, &ROOT),
                "f" => Change::Put(path, &file),
                "l" => Change::Put(path, &Node::Link(b"/elsewhere".to_vec())),
                "h" => Change::HardLink { path, target },
                "w" => Change::Whiteout(path),
                _ => Change::Opaque(path),
            };
            changes.push(change, &limits).unwrap();
        }
        let changes = changes.finish();
        let kept = changes.kept();
        Arc::new(LayerNames { changes, decompressed: 0, kept })
    }

    /// What each of the names is: a letter as above, `-` for nothing, `?` while it is not known.
    fn told(stack: &Stack, names: &[&str]) -> String {
        let letter = |name: &&str| match stack.at(name.as_bytes()) {
            Err(_) => '?',
            Ok(None) => '-',
            Ok(Some(Node::Directory(_))) => 'd',
            Ok(Some(Node::File(..))) => 'f',
            Ok(Some(Node::Link(_))) => 'l',
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
            let mut stack = Stack::new();
            stack.push(layer(&upper), &Limits::default()).unwrap();
            assert_eq!(told(&stack, &names), before, "{upper:?}");
            stack.push(layer(&LOWER), &Limits::default()).unwrap();
            stack.complete(&Limits::default()).unwrap();
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
            let mut stack = Stack::new();
            stack.push(layer(&["f top"]), &Limits::default()).unwrap();
            stack.push(layer(&untidy), &Limits::default()).unwrap();
            assert_eq!(told(&stack, &["", "top", "a", "b"]), "df??", "{untidy:?}");
        }
        let mut stack = Stack::new();
        for words in [vec!["f l/x"], vec!["d elsewhere", "l l"]] {
            stack.push(layer(&words), &Limits::default()).unwrap();
        }
        stack.complete(&Limits::default()).unwrap();
        assert_eq!(told(&stack, &["l", "l/x", "elsewhere/x", "none"]), "l-f-");
    }

    #[test]
    fn names_and_bytes_are_bounded_over_all_layers() {
        let two = || layer(&["d a", "f a/x"]);
        let push = |limits: Limits| {
            let mut stack = Stack::new();
            stack.push(two(), &limits).and_then(|()| stack.push(two(), &limits))
        };
        let kept = 2 * two().kept;
        assert_eq!(push(Limits { entries_in_all: 4, kept, ..Limits::default() }), Ok(()));
        assert_eq!(push(Limits { entries_in_all: 3, ..Limits::default() }), Err(Bound::EntriesInAll(3)));
        assert_eq!(push(Limits { kept: kept - 1, ..Limits::default() }), Err(Bound::Kept(kept - 1)));
    }

    #[test]
    fn a_stack_that_no_runtime_could_unpack_is_refused() {
        let mut stack = Stack::new();
        stack.push(layer(&["f a/x"]), &Limits::default()).unwrap();
        stack.push(layer(&["f a"]), &Limits::default()).unwrap();
        assert_eq!(stack.complete(&Limits::default()), Err(ApplyError::NoDirectory("a".into())));
    }
}
