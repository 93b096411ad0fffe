//! Manifests, configs and layers that contradict each other.

use std::fs;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::image::{Image, PLAIN, ZSTD};
use crate::conformance::umoci::gzip;
use crate::conformance::umoci::layer::{Layer, zstd};
use crate::support::layout::{
    Builder, DOCKER_CONFIG, DOCKER_GZIP, DOCKER_MANIFEST, OCI_CONFIG, OCI_GZIP, OCI_MANIFEST, with_platform,
};
use crate::support::random::Random;

/// Stores an image with this damage under a tag.
///
/// # Panics
/// If the damage is unknown.
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
        "a diff_id that is not a digest" => sums[last] = json!("x"),
        "a layer size that is too small" => layers[last]["size"] = json!(20),
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
        "arm64 in the config" | "an index of an image for arm64" => config["architecture"] = json!("arm64"),
        "x86_64 in the config" => config["architecture"] = json!("x86_64"),
        "no architecture" => drop(config.as_object_mut().unwrap().remove("architecture")),
        "no operating system" => drop(config.as_object_mut().unwrap().remove("os")),
        "Windows in the config" => config["os"] = json!("windows"),
        "layers that are the same" => {
            layers.push(layers[last].clone());
            sums.push(sums[last].clone());
        }
        "no config" => drop(config.as_object_mut().unwrap().remove("config")),
        "nothing" => {}
        _ if damage.contains("index") => {}
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
    let image = in_index(layout, &image, damage).unwrap_or(image);
    layout.tag(tag, &image);
}

/// An index of the image, if the damage is in one.
fn in_index(layout: &Builder, image: &Value, damage: &str) -> Option<Value> {
    let amd64 = with_platform(image, "linux", "amd64");
    let missing = json!({"mediaType": OCI_MANIFEST, "digest": Digest::of(b"missing").to_string(), "size": 7});
    let entries = match damage {
        "an index" | "an index of an image for arm64" => vec![amd64],
        "an index without platforms" => vec![image.clone()],
        "an index of arm64" => vec![with_platform(image, "linux", "arm64")],
        "an index of Windows" => vec![with_platform(image, "windows", "amd64")],
        "an index of linux/386" => vec![with_platform(image, "linux", "386")],
        "an index of linux/x86_64" => vec![with_platform(image, "linux", "x86_64")],
        "an index of linux/amd64/v2" => {
            let mut entry = amd64;
            entry["platform"]["variant"] = json!("v2");
            vec![entry]
        }
        "an index without an operating system" => vec![with_platform(image, "", "amd64")],
        "an index of an unknown platform" => vec![with_platform(image, "unknown", "unknown")],
        "an index whose other platform is missing" => vec![with_platform(&missing, "linux", "arm64"), amd64],
        "an index whose first of two is missing" => vec![with_platform(&missing, "linux", "amd64"), amd64],
        "an index whose second of two is missing" => vec![amd64, with_platform(&missing, "linux", "amd64")],
        "an index with a wrong size" => {
            let mut entry = amd64;
            entry["size"] = json!(entry["size"].as_u64().unwrap() + 1);
            vec![entry]
        }
        "an index in an index" => vec![layout.index(&[amd64])],
        "an index in an index for amd64" => vec![with_platform(&layout.index(&[amd64]), "linux", "amd64")],
        "an empty index" => vec![],
        _ => {
            assert!(!damage.contains("index"), "no damage is called {damage}");
            return None;
        }
    };
    Some(layout.index(&entries))
}
