//! Docker's first manifest format, which carries the architecture itself and needs no config.
//!
//! Does not verify anything. From Docker's "Image Manifest Version 2, Schema 1".

use serde::Deserialize;

use super::config::ImageConfig;
use super::lenient_json::{LenientList, LenientString, parse_object};
use super::manifest::{MAX_LAYERS, ManifestDocument, describe_excess_layers};
use super::media_type::{Compression, Layer, LayerAccess};
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

/// Reads the manifest; its newest history entry is the config in miniature.
pub(super) fn parse_schema1(bytes: &[u8]) -> Result<ManifestDocument, String> {
    let wire: WireSchema1 = parse_object(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
    let newest = wire.history.items.first().map_or("", |history| &history.v1_compatibility.0);
    let mut config = ImageConfig::parse(newest.as_bytes()).unwrap_or_default();
    // The format knows no operating system but in the history; it was only ever used for Linux's images, but that is
    // not said, so it is not assumed.
    config.platform = Platform::new(config.platform.os(), &wire.architecture.0, config.platform.variant());
    let layer = |layer: &WireFsLayer| {
        let (compression, access) = (Compression::Gzip, LayerAccess::Readable);
        Some(Layer { digest: layer.blob_sum.0.parse().ok()?, compression, size: 0, access })
    };
    let layers: Vec<Layer> = wire.fs_layers.items.iter().rev().filter_map(layer).collect();
    let odd = (layers.len() < wire.fs_layers.items.len()).then(|| "one of its layers cannot be named".to_owned());
    let gap = odd.or_else(|| describe_excess_layers(wire.fs_layers.total));
    Ok(ManifestDocument::Schema1 { layers, layers_error: gap, config: Box::new(config) })
}
