//! The names of things: digests, tags, repositories. Pure; every name is checked once, here.
//!
//! Does not know what an image is, nor where it is read.

mod digest;
mod tag;
mod mark;
mod repository;
#[cfg(feature = "cli")]
mod remote;

pub use digest::{Digest, DigestError};
pub use mark::MARK_PREFIX;
#[cfg(feature = "cli")]
pub use remote::{Remote, RemoteError};
pub use repository::{Repository, RepositoryError, arn_of_repositories};
pub use tag::{Tag, TagError};

/// Which image of a repository is meant: by digest, by tag, or by both, where the registry is to confirm that they
/// still belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Whatever the tag points at now.
    Tag(Tag),
    /// These bytes, whatever points at them.
    Digest(Digest),
    /// These bytes, as long as the tag still points at them.
    Both(Digest, Tag),
}

impl Selector {
    /// The selector for what an event or a user gave; `None` where neither is known.
    #[must_use]
    pub fn new(digest: Option<Digest>, tag: Option<Tag>) -> Option<Self> {
        match (digest, tag) {
            (Some(digest), Some(tag)) => Some(Self::Both(digest, tag)),
            (Some(digest), None) => Some(Self::Digest(digest)),
            (None, Some(tag)) => Some(Self::Tag(tag)),
            (None, None) => None,
        }
    }

    /// The digest that the answer must have, where one is known beforehand.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) | Self::Both(digest, _) => Some(digest),
        }
    }

    /// The tag, where one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Digest(_) => None,
            Self::Tag(tag) | Self::Both(_, tag) => Some(tag),
        }
    }
}

/// What somebody wrote, made fit to stand between backticks in a message: cut to 100 characters, and without what
/// would disturb a terminal, markup or a line.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c }).take(100).collect()
}

/// The text without what would disturb a terminal or a message, cut at a character boundary.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if hidden(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).take(most).collect()
}
