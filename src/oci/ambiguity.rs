//! Detects documents that are an index to one program and a manifest to another (CVE-2021-41190).
//!
//! Container runtimes refuse most of them: `validateMediaType` in containerd's `images/image.go`, and `validateManifest`
//! and `validateIndex` in docker/distribution's `manifest/ocischema/manifest.go` and `manifest/manifestlist/manifestlist.go`.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::lenient_json::{LenientString, parse_object};
use super::media_type::{MediaTypeKind, classify_manifest};
use super::refusal::{ImageRefusal, RefusedBy};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireKeys {
    media_type: LenientString,
    config: KeyPresence,
    layers: KeyPresence,
    manifests: KeyPresence,
    fs_layers: KeyPresence,
}

/// Whether a document has a key.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum KeyPresence {
    #[default]
    Absent,
    /// Its value is `null`, which only containerd distinguishes from a missing key.
    Null,
    Present,
}

impl<'de> Deserialize<'de> for KeyPresence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<IgnoredAny>::deserialize(deserializer)?;
        Ok(if value.is_some() { Self::Present } else { Self::Null })
    }
}

/// Detects a document that contradicts the media type with which it was served, or itself. The media type may be empty
/// if it is unknown.
pub(super) fn detect_ambiguity(served_type: &str, bytes: &[u8]) -> Option<ImageRefusal> {
    let keys: WireKeys = parse_object(bytes).ok()?;
    let own_type = keys.media_type.0.as_str();
    let (served, own) = (classify_manifest(served_type), classify_manifest(own_type));
    let (foreign, description) = match served.or(own)? {
        MediaTypeKind::Index => (keys.config.max(keys.layers), "its index has the keys of a manifest"),
        MediaTypeKind::Manifest(_) => (keys.manifests, "its manifest has the keys of an index"),
        MediaTypeKind::Schema1 => return None,
    };
    let is_index = |kind| matches!(kind, Some(MediaTypeKind::Index));
    if foreign == KeyPresence::Present {
        return Some(ImageRefusal::new(RefusedBy::ContainerRuntimes, description));
    }
    if served.is_some() && own.is_some() && is_index(served) != is_index(own) {
        let reason = format!("the registry serves it as `{served_type}`, but it is marked as `{own_type}`");
        return Some(ImageRefusal::new(RefusedBy::ContainerRuntimes, reason));
    }
    if foreign == KeyPresence::Null || keys.fs_layers != KeyPresence::Absent {
        return Some(ImageRefusal::new(RefusedBy::Containerd, "its manifest has the keys of another format"));
    }
    if served.is_some() && !own_type.is_empty() && own_type != served_type {
        let shown = crate::text::sanitize_quoted(own_type);
        let reason = format!("the registry serves it as `{served_type}`, but it is marked as `{shown}`");
        return Some(ImageRefusal::new(RefusedBy::Docker, reason));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::media_types::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

    #[test]
    fn documents_of_two_kinds_are_refused() {
        use RefusedBy::{ContainerRuntimes, Containerd, Docker};
        for (served, document, expected) in [
            (OCI_MANIFEST, r#"{"config":{},"layers":[]}"#.to_owned(), None),
            (OCI_INDEX, r#"{"manifests":[]}"#.to_owned(), None),
            ("", format!(r#"{{"mediaType":"{OCI_MANIFEST}","config":{{}}}}"#), None),
            (OCI_MANIFEST, r#"{"config":{},"layers":[],"manifests":[]}"#.to_owned(), Some(ContainerRuntimes)),
            (OCI_MANIFEST, r#"{"config":{},"layers":[],"manifests":null}"#.to_owned(), Some(Containerd)),
            (OCI_MANIFEST, r#"{"config":{},"layers":[],"fsLayers":[]}"#.to_owned(), Some(Containerd)),
            (OCI_INDEX, r#"{"manifests":[],"layers":[]}"#.to_owned(), Some(ContainerRuntimes)),
            (OCI_INDEX, r#"{"manifests":[],"config":{}}"#.to_owned(), Some(ContainerRuntimes)),
            (OCI_INDEX, r#"{"manifests":[],"config":null}"#.to_owned(), Some(Containerd)),
            (OCI_MANIFEST, format!(r#"{{"mediaType":"{OCI_INDEX}"}}"#), Some(ContainerRuntimes)),
            (OCI_INDEX, format!(r#"{{"mediaType":"{OCI_MANIFEST}"}}"#), Some(ContainerRuntimes)),
            (OCI_MANIFEST, format!(r#"{{"mediaType":"{DOCKER_MANIFEST}"}}"#), Some(Docker)),
            (OCI_MANIFEST, r#"{"mediaType":"application/x-other"}"#.to_owned(), Some(Docker)),
            ("", format!(r#"{{"mediaType":"{OCI_INDEX}","layers":[]}}"#), Some(ContainerRuntimes)),
            ("application/json", format!(r#"{{"mediaType":"{OCI_MANIFEST}"}}"#), None),
        ] {
            let refusal = detect_ambiguity(served, document.as_bytes());
            assert_eq!(refusal.map(|refusal| refusal.refused_by), expected, "{served} {document}");
        }
    }
}
