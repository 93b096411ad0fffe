//! Media types: which manifests are indexes, which configs are images', which layers hold files.
//!
//! Does not know documents, only their types. From the OCI image specification, "Media Types", and Docker's "Image
//! Manifest Version 2, Schema 2".

use crate::name::Digest;

/// Whose media types a manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTypeFamily {
    /// Docker's.
    Docker,
    /// The Open Container Initiative's.
    Oci,
}

/// How a layer is compressed, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// One layer of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its blob.
    pub digest: Digest,
    /// How it says it is compressed.
    pub compression: Compression,
    /// Its size in bytes as the manifest says; 0 where it does not.
    pub size: u64,
    /// Whether its files can be read.
    pub access: LayerAccess,
}

/// Whether the files of a layer can be read, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerAccess {
    /// They can.
    Readable,
    /// They are encrypted, for whom the image is meant.
    Encrypted,
    /// They lie elsewhere, at an address that the manifest names and that is never followed.
    Foreign,
}

/// What a manifest's or a descriptor's media type says of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaTypeKind {
    Index,
    Manifest(MediaTypeFamily),
    Schema1,
    Other,
}

pub(super) fn classify_manifest(media_type: &str) -> MediaTypeKind {
    match media_type {
        "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json" => {
            MediaTypeKind::Index
        }
        "application/vnd.oci.image.manifest.v1+json" => MediaTypeKind::Manifest(MediaTypeFamily::Oci),
        "application/vnd.docker.distribution.manifest.v2+json" => MediaTypeKind::Manifest(MediaTypeFamily::Docker),
        "application/vnd.docker.distribution.manifest.v1+json"
        | "application/vnd.docker.distribution.manifest.v1+prettyjws" => MediaTypeKind::Schema1,
        _ => MediaTypeKind::Other,
    }
}

/// Whether this is the type of a container image's config.
pub(super) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json")
}

/// Whether this is a type that registries and old clients put in the place of an image config's, which Docker Engine
/// takes for one: `imageTypes` in moby's `distribution/registry.go`.
pub(super) fn is_generic_config(media_type: &str) -> bool {
    matches!(media_type, "" | "application/octet-stream" | "application/json" | "text/html" | "text/plain")
}

/// Whether this is the layer of an in-toto attestation, as `BuildKit` attaches them.
pub(super) fn is_in_toto(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.in-toto")
}

/// What the types of layers of files begin with.
const LAYER_TYPE_PREFIXES: [(&str, LayerAccess); 4] = [
    ("application/vnd.oci.image.layer.v1.tar", LayerAccess::Readable),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", LayerAccess::Foreign),
    ("application/vnd.docker.image.rootfs.diff.tar", LayerAccess::Readable),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", LayerAccess::Foreign),
];

/// The compression of a layer of files; `None` where the type is that of something else.
pub(super) fn parse_layer_type(media_type: &str) -> Option<(Compression, LayerAccess)> {
    // Encryption is written behind everything else: `ocicrypt`'s "OCI Image Encryption".
    let (media_type, sealed) = match media_type.strip_suffix("+encrypted") {
        Some(media_type) => (media_type, Some(LayerAccess::Encrypted)),
        None => (media_type, None),
    };
    let (suffix, access) =
        LAYER_TYPE_PREFIXES.iter().find_map(|(prefix, access)| Some((media_type.strip_prefix(prefix)?, *access)))?;
    let compression = match suffix {
        "" => Compression::None,
        "+gzip" | ".gzip" => Compression::Gzip,
        "+zstd" | ".zstd" => Compression::Zstd,
        _ => return None,
    };
    Some((compression, sealed.unwrap_or(access)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_files_are_told_from_others() {
        use Compression::{Gzip, None as Plain, Zstd};
        use LayerAccess::{Encrypted, Foreign, Readable};
        for (media_type, expected) in [
            ("application/vnd.oci.image.layer.v1.tar", Some((Plain, Readable))),
            ("application/vnd.oci.image.layer.v1.tar+gzip", Some((Gzip, Readable))),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Some((Zstd, Readable))),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", Some((Gzip, Encrypted))),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Some((Gzip, Foreign))),
            ("application/vnd.docker.image.rootfs.diff.tar", Some((Plain, Readable))),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some((Gzip, Readable))),
            ("application/vnd.docker.image.rootfs.diff.tar.zstd", Some((Zstd, Readable))),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Some((Gzip, Foreign))),
            ("application/vnd.in-toto+json", None),
            ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", None),
            ("application/vnd.dev.cosign.simplesigning.v1+json", None),
            ("application/vnd.oci.image.layer.v1.tarball", None),
            ("text/spdx", None),
            ("", None),
        ] {
            assert_eq!(parse_layer_type(media_type), expected, "{media_type}");
        }
    }
}
