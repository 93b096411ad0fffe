//! The layers of an image. Sources: OCI image specification, "Media Types", and Docker's schema 2.

use crate::name::Digest;

/// The compression of a layer according to its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Uncompressed.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// A layer of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its blob.
    pub digest: Digest,
    /// Its compression.
    pub compression: Compression,
    /// Its size in the manifest, in bytes; 0 if unknown.
    pub size: u64,
    /// Whether its files can be read.
    pub access: LayerAccess,
    /// Whether containerd takes its bytes for an uncompressed archive (`DiffCompression` in `images/mediatypes.go`).
    /// Other types may contain any compression, which is detected.
    pub is_plain_in_containerd: bool,
    /// The digest of its uncompressed archive according to the config, if that was read.
    pub diff_id: Option<String>,
}

/// Whether the files of a layer can be read, according to its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerAccess {
    /// They can be read.
    Readable,
    /// They are encrypted for the recipients of the image.
    Encrypted,
    /// They are not in the registry but at a URL in the manifest, which is never requested.
    Foreign,
}

/// How many layers are read: the maximum that overlayfs, and therefore container runtimes, support.
pub(super) const MAX_LAYERS: usize = 500;

/// Returns why layers are not read, if there are too many.
pub(super) fn describe_excess_layers(total: Option<usize>) -> Option<String> {
    let total = total.filter(|total| *total > MAX_LAYERS)?;
    Some(format!("it has {total} layers, more than the {MAX_LAYERS} that are read"))
}

/// The prefixes of the media types of file layers.
const LAYER_TYPE_PREFIXES: [(&str, LayerAccess); 4] = [
    ("application/vnd.oci.image.layer.v1.tar", LayerAccess::Readable),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", LayerAccess::Foreign),
    ("application/vnd.docker.image.rootfs.diff.tar", LayerAccess::Readable),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", LayerAccess::Foreign),
];

/// Returns whether this is OCI's type of an uncompressed layer.
pub(super) fn is_plain_oci_type(media_type: &str) -> bool {
    media_type == "application/vnd.oci.image.layer.v1.tar"
}

/// Parses the media type of a file layer; `None` for any other type.
pub(super) fn parse_layer_type(media_type: &str) -> Option<(Compression, LayerAccess)> {
    // Encryption is the last suffix: `ocicrypt`'s "OCI Image Encryption".
    let plain_type = media_type.strip_suffix("+encrypted");
    let (suffix, access) = LAYER_TYPE_PREFIXES
        .iter()
        .find_map(|(prefix, access)| Some((plain_type.unwrap_or(media_type).strip_prefix(prefix)?, *access)))?;
    let compression = match suffix {
        "" => Compression::None,
        "+gzip" | ".gzip" => Compression::Gzip,
        "+zstd" | ".zstd" => Compression::Zstd,
        _ => return None,
    };
    Some((compression, if plain_type.is_some() { LayerAccess::Encrypted } else { access }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_layer_types_are_parsed() {
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
