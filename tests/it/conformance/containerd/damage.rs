//! Manifests, configs and layers that contradict each other.

use std::fs;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::image::{Image, PLAIN, ZSTD};
use crate::conformance::umoci::gzip;
use crate::conformance::umoci::layer::{Layer, zstd};
use crate::support::layout::{
    Builder, DOCKER_CONFIG, DOCKER_GZIP, DOCKER_MANIFEST, OCI_CONFIG, OCI_GZIP, OCI_MANIFEST,
};
use crate::support::random::Random;

/// Stores an image with this damage under a tag.
///
/// # Panics
/// If there is no such damage.
pub fn store(image: &Image, damage: &str, layout: &mut Builder, tag: &str) {
    // No other image has these layers: containerd reads what it knows from no other archive.
    let archive = |layer: &Layer| layer.clone().file("damage", damage).archive(&mut Random(1));
    let archives: Vec<Vec<u8>> = image.layers.iter().map(archive).collect();
    let mut sums: Vec<Value> = archives.iter().map(|tar| json!(Digest::of(tar).to_string())).collect();
    let mut layers: Vec<Value> = archives.iter().map(|tar| layout.blob(OCI_GZIP, &gzip(tar))).collect();
    let mut config = json!({"os": "linux", "architecture": "amd64", "config": image.config});
    let mut manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST});
    let (mut config_type, mut config_size) = (OCI_CONFIG, 0);
    let last = layers.len() - 1;
    let tar = &archives[last];
    let blob = |descriptor: &Value| {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        layout.path().join("blobs/sha256").join(digest.hex())
    };
    match damage {
        "one diff_id less" => drop(sums.pop()),
        "one diff_id more" => sums.push(json!(Digest::of(b"x").to_string())),
        "no diff_ids" => sums.clear(),
        "a wrong diff_id" => sums[last] = json!(Digest::of(b"x").to_string()),
        "diff_ids in another order" => sums.reverse(),
        "a diff_id that is no digest" => sums[last] = json!("x"),
        "a wrong layer size" => layers[last]["size"] = json!(layers[last]["size"].as_u64().unwrap() + 1),
        "a wrong config size" => config_size = 1,
        "gzip as plain tar" => layers[last] = layout.blob(PLAIN, &gzip(tar)),
        "zstd as plain tar" => layers[last] = layout.blob(PLAIN, &zstd(tar)),
        "plain tar as gzip" => layers[last] = layout.blob(OCI_GZIP, tar),
        "zstd as gzip" => layers[last] = layout.blob(OCI_GZIP, &zstd(tar)),
        "gzip as zstd" => layers[last] = layout.blob(ZSTD, &gzip(tar)),
        "plain tar as zstd" => layers[last] = layout.blob(ZSTD, tar),
        "a truncated layer" => layers[last] = layout.blob(OCI_GZIP, &gzip(tar)[..60]),
        "a truncated archive" => {
            let tar = &tar[..tar.len() - 1540];
            layers[last] = layout.blob(OCI_GZIP, &gzip(tar));
            sums[last] = json!(Digest::of(tar).to_string());
        }
        "an archive without an end" => {
            let tar = &tar[..tar.len() - 1024];
            layers[last] = layout.blob(OCI_GZIP, &gzip(tar));
            sums[last] = json!(Digest::of(tar).to_string());
        }
        "a wrong checksum in gzip" => {
            let mut bytes = gzip(tar);
            let end = bytes.len() - 8;
            bytes[end] ^= 1;
            layers[last] = layout.blob(OCI_GZIP, &bytes);
        }
        "bytes after gzip" => layers[last] = layout.blob(OCI_GZIP, &[gzip(tar), vec![1; 100]].concat()),
        "a layer of text" => {
            layers[last] = layout.blob(OCI_GZIP, &gzip(b"text"));
            sums[last] = json!(Digest::of(b"text").to_string());
        }
        "an empty layer" => {
            layers[last] = layout.blob(OCI_GZIP, &gzip(b""));
            sums[last] = json!(Digest::of(b"").to_string());
        }
        "a missing layer" => fs::remove_file(blob(&layers[last])).unwrap(),
        "a missing lower layer" => fs::remove_file(blob(&layers[0])).unwrap(),
        "an unknown layer type" => layers[last]["mediaType"] = json!("application/x-layer"),
        "a foreign layer" => {
            layers[last]["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
        }
        "Docker's types" => {
            manifest["mediaType"] = json!(DOCKER_MANIFEST);
            config_type = DOCKER_CONFIG;
            layers.iter_mut().for_each(|layer| layer["mediaType"] = json!(DOCKER_GZIP));
        }
        "Docker's layers in an OCI manifest" => {
            layers.iter_mut().for_each(|layer| layer["mediaType"] = json!(DOCKER_GZIP));
        }
        "no media type" => drop(manifest.as_object_mut().unwrap().remove("mediaType")),
        "another media type" => manifest["mediaType"] = json!(DOCKER_MANIFEST),
        "manifests beside layers" => manifest["manifests"] = json!([]),
        "arm64 in the config" => config["architecture"] = json!("arm64"),
        "x86_64 in the config" => config["architecture"] = json!("x86_64"),
        "no architecture" => drop(config.as_object_mut().unwrap().remove("architecture")),
        "no operating system" => drop(config.as_object_mut().unwrap().remove("os")),
        "Windows in the config" => config["os"] = json!("windows"),
        "layers that are the same" => {
            layers.push(layers[last].clone());
            sums.push(sums[last].clone());
        }
        "no config" => drop(config.as_object_mut().unwrap().remove("config")),
        _ => panic!("no damage is called {damage}"),
    }
    if damage != "no diff_ids" {
        config["rootfs"] = json!({"type": "layers", "diff_ids": sums});
    }
    let mut stored = layout.json(config_type, &config);
    stored["size"] = json!(stored["size"].as_u64().unwrap() + config_size);
    manifest["config"] = stored;
    manifest["layers"] = json!(layers);
    let kind = if damage == "Docker's types" { DOCKER_MANIFEST } else { OCI_MANIFEST };
    let image = layout.json(kind, &manifest);
    layout.tag(tag, &image);
}
