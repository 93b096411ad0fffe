//! A manifest or index as a document, read leniently: what it leaves out is decided by what it holds.
//!
//! Does not fetch what it refers to.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::config::ImageConfig;
use super::lenient_json::{LenientList, LenientNumber, LenientObject, LenientString, parse_object};
use super::media_type;
use super::media_type::{Layer, MediaTypeFamily, MediaTypeKind};
use crate::name::Digest;
use crate::platform::Platform;
use crate::text::sanitize;

/// What a manifest describes, before anything that it refers to is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ManifestDocument {
    Manifest { family: MediaTypeFamily, config: ConfigBlob, layers: Vec<Layer>, layers_error: Option<String> },
    Index(Vec<Descriptor>),
    Schema1 { layers: Vec<Layer>, layers_error: Option<String>, config: Box<ImageConfig> },
    Artifact(String),
    Attestation,
}

/// A blob that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigBlob {
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
const ATTESTATION_PREFIX: &str = "application/vnd.docker.attestation.";

/// More layers than any builder makes, so that a list of a million small ones is not walked: overlayfs, which every
/// container runtime mounts images with, takes no more than 500.
pub(super) const MAX_LAYERS: usize = 500;

/// How much of a strange media type is shown, in characters.
const MAX_SHOWN_MEDIA_TYPE: usize = 100;

/// Why layers are missing from those that are kept, if any are.
pub(super) fn describe_excess_layers(total: Option<usize>) -> Option<String> {
    total
        .filter(|total| *total > MAX_LAYERS)
        .map(|total| format!("it has {total} layers, more than the {MAX_LAYERS} that are read"))
}

/// More children than any index has that people build; the largest official ones have some 30 with attestations.
pub(super) const MAX_CHILDREN: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireManifest {
    schema_version: LenientNumber,
    media_type: LenientString,
    artifact_type: LenientString,
    config: LenientObject<WireDescriptor>,
    layers: LenientList<WireDescriptor, MAX_LAYERS>,
    manifests: LenientList<WireDescriptor, MAX_CHILDREN>,
    /// Only whether it is there: the first format's own reader reads it.
    fs_layers: LenientList<IgnoredAny, 0>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireDescriptor {
    media_type: LenientString,
    artifact_type: LenientString,
    digest: LenientString,
    size: LenientNumber,
    platform: LenientObject<WirePlatform>,
    annotations: LenientObject<WireAnnotations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireAnnotations {
    /// Says what a child is to its siblings:
    /// <https://docs.docker.com/build/metadata/attestations/attestation-storage/>.
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: LenientString,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WirePlatform {
    os: LenientString,
    architecture: LenientString,
    variant: LenientString,
}

impl ManifestDocument {
    /// Reads the document that the registry calls by this media type, which may be empty.
    ///
    /// # Errors
    /// Says what is wrong where the document is no manifest at all.
    pub(super) fn parse(media_type: &str, bytes: &[u8]) -> Result<Self, String> {
        let wire: WireManifest =
            parse_object(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        // The document's own word first: a registry may only have guessed.
        let named = if wire.media_type.0.is_empty() { media_type.to_owned() } else { wire.media_type.0.clone() };
        let kind = match media_type::classify_manifest(&named) {
            MediaTypeKind::Other if wire.manifests.total.is_some() => MediaTypeKind::Index,
            MediaTypeKind::Other if wire.schema_version.0 == Some(1) || wire.fs_layers.total.is_some() => {
                MediaTypeKind::Schema1
            }
            MediaTypeKind::Other => MediaTypeKind::Manifest(wire.infer_family()),
            known => known,
        };
        match kind {
            MediaTypeKind::Index => wire.into_index(),
            MediaTypeKind::Schema1 => crate::oci::schema1::parse_schema1(bytes),
            MediaTypeKind::Manifest(family) => wire.into_manifest(family, &named),
            MediaTypeKind::Other => unreachable!("replaced above"),
        }
    }
}

impl WireManifest {
    /// For a manifest without a media type: Docker's always have one, so the config's type decides.
    fn infer_family(&self) -> MediaTypeFamily {
        let config = self.config.0.as_ref().map_or("", |config| &config.media_type.0);
        if config.starts_with("application/vnd.docker.") { MediaTypeFamily::Docker } else { MediaTypeFamily::Oci }
    }

    fn into_manifest(self, family: MediaTypeFamily, named: &str) -> Result<ManifestDocument, String> {
        let Some(config) = self.config.0 else {
            // An OCI artifact manifest of the 1.1 release candidates has blobs and no config.
            let kind = if self.artifact_type.0.is_empty() { named } else { &self.artifact_type.0 };
            let is_artifact = !kind.is_empty() && media_type::classify_manifest(kind) == MediaTypeKind::Other;
            let artifact = is_artifact.then(|| ManifestDocument::Artifact(kind.to_owned()));
            return artifact.ok_or_else(|| "its manifest has no config".to_owned());
        };
        let LenientList { items: layers, total } = self.layers;
        let files: Vec<Layer> = layers.iter().filter_map(WireDescriptor::to_layer).collect();
        let is_image = media_type::is_image_config(&config.media_type.0)
            || family == MediaTypeFamily::Docker
                && !files.is_empty()
                && media_type::is_generic_config(&config.media_type.0);
        let in_toto = !layers.is_empty() && layers.iter().all(|layer| media_type::is_in_toto(&layer.media_type.0));
        let artifact_type = self.artifact_type.0;
        if artifact_type.starts_with(ATTESTATION_PREFIX) || artifact_type.is_empty() && is_image && in_toto {
            return Ok(ManifestDocument::Attestation);
        }
        if !artifact_type.is_empty() && !media_type::is_image_config(&artifact_type) {
            return Ok(ManifestDocument::Artifact(artifact_type));
        }
        if !is_image {
            return Ok(ManifestDocument::Artifact(config.media_type.0));
        }
        if let (true, Some(layer)) = (files.is_empty(), layers.first()) {
            // The config's type alone does not make an image: cosign's signatures carry it too.
            return Ok(ManifestDocument::Artifact(layer.media_type.0.clone()));
        }
        let digest = config.digest.0.parse().map_err(|error| format!("its config cannot be named: {error}"))?;
        let config = ConfigBlob { digest, size: config.size.0.unwrap_or(0) };
        let odd = layers.iter().find(|layer| layer.to_layer().is_none());
        let odd = odd.map(|layer| {
            format!("one of its layers is of the type `{}`", sanitize(&layer.media_type.0, MAX_SHOWN_MEDIA_TYPE))
        });
        let gap = odd.or_else(|| describe_excess_layers(total));
        Ok(ManifestDocument::Manifest { family, config, layers: files, layers_error: gap })
    }

    fn into_index(self) -> Result<ManifestDocument, String> {
        let LenientList { items: children, total } = self.manifests;
        if !self.artifact_type.0.is_empty() && !media_type::is_image_config(&self.artifact_type.0) {
            return Ok(ManifestDocument::Artifact(self.artifact_type.0));
        }
        let mut images: Vec<Descriptor> = Vec::new();
        for child in children.iter().filter(|child| child.is_image()) {
            let unnamed = |error| format!("a child of its index cannot be named: {error}");
            let digest = child.digest.0.parse().map_err(unnamed)?;
            let is_index = media_type::classify_manifest(&child.media_type.0) == MediaTypeKind::Index;
            let platform = child.platform.0.as_ref().map(WirePlatform::to_platform).unwrap_or_default();
            let descriptor = Descriptor { digest, is_index, platform };
            if !images.contains(&descriptor) {
                images.push(descriptor);
            }
        }
        match (children.first(), total.unwrap_or_default()) {
            // Build caches and referrers' lists are indexes of things that are no images, and may be long.
            (Some(first), _) if images.is_empty() => {
                let all = children.iter().all(WireDescriptor::is_attestation);
                Ok(if all { ManifestDocument::Attestation } else { ManifestDocument::Artifact(first.described_type()) })
            }
            (_, total) if total > MAX_CHILDREN => {
                Err(format!("its index has {total} children, more than the {MAX_CHILDREN} that are read"))
            }
            _ => Ok(ManifestDocument::Index(images)),
        }
    }
}

impl WireDescriptor {
    fn to_layer(&self) -> Option<Layer> {
        let (compression, access) = media_type::parse_layer_type(&self.media_type.0)?;
        let size = self.size.0.unwrap_or(0);
        Some(Layer { digest: self.digest.0.parse().ok()?, compression, size, access })
    }

    /// Whether a client looking for a platform would consider this child. One whose descriptor has a platform but no
    /// type that is known, or no type at all, is what its manifest says it is.
    fn is_image(&self) -> bool {
        let is_known = media_type::classify_manifest(&self.media_type.0) != MediaTypeKind::Other;
        let is_manifest = is_known || self.media_type.0.is_empty() || self.platform.0.is_some();
        let is_artifact = !self.artifact_type.0.is_empty() && !media_type::is_image_config(&self.artifact_type.0);
        is_manifest && !is_artifact && !self.is_attestation() && !self.has_unknown_platform()
    }

    /// As `BuildKit` marks them.
    fn is_attestation(&self) -> bool {
        let kind = self.annotations.0.as_ref().map(|annotations| annotations.reference_type.0.as_str());
        kind == Some("attestation-manifest") || self.artifact_type.0.starts_with(ATTESTATION_PREFIX)
    }

    /// `unknown/unknown`, written in so many words: no runtime selects it.
    fn has_unknown_platform(&self) -> bool {
        let platform = self.platform.0.as_ref();
        platform.is_some_and(|platform| platform.os.0 == "unknown" && platform.architecture.0 == "unknown")
    }

    fn described_type(&self) -> String {
        [&self.artifact_type.0, &self.media_type.0]
            .into_iter()
            .find(|text| !text.is_empty())
            .cloned()
            .unwrap_or_default()
    }
}

impl WirePlatform {
    fn to_platform(&self) -> Platform {
        Platform::new(&self.os.0, &self.architecture.0, &self.variant.0)
    }
}
