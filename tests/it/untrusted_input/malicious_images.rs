//! Malicious images, checked by the real program with too little memory for anything that grows with its input.
//! `benches/hostile` measures the same at full size.

use std::process::Command;

use ecr_preflight::name::Digest;
use expect_test::expect;
use serde_json::{Value, json};

use crate::support::archive::{Archive, Fields, GNU};
use crate::support::cases::Cases;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_CONFIG, OCI_GZIP, OCI_MANIFEST};

/// The data segment limit of the program in KiB: its own data, and three times the memory limit for names. Exceeding it
/// ends the program without a message.
const DATA: u32 = 160 * 1024;
const LIMITS: &str =
    "bytes=200M ratio-from=8M entries=30000 names=45000 memory=8M cache=8M total-memory=24M seconds=600";

/// The verdict for the first runtime, and all reasons.
fn summary(layout: &mut Builder, image: &Value) -> String {
    layout.tag("v1", image);
    let script = format!("ulimit -d {DATA} && exec \"$0\" check \"oci:$1\" --runtime ecs/amd64 --format json");
    let mut sh = Command::new("sh");
    sh.args(["-c", &script, env!("CARGO_BIN_EXE_ecr-preflight")]).arg(layout.path());
    let output = sh.env("PREFLIGHT_LIMITS", LIMITS).env("MALLOC_ARENA_MAX", "2").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}: {stderr}", output.status));
    let texts = |list: &Value, key: &str| -> Vec<String> {
        let texts = list.as_array().into_iter().flatten().map(|one| if key.is_empty() { one } else { &one[key] });
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let runtime = &report["runtimes"][0];
    let reasons =
        [texts(&runtime["unknown"], ""), texts(&runtime["faults"], "evidence"), texts(&report["exec"], "reason")];
    format!("{}: {}", report["verdict"].as_str().unwrap(), reasons.concat().join("; ")).trim_end().to_owned()
}

/// Masks the digest of a layer, which differs with the version of the compressor.
fn masked(text: &str) -> String {
    let Some((before, after)) = text.split_once("layer ") else { return text.to_owned() };
    let is_digest = |word: &&str| word.len() == 12 && word.bytes().all(|c| c.is_ascii_hexdigit());
    match after.split([' ', ':']).next().filter(is_digest) {
        Some(digest) => format!("{before}layer {}", after.replacen(digest, "DIGEST", 1)),
        None => text.to_owned(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image with these layers and this `config` object.
fn image(layout: &Builder, process: Value, layers: &[Vec<u8>]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| layout.blob(OCI_GZIP, &gzip(layer))).collect();
    layout.manifest(&json!({"os": "linux", "architecture": "amd64", "config": process}), &layers)
}

fn app() -> Vec<u8> {
    Archive::default().file("app", &elf::program("amd64")).end()
}

fn files(archive: Archive, prefix: &str, count: usize) -> Archive {
    (0..count).fold(archive, |archive, number| archive.file(&format!("{prefix}{number}"), b""))
}

/// A link with a target of any length.
fn link(archive: Archive, name: &str, target: &str) -> Archive {
    let long = Fields { kind: b'K', magic: GNU, ..Fields::default() };
    let link = Fields { kind: b'2', magic: GNU, ..Fields::default() };
    archive.entry(b"././@LongLink", long, format!("{target}\0").as_bytes()).entry(name.as_bytes(), link, b"")
}

/// Links whose absolute targets go back and forth through directories to the next link; the last leads to a directory.
fn link_chain(links: usize) -> Archive {
    let way = format!("/{}", "d/../".repeat(800));
    let first = Archive::default().directory("d").directory(&format!("l{links}"));
    (0..links).fold(first, |archive, at| link(archive, &format!("l{at}"), &format!("{way}l{}", at + 1)))
}

#[test]
fn oversized_layers_stop_at_their_limit() {
    let zeros = vec![0; 64 << 20];
    let bomb = Archive::default().block(b"zeros", Fields::default(), (1 << 33) - 1, |_| ()).data(&zeros).end();
    let claimed = |kind| {
        let fields = Fields { kind, magic: GNU, ..Fields::default() };
        Archive::default().block(b"x", fields, 1 << 32, |_| ()).data(&zeros[..4 << 20]).end()
    };
    let names = || files(Archive::default(), &format!("{}/f", "n".repeat(80)), 25_000).end();
    let mut cases = Cases::default();
    for (name, layers) in [
        ("a decompression bomb", vec![bomb]),
        ("a GNU long name of 4 GiB", vec![claimed(b'L')]),
        ("a GNU long link target of 4 GiB", vec![claimed(b'K')]),
        ("a pax record of 4 GiB", vec![claimed(b'x')]),
        ("30,001 files in a layer", vec![files(Archive::default(), "f", 30_001).end()]),
        ("75,000 files in three layers", vec![names(), names(), names()]),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, json!({"Cmd": ["/app"]}), &layers);
        cases.add(name, masked(&summary(&mut layout, &image)));
    }
    expect![[r#"
        a decompression bomb
            runs: layer DIGEST: the layer decompresses to more than 200 times its size
        a GNU long name of 4 GiB
            runs: layer DIGEST: a record of the archive is longer than 1048576 bytes
        a GNU long link target of 4 GiB
            runs: layer DIGEST: a record of the archive is longer than 1048576 bytes
        a pax record of 4 GiB
            runs: layer DIGEST: a record of the archive is longer than 1048576 bytes
        30,001 files in a layer
            runs: layer DIGEST: the layer has more than 30000 entries
        75,000 files in three layers
            runs: the layers have more than 45000 names
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn nested_links_stop_at_their_limit() {
    let mut cases = Cases::default();
    for (name, process, layer) in [
        ("39 links to the program", json!({"Cmd": ["/l0/f"]}), link_chain(39).end()),
        ("41 links to the program", json!({"Cmd": ["/l0/f"]}), link_chain(41).end()),
        (
            "30 entries behind 250 links",
            json!({"Cmd": ["/app"]}),
            (0..30).fold(link_chain(250), |archive, at| archive.file(&format!("l0/f{at}"), b"").file("f", b"")).end(),
        ),
        (
            "60,000 directories of PATH behind 39 links",
            json!({"Cmd": ["none"], "Env": [format!("PATH={}", ["/l0"; 60_000].join(":"))]}),
            link_chain(39).end(),
        ),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, process, &[layer]);
        cases.add(name, masked(&summary(&mut layout, &image)));
    }
    expect![[r#"
        39 links to the program
            fails: /l0/f is not in the image
        41 links to the program
            fails: the path of /l0/f has a symbolic link loop or too many links
        30 entries behind 250 links
            runs: layer DIGEST: the links on the paths of the layer's entries visit more than 720000 names
        60,000 directories of PATH behind 39 links
            runs: resolving / takes too many lookups
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn configs_with_long_paths_are_handled() {
    let deep = "/a".repeat(100_000);
    let volumes: serde_json::Map<String, Value> =
        (0..100).map(|at| (format!("/{at}{}", "/a".repeat(4000)), json!({}))).collect();
    let many: Vec<String> = (0..100_000).map(|at| format!("/d{at}")).collect();
    let mut cases = Cases::default();
    for (name, process) in [
        ("a relative command in a long working directory", json!({"Cmd": ["./none"], "WorkingDir": deep})),
        ("an absolute command in a long working directory", json!({"Cmd": ["/none"], "WorkingDir": deep})),
        ("a working directory of `..`", json!({"Cmd": ["./none"], "WorkingDir": "/..".repeat(100_000)})),
        ("a long command", json!({"Cmd": [deep]})),
        ("a hundred long volumes", json!({"Cmd": ["/none"], "Volumes": volumes})),
        ("a long PATH", json!({"Cmd": ["none"], "Env": [format!("PATH={}", many.join(":"))]})),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, process, &[app()]);
        cases.add(name, summary(&mut layout, &image));
    }
    expect![[r#"
        a relative command in a long working directory
            runs: the working directory /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a
        an absolute command in a long working directory
            fails: /none is not in the image
        a working directory of `..`
            runs: the working directory /../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../../.
        a long command
            fails: /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a is not in the image
        a hundred long volumes
            fails: /none is not in the image
        a long PATH
            fails: none was not found as an executable in PATH
    "#]].assert_eq(cases.as_str());
}

#[test]
fn large_and_nested_documents_are_handled() {
    let config = Digest::of(b"x");
    let nested = |times: usize| format!("{}1{}", "[".repeat(times), "]".repeat(times));
    let layers = vec!["{}"; 1 << 20].join(",");
    let mut cases = Cases::default();
    for (name, manifest) in [
        ("a million nested lists", format!(r#"{{"a":{}}}"#, nested(1 << 20))),
        ("a million empty layers", format!(r#"{{"layers":[{layers}],"config":{{"digest":"{config}"}}}}"#)),
        (
            "ten thousand layers",
            format!(
                r#"{{"config":{{"mediaType":"{OCI_CONFIG}","digest":"{config}"}},"layers":[{}]}}"#,
                vec![format!(r#"{{"mediaType":"{OCI_GZIP}","digest":"{config}"}}"#); 10_000].join(",")
            ),
        ),
        (
            "ten thousand children",
            format!(
                r#"{{"manifests":[{}]}}"#,
                vec![format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{config}"}}"#); 10_000].join(",")
            ),
        ),
        ("4 MiB and one byte of blanks", " ".repeat((4 << 20) + 1)),
    ] {
        let mut layout = Builder::new();
        let image = layout.blob(OCI_MANIFEST, manifest.as_bytes());
        let image = if manifest.contains("\"manifests\"") { layout.blob("", manifest.as_bytes()) } else { image };
        cases.add(name, summary(&mut layout, &image));
    }
    expect![[r#"
        a million nested lists
            unknown: its manifest has no config
        a million empty layers
            fails: its manifest is that of an artifact
        ten thousand layers
            fails: its config is not in the repository; its config is not in the repository
        ten thousand children
            unknown: its index has 10000 children, more than the 200 that are read
        4 MiB and one byte of blanks
            unknown: its manifest is larger than 4194304 bytes
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn media_types_are_escaped_and_truncated() {
    let mut layout = Builder::new();
    let image = layout.blob(&format!("\u{1b}[31m{}", "x".repeat(1 << 20)), b"{}");
    layout.tag("v1", &image);
    let mut tool = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    let output =
        tool.args(["check", "--format", "json"]).arg(format!("oci:{}", layout.path().display())).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = report["image"]["mediaType"].as_str().unwrap();
    assert!(shown.starts_with("\u{fffd}[31mx") && shown.chars().count() == 255, "{} characters", shown.len());
}
