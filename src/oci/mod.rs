//! What an image says it is: a single image, an index of platforms, an artifact or an attestation.
//!
//! Does not know where it is meant to run, nor whether what it says is true.

mod media_type;
mod lenient_json;
mod process_config;
mod config;
mod manifest;
mod schema1;
mod index;
mod reader;

pub use media_type::{Compression, Layer, LayerAccess, MediaTypeFamily};
pub use process_config::{BuildHint, ProcessConfig};
pub use reader::{ImageReadOptions, read_image};

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
    pub content: ImageContent,
    /// The value of the label that declares the intended runtimes, where a config that was read has it.
    pub runtime_label: Option<String>,
}

/// What a manifest turned out to describe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub enum ImageContent {
    /// One image for one platform.
    Single(PlatformImage),
    /// Images for several platforms, in the order in which a client looks through them.
    Index(Vec<IndexEntry>),
    /// Not an image: the media type says what.
    Artifact(String),
    /// A provenance or SBOM attestation, which looks like an image to a runtime.
    Attestation,
    /// It could not be read, because …
    Unreadable(String),
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What its config says; unknown where that could not be read.
    pub platform: Platform,
    /// Why the config could not be read.
    pub config_error: Option<String>,
    /// Whose types the manifest uses.
    pub family: MediaTypeFamily,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Why not all its layers are among them, where they are not.
    pub layers_error: Option<String>,
    /// Entrypoint and command together, cut to what a message needs; empty where the config has neither or was not read.
    pub shown_command: Vec<String>,
    /// What a runtime starts, whole; empty where the config was not read.
    pub process: ProcessConfig,
}

/// One platform of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The digest that its descriptor names.
    pub digest: Digest,
    /// What its descriptor says, completed by the child's config where the descriptor says nothing.
    pub platform: Platform,
    /// The child itself.
    pub child: IndexChild,
}

/// What is known of the child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most of the few that there are hold an image")]
pub enum IndexChild {
    /// It was not looked at: nothing depends on it.
    NotRead,
    /// Its manifest was read; its config where [`Single::unread`] is empty.
    Read(PlatformImage),
    /// It cannot be had, because …
    Unavailable(String),
}

impl IndexEntry {
    /// The child, where its manifest was read.
    #[must_use]
    pub fn image(&self) -> Option<&PlatformImage> {
        match &self.child {
            IndexChild::Read(single) => Some(single),
            IndexChild::NotRead | IndexChild::Unavailable(_) => None,
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
            ImageContent::Single(single) => add(&single.platform),
            ImageContent::Index(entries) => entries.iter().for_each(|entry| add(&entry.platform)),
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => {}
        }
        platforms
    }

    /// Whether a manifest or a config that was looked for could not be had or not be read.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        let is_unread = |single: &PlatformImage| single.config_error.is_some();
        let lacks = |entry: &IndexEntry| {
            matches!(entry.child, IndexChild::Unavailable(_)) || entry.image().is_some_and(is_unread)
        };
        match &self.content {
            ImageContent::Single(single) => is_unread(single),
            ImageContent::Index(entries) => entries.iter().any(lacks),
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => false,
        }
    }
}
