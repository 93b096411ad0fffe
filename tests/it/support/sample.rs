//! The sample images that `events/images` holds: one for each event that reads one.

use std::path::Path;

use serde_json::{Value, json};

use super::elf;
use super::layout::{Builder, OCI_GZIP, attesting, config, promising};

/// Builds the sample in a directory.
pub fn build(directory: &Path) {
    let mut layout = Builder::at(directory);
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let attestation = layout.attestation();
    let both = [promising(&amd64, "linux", "amd64"), promising(&arm64, "linux", "arm64"), attesting(&attestation)];
    let both = layout.index(&both);
    let one = layout.index(&[promising(&arm64, "linux", "arm64"), attesting(&attestation)]);
    let lies = layout.index(&[promising(&arm64, "linux", "amd64")]);
    let images: [(&str, Value); 12] = [
        // What `docker pull; docker tag; docker push` leaves on a Mac.
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

/// Two platforms that promise different architectures of the same files.
fn identical(layout: &Builder) -> Value {
    let layer = layout.layer(OCI_GZIP, &elf::program("amd64"));
    let child = |architecture| {
        let image = layout.manifest(&config("linux", architecture, json!({})), std::slice::from_ref(&layer));
        promising(&image, "linux", architecture)
    };
    layout.index(&[child("amd64"), child("arm64")])
}
