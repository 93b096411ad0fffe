//! Images that container runtimes refuse to pull or unpack. Each case was pulled and run with containerd 1.6.20, Docker
//! Engine 20.10.24, and with skopeo 1.9.3 into Podman's storage.

use std::fs;
use std::io::Write;

use ecr_preflight::report::Report;
use ecr_preflight::runtime::Runtime;
use serde_json::{Value, json};

use super::image_kinds::report;
use crate::support::elf;
use crate::support::layout::{
    Builder, OCI_CONFIG, OCI_GZIP, OCI_INDEX, OCI_MANIFEST, config, digest, layer, with_platform,
};

const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// The runtimes whose verdicts are compared.
const RUNTIMES: [Runtime; 4] = [Runtime::EcsAmd64, Runtime::LinuxAmd64, Runtime::AppRunner, Runtime::LambdaAmd64];

/// The verdicts on [`RUNTIMES`] by their first letters; a capital F is the fault `image-damaged`.
fn verdicts(report: &Report) -> String {
    let letter = |code: Option<&str>, verdict: &str| match code {
        Some("image-damaged") => 'F',
        Some(_) => 'f',
        None => verdict.chars().next().unwrap(),
    };
    let codes = report.runtimes().map(|runtime| runtime.faults.first().map(|fault| fault.code.as_str()));
    codes.zip(report.runtimes()).map(|(code, runtime)| letter(code, runtime.verdict.as_str())).collect()
}

fn path(layout: &Builder, descriptor: &Value) -> std::path::PathBuf {
    layout.path().join("blobs/sha256").join(digest(descriptor).hex())
}

/// An image whose manifest or config was changed.
fn image(layout: &Builder, layers: &[Value], change: impl Fn(&mut Value, &mut Value)) -> Value {
    let mut config = layout.with_diff_ids(&config("linux", "amd64", json!({})), layers);
    let mut manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers});
    change(&mut manifest, &mut config);
    let config = layout.json(OCI_CONFIG, &config);
    let changed = manifest["config"].take();
    manifest["config"] = config;
    changed.as_object().into_iter().flatten().for_each(|(key, value)| manifest["config"][key] = value.clone());
    layout.json(OCI_MANIFEST, &manifest)
}

fn app(layout: &Builder) -> Value {
    layout.layer(OCI_GZIP, &elf::program("amd64"))
}

fn tar_of(entries: &[(tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, name, data) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, *data).unwrap();
    }
    archive.into_inner().unwrap()
}

/// An image whose only layer has these bytes and this archive.
fn of_layer(layout: &Builder, stored: &[u8], archive: &[u8]) -> Value {
    let blob = layout.blob(OCI_GZIP, stored);
    let diff_id = ecr_preflight::name::Digest::of(archive);
    image(layout, &[blob], |_, config| config["rootfs"]["diff_ids"] = json!([diff_id]))
}

#[test]
fn what_runtimes_refuse_never_runs() {
    type Make = fn(&Builder) -> Value;
    let cases: Vec<(&str, &str, Make)> = vec![
        ("a sound image", "rrrr", |l| image(l, &[app(l)], |_, _| ())),
        ("plain layer under the type of gzip", "rrrr", |l| {
            let archive = tar_of(&[(tar::EntryType::Regular, "app", &elf::program("amd64"))]);
            of_layer(l, &archive, &archive)
        }),
        ("no diff_ids", "Fuuu", |l| image(l, &[app(l)], |_, config| config["rootfs"] = json!({}))),
        ("too many diff_ids", "Fuuu", |l| {
            image(l, &[app(l)], |_, config| {
                let first = config["rootfs"]["diff_ids"][0].clone();
                config["rootfs"]["diff_ids"] = json!([first, first]);
            })
        }),
        ("a diff_id of another layer", "Fuuu", |l| {
            let other = format!("sha256:{}", "0".repeat(64));
            image(l, &[app(l)], |_, config| config["rootfs"]["diff_ids"] = json!([other]))
        }),
        ("size of the config", "uuuu", |l| image(l, &[app(l)], |manifest, _| manifest["config"] = json!({"size": 5}))),
        ("no size of the config", "uuuu", |l| {
            image(l, &[app(l)], |manifest, _| manifest["config"] = json!({"size": null}))
        }),
        ("size of a layer", "uuuu", |l| image(l, &[app(l)], |manifest, _| manifest["layers"][0]["size"] = json!(5))),
        ("no size of a layer", "uuuu", |l| image(l, &[app(l)], |manifest, _| manifest["layers"][0]["size"] = json!(0))),
        ("compressed layer under the plain type", "uuuu", |l| {
            let mut layer = app(l);
            layer["mediaType"] = json!(PLAIN);
            image(l, &[layer], |_, _| ())
        }),
        ("missing layer below the program", "FFFF", |l| {
            let lower = l.layer(OCI_GZIP, b"lower");
            let image = image(l, &[lower.clone(), app(l)], |_, _| ());
            fs::remove_file(path(l, &lower)).unwrap();
            image
        }),
        ("missing config", "FFFF", |l| {
            let image = image(l, &[app(l)], |_, _| ());
            let manifest: Value = serde_json::from_slice(&fs::read(path(l, &image)).unwrap()).unwrap();
            fs::remove_file(path(l, &manifest["config"])).unwrap();
            image
        }),
        ("truncated gzip", "FFFF", |l| {
            let whole = layer(&elf::program("amd64"));
            of_layer(l, &whole[..whole.len() / 2], b"")
        }),
        ("gzip without its checksum", "uuuu", |l| {
            let whole = layer(&elf::program("amd64"));
            of_layer(l, &whole[..whole.len() - 4], b"")
        }),
        ("wrong checksum of gzip", "FFFF", |l| {
            let mut whole = layer(&elf::program("amd64"));
            let at = whole.len() - 6;
            whole[at] ^= 1;
            of_layer(l, &whole, b"")
        }),
        ("archive that ends within a file", "FFuu", |l| {
            let whole = tar_of(&[(tar::EntryType::Regular, "app", &elf::program("amd64"))]);
            of_layer(l, &whole[..600], &whole[..600])
        }),
        ("sparse file in the old GNU format", "FFuu", |l| {
            let program = elf::program("amd64");
            let archive =
                tar_of(&[(tar::EntryType::GNUSparse, "sparse", b""), (tar::EntryType::Regular, "app", &program)]);
            of_layer(l, &archive, &archive)
        }),
        ("contiguous file", "FFuu", |l| {
            let program = elf::program("amd64");
            let archive =
                tar_of(&[(tar::EntryType::Continuous, "file", b"x"), (tar::EntryType::Regular, "app", &program)]);
            of_layer(l, &archive, &archive)
        }),
        ("pax record that Go refuses", "FFuu", |l| {
            let program = elf::program("amd64");
            let record: &[u8] = b"11 mtime=x\n";
            let archive =
                tar_of(&[(tar::EntryType::XHeader, "pax", record), (tar::EntryType::Regular, "app", &program)]);
            of_layer(l, &archive, &archive)
        }),
        ("manifest with the keys of an index", "FFuu", |l| {
            image(l, &[app(l)], |manifest, _| manifest["manifests"] = json!([]))
        }),
        ("manifest marked as an index", "FFuu", |l| image(l, &[app(l)], |m, _| m["mediaType"] = json!(OCI_INDEX))),
        ("manifest marked as another kind of manifest", "uuuu", |l| {
            image(l, &[app(l)], |m, _| m["mediaType"] = json!("application/x-other"))
        }),
    ];
    for (name, expected, make) in cases {
        let mut layout = Builder::new();
        let image = make(&layout);
        let report = report(&mut layout, &image, &RUNTIMES);
        let details: Vec<_> = report.runtimes().map(|runtime| (runtime.unknown.clone(), &runtime.faults)).collect();
        assert_eq!(verdicts(&report), expected, "{name}: {details:?}");
    }
}

#[test]
fn children_of_an_index_that_runtimes_refuse_never_run() {
    type Change = fn(&mut Value);
    let cases: [(&str, &str, Change); 5] = [
        ("a sound index", "rr", |_| ()),
        ("size", "uu", |index| index["manifests"][0]["size"] = json!(5)),
        ("no media type", "uu", |index| index["manifests"][0]["mediaType"] = json!("")),
        ("keys of a manifest", "FF", |index| index["layers"] = json!([])),
        ("marked as an index", "uu", |index| index["manifests"][0]["mediaType"] = json!(OCI_INDEX)),
    ];
    for (name, expected, change) in cases {
        let mut layout = Builder::new();
        let child = with_platform(&layout.image("amd64"), "linux", "amd64");
        let mut index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]});
        change(&mut index);
        let index = layout.json(OCI_INDEX, &index);
        let report = report(&mut layout, &index, &RUNTIMES[..2]);
        assert_eq!(verdicts(&report), expected, "{name}");
    }
}

#[test]
fn bytes_after_the_last_gzip_member_are_unknown_not_damaged() {
    let mut layout = Builder::new();
    let mut stored = layer(&elf::program("amd64"));
    let mut archive = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*stored), &mut archive).unwrap();
    stored.write_all(b"garbage").unwrap();
    let image = of_layer(&layout, &stored, &archive);
    let report = report(&mut layout, &image, &RUNTIMES);
    assert_eq!(verdicts(&report), "uuuu");
}

#[test]
fn undeclared_image_without_a_command_is_not_damaged() {
    let mut layout = Builder::new();
    let data = image(&layout, &[app(&layout)], |_, config| {
        config["config"] = json!({});
        config["rootfs"] = json!({});
    });
    assert_eq!(report(&mut layout, &data, &[]).verdict.as_str(), "undeclared");
}

#[test]
fn image_with_layers_of_unknown_types_is_unknown() {
    let mut layout = Builder::new();
    let layer = layout.blob("application/vnd.example.layer", b"x");
    let image = image(&layout, &[layer], |_, _| ());
    let report = report(&mut layout, &image, &[Runtime::EcsAmd64]);
    assert_eq!(report.verdict.as_str(), "unknown", "{:?}", report.ignored);
}

#[test]
fn index_of_artifacts_is_an_artifact() {
    let mut layout = Builder::new();
    let index = layout.index(&[layout.helm(), layout.helm()]);
    assert_eq!(report(&mut layout, &index, &[]).ignored.map(|reason| reason.as_str()), Some("artifact"));
    let required = report(&mut layout, &index, &[Runtime::EcsAmd64]);
    assert_eq!(required.faults().map(|fault| fault.code.as_str()).collect::<Vec<_>>(), ["not-an-image"]);
}
