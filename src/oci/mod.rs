//! What an image says it is: a single image, an index of platforms, an artifact or an attestation.
//!
//! Does not know where it is meant to run, nor whether what it says is true.

mod media_type;
mod json;
mod process;
mod config;
mod manifest;
mod schema1;
mod index;
mod read;

pub use media_type::{Access, Compression, Family, Layer};
pub use process::{Process, Trace};
pub use read::{Want, read};

use crate::name::Digest;
use crate::platform::Platform;

/// An image as it lies in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The media type of that, as the registry or the document itself names it.
    pub media_type: String,
    /// What it holds.
    pub content: Content,
    /// The value of the label that declares the intended runtimes, where a config that was read has it.
    pub label: Option<String>,
}

/// What a manifest turned out to describe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Content {
    /// One image for one platform.
    Single(Single),
    /// Images for several platforms, in the order in which a client looks through them.
    Index(Vec<Entry>),
    /// Not an image: the media type says what.
    Artifact(String),
    /// A provenance or SBOM attestation, which looks like an image to a runtime.
    Attestation,
    /// It could not be read, because …
    Unreadable(String),
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Single {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What its config says; unknown where that could not be read.
    pub platform: Platform,
    /// Why the config could not be read.
    pub unread: Option<String>,
    /// Whose types the manifest uses.
    pub family: Family,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Why not all its layers are among them, where they are not.
    pub gap: Option<String>,
    /// Entrypoint and command together, cut to what a message needs; empty where the config has neither or was not read.
    pub command: Vec<String>,
    /// What a runtime starts, whole; empty where the config was not read.
    pub process: Process,
}

/// One platform of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The digest that its descriptor names.
    pub digest: Digest,
    /// What its descriptor says, completed by the child's config where the descriptor says nothing.
    pub platform: Platform,
    /// The child itself.
    pub child: Child,
}

/// What is known of the child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most of the few that there are hold an image")]
pub enum Child {
    /// It was not looked at: nothing depends on it.
    Unread,
    /// Its manifest was read; its config where [`Single::unread`] is empty.
    Read(Single),
    /// It cannot be had, because …
    Missing(String),
}

impl Entry {
    /// The child, where its manifest was read.
    #[must_use]
    pub fn single(&self) -> Option<&Single> {
        match &self.child {
            Child::Read(single) => Some(single),
            Child::Unread | Child::Missing(_) => None,
        }
    }
}

impl Image {
    /// The platforms that it claims, each once, in its order.
    #[must_use]
    pub fn platforms(&self) -> Vec<&Platform> {
        let mut platforms: Vec<&Platform> = Vec::new();
        let mut add = |platform| {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        };
        match &self.content {
            Content::Single(single) => add(&single.platform),
            Content::Index(entries) => entries.iter().for_each(|entry| add(&entry.platform)),
            Content::Artifact(_) | Content::Attestation | Content::Unreadable(_) => {}
        }
        platforms
    }

    /// Whether a manifest or a config that was looked for could not be had or not be read.
    #[must_use]
    pub fn lacks_a_part(&self) -> bool {
        let is_unread = |single: &Single| single.unread.is_some();
        let lacks = |entry: &Entry| matches!(entry.child, Child::Missing(_)) || entry.single().is_some_and(is_unread);
        match &self.content {
            Content::Single(single) => is_unread(single),
            Content::Index(entries) => entries.iter().any(lacks),
            Content::Artifact(_) | Content::Attestation | Content::Unreadable(_) => false,
        }
    }
}
