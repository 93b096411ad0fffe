//! Parses a manifest or an index. If the media type is missing or unknown, the fields determine the kind.

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};

use super::layer::{Layer, MAX_LAYERS, describe_excess_layers, is_plain_oci_type, parse_layer_type};
use super::lenient_json::{
    LenientList, LenientNumber, LenientObject, LenientString, LenientValue, deserialize_leniently, parse_object,
};
use super::media_type::{
    MediaTypeFamily, MediaTypeKind, classify_manifest, is_artifact_layer, is_generic_config, is_image_config,
    is_in_toto,
};
use super::platform_image::{ConfigBlob, ImageManifest, ManifestConfig};
use super::refusal::{ImageRefusal, RefusedBy};
use super::schema1::parse_schema1;
use crate::name::Digest;
use crate::platform::Platform;
use crate::text::sanitize;

/// A parsed manifest, before anything that it refers to is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ManifestDocument {
    Image(ImageManifest),
    Index(Vec<Descriptor>),
    /// Not an image, with its media type.
    Artifact(String),
    Attestation,
}

/// The descriptor of a child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    /// Its size in the index, in bytes; 0 if unknown.
    pub(super) size: u64,
    pub(super) is_index: bool,
    /// Whether its media type is that of an image or index. containerd ignores others, Docker Engine does not.
    pub(super) has_known_type: bool,
    pub(super) platform: Platform,
}

/// The prefix of the artifact types of `BuildKit`'s attestations.
const ATTESTATION_PREFIX: &str = "application/vnd.docker.attestation.";

/// The prefix of OCI's layer types. containerd and Docker Engine take one with an unknown suffix for an uncompressed layer.
const OCI_LAYER_PREFIX: &str = "application/vnd.oci.image.layer.";

/// How many characters of an unknown media type are shown.
const MAX_SHOWN_MEDIA_TYPE: usize = 100;

/// How many children an index may have: the largest of official images has about 30, including attestations.
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
    /// Only its presence counts; `schema1` parses it.
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
    annotations: WireAnnotations,
}

deserialize_leniently!([] WireAnnotations);

/// The annotations, whose keys are not fields: they differ if they differ in case.
#[derive(Debug, Default)]
struct WireAnnotations {
    /// The relation of a child to its siblings:
    /// <https://docs.docker.com/build/metadata/attestations/attestation-storage/>.
    reference_type: String,
}

impl LenientValue for WireAnnotations {
    fn from_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut annotations = Self::default();
        while let Some((LenientString(key), LenientString(value))) = entries.next_entry()? {
            if key == "vnd.docker.reference.type" {
                annotations.reference_type = value;
            }
        }
        Ok(annotations)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WirePlatform {
    os: LenientString,
    architecture: LenientString,
    variant: LenientString,
}

impl ManifestDocument {
    /// Parses a document with the media type that the registry returned, which may be empty. The error is the reason.
    pub(super) fn parse(media_type: &str, bytes: &[u8]) -> Result<Self, String> {
        let wire: WireManifest = parse_object(bytes).map_err(|error| format!("its manifest is not valid: {error}"))?;
        // The media type in the document has priority: that of the registry may be a guess.
        let named = if wire.media_type.0.is_empty() { media_type.to_owned() } else { wire.media_type.0.clone() };
        match classify_manifest(&named).unwrap_or_else(|| wire.infer_kind()) {
            MediaTypeKind::Index => wire.into_index(),
            MediaTypeKind::Schema1 => parse_schema1(bytes).map(Self::Image),
            MediaTypeKind::Manifest(family) => wire.into_manifest(family, &named),
        }
    }
}

impl WireManifest {
    /// Infers the kind of a document without a known media type. The type of the config determines the family.
    fn infer_kind(&self) -> MediaTypeKind {
        let config_type = self.config.0.as_ref().map_or("", |config| &config.media_type.0);
        if self.manifests.total.is_some() {
            MediaTypeKind::Index
        } else if self.schema_version.0 == Some(1) || self.fs_layers.total.is_some() {
            MediaTypeKind::Schema1
        } else if config_type.starts_with("application/vnd.docker.") {
            MediaTypeKind::Manifest(MediaTypeFamily::Docker)
        } else {
            MediaTypeKind::Manifest(MediaTypeFamily::Oci)
        }
    }

    fn into_manifest(self, family: MediaTypeFamily, named: &str) -> Result<ManifestDocument, String> {
        let Some(config) = self.config.0 else {
            // OCI artifact manifests of the 1.1 release candidates have blobs and no config.
            let kind = if self.artifact_type.0.is_empty() { named } else { &self.artifact_type.0 };
            let is_artifact = !kind.is_empty() && classify_manifest(kind).is_none();
            let artifact = is_artifact.then(|| ManifestDocument::Artifact(kind.to_owned()));
            return artifact.ok_or_else(|| "its manifest has no config".to_owned());
        };
        let LenientList { items: descriptors, total } = self.layers;
        let layers: Vec<Layer> = descriptors.iter().filter_map(WireDescriptor::to_layer).collect();
        let is_image = is_image_config(&config.media_type.0)
            || family == MediaTypeFamily::Docker && !layers.is_empty() && is_generic_config(&config.media_type.0);
        let in_toto = !descriptors.is_empty() && descriptors.iter().all(|layer| is_in_toto(&layer.media_type.0));
        let artifact_type = self.artifact_type.0;
        if artifact_type.starts_with(ATTESTATION_PREFIX) || artifact_type.is_empty() && is_image && in_toto {
            return Ok(ManifestDocument::Attestation);
        }
        if !artifact_type.is_empty() && !is_image_config(&artifact_type) {
            return Ok(ManifestDocument::Artifact(artifact_type));
        }
        if !is_image {
            return Ok(ManifestDocument::Artifact(config.media_type.0));
        }
        if let Some(layer) = descriptors.first().filter(|layer| is_artifact_layer(&layer.media_type.0)) {
            return Ok(ManifestDocument::Artifact(layer.media_type.0.clone()));
        }
        // Such a manifest is an image in a format that is not known here, or an artifact if its config is blank.
        let unknown_layer_type =
            descriptors.first().filter(|_| layers.is_empty()).map(|layer| layer.media_type.0.clone());
        let digest = config.digest.0.parse().map_err(|error| format!("its config has an invalid digest: {error}"))?;
        let is_foreign_type = |layer: &WireDescriptor| {
            parse_layer_type(&layer.media_type.0).is_none() && !layer.media_type.0.starts_with(OCI_LAYER_PREFIX)
        };
        let has_foreign_type = descriptors.iter().any(is_foreign_type);
        let unknown = descriptors.iter().find(|layer| layer.to_layer().is_none()).map(|layer| {
            format!("one of its layers has the type `{}`", sanitize(&layer.media_type.0, MAX_SHOWN_MEDIA_TYPE))
        });
        let has_unsized_layer = descriptors.iter().any(|layer| layer.size.0.unwrap_or(0) == 0);
        // `remotes/handlers.go` of containerd: "unable to fetch descriptor … which reports content size of zero".
        let unsized_layer =
            || ImageRefusal::new(RefusedBy::Containerd, "its manifest has a layer without a valid size");
        // "no processor for media-type" in containerd, "unsupported media type" in Docker Engine.
        let foreign_type = unknown.as_ref().filter(|_| has_foreign_type);
        let foreign_type = foreign_type.map(|reason| ImageRefusal::new(RefusedBy::OldVersions, reason.as_str()));
        let layer_count = total.unwrap_or_default();
        Ok(ManifestDocument::Image(ImageManifest {
            family,
            layers,
            layer_count,
            layers_error: unknown.or_else(|| describe_excess_layers(total)),
            unknown_layer_type,
            refusal: has_unsized_layer.then(unsized_layer).or(foreign_type),
            config: ManifestConfig::Blob(ConfigBlob { digest, size: config.size.0.unwrap_or(0), layer_count }),
        }))
    }

    fn into_index(self) -> Result<ManifestDocument, String> {
        let LenientList { items: children, total } = self.manifests;
        if !self.artifact_type.0.is_empty() && !is_image_config(&self.artifact_type.0) {
            return Ok(ManifestDocument::Artifact(self.artifact_type.0));
        }
        let mut images: Vec<Descriptor> = Vec::new();
        for child in children.iter().filter(|child| child.is_image()) {
            let invalid = |error| format!("a child of its index has an invalid digest: {error}");
            let digest = child.digest.0.parse().map_err(invalid)?;
            let kind = classify_manifest(&child.media_type.0);
            let (is_index, has_known_type) = (kind == Some(MediaTypeKind::Index), kind.is_some());
            let platform = child.platform.0.as_ref();
            let platform = platform.map(|wire| Platform::new(&wire.os.0, &wire.architecture.0, &wire.variant.0));
            let platform = platform.unwrap_or_default();
            let descriptor = Descriptor { digest, size: child.size.0.unwrap_or(0), is_index, has_known_type, platform };
            if !images.contains(&descriptor) {
                images.push(descriptor);
            }
        }
        match (children.first(), total.unwrap_or_default()) {
            // Build caches and lists of referrers are long indexes without images.
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
        let (compression, access) = parse_layer_type(&self.media_type.0)?;
        Some(Layer {
            digest: self.digest.0.parse().ok()?,
            compression,
            size: self.size.0.unwrap_or(0),
            access,
            is_plain_in_containerd: is_plain_oci_type(&self.media_type.0),
            diff_id: None,
        })
    }

    /// Returns whether a client would consider this child for a platform. If its media type is missing, or is unknown
    /// but the descriptor has a platform, the child's manifest determines what it is.
    fn is_image(&self) -> bool {
        let is_manifest = classify_manifest(&self.media_type.0).is_some()
            || self.media_type.0.is_empty()
            || self.platform.0.is_some();
        let is_artifact = !self.artifact_type.0.is_empty() && !is_image_config(&self.artifact_type.0);
        is_manifest && !is_artifact && !self.is_attestation() && !self.has_unknown_platform()
    }

    /// Returns whether `BuildKit` marked it as an attestation.
    fn is_attestation(&self) -> bool {
        self.annotations.reference_type == "attestation-manifest"
            || self.artifact_type.0.starts_with(ATTESTATION_PREFIX)
    }

    /// Returns whether its platform is literally `unknown/unknown`, which no container runtime selects.
    fn has_unknown_platform(&self) -> bool {
        let platform = self.platform.0.as_ref();
        platform.is_some_and(|platform| platform.os.0 == "unknown" && platform.architecture.0 == "unknown")
    }

    fn described_type(&self) -> String {
        let artifact_type = Some(&self.artifact_type.0).filter(|text| !text.is_empty());
        artifact_type.unwrap_or(&self.media_type.0).clone()
    }
}
