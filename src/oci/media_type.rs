//! Classifies media types. Sources: OCI image specification, "Media Types", and Docker's schema 2.

use crate::registry::media_types::{
    DOCKER_CONFIG, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, OCI_CONFIG, OCI_INDEX,
    OCI_MANIFEST,
};

/// The family of the media types in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTypeFamily {
    /// Docker's.
    Docker,
    /// The Open Container Initiative's.
    Oci,
}

/// The kind of document that a media type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaTypeKind {
    Index,
    Manifest(MediaTypeFamily),
    Schema1,
}

/// Classifies the media type of a manifest; `None` for any other type.
pub(super) fn classify_manifest(media_type: &str) -> Option<MediaTypeKind> {
    Some(match media_type {
        OCI_INDEX | DOCKER_MANIFEST_LIST => MediaTypeKind::Index,
        OCI_MANIFEST => MediaTypeKind::Manifest(MediaTypeFamily::Oci),
        DOCKER_MANIFEST => MediaTypeKind::Manifest(MediaTypeFamily::Docker),
        DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED => MediaTypeKind::Schema1,
        _ => return None,
    })
}

/// Returns whether this is the media type of a container image's config.
pub(super) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// Returns whether registries and old clients use this type for an image config, and Docker Engine accepts it:
/// `imageTypes` in moby's `distribution/registry.go`.
pub(super) fn is_generic_config(media_type: &str) -> bool {
    matches!(media_type, "" | "application/octet-stream" | "application/json" | "text/html" | "text/plain")
}

/// The prefixes of the layer types of artifacts that tools store with the config type of an image: signatures and
/// attestations of cosign, and SBOMs.
const ARTIFACT_LAYER_PREFIXES: [&str; 8] = [
    "application/vnd.dev.cosign.", "application/vnd.dev.sigstore.", "application/vnd.dsse.envelope",
    "application/vnd.in-toto", "application/vnd.cyclonedx", "application/vnd.syft", "application/spdx", "text/spdx",
];

/// Returns whether this is the media type of a layer of a signature, an attestation or an SBOM.
pub(super) fn is_artifact_layer(media_type: &str) -> bool {
    ARTIFACT_LAYER_PREFIXES.iter().any(|prefix| media_type.starts_with(prefix))
}

/// Returns whether this is the media type of an in-toto attestation, which `BuildKit` attaches to images.
pub(super) fn is_in_toto(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.in-toto")
}
