//! Parses Docker's first manifest format: "Image Manifest Version 2, Schema 1".

use serde::Deserialize;

use super::config::ImageConfig;
use super::layer::{Compression, Layer, LayerAccess, MAX_LAYERS, describe_excess_layers};
use super::lenient_json::{LenientList, LenientString, parse_object};
use super::media_type::MediaTypeFamily;
use super::platform_image::{ImageManifest, ManifestConfig};
use crate::platform::Platform;
use crate::registry::schema1_payload;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireSchema1 {
    architecture: LenientString,
    fs_layers: LenientList<WireFsLayer, MAX_LAYERS>,
    history: LenientList<WireSchema1History, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireFsLayer {
    blob_sum: LenientString,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireSchema1History {
    v1_compatibility: LenientString,
}

/// Parses a manifest; the error is the reason. The newest history entry contains the config. Of a signed manifest, only
/// the signed payload counts (`UnmarshalJSON` in docker/distribution's `manifest/schema1/manifest.go`, `stripSignature`
/// in containerd's `remotes/docker/schema1/converter.go`).
pub(super) fn parse_schema1(bytes: &[u8]) -> Result<ImageManifest, String> {
    let payload = schema1_payload::extract_payload(bytes).map_err(str::to_owned)?;
    let wire: WireSchema1 = parse_object(payload.as_deref().unwrap_or(bytes))
        .map_err(|error| format!("its manifest is not valid: {error}"))?;
    let newest = wire.history.items.first().map_or("", |entry| &entry.v1_compatibility.0);
    let mut config = ImageConfig::parse(newest.as_bytes()).unwrap_or_default();
    // Only the history contains the operating system. It is not assumed to be Linux.
    config.platform = Platform::new(config.platform.os(), &wire.architecture.0, config.platform.variant());
    let to_layer = |layer: &WireFsLayer| {
        let (compression, access) = (Compression::Gzip, LayerAccess::Readable);
        let digest = layer.blob_sum.0.parse().ok()?;
        Some(Layer { digest, compression, size: 0, access, is_plain_in_containerd: false, diff_id: None })
    };
    let layers: Vec<Layer> = wire.fs_layers.items.iter().rev().filter_map(to_layer).collect();
    let invalid =
        (layers.len() < wire.fs_layers.items.len()).then(|| "one of its layers has an invalid digest".to_owned());
    let layers_error = invalid.or_else(|| describe_excess_layers(wire.fs_layers.total));
    let config = ManifestConfig::Embedded(Box::new(config));
    let layer_count = wire.fs_layers.items.len();
    Ok(ImageManifest {
        family: MediaTypeFamily::Docker,
        layers,
        layer_count,
        layers_error,
        unknown_layer_type: None,
        refusal: None,
        config,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base64url of `{"formatLength":N,"formatTail":"Cn0"}`, where `Cn0` is the last line.
    fn protected_header(length: usize) -> String {
        let header = format!(r#"{{"formatLength":{length},"formatTail":"Cn0"}}"#);
        aws_smithy_types::base64::encode(header).trim_end_matches('=').replace('+', "-").replace('/', "_")
    }

    #[test]
    fn only_the_signed_payload_counts() {
        let layer = format!("sha256:{}", "1".repeat(64));
        let payload = format!(r#"{{"schemaVersion":1,"fsLayers":[{{"blobSum":"{layer}"}}]"#);
        let history = r#""history":[{"v1Compatibility":"{\"config\":{\"Cmd\":[\"/other\"]}}"}]"#;
        let signatures = format!(r#""signatures":[{{"protected":"{}"}}]"#, protected_header(payload.len()));
        let signed = format!("{payload},\"architecture\":\"arm64\",{history},{signatures}\n}}");
        let image = parse_schema1(signed.as_bytes()).unwrap();
        assert_eq!(image.layers.len(), 1);
        assert_eq!(image.config, ManifestConfig::Embedded(Box::default()), "only the signed keys");
        let unsigned = signed.replace("signatures", "unsigned");
        assert_ne!(parse_schema1(unsigned.as_bytes()).unwrap().config, image.config);
        let damaged = signed.replace("protected", "other");
        assert!(parse_schema1(damaged.as_bytes()).is_err());
    }
}
