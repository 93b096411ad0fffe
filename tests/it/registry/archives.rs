//! `check` on archives: an image gets the same report from a layout and from an archive, and malicious archives are
//! rejected.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use ecr_preflight::name::{Digest, Tag};
use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::archive::{Archive, Fields, GNU};
use crate::support::cases::Cases;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, as_attestation, config, with_platform};

/// Exit code, standard output and standard error.
pub(super) fn check(reference: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    let output = command.args(["check", reference]).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The exit code and the JSON report, with the reference masked.
fn json_report(reference: &str, runtime: &str) -> String {
    let (code, out, err) = check(reference, &["--runtime", runtime, "--format", "json"]);
    assert!(err.is_empty(), "{reference}: {err}");
    let plain = out.replace(&format!("\"reference\": \"{reference}\""), "\"reference\": \"REFERENCE\"");
    assert!(plain.contains("REFERENCE"), "{reference}: {out}");
    format!("{code} {plain}")
}

/// What must be equal when the manifests differ: exit code, platforms, verdict, faults and programs.
pub(super) fn comparable_report(reference: &str, runtime: &str) -> Value {
    let (code, out, err) = check(reference, &["--runtime", runtime, "--format", "json"]);
    assert!(err.is_empty(), "{reference}: {err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let [platforms, kind] = ["platforms", "kind"].map(|key| report["image"][key].clone());
    json!([code, kind, platforms, report["verdict"], report["runtimes"], report["exec"]])
}

/// Compares an error. `DIR` is the directory of the archives.
fn expect_error(directory: &Path, reference: &str, expected: Expect) {
    let directory = directory.display().to_string();
    let (code, out, err) = check(&reference.replace("DIR", &directory), &["--runtime", "ecs/amd64"]);
    expected.assert_eq(&format!("{code} {out}{}", err.replace(&directory, "DIR")));
}

fn layout_archive(layout: &Path, but: &str) -> Archive {
    let mut archive = Archive::default().directory("blobs/").directory("blobs/sha256/");
    for name in ["oci-layout", "index.json"].into_iter().filter(|name| *name != but) {
        archive = archive.file(name, &fs::read(layout.join(name)).unwrap());
    }
    let mut blobs: Vec<PathBuf> =
        fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect();
    blobs.sort();
    for blob in blobs {
        let name = format!("blobs/sha256/{}", blob.file_name().unwrap().to_str().unwrap());
        archive = archive.file(&name, &fs::read(&blob).unwrap());
    }
    archive
}

/// A layout as `docker save` writes it since version 25: listed images have full names, and `manifest.json` is next to
/// `index.json`. For an index, Docker lists the image of one platform there.
pub fn docker_archive(layout: &Path, repository: &str) -> Archive {
    let document = |digest: &str| -> Value {
        let bytes = fs::read(layout.join("blobs/sha256").join(&digest[7..])).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let path = |descriptor: &Value| format!("blobs/sha256/{}", &descriptor["digest"].as_str().unwrap()[7..]);
    let mut index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let mut items = Vec::new();
    for listed in index["manifests"].as_array_mut().unwrap() {
        let tag = listed["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
        listed["annotations"]["io.containerd.image.name"] = json!(format!("docker.io/{repository}:{tag}"));
        let mut manifest = document(listed["digest"].as_str().unwrap());
        if let Some(children) = manifest["manifests"].as_array() {
            manifest = document(children[0]["digest"].as_str().unwrap());
        }
        let layers: Vec<String> = manifest["layers"].as_array().unwrap().iter().map(path).collect();
        let name = format!("{repository}:{tag}");
        items.push(json!({"Config": path(&manifest["config"]), "RepoTags": [name], "Layers": layers}));
    }
    layout_archive(layout, "index.json")
        .file("index.json", index.to_string().as_bytes())
        .file("manifest.json", json!(items).to_string().as_bytes())
        .file("repositories", b"{}")
}

pub(super) fn write(directory: &Path, name: &str, archive: Archive) -> String {
    let path = directory.join(name);
    fs::write(&path, archive.end()).unwrap();
    path.display().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A config that starts `/app` with these uncompressed layers, and its file name.
fn config_with_name(architecture: &str, layers: &[&[u8]]) -> (String, Vec<u8>) {
    let mut config = config("linux", architecture, json!({}));
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    config["rootfs"]["diff_ids"] = json!(diff_ids);
    let bytes = config.to_string().into_bytes();
    (format!("{}.json", Digest::of(&bytes).hex()), bytes)
}

fn app_layer(architecture: &str) -> Vec<u8> {
    Archive::default().file("app", &elf::program(architecture)).end()
}

fn manifest_item(config: &str, names: &[&str], layers: &[&str]) -> Value {
    json!({"Config": config, "RepoTags": names, "Layers": layers})
}

/// An archive as `docker save` wrote it before version 25.
fn docker_archive_before_25(config: &(String, Vec<u8>), names: &[&str], layers: &[&str]) -> Archive {
    let manifest = json!([manifest_item(&config.0, names, layers)]);
    Archive::default().file(&config.0, &config.1).file("manifest.json", manifest.to_string().as_bytes())
}

const RUNTIMES: [&str; 4] = ["ecs/amd64", "ecs/arm64", "apprunner", "lambda/amd64"];

#[test]
fn archives_give_the_same_report_as_a_layout() {
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let attestation = layout.attestation();
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    let attested = layout.index(&[with_platform(&arm64, "linux", "arm64"), as_attestation(&attestation)]);
    let (docker, chart) = (layout.docker("amd64"), layout.helm());
    let digest = layout.tag("amd64", &amd64);
    for (tag, image) in [("arm64", arm64), ("both", both), ("attested", attested), ("docker", docker), ("chart", chart)]
    {
        layout.tag(tag, &image);
    }
    let directory = TempDir::new().unwrap();
    let plain = write(directory.path(), "oci.tar", layout_archive(layout.path(), ""));
    let docker = write(directory.path(), "docker.tar", docker_archive(layout.path(), "team/app"));
    for tag in ["amd64", "arm64", "both", "attested", "docker", "chart"] {
        for runtime in RUNTIMES {
            let expected = json_report(&format!("oci:{}:{tag}", layout.path().display()), runtime);
            for reference in [
                format!("oci-archive:{plain}:{tag}"),
                format!("docker-archive:{docker}:{tag}"),
                format!("docker-archive:{docker}:team/app:{tag}"),
                format!("docker-archive:{docker}:docker.io/team/app:{tag}"),
            ] {
                assert_eq!(json_report(&reference, runtime), expected, "{reference}");
            }
        }
    }
    let by_digest = json_report(&format!("oci:{}@{digest}", layout.path().display()), "ecs/amd64");
    assert_eq!(json_report(&format!("oci-archive:{plain}@{digest}"), "ecs/amd64"), by_digest);
}

#[test]
fn archives_from_before_docker_25_are_read() {
    let layers = [Archive::default().file("etc/x", b"x").end(), app_layer("amd64")];
    let [low, high] = [&layers[0][..], &layers[1][..]];
    let mut layout = Builder::new();
    let config = config_with_name("amd64", &[low, high]);
    let described = [low, high].map(|layer| layout.blob(OCI_GZIP, &gzip(layer)));
    let image = layout.manifest(&serde_json::from_slice(&config.1).unwrap(), &described);
    layout.tag("v1", &image);
    let names = ["team/app:v1"];
    let two = |a: &str, b: &str| docker_archive_before_25(&config, &names, &[a, b]);
    let archives = [
        ("plain", two("a/layer.tar", "b/layer.tar").file("a/layer.tar", low).file("b/layer.tar", high)),
        ("dots", two("./a/layer.tar", "b//layer.tar").file("a/layer.tar", low).file("./b/layer.tar", high)),
        (
            "symbolic",
            two("a/layer.tar", "b/layer.tar")
                .link("a/layer.tar", "../x.tar")
                .link("b/layer.tar", "../y.tar")
                .file("x.tar", low)
                .file("y.tar", high),
        ),
        ("hard", two("a/layer.tar", "b.tar").file("x", low).hard_link("a/layer.tar", "x").file("b.tar", high)),
        ("two links", two("a", "c").file("a", low).link("c", "d").hard_link("d", "e").file("e", high)),
        ("compressed", two("a.tar.gz", "b.tar.gz").file("a.tar.gz", &gzip(low)).file("b.tar.gz", &gzip(high))),
        ("the last counts", two("a", "b").file("a", high).file("b", high).file("a", low)),
        (
            "long names",
            two("a", &"b/".repeat(90)).file("a", low).pax(&[("path", "b/".repeat(90).as_bytes())]).file("b", high),
        ),
    ];
    let directory = TempDir::new().unwrap();
    for (name, archive) in archives {
        let path = write(directory.path(), "old.tar", archive);
        for runtime in RUNTIMES {
            let expected = comparable_report(&format!("oci:{}:v1", layout.path().display()), runtime);
            for reference in [format!("docker-archive:{path}"), format!("docker-archive:{path}:team/app:v1")] {
                // Even the only image is addressed by its tag, because remedies name it.
                assert_eq!(comparable_report(&reference, runtime), expected, "{name}: {reference}");
            }
        }
    }
    let repeated = config_with_name("amd64", &[high, low, high]);
    let archive =
        docker_archive_before_25(&repeated, &names, &["a", "b", "c"]).file("a", high).file("b", low).link("c", "a");
    let path = write(directory.path(), "old.tar", archive);
    assert_eq!(comparable_report(&format!("docker-archive:{path}"), "ecs/amd64")[3], "runs");
}

#[test]
fn generated_docker_manifest_is_stable() {
    let layer = app_layer("arm64");
    let config = config_with_name("arm64", &[&layer]);
    let directory = TempDir::new().unwrap();
    write(directory.path(), "old.tar", docker_archive_before_25(&config, &["app:v1"], &["a"]).file("a", &layer));
    let reference = format!("docker-archive:{}", directory.path().join("old.tar").display());
    let (code, out, _) = check(&reference, &["--runtime", "ecs/arm64", "--format", "json"]);
    let image = &serde_json::from_str::<Value>(&out).unwrap()["image"];
    assert_eq!((code, &image["mediaType"]), (0, &json!("application/vnd.docker.distribution.manifest.v2+json")));
    expect!["sha256:f0b2e85b9893172ba0d1b0b2fa7b2f1e9489e56ac006f7dd3afa7bffc14faff7"]
        .assert_eq(image["digest"].as_str().unwrap());
}

#[test]
fn archive_image_is_selected_by_name() {
    let layers = [app_layer("amd64"), app_layer("arm64")];
    let configs = [config_with_name("amd64", &[&layers[0]]), config_with_name("arm64", &[&layers[1]])];
    let items = json!([
        manifest_item(&configs[0].0, &["team/app:v1", "team/app:v2"], &["a"]),
        manifest_item(&configs[1].0, &["busybox:v1", "localhost:5000/x:v3"], &["b"]),
    ]);
    let mut archive = Archive::default().file("manifest.json", items.to_string().as_bytes());
    for (config, (name, layer)) in configs.iter().zip([("a", &layers[0]), ("b", &layers[1])]) {
        archive = archive.file(&config.0, &config.1).file(name, layer);
    }
    let directory = TempDir::new().unwrap();
    let path = write(directory.path(), "two.tar", archive);
    for (name, platform) in [
        ("v2", "linux/amd64"),
        ("team/app:v1", "linux/amd64"),
        ("busybox:v1", "linux/arm64"),
        ("docker.io/library/busybox:v1", "linux/arm64"),
        ("localhost:5000/x:v3", "linux/arm64"),
    ] {
        assert_eq!(
            comparable_report(&format!("docker-archive:{path}:{name}"), "ecs/amd64")[2],
            json!([platform]),
            "{name}"
        );
    }
    expect_error(
        directory.path(),
        "docker-archive:DIR/two.tar",
        expect![[r#"
            3 error: docker-archive:DIR/two.tar contains several images

            hint: choose an image in the archive: team/app:v1, team/app:v2, busybox:v1, localhost:5000/x:v3
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/two.tar:v1",
        expect![[r#"
            3 error: docker-archive:DIR/two.tar:v1 contains several images

            hint: choose an image in the archive: team/app:v1, team/app:v2, busybox:v1, localhost:5000/x:v3
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/two.tar:nginx:v1",
        expect![[r#"
            3 error: docker-archive:DIR/two.tar:nginx:v1 does not exist

            hint: choose an image in the archive: team/app:v1, team/app:v2, busybox:v1, localhost:5000/x:v3
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/two.tar:team/app",
        expect![[r#"
            64 error: `docker-archive:DIR/two.tar:team/app` has no valid tag: expected `docker-archive:FILE[:[REPOSITORY:]TAG]`
        "#]],
    );
    let unnamed = json!([{"Config": configs[0].0, "RepoTags": null, "Layers": ["a"]}]);
    let archive = Archive::default().file("manifest.json", unnamed.to_string().as_bytes());
    let archive = archive.file(&configs[0].0, &configs[0].1).file("a", &layers[0]);
    let path = write(directory.path(), "unnamed.tar", archive);
    assert_eq!(comparable_report(&format!("docker-archive:{path}"), "ecs/amd64")[3], "runs");
    expect_error(
        directory.path(),
        "docker-archive:DIR/unnamed.tar:v1",
        expect![[r#"
            3 error: docker-archive:DIR/unnamed.tar:v1 does not exist
        "#]],
    );
    write(directory.path(), "none.tar", Archive::default().file("manifest.json", b"[]"));
    expect_error(
        directory.path(),
        "docker-archive:DIR/none.tar",
        expect![[r#"
            3 error: docker-archive:DIR/none.tar does not exist
        "#]],
    );
}

/// moby/moby#47065: manifests without layers; moby/moby#47210: untagged images are not listed.
#[test]
fn archives_with_docker_25_0_bugs_are_read() {
    let layer = app_layer("amd64");
    let (name, config) = config_with_name("amd64", &[&layer]);
    let path = format!("blobs/sha256/{}", name.trim_end_matches(".json"));
    let layer_path = format!("blobs/sha256/{}", Digest::of(&layer).hex());
    let directory = TempDir::new().unwrap();
    let mut layout = Builder::new();
    let descriptor = layout.blob("application/vnd.oci.image.config.v1+json", &config);
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let empty = layout.json(media_type, &json!({"schemaVersion": 2, "config": descriptor, "layers": []}));
    layout.tag("v1", &empty);
    let items = json!([manifest_item(&path, &["app:v1"], &[&layer_path])]);
    let archive =
        layout_archive(layout.path(), "").file(&layer_path, &layer).file("manifest.json", items.to_string().as_bytes());
    let whole = write(directory.path(), "layerless.tar", archive);
    let found = comparable_report(&format!("docker-archive:{whole}:app:v1"), "ecs/amd64");
    assert_eq!((&found[3], &found[5][0]["outcome"]), (&json!("runs"), &json!("starts")));

    let unlisted = layout_archive(layout.path(), "index.json").file("index.json", b"{\"manifests\":null}");
    let items = json!([{"Config": path, "RepoTags": null, "Layers": [layer_path]}]);
    let archive = unlisted.file(&layer_path, &layer).file("manifest.json", items.to_string().as_bytes());
    let whole = write(directory.path(), "unlisted.tar", archive);
    assert_eq!(comparable_report(&format!("docker-archive:{whole}"), "ecs/amd64")[5][0]["outcome"], "starts");
}

#[test]
fn invalid_archives_are_errors() {
    let directory = TempDir::new().unwrap();
    let mut layout = Builder::new();
    let image = layout.image("amd64");
    layout.tag("v1", &image);
    let whole = layout_archive(layout.path(), "").end();
    let file = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    file("packed.tar.gz", &gzip(&whole));
    file("packed.tar.zst", b"\x28\xb5\x2f\xfd....");
    file("text", "root:x:0:0\n\x1b[31m:".repeat(40).as_bytes());
    file("empty", b"");
    file("cut.tar", &whole[..whole.len() - 1536]);
    file("old.tar", &Archive::default().file("manifest.json", b"[]").end());
    file("neither.tar", &Archive::default().file("x", b"").end());
    file("odd.tar", &Archive::default().file("manifest.json", b"{").end());
    file("broken.tar", &[&Archive::default().file("a", b"").end()[..512], &[b'x'; 512]].concat());
    file("index.tar", &Archive::default().file("oci-layout", b"{}").file("index.json", b"[").end());
    file("indexless.tar", &Archive::default().file("oci-layout", b"{}").end());
    expect_error(
        directory.path(),
        "oci-archive:DIR/packed.tar.gz:v1",
        expect![[r#"
            3 error: cannot read DIR/packed.tar.gz
              caused by: compressed with gzip; only uncompressed archives are supported

            hint: decompress it: `gunzip --stdout DIR/packed.tar.gz > image.tar`
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/packed.tar.zst",
        expect![[r#"
            3 error: cannot read DIR/packed.tar.zst
              caused by: compressed with zstd; only uncompressed archives are supported

            hint: decompress it: `unzstd --stdout DIR/packed.tar.zst > image.tar`
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/text",
        expect![[r#"
            3 error: cannot read DIR/text
              caused by: not a tar archive
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/empty",
        expect![[r#"
            3 error: cannot read DIR/empty
              caused by: not an archive of an OCI image layout: `oci-layout` is missing
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/cut.tar",
        expect![[r#"
            3 error: cannot read DIR/cut.tar
              caused by: truncated within `blobs/sha256/f97a239a25a9d07315881d254357e91e027323fab12127652eb62653641d31dc`
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/old.tar",
        expect![[r#"
            3 error: cannot read DIR/old.tar
              caused by: not an archive of an OCI image layout: `oci-layout` is missing; `docker save` wrote it, use `docker-archive:`
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/neither.tar",
        expect![[r#"
            3 error: cannot read DIR/neither.tar
              caused by: not an archive of `docker save`: `manifest.json` is missing
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/odd.tar",
        expect![[r#"
            3 error: cannot read DIR/odd.tar/manifest.json
              caused by: invalid type: map, expected a sequence at line 1 column 1
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/broken.tar",
        expect![[r#"
            3 error: cannot read DIR/broken.tar
              caused by: damaged after member 1: numeric field was not a number: xxxxxxxx when getting cksum for xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/index.tar",
        expect![[r#"
            3 error: cannot read DIR/index.tar/index.json
              caused by: EOF while parsing a list at line 1 column 1
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR/indexless.tar",
        expect![[r#"
            3 error: cannot read DIR/indexless.tar/index.json
              caused by: not found
        "#]],
    );
    expect_error(
        directory.path(),
        "oci-archive:DIR",
        expect![[r#"
            64 error: `oci-archive:DIR` is a directory, but an archive is a file

            hint: name the file of the archive; the directory is not an OCI layout either
        "#]],
    );
    expect_error(
        directory.path(),
        "docker-archive:DIR/none.tar",
        expect![[r#"
            3 error: cannot read DIR/none.tar
              caused by: No such file or directory (os error 2)
        "#]],
    );
}

/// Opening a pipe without a writer would never end.
#[test]
fn pipes_and_devices_are_errors() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let make_pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    make_pipe(&at("pipe"));
    fs::create_dir(at("marker")).unwrap();
    make_pipe(&at("marker/oci-layout"));
    let layouts = ["index", "blob"].map(|name| {
        let mut layout = Builder::at(&at(name));
        let image = layout.image("amd64");
        (name, layout.tag("v1", &image).to_string())
    });
    for (name, digest) in layouts {
        let digest = digest.strip_prefix("sha256:").unwrap();
        let file = if name == "index" { at("index/index.json") } else { at("blob/blobs/sha256").join(digest) };
        fs::remove_file(&file).unwrap();
        make_pipe(&file);
    }
    let mut cases = Cases::default();
    for reference in [
        "oci-archive:DIR/pipe", "docker-archive:DIR/pipe:app:v1", "oci-archive:/dev/null", "docker-archive:/dev/zero",
        "oci:DIR/pipe", "oci:/dev/null", "oci:DIR/marker:v1", "oci:DIR/index:v1", "oci:DIR/blob:v1", "DIR/pipe",
    ] {
        let argument = reference.replace("DIR", &directory.path().display().to_string());
        let (code, out, err) = check(&argument, &["--runtime", "ecs/amd64"]);
        cases.add(reference, format!("{code} {out}{err}"));
    }
    let text = cases.as_str().replace(&directory.path().display().to_string(), "DIR");
    expect![[r#"
        oci-archive:DIR/pipe
            3 error: cannot read DIR/pipe
              caused by: not a regular file
        docker-archive:DIR/pipe:app:v1
            3 error: cannot read DIR/pipe
              caused by: not a regular file
        oci-archive:/dev/null
            3 error: cannot read /dev/null
              caused by: not a regular file
        docker-archive:/dev/zero
            3 error: cannot read /dev/zero
              caused by: not a regular file
        oci:DIR/pipe
            3 error: cannot read DIR/pipe
              caused by: not an OCI image layout: `oci-layout` is missing
        oci:/dev/null
            3 error: cannot read /dev/null
              caused by: not an OCI image layout: `oci-layout` is missing
        oci:DIR/marker:v1
            3 error: cannot read DIR/marker
              caused by: not an OCI image layout: `oci-layout` cannot be read: not a regular file
        oci:DIR/index:v1
            3 error: cannot read DIR/index/index.json
              caused by: not a regular file
        oci:DIR/blob:v1
            3 error: cannot read DIR/blob/blobs/sha256/DIGEST
              caused by: not a regular file
        DIR/pipe
            64 error: `DIR/pipe` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`

            hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for example `public.ecr.aws/docker/library/busybox:1.37`
    "#]].assert_eq(&mask_digests(&text));
}

/// Masks the digests of a text.
fn mask_digests(text: &str) -> String {
    let parts: Vec<&str> = text.split("blobs/sha256/").collect();
    let rest = parts[1..].iter().map(|part| format!("blobs/sha256/DIGEST{}", &part[64..]));
    [parts[0].to_owned()].into_iter().chain(rest).collect()
}

#[test]
fn malicious_archives_are_rejected() {
    let layer = app_layer("amd64");
    let config = config_with_name("amd64", &[&layer]);
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("outside"), &layer).unwrap();
    let outside = directory.path().join("outside").display().to_string();
    // A layer outside of the archive, or behind too many links, is missing.
    let linked = [
        ("absolute", docker_archive_before_25(&config, &["app:v1"], &["a"]).link("a", &outside)),
        (
            "absolute, to the name of a member",
            docker_archive_before_25(&config, &["app:v1"], &["a"]).link("a", "/d").file("d", &layer),
        ),
        ("upwards", docker_archive_before_25(&config, &["app:v1"], &["x/a"]).link("x/a", "../../outside")),
        ("upwards by name", docker_archive_before_25(&config, &["app:v1"], &["../outside"]).file("../outside", &layer)),
        ("hard", docker_archive_before_25(&config, &["app:v1"], &["a"]).hard_link("a", "../outside")),
        ("round", docker_archive_before_25(&config, &["app:v1"], &["a"]).link("a", "b").link("b", "a")),
        ("itself", docker_archive_before_25(&config, &["app:v1"], &["a"]).link("a", "a")),
        (
            "long",
            docker_archive_before_25(&config, &["app:v1"], &["a"])
                .link("a", "b")
                .link("b", "c")
                .link("c", "d")
                .file("d", &layer),
        ),
        (
            "device",
            docker_archive_before_25(&config, &["app:v1"], &["a"]).entry(
                b"a",
                Fields { kind: b'3', ..Fields::default() },
                b"",
            ),
        ),
    ];
    let mut cases = Cases::default();
    for (name, archive) in linked {
        let path = write(directory.path(), "linked.tar", archive);
        let exec = &comparable_report(&format!("docker-archive:{path}"), "ecs/amd64")[5];
        cases.add(name, exec[0]["reason"].as_str().unwrap());
    }
    expect![[r#"
        absolute
            layer f1f4650fd273 is not in the repository
        absolute, to the name of a member
            layer f1f4650fd273 is not in the repository
        upwards
            layer f1f4650fd273 is not in the repository
        upwards by name
            layer f1f4650fd273 is not in the repository
        hard
            layer f1f4650fd273 is not in the repository
        round
            layer f1f4650fd273 is not in the repository
        itself
            layer f1f4650fd273 is not in the repository
        long
            layer f1f4650fd273 is not in the repository
        device
            layer f1f4650fd273 is not in the repository
    "#]]
    .assert_eq(cases.as_str());
    let old_archive = |layers: &[&str]| docker_archive_before_25(&config, &["app:v1"], layers);
    write(directory.path(), "other.tar", old_archive(&["a"]).file("a", &app_layer("arm64")));
    expect_error(
        directory.path(),
        "docker-archive:DIR/other.tar",
        expect![[r#"
            3 error: download of blob sha256:f1f4650fd273cc4e99ef183ed37e65d0faf94e548500f417e01ac358cf4a7b30 failed: the received bytes have the digest sha256:26a8f44dbfd1c25d3dc5bcc0063e0b1e4f2fb9cc86877aabdece52d938c7203c
        "#]],
    );
    write(directory.path(), "more.tar", old_archive(&["a", "a"]).file("a", &layer));
    expect_error(
        directory.path(),
        "docker-archive:DIR/more.tar",
        expect![[r#"
            3 error: cannot read DIR/more.tar/66f115e8296f532f8c8aeda8f5d40ce675803ceb255846176a161a4a281ec8c9.json
              caused by: it has 1 layers, and manifest.json lists 2
        "#]],
    );
    let lost = json!([manifest_item("/x\u{1b}", &[], &[])]);
    write(directory.path(), "lost.tar", Archive::default().file("manifest.json", lost.to_string().as_bytes()));
    expect_error(
        directory.path(),
        "docker-archive:DIR/lost.tar",
        expect![[r#"
            3 error: cannot read DIR/lost.tar/manifest.json
              caused by: its config `/x�` is not in the archive
        "#]],
    );
    write(directory.path(), "long.tar", Archive::default().file("manifest.json", &vec![b' '; (4 << 20) + 1]));
    expect_error(
        directory.path(),
        "docker-archive:DIR/long.tar",
        expect![[r#"
            3 error: cannot read DIR/long.tar/manifest.json
              caused by: it is larger than 4194304 bytes
        "#]],
    );
    let many = vec![manifest_item(&config.0, &[], &["a"]); 501];
    let many = Archive::default().file("manifest.json", json!(many).to_string().as_bytes());
    write(directory.path(), "images.tar", many.file(&config.0, &config.1));
    expect_error(
        directory.path(),
        "docker-archive:DIR/images.tar",
        expect![[r#"
            3 error: cannot read DIR/images.tar/manifest.json
              caused by: it lists more than 500 images
        "#]],
    );
    let layout_archive = (0..20_001).fold(Archive::default(), |archive, at| archive.file(&format!("{at}"), b""));
    write(directory.path(), "members.tar", layout_archive);
    expect_error(
        directory.path(),
        "oci-archive:DIR/members.tar",
        expect![[r#"
            3 error: cannot read DIR/members.tar
              caused by: more than 20000 members
        "#]],
    );
    let name = Fields { kind: b'L', magic: GNU, ..Fields::default() };
    let named = Archive::default().entry(b"././@LongLink", name, &vec![b'a'; 65 << 20]).file("a", b"");
    write(directory.path(), "name.tar", named);
    expect_error(
        directory.path(),
        "oci-archive:DIR/name.tar",
        expect![[r#"
            3 error: cannot read DIR/name.tar
              caused by: more than 67108864 bytes of headers
        "#]],
    );
    let mut cases = Cases::default();
    for size in [u64::MAX, i64::MAX as u64, 1 << 40] {
        let sized = Archive::default().pax(&[("size", size.to_string().as_bytes())]).file("a", b"");
        let path = write(directory.path(), "size.tar", sized);
        let (code, _, err) = check(&format!("oci-archive:{path}"), &[]);
        assert_eq!(code, 3, "{size}: {err}");
        cases.add(size, err.replace(&directory.path().display().to_string(), "DIR"));
    }
    expect![[r#"
        18446744073709551615
            error: cannot read DIR/size.tar
              caused by: not a tar archive
        9223372036854775807
            error: cannot read DIR/size.tar
              caused by: truncated within `a`
        1099511627776
            error: cannot read DIR/size.tar
              caused by: truncated within `a`
    "#]]
    .assert_eq(cases.as_str());
    let odd = Archive::default().file(
        "manifest.json",
        json!([manifest_item(&config.0, &["\u{1b}[2J:a", "x:b"], &["a"])]).to_string().as_bytes(),
    );
    write(directory.path(), "names.tar", odd.file(&config.0, &config.1).file("a", &layer));
    expect_error(
        directory.path(),
        "docker-archive:DIR/names.tar",
        expect![[r#"
            3 error: docker-archive:DIR/names.tar contains several images

            hint: choose an image in the archive: �[2J:a, x:b
        "#]],
    );
}

/// Runs a tool that must be installed; `None` if it fails.
fn run_tool(words: &[&str]) -> Option<()> {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    output.status.success().then_some(())
}

/// An archive of an OCI layout, rewritten as `docker save` does since version 25.
fn as_docker_archive(path: &str, directory: &Path) -> String {
    let unpacked = TempDir::new_in(directory).unwrap();
    tar::Archive::new(fs::File::open(path).unwrap()).unpack(unpacked.path()).unwrap();
    write(directory, "docker.tar", docker_archive(unpacked.path(), "team/app"))
}

/// Compares the report on an image of a layout with those on the archives that skopeo writes of it, and on one that tar
/// writes of the whole layout: returns the references with other reports, and whether skopeo wrote an OCI archive and a
/// Docker archive.
fn compare_archives(layout: &Path, whole: &str, runtime: &str, tag: &str) -> (Vec<String>, [bool; 2]) {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (from, oci, old) = (format!("oci:{}:{tag}", layout.display()), path("oci.tar"), path("old.tar"));
    let expected = json_report(&from, runtime);
    let mut candidates = vec![format!("oci-archive:{whole}:{tag}")];
    let archive = format!("oci-archive:{oci}:{tag}");
    // skopeo would recompress layers that it does not recognise.
    let copy = ["skopeo", "copy", "--quiet", "--preserve-digests", "--multi-arch", "all", &from, &archive];
    let is_written = run_tool(&copy).is_some();
    if is_written {
        candidates.push(archive);
        candidates.push(format!("docker-archive:{}:team/app:{tag}", as_docker_archive(&oci, directory.path())));
    }
    candidates.retain(|reference| json_report(reference, runtime) != expected);
    // A Docker archive holds neither an index nor an artifact.
    let saved = format!("docker-archive:{old}:team/app:{tag}");
    let is_single = expected.contains("\"kind\": \"image\"");
    let is_saved = is_single && run_tool(&["skopeo", "copy", "--quiet", &from, &saved]).is_some();
    if is_saved && comparable_report(&saved, runtime) != comparable_report(&from, runtime) {
        candidates.push(saved);
    }
    (candidates, [is_written, is_saved])
}

#[test]
#[ignore = "needs the images that `make test-real` makes, skopeo and tar"]
fn real_archives_give_the_same_report_as_layouts() {
    let directory = TempDir::new().unwrap();
    for (variable, runtimes, least) in
        [("TEST_REAL_IMAGES", &RUNTIMES[..], [7, 3]), ("TEST_REAL_PROGRAMS", &RUNTIMES[..1], [200, 200])]
    {
        let layout = PathBuf::from(std::env::var_os(variable).expect("the layouts of `make test-real`"));
        let whole = directory.path().join("all.tar").display().to_string();
        run_tool(&["tar", "--create", "--file", &whole, "--directory", layout.to_str().unwrap(), "."]).unwrap();
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        let tag =
            |listed: &Value| listed["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
        let mut tags: Vec<String> = index["manifests"].as_array().unwrap().iter().map(tag).collect();
        // Some images are intermediate steps whose names are not valid tags.
        tags.retain(|tag| tag.parse::<Tag>().is_ok());
        for runtime in runtimes {
            let left = Mutex::new(tags.iter());
            let next = || left.lock().unwrap().next();
            let work = || {
                let tags = std::iter::from_fn(next);
                tags.map(|tag| compare_archives(&layout, &whole, runtime, tag)).collect::<Vec<_>>()
            };
            let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let all: Vec<_> = thread::scope(|scope| {
                let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
                started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
            });
            let counts = [0, 1].map(|which| all.iter().filter(|(_, written)| written[which]).count());
            let wrong: Vec<&str> = all.iter().flat_map(|(wrong, _)| wrong).map(String::as_str).collect();
            assert!(wrong.is_empty(), "on {runtime}, {} differ:\n{}", wrong.len(), wrong.join("\n"));
            assert!(
                counts[0] >= least[0] && counts[1] >= least[1],
                "of {} images, skopeo wrote only {counts:?}",
                all.len()
            );
        }
    }
}
