//! Documents whose keys mean one image to Go's `encoding/json`, with which container runtimes read them, and another to
//! readers that compare keys exactly. Each case was run with containerd 1.6 and Docker Engine 20.10.

use ecr_preflight::runtime::Runtime;
use serde_json::{Value, json};

use super::image_kinds::report;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, OCI_INDEX, OCI_MANIFEST, digest, with_platform};

/// Stores a document with a change of its text; returns its descriptor.
fn rewrite(layout: &Builder, descriptor: &Value, from: &str, to: &str) -> Value {
    let path = layout.path().join("blobs/sha256").join(digest(descriptor).hex());
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    layout.blob(descriptor["mediaType"].as_str().unwrap(), text.replacen(from, to, 1).as_bytes())
}

/// An image for amd64 whose config was changed.
fn with_config(layout: &Builder, from: &str, to: &str) -> Value {
    let image = layout.image("amd64");
    let path = layout.path().join("blobs/sha256").join(digest(&image).hex());
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    manifest["config"] = rewrite(layout, &manifest["config"], from, to);
    layout.json(OCI_MANIFEST, &manifest)
}

#[test]
fn image_with_a_second_key_in_other_case_never_starts() {
    let mut layout = Builder::new();
    let other = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let image = layout.image("amd64");
    let index = layout.index(&[with_platform(&image, "linux", "amd64")]);
    let child = rewrite(&layout, &image, "\"schemaVersion\"", &format!("\"Layers\":[{other}],\"schemaVersion\""));
    let children = json!([with_platform(&layout.image("arm64"), "linux", "amd64")]);
    let images = [
        child.clone(),
        rewrite(&layout, &image, "\"schemaVersion\"", &format!("\"layer\u{17f}\":[{other}],\"schemaVersion\"")),
        rewrite(&layout, &image, "\"schemaVersion\"", "\"Config\":{},\"schemaVersion\""),
        rewrite(&layout, &image, "\"digest\"", "\"DIGEST\":\"x\",\"digest\""),
        rewrite(
            &layout,
            &image,
            "\"mediaType\":\"application/vnd.oci.image.m",
            "\"MediaType\":\"application/vnd.oci.image.m",
        ),
        rewrite(&layout, &index, "\"schemaVersion\"", &format!("\"Manifests\":{children},\"schemaVersion\"")),
        rewrite(&layout, &index, "\"os\":\"linux\"", "\"os\":\"linux\",\"Architecture\":\"arm64\""),
        layout.json(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [with_platform(&child, "linux", "amd64")]})),
        with_config(&layout, "\"Entrypoint\":", "\"ENTRYPOINT\":[\"/other\"],\"Entrypoint\":"),
        with_config(&layout, "\"Entrypoint\":", "\"entrypoint\":"),
        with_config(&layout, "\"config\":", "\"Config\":{},\"config\":"),
        with_config(&layout, "\"architecture\":", "\"Architecture\":\"arm64\",\"architecture\":"),
    ];
    for image in images {
        let report = report(&mut layout, &image, &[Runtime::EcsAmd64]);
        let unknown: Vec<String> = report.runtimes().flat_map(|runtime| runtime.unknown.clone()).collect();
        let is_refused = unknown.iter().any(|reason| reason.contains("only in case"));
        assert!(report.verdict.as_str() == "unknown" && is_refused, "{image}: {:?} {unknown:?}", report.verdict);
    }
}

#[test]
fn keys_that_are_not_fields_may_be_in_any_case() {
    let mut layout = Builder::new();
    for image in [
        layout.labelled("amd64", json!({"Layers": "a", "layers": "b", "CONFIG": "c"})),
        with_config(&layout, "\"config\":", "\"container_config\":{\"entrypoint\":[]},\"config\":"),
    ] {
        assert_eq!(report(&mut layout, &image, &[Runtime::EcsAmd64]).verdict.as_str(), "runs", "{image}");
    }
}
