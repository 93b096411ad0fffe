//! Images that are made to hurt: what is said of them, by the real program with so little memory that nothing that grows
//! with its input has room.
//!
//! Does not look at the clock; `benches/hostile` measures the same with images of full size.

use std::process::Command;

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use crate::support::archive::{Archive, Fields, GNU};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_CONFIG, OCI_GZIP, OCI_MANIFEST};

/// The most data the program may have, in KiB: its own, and three times the memory that it is given for names. A bound
/// that is passed ends it without a word.
const DATA: u32 = 160 * 1024;
const LIMITS: &str = "bytes=200M ratio-from=8M entries=30000 names=45000 memory=8M cache=8M seconds=600";

/// What is said of an image: the verdict of its first runtime and all reasons.
fn said(layout: &mut Builder, image: &Value) -> String {
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
    format!("{}: {}", report["verdict"].as_str().unwrap(), reasons.concat().join("; "))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An image of these layers, whose config holds this.
fn image(layout: &Builder, run: Value, layers: &[Vec<u8>]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| layout.blob(OCI_GZIP, &gzip(layer))).collect();
    layout.manifest(&json!({"os": "linux", "architecture": "amd64", "config": run}), &layers)
}

fn app() -> Vec<u8> {
    Archive::default().file("app", &elf::program("amd64")).end()
}

fn numbered(archive: Archive, prefix: &str, count: usize) -> Archive {
    (0..count).fold(archive, |archive, number| archive.file(&format!("{prefix}{number}"), b""))
}

/// A link with a target of any length.
fn link(archive: Archive, name: &str, target: &str) -> Archive {
    let long = Fields { kind: b'K', magic: GNU, ..Fields::default() };
    let link = Fields { kind: b'2', magic: GNU, ..Fields::default() };
    archive.entry(b"././@LongLink", long, format!("{target}\0").as_bytes()).entry(name.as_bytes(), link, b"")
}

/// Links that lead to and fro on the way to one another, and the last of them to itself without its number.
fn chain(links: usize) -> Archive {
    let way = "d/../".repeat(800);
    let first = Archive::default().directory("d").directory(&format!("l{links}"));
    (0..links).fold(first, |archive, at| link(archive, &format!("l{at}"), &format!("{way}l{}", at + 1)))
}

#[test]
fn layers_that_grow_without_end_are_left_where_a_bound_is_met() {
    let zeros = vec![0; 64 << 20];
    let bomb = Archive::default().block(b"zeros", Fields::default(), (1 << 33) - 1, |_| ()).data(&zeros).end();
    let claimed = |kind| {
        let fields = Fields { kind, magic: GNU, ..Fields::default() };
        Archive::default().block(b"x", fields, 1 << 32, |_| ()).data(&zeros[..4 << 20]).end()
    };
    let names = || numbered(Archive::default(), &format!("{}/f", "n".repeat(80)), 25_000).end();
    for (layers, words) in [
        (vec![bomb], "decompresses to more than 200 times its size"),
        (vec![claimed(b'L')], "a record of the archive is longer than 1048576 bytes"),
        (vec![claimed(b'K')], "a record of the archive is longer than 1048576 bytes"),
        (vec![claimed(b'x')], "a record of the archive is longer than 1048576 bytes"),
        (vec![numbered(Archive::default(), "f", 30_001).end()], "the layer has more than 30000 entries"),
        (vec![names(), names(), names()], "the layers make more than 45000 names"),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, json!({"Cmd": ["/app"]}), &layers);
        let said = said(&mut layout, &image);
        assert!(said.starts_with("runs: ") && said.contains(words), "{said}");
    }
}

#[test]
fn links_that_lead_through_one_another_are_followed_only_so_far() {
    for (run, layer, words) in [
        (json!({"Cmd": ["/l0/f"]}), chain(39).end(), "fails: /l0/f is not in the image"),
        (json!({"Cmd": ["/l0/f"]}), chain(41).end(), "fails: the way to /l0/f leads through links without an end"),
        (
            json!({"Cmd": ["/app"]}),
            (0..30).fold(chain(250), |archive, at| archive.file(&format!("l0/f{at}"), b"").file("f", b"")).end(),
            "runs: the layer's entries lie behind links through more than 720000 names",
        ),
        (
            json!({"Cmd": ["none"], "Env": [format!("PATH={}", ["/l0"; 60_000].join(":"))]}),
            chain(39).end(),
            "runs: finding out what /",
        ),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, run, &[layer]);
        let said = said(&mut layout, &image);
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn configs_with_paths_of_any_length_are_answered() {
    let deep = "/a".repeat(100_000);
    let volumes: serde_json::Map<String, Value> =
        (0..100).map(|at| (format!("/{at}{}", "/a".repeat(4000)), json!({}))).collect();
    let many: Vec<String> = (0..100_000).map(|at| format!("/d{at}")).collect();
    for (run, words) in [
        (json!({"Cmd": ["./none"], "WorkingDir": deep}), "runs: the working directory /a/a"),
        (json!({"Cmd": ["/none"], "WorkingDir": deep}), "fails: /none is not in the image"),
        (json!({"Cmd": ["./none"], "WorkingDir": "/..".repeat(100_000)}), "runs: the working directory /../.."),
        (json!({"Cmd": [deep]}), "fails: /a/a"),
        (json!({"Cmd": ["/none"], "Volumes": volumes}), "fails: /none is not in the image"),
        (
            json!({"Cmd": ["none"], "Env": [format!("PATH={}", many.join(":"))]}),
            "fails: none is in no directory of PATH",
        ),
    ] {
        let mut layout = Builder::new();
        let image = image(&layout, run, &[app()]);
        let said = said(&mut layout, &image);
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn documents_of_any_size_and_depth_are_answered() {
    let config = Digest::of(b"x");
    let nested = |times: usize| format!("{}1{}", "[".repeat(times), "]".repeat(times));
    let layers = vec!["{}"; 1 << 20].join(",");
    for (manifest, words) in [
        (format!(r#"{{"a":{}}}"#, nested(1 << 20)), "unknown: its manifest has no config"),
        (format!(r#"{{"layers":[{layers}],"config":{{"digest":"{config}"}}}}"#), "ignored: "),
        (
            format!(
                r#"{{"config":{{"mediaType":"{OCI_CONFIG}","digest":"{config}"}},"layers":[{}]}}"#,
                vec![format!(r#"{{"mediaType":"{OCI_GZIP}","digest":"{config}"}}"#); 10_000].join(",")
            ),
            "unknown: its config is not in the repository",
        ),
        (
            format!(
                r#"{{"manifests":[{}]}}"#,
                vec![format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{config}"}}"#); 10_000].join(",")
            ),
            "unknown: its index has 10000 children, more than the 200 that are read",
        ),
        (" ".repeat((4 << 20) + 1), "unknown: its manifest holds more than 4194304 bytes"),
    ] {
        let mut layout = Builder::new();
        let image = layout.blob(OCI_MANIFEST, manifest.as_bytes());
        let image = if manifest.contains("\"manifests\"") { layout.blob("", manifest.as_bytes()) } else { image };
        let said = said(&mut layout, &image);
        assert!(said.starts_with(words), "{said}");
    }
}

#[test]
fn what_a_layout_calls_an_image_is_shown_cut_and_without_what_steers_a_terminal() {
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
