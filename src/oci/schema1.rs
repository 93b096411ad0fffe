//! Parses Docker's first manifest format: "Image Manifest Version 2, Schema 1".

use serde::Deserialize;

use super::config::ImageConfig;
use super::layer::{Compression, Layer, LayerAccess, MAX_LAYERS, describe_excess_layers};
use super::lenient_json::{LenientList, LenientString, parse_object};
use super::media_type::MediaTypeFamily;
use super::platform_image::{ImageManifest, ManifestConfig};
use crate::platform::Platform;

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

/// Parses a manifest; the error is the reason. The newest history entry contains the config.
pub(super) fn parse_schema1(bytes: &[u8]) -> Result<ImageManifest, String> {
    let wire: WireSchema1 = parse_object(bytes).map_err(|error| format!("its manifest is not valid: {error}"))?;
    let newest = wire.history.items.first().map_or("", |entry| &entry.v1_compatibility.0);
    let mut config = ImageConfig::parse(newest.as_bytes()).unwrap_or_default();
    // Only the history contains the operating system. It is not assumed to be Linux.
    config.platform = Platform::new(config.platform.os(), &wire.architecture.0, config.platform.variant());
    let to_layer = |layer: &WireFsLayer| {
        let (compression, access) = (Compression::Gzip, LayerAccess::Readable);
        Some(Layer { digest: layer.blob_sum.0.parse().ok()?, compression, size: 0, access })
    };
    let layers: Vec<Layer> = wire.fs_layers.items.iter().rev().filter_map(to_layer).collect();
    let invalid =
        (layers.len() < wire.fs_layers.items.len()).then(|| "one of its layers has an invalid digest".to_owned());
    let layers_error = invalid.or_else(|| describe_excess_layers(wire.fs_layers.total));
    let config = ManifestConfig::Embedded(Box::new(config));
    Ok(ImageManifest { family: MediaTypeFamily::Docker, layers, layers_error, config })
}
