//! Media types of manifests and configs: which are indexes, images or configs of images. Sources: OCI image specification,
//! "Media Types", and Docker's "Image Manifest Version 2, Schema 2".

use crate::registry::media_types::{
    DOCKER_CONFIG, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, OCI_CONFIG, OCI_INDEX,
    OCI_MANIFEST,
};

/// Whose media types a manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTypeFamily {
    /// Docker's.
    Docker,
    /// Those of the Open Container Initiative.
    Oci,
}

/// The kind of document that a media type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaTypeKind {
    Index,
    Manifest(MediaTypeFamily),
    Schema1,
}

/// Classifies the media type of a manifest or a descriptor; `None` if it is not that of a manifest.
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

/// Returns whether this is a media type that registries and old clients use in place of an image config's, and that
/// Docker Engine accepts as one: `imageTypes` in moby's `distribution/registry.go`.
pub(super) fn is_generic_config(media_type: &str) -> bool {
    matches!(media_type, "" | "application/octet-stream" | "application/json" | "text/html" | "text/plain")
}

/// Returns whether this is the media type of an in-toto attestation, as `BuildKit` attaches them.
pub(super) fn is_in_toto(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.in-toto")
}
