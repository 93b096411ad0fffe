//! An image that was read, with what could not be read: the input of every rule and every report.

use super::layer::Layer;
use super::media_type::MediaTypeFamily;
use super::process_config::ProcessConfig;
use crate::name::Digest;
use crate::platform::Platform;

/// An image of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The media type of its manifest or index, as the document or the registry names it.
    pub media_type: String,
    /// What the manifest describes.
    pub content: ImageContent,
    /// The value of the label that declares the intended runtimes, if a config that was read has it.
    pub runtime_label: Option<String>,
}

/// What a manifest describes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "each image has one")]
pub enum ImageContent {
    /// An image for one platform.
    Single(PlatformImage),
    /// Images for several platforms, in the order in which a client considers them.
    Index(Vec<IndexEntry>),
    /// Not an image, with its media type.
    Artifact(String),
    /// A provenance or SBOM attestation, which has the form of an image.
    Attestation,
    /// It could not be read, with the reason.
    Unreadable(String),
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The platform that its config declares; unknown if the config could not be read.
    pub platform: Platform,
    /// Why the config could not be read.
    pub config_error: Option<String>,
    /// Whose media types the manifest uses.
    pub family: MediaTypeFamily,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Why `layers` is incomplete, if it is.
    pub layers_error: Option<String>,
    /// Entrypoint and command, cut to what a message needs; empty if the config has neither or was not read.
    pub shown_command: Vec<String>,
    /// What a container runtime starts, in full; empty if the config was not read.
    pub process: ProcessConfig,
}

/// One child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The digest in its descriptor.
    pub digest: Digest,
    /// The platform in its descriptor, else the one in the child's config.
    pub platform: Platform,
    /// The child itself.
    pub child: IndexChild,
}

/// What is known of the child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most of the few children hold an image")]
pub enum IndexChild {
    /// It was not read, because nothing depends on it.
    NotRead,
    /// Its manifest was read. Its config was read too, unless [`PlatformImage::config_error`] has the reason why not, or
    /// only its layers were needed.
    Read(PlatformImage),
    /// It is unavailable, with the reason.
    Unavailable(String),
}

impl IndexEntry {
    /// Returns the child, if its manifest was read.
    #[must_use]
    pub fn image(&self) -> Option<&PlatformImage> {
        match &self.child {
            IndexChild::Read(image) => Some(image),
            IndexChild::NotRead | IndexChild::Unavailable(_) => None,
        }
    }
}

impl Image {
    /// Returns the platforms that it declares, each once, in its order.
    #[must_use]
    pub fn platforms(&self) -> Vec<&Platform> {
        let mut platforms: Vec<&Platform> = Vec::new();
        let mut add = |platform| {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        };
        match &self.content {
            ImageContent::Single(image) => add(&image.platform),
            ImageContent::Index(entries) => entries.iter().for_each(|entry| add(&entry.platform)),
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => {}
        }
        platforms
    }

    /// Returns whether a manifest or a config that is needed is missing or unreadable.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        match &self.content {
            ImageContent::Single(image) => image.config_error.is_some(),
            ImageContent::Index(entries) => entries.iter().any(|entry| match &entry.child {
                IndexChild::NotRead => false,
                IndexChild::Read(image) => image.config_error.is_some(),
                IndexChild::Unavailable(_) => true,
            }),
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => false,
        }
    }
}
