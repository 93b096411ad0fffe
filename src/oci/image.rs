//! An image, and the reasons why parts of it could not be read.

use super::layer::Layer;
use super::media_type::MediaTypeFamily;
use super::process_config::ProcessConfig;
use super::refusal::ImageRefusal;
use crate::name::Digest;
use crate::platform::Platform;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The media type of its manifest or index.
    pub media_type: String,
    /// The content that the manifest describes.
    pub content: ImageContent,
    /// The value of the label that declares the intended runtimes, if a config has it.
    pub runtime_label: Option<String>,
    /// Why programs refuse the manifest or index itself, if some do.
    pub refusal: Option<ImageRefusal>,
}

/// The content that a manifest describes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "each image has one")]
pub enum ImageContent {
    /// An image for one platform.
    Single(PlatformImage),
    /// Images for several platforms, in the order in which a client considers them.
    Index(Vec<IndexEntry>),
    /// Not an image, with its media type.
    Artifact(String),
    /// A provenance or SBOM attestation, which looks like an image.
    Attestation,
    /// It could not be read, for this reason.
    Unreadable(String),
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The platform in its config; unknown if the config could not be read.
    pub platform: Platform,
    /// When it was created according to its config, in characters of an RFC 3339 date.
    pub created: Option<String>,
    /// Why the config could not be read.
    pub config_error: Option<String>,
    /// The family of the media types in the manifest.
    pub family: MediaTypeFamily,
    /// Its layers, from the lowest to the highest.
    pub layers: Vec<Layer>,
    /// Why `layers` is incomplete, if it is.
    pub layers_error: Option<String>,
    /// Entrypoint and command, truncated for messages; empty if unknown.
    pub shown_command: Vec<String>,
    /// The process that a container runtime starts; empty if unknown.
    pub process: ProcessConfig,
    /// Why programs refuse the image, as far as its manifest and config show.
    pub refusal: Option<ImageRefusal>,
}

/// A child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The digest in its descriptor.
    pub digest: Digest,
    /// The platform in its descriptor, otherwise that in its config.
    pub platform: Platform,
    /// The image.
    pub child: IndexChild,
}

/// What is known about a child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most of the few children hold an image")]
pub enum IndexChild {
    /// It was not read, because the verdict does not depend on it.
    NotRead,
    /// Its manifest was read; its config too, if it was needed and [`PlatformImage::config_error`] is not set.
    Read(PlatformImage),
    /// It is unavailable, for this reason.
    Unavailable(String),
}

impl IndexEntry {
    /// Returns the child, if its manifest was read.
    pub fn image(&self) -> Option<&PlatformImage> {
        match &self.child {
            IndexChild::Read(image) => Some(image),
            IndexChild::NotRead | IndexChild::Unavailable(_) => None,
        }
    }
}

impl PlatformImage {
    fn change_process(&mut self, change: &impl Fn(&ProcessConfig) -> ProcessConfig) {
        self.process = change(&self.process);
        self.shown_command = self.process.shown_command();
    }
}

impl Image {
    /// Changes the process of every image whose config was read.
    pub fn change_processes(&mut self, change: impl Fn(&ProcessConfig) -> ProcessConfig) {
        match &mut self.content {
            ImageContent::Single(image) => image.change_process(&change),
            ImageContent::Index(entries) => {
                for entry in entries {
                    if let IndexChild::Read(image) = &mut entry.child {
                        image.change_process(&change);
                    }
                }
            }
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => {}
        }
    }

    /// Returns the declared platforms, each once.
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

    /// Returns when the image was created, according to the first config that was read.
    pub fn created(&self) -> Option<&str> {
        match &self.content {
            ImageContent::Single(image) => image.created.as_deref(),
            ImageContent::Index(entries) => {
                entries.iter().filter_map(IndexEntry::image).find_map(|image| image.created.as_deref())
            }
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => None,
        }
    }

    /// Returns whether a required manifest or config is missing or unreadable.
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
