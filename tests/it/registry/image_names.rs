//! Names and indexes in layouts and archives that other tools write.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::archives::{check, comparable_report, docker_archive, write};
use crate::support::layout::{Builder, as_attestation, digest, with_platform};

/// Replaces the name of each listed image.
fn rename(layout: &Builder, names: &[&str]) {
    let path = layout.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (listed, name) in index["manifests"].as_array_mut().unwrap().iter_mut().zip(names) {
        listed["annotations"]["org.opencontainers.image.ref.name"] = json!(name);
    }
    fs::write(path, index.to_string()).unwrap();
}

#[test]
fn image_of_a_layout_is_selected_by_its_full_name() {
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    layout.tag("v1", &amd64);
    layout.tag("v2", &arm64);
    layout.tag("v3", &arm64);
    rename(&layout, &["docker.io/library/app:v1", "localhost:5000/app:v1", "localhost:5000/tool"]);
    let code = |name: &str| {
        let (code, _, err) = check(&format!("oci:{}{name}", layout.path().display()), &["--runtime", "ecs/amd64"]);
        (code, err.contains("several images") || err.contains("ambiguous") || err.contains("choose an image"))
    };
    assert_eq!(code(":docker.io/library/app:v1"), (0, false));
    assert_eq!(code(":app:v1"), (0, false), "as Docker shows it");
    assert_eq!(code(":localhost:5000/app:v1"), (1, false));
    assert_eq!(code(&format!("@{}", digest(&amd64))), (0, false));
    assert_eq!(code(&format!("@{}", digest(&arm64))), (1, false));
    let (failure, has_hint) = code(":v1");
    assert!(failure == 3 && has_hint, "two images have this tag: {failure}");
    let (failure, has_hint) = code(":docker.io/library/other:v1");
    assert!(failure == 3 && has_hint, "no image has this name: {failure}");
}

#[test]
fn saved_index_with_one_present_image_is_that_image() {
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let attestation = as_attestation(&layout.attestation());
    let children =
        [with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64"), attestation.clone()];
    layout.tag("v1", &layout.index(&children));
    layout.tag("single", &amd64);
    let directory = TempDir::new().unwrap();
    let whole = write(directory.path(), "whole.tar", docker_archive(layout.path(), "team/app"));
    let manifest = layout.path().join("blobs/sha256").join(digest(&arm64).hex());
    fs::remove_file(manifest).unwrap();
    let partial = write(directory.path(), "partial.tar", docker_archive(layout.path(), "team/app"));
    for runtime in ["ecs/amd64", "ecs/arm64", "lambda/amd64"] {
        let report = |archive: &str, tag: &str| {
            let report = comparable_report(&format!("docker-archive:{archive}:{tag}"), runtime);
            report.to_string().replace(&format!("IMAGE:{tag}"), "IMAGE:TAG")
        };
        assert_eq!(report(&partial, "v1"), report(&partial, "single"), "{runtime}");
        assert_ne!(report(&whole, "v1"), report(&partial, "single"), "{runtime}");
    }
}
