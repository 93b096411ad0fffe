//! Docker's first manifest format, which carries the architecture itself and needs no config.
//!
//! Does not verify anything. From Docker's "Image Manifest Version 2, Schema 1".

use serde::Deserialize;

use super::config::Config;
use super::json::{List, Text, object};
use super::manifest::{Document, MAX_LAYERS, too_many};
use super::media_type::{Access, Compression, Layer};
use crate::platform::Platform;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    architecture: Text,
    fs_layers: List<FsLayer, MAX_LAYERS>,
    history: List<History, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FsLayer {
    blob_sum: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct History {
    v1_compatibility: Text,
}

/// Reads the manifest; its newest history entry is the config in miniature.
pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let wire: Wire = object(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
    let newest = wire.history.kept.first().map_or("", |history| &history.v1_compatibility.0);
    let mut config = Config::parse(newest.as_bytes()).unwrap_or_default();
    // The format knows no operating system but in the history; it was only ever used for Linux's images, but that is
    // not said, so it is not assumed.
    config.platform = Platform::new(config.platform.os(), &wire.architecture.0, config.platform.variant());
    let layer = |layer: &FsLayer| {
        let (compression, access) = (Compression::Gzip, Access::Open);
        Some(Layer { digest: layer.blob_sum.0.parse().ok()?, compression, size: 0, access })
    };
    let layers: Vec<Layer> = wire.fs_layers.kept.iter().rev().filter_map(layer).collect();
    let odd = (layers.len() < wire.fs_layers.kept.len()).then(|| "one of its layers cannot be named".to_owned());
    let gap = odd.or_else(|| too_many(wire.fs_layers.total));
    Ok(Document::Schema1 { layers, gap, config: Box::new(config) })
}
