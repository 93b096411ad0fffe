//! What an audit ought to have looked at and did not, in sentences.
//!
//! Does not say why; each error was told when it happened.

use super::progress::Done;
use super::summary::{counted, counted_many};

/// What there is no answer of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Missing {
    /// Images that could not be read.
    pub(super) unread: u64,
    /// Repositories whose images could not be listed.
    pub(super) unlisted: u64,
    /// Whether the listing of the repositories broke off.
    pub(super) is_cut: bool,
    pub(super) was_interrupted: bool,
}

impl Missing {
    pub(super) fn new(done: Done, is_cut: bool, was_interrupted: bool) -> Self {
        Self { unread: done.unread, unlisted: done.unlisted, is_cut, was_interrupted }
    }

    /// Whether anything is.
    pub(super) fn is_any(self) -> bool {
        self.unread + self.unlisted > 0 || self.is_cut || self.was_interrupted
    }

    /// A sentence for each kind.
    pub(super) fn sentences(self) -> Vec<String> {
        let repositories = counted_many(self.unlisted, "repository", "repositories");
        let sentences = [
            (self.unread > 0, format!("{} could not be read and got no answer.", counted(self.unread, "image"))),
            (self.unlisted > 0, format!("The images of {repositories} could not be listed.")),
            (self.is_cut, "Not all repositories were listed.".to_owned()),
            (self.was_interrupted, "The audit was interrupted before it came to all images.".to_owned()),
        ];
        sentences.into_iter().filter_map(|(is_so, sentence)| is_so.then_some(sentence)).collect()
    }
}
