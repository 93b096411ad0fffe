//! Inspections through the whole look: which layers are read, what ends one early, and what becomes of the verdict.

use std::fs;
use std::io::Write;
use std::time::Duration;

use ecr_preflight::check::{ImageOrigin, InspectContext, check_image};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::name::Selector;
use ecr_preflight::registry::RegistryError;
use ecr_preflight::registry::counting::CountingRegistry;
use ecr_preflight::registry::oci_layout::OciLayout;
use ecr_preflight::report::Report;
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::{CheckSettings, InspectionLimits};
use ecr_preflight::verdict::Verdict;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::archive::{Archive, Fields};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, OCI_MANIFEST, config, digest, promising};

fn gzip(archive: Archive) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&archive.end()).unwrap();
    encoder.finish().unwrap()
}

/// An image that starts this command, of these layers, the lowest first.
fn image(layout: &Builder, architecture: &str, command: &[&str], layers: Vec<Archive>) -> Value {
    let mut config = config("linux", architecture, json!({}));
    config["config"]["Entrypoint"] = json!(command);
    let layers: Vec<Value> = layers.into_iter().map(|layer| layout.blob(OCI_GZIP, &gzip(layer))).collect();
    layout.manifest(&config, &layers)
}

fn app(architecture: &str) -> Archive {
    Archive::default().file("app", &elf::program(architecture))
}

/// What is said of an image, and how many bytes were read for it.
fn looked(
    layout: &Builder,
    image: &Value,
    runtimes: &[Runtime],
    inspector: &Inspector,
    left: Duration,
) -> Result<(Report, u64), RegistryError> {
    let registry = CountingRegistry::new(OciLayout::open(layout.path(), None).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let asked = Some(runtimes).filter(|runtimes| !runtimes.is_empty());
    let rules = CheckSettings::default();
    let by = InspectContext { inspector, time_left: left };
    let selector = Selector::Digest(digest(image));
    let origin = ImageOrigin::from_reference("image", &selector);
    let found = runtime.block_on(check_image(&registry, &origin, asked, &rules, by))?;
    Ok((found.report, registry.bytes_read()))
}

fn within(bounds: &str) -> Inspector {
    let bounds = InspectionLimits::parse(bounds).unwrap();
    Inspector::new(bounds.layers, bounds.cache_bytes)
}

fn report(layout: &Builder, image: &Value, runtimes: &[Runtime]) -> Report {
    looked(layout, image, runtimes, &within(""), Duration::MAX).unwrap().0
}

/// Verdict, faults, and for each inspection its outcome, errno and reason.
fn said(report: &Report) -> String {
    let faults: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
    let exec = |started: &ecr_preflight::report::ExecReport| {
        let outcome = serde_json::to_value(started.outcome).unwrap();
        let outcome = outcome.as_str().unwrap().to_owned();
        let why = started.errno.map(str::to_owned).or_else(|| started.reason.clone());
        why.map_or(outcome.clone(), |why| format!("{outcome} {why}"))
    };
    let exec: Vec<String> = report.exec.iter().map(exec).collect();
    format!("{} [{}] {}", report.verdict.as_str(), faults.join(" "), exec.join("; "))
}

/// Takes a blob out of a layout.
fn lose(layout: &Builder, descriptor: &Value) {
    fs::remove_file(layout.path().join("blobs/sha256").join(digest(descriptor).hex())).unwrap();
}

#[test]
fn a_static_program_in_the_highest_layer_is_told_without_the_layers_below() {
    let layout = Builder::new();
    let below = layout.blob(OCI_GZIP, b"this is never read");
    let top = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[below.clone(), top]);
    lose(&layout, &below);
    assert_eq!(said(&report(&layout, &image, &[Runtime::EcsArm64])), "runs [] starts");
}

#[test]
fn a_program_is_looked_for_through_all_layers_and_their_whiteouts() {
    let layout = Builder::new();
    let base = || Archive::default().directory("bin").file("bin/sh", &elf::program("arm64"));
    let script = || Archive::default().file("entry", b"#!/bin/sh\n");
    let gone = Archive::default().directory("bin").file("bin/.wh.sh", b"");
    let sound = image(&layout, "arm64", &["/entry"], vec![base(), script()]);
    assert_eq!(said(&report(&layout, &sound, &[Runtime::EcsArm64])), "runs [] starts");
    let removed = image(&layout, "arm64", &["/entry"], vec![base(), script(), gone]);
    let expected = "fails [exec-interpreter-missing] fails ENOENT";
    assert_eq!(said(&report(&layout, &removed, &[Runtime::EcsArm64])), expected);
}

#[test]
fn a_base_layer_is_read_once_for_all_the_images_that_have_it() {
    let layout = Builder::new();
    let base = || (0..500).fold(Archive::default(), |base, at| base.file(&format!("f{at}"), at.to_string().as_bytes()));
    let first = image(&layout, "arm64", &["none"], vec![base(), app("arm64")]);
    let second = image(&layout, "arm64", &["none"], vec![base(), Archive::default().file("other", b"x")]);
    let size = gzip(base()).len() as u64;
    for (cache, is_kept) in [("", true), ("cache=1", false)] {
        let inspector = within(cache);
        let read = |image| looked(&layout, image, &[Runtime::EcsArm64], &inspector, Duration::MAX).unwrap().1;
        assert!(read(&first) > size);
        assert_eq!(read(&second) < size, is_kept, "{cache}");
    }
}

#[test]
fn over_each_bound_the_verdict_of_the_labels_still_goes_out_and_says_what_was_not_looked_at() {
    let layout = Builder::new();
    let deep = "d/".repeat(20) + "x";
    let files = (0..9).fold(Archive::default(), |files, at| files.file(&format!("file-{at}"), b"#!/bin/sh\n"));
    let long = Archive::default().pax(&[("path", "n".repeat(300).as_bytes())]).file("cut", b"x");
    for (bounds, layer, reason) in [
        ("bytes=600", app("arm64"), "the layer is larger than 600 bytes"),
        (
            "ratio=2 ratio-from=512",
            Archive::default().file("zeros", &[0; 100_000]),
            "the layer decompresses to more than 2 times its size",
        ),
        ("entries=5", files.clone(), "the layer has more than 5 entries"),
        ("names=5", files.clone(), "the layers make more than 5 names"),
        ("path=200", long.clone(), "a path or a link's target is longer than 200 bytes"),
        ("depth=10", Archive::default().file(&deep, b"x"), "a path has more than 10 components"),
        ("memory=100", files, "the names take more than 100 bytes"),
    ] {
        let image = image(&layout, "arm64", &["none"], vec![layer]);
        let (report, _) = looked(&layout, &image, &[Runtime::EcsArm64], &within(bounds), Duration::MAX).unwrap();
        assert_eq!(report.verdict, Verdict::Runs, "{bounds}");
        let text = ecr_preflight::report::format_text(&report);
        let start = text.find("label checked, binary not inspected: ").unwrap_or_else(|| panic!("{bounds}: {text}"));
        assert!(text[start..].contains(reason), "{bounds}: {text}");
    }
}

#[test]
fn without_time_left_the_verdict_of_the_labels_goes_out() {
    let layout = Builder::new();
    let image = image(&layout, "arm64", &["/app"], vec![app("arm64")]);
    for (runtime, expected) in [(Runtime::EcsArm64, "runs []"), (Runtime::EcsAmd64, "fails [wrong-architecture]")] {
        let (report, _) = looked(&layout, &image, &[runtime], &within(""), Duration::ZERO).unwrap();
        assert_eq!(said(&report), format!("{expected} unknown its layers could not be read in the time there is"));
    }
}

#[test]
fn what_cannot_be_looked_at_is_unknown_with_its_reason_and_no_fault() {
    let layout = Builder::new();
    let plain = || config("linux", "arm64", json!({}));
    let layer = |media_type: &str| layout.blob(media_type, &gzip(app("arm64")));
    let with = |key: &str, value: Value| {
        let mut config = plain();
        config["config"][key] = value;
        layout.manifest(&config, &[layer(OCI_GZIP)])
    };
    for (image, reason) in [
        (with("Entrypoint", json!([])), "neither an entrypoint nor a command is set".to_owned()),
        (with("Entrypoint", json!("/app")), "its config has a command or volumes that cannot be read".to_owned()),
        (with("Volumes", json!({"/": {}})), "/ may be mounted over at run time".to_owned()),
        (with("Entrypoint", json!(["/run/app"])), "/run may be mounted over at run time".to_owned()),
        (
            layout.manifest(&plain(), &[layer(&format!("{OCI_GZIP}+encrypted"))]),
            "one of its layers is encrypted".to_owned(),
        ),
        (
            layout.manifest(&plain(), &[layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]),
            "one of its layers lies outside of the registry".to_owned(),
        ),
        (
            layout.manifest(&plain(), &[layer(OCI_GZIP), layer("application/vnd.example.tar+xz")]),
            "one of its layers is of the type `application/vnd.example.tar+xz`".to_owned(),
        ),
        (
            layout.manifest(&plain(), &[layout.blob(OCI_GZIP, b"no archive at all, but long enough for a header")]),
            "cannot be decompressed: it ends too early".to_owned(),
        ),
    ] {
        let report = report(&layout, &image, &[Runtime::EcsArm64]);
        let said = said(&report);
        assert!(said.starts_with("runs [] unknown ") && said.ends_with(&reason), "{said}, not {reason}");
    }
}

#[test]
fn an_image_that_has_lost_a_layer_is_unknown_unless_it_fails_anyhow() {
    let layout = Builder::new();
    let lost = layout.blob(OCI_GZIP, b"lost");
    lose(&layout, &lost);
    let reason = format!("layer {} is not in the repository", digest(&lost).short());
    let single = layout.manifest(&config("linux", "arm64", json!({})), std::slice::from_ref(&lost));
    let index = layout.index(&[promising(&single, "linux", "arm64")]);
    let below = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let below = layout.manifest(&config("linux", "arm64", json!({})), &[lost, below]);
    for (image, runtimes, expected) in [
        (&single, &[Runtime::EcsArm64][..], format!("unknown [] unknown {reason}")),
        (&index, &[Runtime::EcsArm64], format!("unknown [] unknown {reason}")),
        (&single, &[Runtime::EcsAmd64], format!("fails [wrong-architecture] unknown {reason}")),
        (&single, &[], format!("undeclared [] unknown {reason}")),
        // What is started lies above, and nothing below was asked for.
        (&below, &[Runtime::EcsArm64], "runs [] starts".to_owned()),
    ] {
        assert_eq!(said(&report(&layout, image, runtimes)), expected);
    }
}

#[test]
fn a_layer_that_arrives_as_another_is_an_error_and_no_verdict() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    fs::write(layout.path().join("blobs/sha256").join(digest(&layer).hex()), gzip(app("amd64"))).unwrap();
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[layer]);
    let error = looked(&layout, &image, &[Runtime::EcsArm64], &within(""), Duration::MAX).unwrap_err();
    assert!(matches!(error, RegistryError::Transfer { .. }), "{error}");
}

#[test]
fn labels_are_held_against_programs() {
    let layout = Builder::new();
    let one = |label, program| image(&layout, label, &["/app"], vec![app(program)]);
    for (image, runtimes, expected) in [
        (one("amd64", "arm64"), &[Runtime::EcsAmd64][..], "fails [platform-mismatch] fails ENOEXEC"),
        (one("amd64", "arm64"), &[], "fails [platform-mismatch] fails ENOEXEC"),
        (one("amd64", "arm64"), &[Runtime::EcsArm64], "fails [platform-mismatch] starts"),
        (one("arm64", "arm64"), &[Runtime::EcsAmd64], "fails [wrong-architecture] fails ENOEXEC"),
        (one("", "arm64"), &[Runtime::EcsArm64], "runs [] starts"),
        (one("", "arm64"), &[Runtime::EcsAmd64], "fails [wrong-architecture] fails ENOEXEC"),
        (one("", "arm64"), &[], "undeclared [] "),
        (one("arm64", "arm64"), &[], "undeclared [] starts"),
        (
            one("arm", "arm"),
            &[Runtime::EcsArm64],
            "unknown [] unknown /app is a program of 32 bits, which only some hosts start",
        ),
    ] {
        assert_eq!(said(&report(&layout, &image, runtimes)), expected);
    }
}

#[test]
fn what_only_root_may_execute_does_not_start_on_lambda() {
    let layout = Builder::new();
    let app = |mode| {
        let fields = Fields { mode, ..Fields::default() };
        Archive::default().entry(b"app", fields, &elf::program("arm64"))
    };
    let closed = image(&layout, "arm64", &["/app"], vec![app(0o744)]);
    let open = image(&layout, "arm64", &["/app"], vec![app(0o755)]);
    let both = [Runtime::LambdaArm64, Runtime::EcsArm64];
    assert_eq!(said(&report(&layout, &open, &both)), "runs [] starts; starts");
    assert_eq!(said(&report(&layout, &closed, &both)), "fails [exec-permission] fails EACCES; starts");
}

#[test]
fn of_two_platforms_with_the_same_layers_the_programs_tell_which_is_right() {
    let layout = Builder::new();
    let child =
        |architecture| promising(&image(&layout, architecture, &["/app"], vec![app("amd64")]), "linux", architecture);
    let index = layout.index(&[child("amd64"), child("arm64")]);
    for (runtimes, expected) in [
        (&[Runtime::EcsAmd64][..], "runs [] starts"),
        (&[Runtime::EcsArm64], "fails [platform-mismatch identical-layers] fails ENOEXEC"),
        (&[Runtime::EcsAmd64, Runtime::EcsArm64], "fails [platform-mismatch identical-layers] starts; fails ENOEXEC"),
        (&[], "fails [platform-mismatch identical-layers] starts; fails ENOEXEC"),
        (&[Runtime::LambdaAmd64], "fails [index-refused] "),
    ] {
        assert_eq!(said(&report(&layout, &index, runtimes)), expected, "{runtimes:?}");
    }
}

#[test]
fn what_images_of_data_may_have_for_a_command_is_a_fault_only_where_a_runtime_is_declared() {
    let layout = Builder::new();
    for (command, layer, declared, undeclared) in [
        ("/none", app("arm64"), "fails [exec-not-found] fails ENOENT", "undeclared [] fails ENOENT"),
        (
            "/text",
            Archive::default().file("text", b"echo\n"),
            "fails [exec-format] fails ENOEXEC",
            "undeclared [] fails ENOEXEC",
        ),
        (
            "/dir",
            Archive::default().directory("dir"),
            "fails [exec-permission] fails EACCES",
            "undeclared [] fails EACCES",
        ),
        (
            "/crlf",
            Archive::default().file("crlf", b"#!/bin/sh\r\n"),
            "fails [exec-interpreter-missing] fails ENOENT",
            "fails [exec-interpreter-missing] fails ENOENT",
        ),
    ] {
        let image = image(&layout, "arm64", &[command], vec![layer]);
        assert_eq!(said(&report(&layout, &image, &[Runtime::LinuxArm64])), declared);
        assert_eq!(said(&report(&layout, &image, &[])), undeclared);
    }
}

#[test]
fn a_manifest_that_names_one_layer_a_thousand_times_is_looked_at_in_no_time() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(Archive::default().file("x", b"x")));
    let many = |count| {
        let config = layout.json("application/vnd.oci.image.config.v1+json", &config("linux", "arm64", json!({})));
        let layers = vec![layer.clone(); count];
        layout.json(
            OCI_MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}),
        )
    };
    let expected = "fails [exec-not-found] fails ENOENT";
    assert_eq!(said(&report(&layout, &many(400), &[Runtime::EcsArm64])), expected);
    let expected = "runs [] unknown it has 1000 layers, more than the 500 that are read";
    assert_eq!(said(&report(&layout, &many(1000), &[Runtime::EcsArm64])), expected);
}

#[test]
fn a_variant_of_the_processor_is_as_uncertain_as_before_when_the_program_is_one_for_it() {
    let layout = Builder::new();
    let made = |program| {
        let mut config = config("linux", "amd64", json!({}));
        config["variant"] = json!("v3");
        layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(app(program)))])
    };
    let (own, foreign) = (made("amd64"), made("arm64"));
    assert_eq!(said(&report(&layout, &own, &[Runtime::EcsAmd64])), "unknown [] starts");
    assert_eq!(said(&report(&layout, &foreign, &[Runtime::EcsAmd64])), "fails [platform-mismatch] fails ENOEXEC");
}

#[test]
fn below_a_volume_everything_is_unknown_whatever_stands_above_it_and_wherever_links_lead() {
    let layout = Builder::new();
    let with = |volume: &str, command: &str, layers: Vec<Archive>| {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!([command]);
        config["config"]["Volumes"] = json!({volume: {}});
        let layers: Vec<Value> = layers.into_iter().map(|layer| layout.blob(OCI_GZIP, &gzip(layer))).collect();
        layout.manifest(&config, &layers)
    };
    let foreign =
        || Archive::default().directory("srv").directory("srv/data").file("srv/data/app", &elf::program("amd64"));
    for (image, mount) in [
        (with("/data/x", "/data/x/app", vec![app("arm64")]), "/data/x"),
        (with("/data/", "/data/app", vec![app("arm64")]), "/data"),
        (with("/data", "/srv/data/app", vec![Archive::default().link("data", "srv/data"), foreign()]), "/srv/data"),
    ] {
        let expected = format!("runs [] unknown {mount} may be mounted over at run time");
        assert_eq!(said(&report(&layout, &image, &[Runtime::EcsArm64])), expected);
    }
    let beside = with("/data/x", "/data/y", vec![app("arm64")]);
    assert_eq!(said(&report(&layout, &beside, &[Runtime::EcsArm64])), "fails [exec-not-found] fails ENOENT");
}

#[test]
fn platforms_that_share_their_layers_and_start_each_its_own_of_the_files_are_sound() {
    let layout = Builder::new();
    let both = || Archive::default().file("amd64", &elf::program("amd64")).file("arm64", &elf::program("arm64"));
    let child = |architecture: &str| {
        let image = image(&layout, architecture, &[&format!("/{architecture}")], vec![both()]);
        promising(&image, "linux", architecture)
    };
    let index = layout.index(&[child("amd64"), child("arm64")]);
    let runtimes = [Runtime::EcsAmd64, Runtime::EcsArm64];
    assert_eq!(said(&report(&layout, &index, &runtimes)), "runs [] starts; starts");
    let data = |architecture| promising(&image(&layout, architecture, &["none"], vec![both()]), "linux", architecture);
    let data = layout.index(&[data("amd64"), data("arm64")]);
    assert_eq!(said(&report(&layout, &data, &[])), "undeclared [] fails ENOENT; fails ENOENT");
}

#[test]
fn what_fails_by_its_label_is_told_though_a_layer_does_not_arrive() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    fs::write(layout.path().join("blobs/sha256").join(digest(&layer).hex()), b"another").unwrap();
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[layer]);
    let said = said(&report(&layout, &image, &[Runtime::EcsAmd64]));
    assert!(said.starts_with("fails [wrong-architecture] unknown blob sha256:"), "{said}");
}

#[test]
fn what_a_wrapper_starts_below_a_mount_is_said_to_be_untold() {
    let layout = Builder::new();
    let tini = Archive::default().file("tini", &elf::program("arm64"));
    let image = image(&layout, "arm64", &["/tini", "--", "/run/app"], vec![tini]);
    let report = report(&layout, &image, &[Runtime::EcsArm64]);
    assert_eq!(said(&report), "runs [] starts /run may be mounted over at run time");
    let text = ecr_preflight::report::format_text(&report);
    assert!(text.contains("what is started next could not be told: /run may be mounted over"), "{text}");
}

#[test]
fn nothing_that_an_image_says_reaches_a_terminal_as_it_is_and_long_words_are_cut() {
    let layout = Builder::new();
    let long = format!("/{}", "\u{1b}[31m\n".repeat(40_000));
    for (entrypoint, directory) in
        [(long.as_str(), "/"), ("./x", "/a\u{1b}[2J\nFAKE: all is well"), ("/run/\u{7}", "/")]
    {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!([entrypoint]);
        config["config"]["WorkingDir"] = json!(directory);
        config["history"] = json!([{"created_by": "RUN GOARCH=amd64\u{1b}`<!channel>` go build"}]);
        let file = Archive::default().file("a\u{1b}[2J\nFAKE: all is well", b"x");
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(file))]);
        let report = report(&layout, &image, &[Runtime::EcsArm64]);
        let (text, json) = (ecr_preflight::report::format_text(&report), serde_json::to_string(&report).unwrap());
        assert!(!text.contains(['\u{1b}', '\u{7}']) && !text.lines().any(|line| line.starts_with("FAKE")), "{text}");
        assert!(text.len() + json.len() < 20_000, "{} and {}", text.len(), json.len());
    }
}

#[test]
fn many_layers_that_hold_much_and_follow_no_order_do_not_outlast_the_time_there_is() {
    let layout = Builder::new();
    let many = (0..20_000).fold(Archive::default(), |many, at| many.file(&format!("file-{at}"), b""));
    let untidy = |at: usize| Archive::default().file(&format!("made/by/nobody-{at}"), b"x");
    let layers: Vec<Archive> = std::iter::once(many).chain((0..300).map(untidy)).collect();
    let image = image(&layout, "arm64", &["none"], layers);
    // Laying them out goes through each layer's own names only.
    let began = std::time::Instant::now();
    assert_eq!(said(&report(&layout, &image, &[Runtime::EcsArm64])), "fails [exec-not-found] fails ENOENT");
    let whole = began.elapsed();
    let (late, _) = looked(&layout, &image, &[Runtime::EcsArm64], &within(""), whole / 20).unwrap();
    assert_eq!(said(&late), "runs [] unknown its layers could not be read in the time there is");
}
