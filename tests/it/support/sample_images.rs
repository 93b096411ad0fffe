//! The sample images in `events/images`: one for each event that reads an image.

use std::path::Path;

use serde_json::{Value, json};

use super::elf;
use super::layout::{Builder, OCI_GZIP, as_attestation, config, with_platform};

/// Builds the sample images in a directory.
pub fn build(directory: &Path) {
    let mut layout = Builder::at(directory);
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let attestation = layout.attestation();
    let both = [
        with_platform(&amd64, "linux", "amd64"),
        with_platform(&arm64, "linux", "arm64"),
        as_attestation(&attestation),
    ];
    let both = layout.index(&both);
    let one = layout.index(&[with_platform(&arm64, "linux", "arm64"), as_attestation(&attestation)]);
    let lies = layout.index(&[with_platform(&arm64, "linux", "amd64")]);
    let images: [(&str, Value); 12] = [
        // The result of `docker pull; docker tag; docker push` on a Mac.
        ("11.4.0", layout.docker("arm64")),
        ("2.0.0", both.clone()),
        ("1.4.2-ecs-amd64", arm64.clone()),
        ("v7-lambda-arm64", one),
        ("chart-0.1.0", layout.helm()),
        ("3.0.0", attestation),
        ("4.0.0-arm64", arm64),
        ("5.0.0", lies),
        ("6.0.0", identical(&layout)),
        ("7.0.0", layout.image("arm")),
        ("8.0.0", layout.labelled("arm64", json!({"intended-runtime": "ecs/amd64"}))),
        ("latest", both),
    ];
    images.iter().for_each(|(tag, image)| {
        layout.tag(tag, image);
    });
}

/// An index whose two platforms have the same files.
fn identical(layout: &Builder) -> Value {
    let layer = layout.layer(OCI_GZIP, &elf::program("amd64"));
    let child = |architecture| {
        let image = layout.manifest(&config("linux", architecture, json!({})), std::slice::from_ref(&layer));
        with_platform(&image, "linux", architecture)
    };
    layout.index(&[child("amd64"), child("arm64")])
}
