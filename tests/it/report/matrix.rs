//! The JSON report for every runtime and seven images.
//! It is compared for images built here, and for real ones that `tests/real/images.py` makes from Debian packages with
//! umoci and skopeo. Both must give the same text, apart from digests.

use std::path::{Path, PathBuf};
use std::process::Command;

use ecr_preflight::runtime::RUNTIMES;
use expect_test::expect_file;
use serde_json::Value;

use crate::support::layout::{Builder, as_attestation, with_platform};

/// The tags of the seven images.
const IMAGES: [&str; 7] = ["amd64-image", "image-of-arm64", "both", "attested", "arm-v7", "chart", "attestation"];

fn layout_of_seven_images() -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm64, arm) = (layout.image("amd64"), layout.image("arm64"), layout.image("arm"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    let attestation = layout.attestation();
    let attested = layout.index(&[with_platform(&arm64, "linux", "arm64"), as_attestation(&attestation)]);
    let helm = layout.helm();
    for (tag, image) in IMAGES.into_iter().zip([amd64, arm64, both, attested, arm, helm, attestation]) {
        layout.tag(tag, &image);
    }
    layout
}

/// Runtime, image, exit code and JSON of every combination, with digests masked.
fn matrix(layout: &Path) -> String {
    let mut text = String::new();
    for tag in IMAGES {
        for profile in &RUNTIMES {
            let reference = format!("oci:{}:{tag}", layout.display());
            let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
            let output =
                command.args(["check", &reference, "--runtime", profile.name, "--format", "json"]).output().unwrap();
            assert!(output.stderr.is_empty(), "{reference}: {}", String::from_utf8_lossy(&output.stderr));
            let json = String::from_utf8(output.stdout).unwrap();
            let json = remove_dates(&mask_digests(&json.replace(&layout.display().to_string(), "DIR")));
            text += &format!("# {} {tag}: exit code {}\n{json}", profile.name, output.status.code().unwrap());
        }
    }
    text
}

/// Removes the date of every image: real images are built for the test, and generated ones have none.
fn remove_dates(json: &str) -> String {
    let mut parts = json.split(",\n    \"created\": \"");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('"').unwrap().1)
}

/// Replaces every digest, whole or abbreviated, by `DIGEST`.
fn mask_digests(json: &str) -> String {
    let mut parts = json.split("sha256:");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "sha256:DIGEST" + &part[64..])
}

#[test]
fn json_of_every_runtime_and_image() {
    let layout = layout_of_seven_images();
    let text = matrix(layout.path());
    expect_file!["matrix.txt"].assert_eq(&text);
    for json in text.split("# ").skip(1).map(|cell| cell.split_once('\n').unwrap().1) {
        let report: Value = serde_json::from_str(json).unwrap();
        assert_eq!(report["schema"], "ecr-preflight/1");
    }
}

#[test]
#[ignore = "needs the images that `make test-real` makes of Debian's packages, with umoci and skopeo"]
fn real_images_give_the_same_json() {
    let layout = PathBuf::from(std::env::var_os("TEST_REAL_IMAGES").expect("the layout of `make test-real`"));
    expect_file!["matrix.txt"].assert_eq(&matrix(&layout));
}
