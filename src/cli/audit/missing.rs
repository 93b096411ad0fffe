//! What an audit ought to have looked at and did not, in sentences.
//!
//! Does not say why; each error was told when it happened.

use super::progress::AuditTotals;
use super::summary::{format_count, format_count_of};

/// What there is no answer of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AuditGaps {
    /// Images that could not be read.
    pub(super) unread_images: u64,
    /// Repositories whose images could not be listed.
    pub(super) unlisted_repositories: u64,
    /// Whether the listing of the repositories broke off.
    pub(super) is_listing_incomplete: bool,
    pub(super) was_interrupted: bool,
}

impl AuditGaps {
    pub(super) fn new(done: AuditTotals, is_cut: bool, was_interrupted: bool) -> Self {
        Self {
            unread_images: done.unread_images,
            unlisted_repositories: done.unlisted_repositories,
            is_listing_incomplete: is_cut,
            was_interrupted,
        }
    }

    /// Whether anything is.
    pub(super) fn is_any(self) -> bool {
        self.unread_images + self.unlisted_repositories > 0 || self.is_listing_incomplete || self.was_interrupted
    }

    /// A sentence for each kind.
    pub(super) fn sentences(self) -> Vec<String> {
        let repositories = format_count_of(self.unlisted_repositories, "repository", "repositories");
        let sentences = [
            (
                self.unread_images > 0,
                format!("{} could not be read and got no answer.", format_count(self.unread_images, "image")),
            ),
            (self.unlisted_repositories > 0, format!("The images of {repositories} could not be listed.")),
            (self.is_listing_incomplete, "Not all repositories were listed.".to_owned()),
            (self.was_interrupted, "The audit was interrupted before it came to all images.".to_owned()),
        ];
        sentences.into_iter().filter_map(|(is_so, sentence)| is_so.then_some(sentence)).collect()
    }
}
