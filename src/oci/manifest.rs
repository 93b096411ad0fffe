//! A manifest or index as a document, read leniently: what it leaves out is decided by what it holds.
//!
//! Does not fetch what it refers to.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::config::Config;
use super::json::{List, Number, Object, Text, object};
use super::media_type;
use super::media_type::{Family, Kind, Layer};
use crate::name::Digest;
use crate::platform::Platform;
use crate::text::printable;

/// What a manifest describes, before anything that it refers to is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    Manifest { family: Family, config: Blob, layers: Vec<Layer>, gap: Option<String> },
    Index(Vec<Descriptor>),
    Schema1 { layers: Vec<Layer>, gap: Option<String>, config: Box<Config> },
    Artifact(String),
    Attestation,
}

/// A blob that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    /// Its size in bytes as the manifest says; 0 where it does not.
    pub(super) size: u64,
}

/// One child of an index, as its descriptor describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    pub(super) is_index: bool,
    pub(super) platform: Platform,
}

/// What the artifact type of an attestation of `BuildKit`'s begins with.
const ATTESTATION: &str = "application/vnd.docker.attestation.";

/// More layers than any builder makes, so that a list of a million small ones is not walked: overlayfs, which every
/// container runtime mounts images with, takes no more than 500.
pub(super) const MAX_LAYERS: usize = 500;

/// How much of a strange media type is shown, in characters.
const MAX_SHOWN: usize = 100;

/// Why layers are missing from those that are kept, if any are.
pub(super) fn too_many(total: Option<usize>) -> Option<String> {
    total
        .filter(|total| *total > MAX_LAYERS)
        .map(|total| format!("it has {total} layers, more than the {MAX_LAYERS} that are read"))
}

/// More children than any index has that people build; the largest official ones have some 30 with attestations.
pub(super) const MAX_CHILDREN: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    schema_version: Number,
    media_type: Text,
    artifact_type: Text,
    config: Object<WireDescriptor>,
    layers: List<WireDescriptor, MAX_LAYERS>,
    manifests: List<WireDescriptor, MAX_CHILDREN>,
    /// Only whether it is there: the first format's own reader reads it.
    fs_layers: List<IgnoredAny, 0>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireDescriptor {
    media_type: Text,
    artifact_type: Text,
    digest: Text,
    size: Number,
    platform: Object<WirePlatform>,
    annotations: Object<Annotations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    /// Says what a child is to its siblings:
    /// <https://docs.docker.com/build/metadata/attestations/attestation-storage/>.
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WirePlatform {
    os: Text,
    architecture: Text,
    variant: Text,
}

impl Document {
    /// Reads the document that the registry calls by this media type, which may be empty.
    ///
    /// # Errors
    /// Says what is wrong where the document is no manifest at all.
    pub(super) fn parse(media_type: &str, bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = object(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        // The document's own word first: a registry may only have guessed.
        let named = if wire.media_type.0.is_empty() { media_type.to_owned() } else { wire.media_type.0.clone() };
        let kind = match media_type::kind(&named) {
            Kind::Other if wire.manifests.total.is_some() => Kind::Index,
            Kind::Other if wire.schema_version.0 == Some(1) || wire.fs_layers.total.is_some() => Kind::Schema1,
            Kind::Other => Kind::Manifest(wire.family()),
            known => known,
        };
        match kind {
            Kind::Index => wire.index(),
            Kind::Schema1 => crate::oci::schema1::read(bytes),
            Kind::Manifest(family) => wire.manifest(family, &named),
            Kind::Other => unreachable!("replaced above"),
        }
    }
}

impl Wire {
    /// For a manifest without a media type: Docker's always have one, so the config's type decides.
    fn family(&self) -> Family {
        let config = self.config.0.as_ref().map_or("", |config| &config.media_type.0);
        if config.starts_with("application/vnd.docker.") { Family::Docker } else { Family::Oci }
    }

    fn manifest(self, family: Family, named: &str) -> Result<Document, String> {
        let Some(config) = self.config.0 else {
            // An OCI artifact manifest of the 1.1 release candidates has blobs and no config.
            let kind = if self.artifact_type.0.is_empty() { named } else { &self.artifact_type.0 };
            let is_artifact = !kind.is_empty() && media_type::kind(kind) == Kind::Other;
            let artifact = is_artifact.then(|| Document::Artifact(kind.to_owned()));
            return artifact.ok_or_else(|| "its manifest has no config".to_owned());
        };
        let List { kept: layers, total } = self.layers;
        let files: Vec<Layer> = layers.iter().filter_map(WireDescriptor::layer).collect();
        let is_image = media_type::is_image_config(&config.media_type.0)
            || family == Family::Docker && !files.is_empty() && media_type::is_default_config(&config.media_type.0);
        let in_toto = !layers.is_empty() && layers.iter().all(|layer| media_type::is_in_toto(&layer.media_type.0));
        let artifact_type = self.artifact_type.0;
        if artifact_type.starts_with(ATTESTATION) || artifact_type.is_empty() && is_image && in_toto {
            return Ok(Document::Attestation);
        }
        if !artifact_type.is_empty() && !media_type::is_image_config(&artifact_type) {
            return Ok(Document::Artifact(artifact_type));
        }
        if !is_image {
            return Ok(Document::Artifact(config.media_type.0));
        }
        if let (true, Some(layer)) = (files.is_empty(), layers.first()) {
            // The config's type alone does not make an image: cosign's signatures carry it too.
            return Ok(Document::Artifact(layer.media_type.0.clone()));
        }
        let digest = config.digest.0.parse().map_err(|error| format!("its config cannot be named: {error}"))?;
        let config = Blob { digest, size: config.size.0.unwrap_or(0) };
        let odd = layers.iter().find(|layer| layer.layer().is_none());
        let odd = odd
            .map(|layer| format!("one of its layers is of the type `{}`", printable(&layer.media_type.0, MAX_SHOWN)));
        let gap = odd.or_else(|| too_many(total));
        Ok(Document::Manifest { family, config, layers: files, gap })
    }

    fn index(self) -> Result<Document, String> {
        let List { kept: children, total } = self.manifests;
        if !self.artifact_type.0.is_empty() && !media_type::is_image_config(&self.artifact_type.0) {
            return Ok(Document::Artifact(self.artifact_type.0));
        }
        let mut images: Vec<Descriptor> = Vec::new();
        for child in children.iter().filter(|child| child.is_image()) {
            let unnamed = |error| format!("a child of its index cannot be named: {error}");
            let digest = child.digest.0.parse().map_err(unnamed)?;
            let is_index = media_type::kind(&child.media_type.0) == Kind::Index;
            let platform = child.platform.0.as_ref().map(WirePlatform::read).unwrap_or_default();
            let descriptor = Descriptor { digest, is_index, platform };
            if !images.contains(&descriptor) {
                images.push(descriptor);
            }
        }
        match (children.first(), total.unwrap_or_default()) {
            // Build caches and referrers' lists are indexes of things that are no images, and may be long.
            (Some(first), _) if images.is_empty() => {
                let all = children.iter().all(WireDescriptor::is_attestation);
                Ok(if all { Document::Attestation } else { Document::Artifact(first.kind()) })
            }
            (_, total) if total > MAX_CHILDREN => {
                Err(format!("its index has {total} children, more than the {MAX_CHILDREN} that are read"))
            }
            _ => Ok(Document::Index(images)),
        }
    }
}

impl WireDescriptor {
    fn layer(&self) -> Option<Layer> {
        let (compression, access) = media_type::files(&self.media_type.0)?;
        let size = self.size.0.unwrap_or(0);
        Some(Layer { digest: self.digest.0.parse().ok()?, compression, size, access })
    }

    /// Whether a client looking for a platform would consider this child. One whose descriptor has a platform but no
    /// type that is known, or no type at all, is what its manifest says it is.
    fn is_image(&self) -> bool {
        let is_known = media_type::kind(&self.media_type.0) != Kind::Other;
        let is_manifest = is_known || self.media_type.0.is_empty() || self.platform.0.is_some();
        let is_artifact = !self.artifact_type.0.is_empty() && !media_type::is_image_config(&self.artifact_type.0);
        is_manifest && !is_artifact && !self.is_attestation() && !self.is_for_no_platform()
    }

    /// As `BuildKit` marks them.
    fn is_attestation(&self) -> bool {
        let kind = self.annotations.0.as_ref().map(|annotations| annotations.reference_type.0.as_str());
        kind == Some("attestation-manifest") || self.artifact_type.0.starts_with(ATTESTATION)
    }

    /// `unknown/unknown`, written in so many words: no runtime selects it.
    fn is_for_no_platform(&self) -> bool {
        let platform = self.platform.0.as_ref();
        platform.is_some_and(|platform| platform.os.0 == "unknown" && platform.architecture.0 == "unknown")
    }

    fn kind(&self) -> String {
        [&self.artifact_type.0, &self.media_type.0]
            .into_iter()
            .find(|text| !text.is_empty())
            .cloned()
            .unwrap_or_default()
    }
}

impl WirePlatform {
    fn read(&self) -> Platform {
        Platform::new(&self.os.0, &self.architecture.0, &self.variant.0)
    }
}
