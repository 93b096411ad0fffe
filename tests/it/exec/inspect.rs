//! Inspections through `look`: which layers are read, what ends an inspection early, and the resulting verdict.

use std::fs;
use std::io::Write;
use std::time::Duration;

use ecr_preflight::check::{ImageOrigin, InspectContext, check_image};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::log::today;
use ecr_preflight::name::Selector;
use ecr_preflight::registry::RegistryError;
use ecr_preflight::registry::counting::CountingRegistry;
use ecr_preflight::registry::oci_layout::OciLayout;
use ecr_preflight::report::{Report, RuntimeReport};
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::{CheckSettings, InspectionLimits};
use ecr_preflight::verdict::Verdict;
use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::archive::{Archive, Fields};
use crate::support::cases::Cases;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, OCI_MANIFEST, config, digest, with_platform};

fn gzip(archive: Archive) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&archive.end()).unwrap();
    encoder.finish().unwrap()
}

/// An image that starts this command, with these layers from the bottom up.
fn image(layout: &Builder, architecture: &str, command: &[&str], layers: Vec<Archive>) -> Value {
    let mut config = config("linux", architecture, json!({}));
    config["config"]["Entrypoint"] = json!(command);
    let layers: Vec<Value> = layers.into_iter().map(|layer| layout.blob(OCI_GZIP, &gzip(layer))).collect();
    layout.manifest(&config, &layers)
}

fn app(architecture: &str) -> Archive {
    Archive::default().file("app", &elf::program(architecture))
}

/// The report on an image, and the number of bytes read for it.
fn inspect_image(
    layout: &Builder,
    image: &Value,
    runtimes: &[Runtime],
    inspector: &Inspector,
    left: Duration,
) -> Result<(Report, u64), RegistryError> {
    let layout = OciLayout::open(layout.path(), None).unwrap();
    let registry = CountingRegistry::new(&layout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let declared = Some(runtimes).filter(|runtimes| !runtimes.is_empty());
    let rules = CheckSettings::default();
    let by = InspectContext { inspector, time_left: left, is_repeated: false };
    let selector = Selector::Digest(digest(image));
    let origin = ImageOrigin::from_reference("image", &selector);
    let found = runtime.block_on(check_image(&registry, &origin, declared, &rules, by, today()))?;
    Ok((found.report, registry.bytes_read()))
}

fn inspector_with(bounds: &str) -> Inspector {
    let bounds = InspectionLimits::parse(bounds).unwrap();
    Inspector::new(&bounds)
}

fn report(layout: &Builder, image: &Value, runtimes: &[Runtime]) -> Report {
    inspect_image(layout, image, runtimes, &inspector_with(""), Duration::MAX).unwrap().0
}

/// Verdict, faults, and the outcome of each inspection with its errno or reason.
fn summary(report: &Report) -> String {
    let faults: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
    let exec = |started: &ecr_preflight::report::ExecReport| {
        let outcome = serde_json::to_value(started.outcome).unwrap();
        let outcome = outcome.as_str().unwrap().to_owned();
        let why = started.errno.map(str::to_owned).or_else(|| started.reason.clone());
        why.map_or(outcome.clone(), |why| format!("{outcome} {why}"))
    };
    let exec: Vec<String> = report.exec.iter().map(exec).collect();
    format!("{} [{}] {}", report.verdict.as_str(), faults.join(" "), exec.join("; ")).trim_end().to_owned()
}

/// Masks whole and abbreviated digests: compressed layers differ with the version of the compressor.
fn masked(text: &str) -> String {
    let is_hex = |word: &str, length: usize| word.len() == length && word.bytes().all(|c| c.is_ascii_hexdigit());
    let word = |word: &str| {
        let plain = word.trim_start_matches("sha256:").trim_end_matches(':');
        if is_hex(plain, 64) || is_hex(plain, 12) { word.replace(plain, "DIGEST") } else { word.to_owned() }
    };
    text.split('\n').map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

/// The names of these runtimes, or `undeclared`.
fn names(runtimes: &[Runtime]) -> String {
    let names: Vec<String> = runtimes.iter().map(ToString::to_string).collect();
    if names.is_empty() { "undeclared".to_owned() } else { names.join(" ") }
}

/// Removes a blob from a layout.
fn delete_blob(layout: &Builder, descriptor: &Value) {
    fs::remove_file(layout.path().join("blobs/sha256").join(digest(descriptor).hex())).unwrap();
}

#[test]
fn static_program_in_top_layer_needs_no_other() {
    let layout = Builder::new();
    let below = layout.blob(OCI_GZIP, b"this is never read");
    let top = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[below, top]);
    expect!["runs [] starts"].assert_eq(&summary(&report(&layout, &image, &[Runtime::EcsArm64])));
}

#[test]
fn program_is_found_through_layers_and_whiteouts() {
    let layout = Builder::new();
    let base = || Archive::default().directory("bin").file("bin/sh", &elf::program("arm64"));
    let script = || Archive::default().file("entry", b"#!/bin/sh\n");
    let removed_shell = Archive::default().directory("bin").file("bin/.wh.sh", b"");
    let sound = image(&layout, "arm64", &["/entry"], vec![base(), script()]);
    expect!["runs [] starts"].assert_eq(&summary(&report(&layout, &sound, &[Runtime::EcsArm64])));
    let removed = image(&layout, "arm64", &["/entry"], vec![base(), script(), removed_shell]);
    expect!["fails [exec-interpreter-missing] fails ENOENT"].assert_eq(&summary(&report(
        &layout,
        &removed,
        &[Runtime::EcsArm64],
    )));
}

#[test]
fn base_layer_is_read_once() {
    let layout = Builder::new();
    let base = || (0..500).fold(Archive::default(), |base, at| base.file(&format!("f{at}"), at.to_string().as_bytes()));
    let first = image(&layout, "arm64", &["none"], vec![base(), app("arm64")]);
    let second = image(&layout, "arm64", &["none"], vec![base(), Archive::default().file("other", b"x")]);
    let size = gzip(base()).len() as u64;
    for (cache, is_kept) in [("", true), ("cache=1", false)] {
        let inspector = inspector_with(cache);
        let read = |image| inspect_image(&layout, image, &[Runtime::EcsArm64], &inspector, Duration::MAX).unwrap().1;
        assert!(read(&first) > size);
        assert_eq!(read(&second) < size, is_kept, "{cache}");
    }
}

#[test]
fn exceeded_limits_give_the_platform_verdict() {
    let layout = Builder::new();
    let deep = "d/".repeat(20) + "x";
    let files = (0..9).fold(Archive::default(), |files, at| files.file(&format!("file-{at}"), b"#!/bin/sh\n"));
    let long = Archive::default().pax(&[("path", "n".repeat(300).as_bytes())]).file("cut", b"x");
    let mut cases = Cases::default();
    for (bounds, layer) in [
        ("bytes=600", app("arm64")),
        ("ratio=2 ratio-from=512", Archive::default().file("zeros", &[0; 100_000])),
        ("entries=5", files.clone()),
        ("names=5", files.clone()),
        ("path=200", long.clone()),
        ("depth=10", Archive::default().file(&deep, b"x")),
        ("memory=100", files),
        ("total-memory=1M", app("arm64")),
    ] {
        let image = image(&layout, "arm64", &["none"], vec![layer]);
        let (report, _) =
            inspect_image(&layout, &image, &[Runtime::EcsArm64], &inspector_with(bounds), Duration::MAX).unwrap();
        assert_eq!(report.verdict, Verdict::Runs, "{bounds}");
        // The headline and the last line; the lines between them name the image.
        let text = ecr_preflight::report::format_text(&report);
        let lines: Vec<&str> = text.lines().collect();
        cases.add(bounds, masked(&format!("{}\n{}", lines[0], lines[lines.len() - 1])));
    }
    expect![[r#"
        bytes=600
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: the layer is larger than 600 bytes
        ratio=2 ratio-from=512
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: the layer decompresses to more than 2 times its size
        entries=5
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: the layer has more than 5 entries
        names=5
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: the layers have more than 5 names
        path=200
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: a path or a link's target is longer than 200 bytes
        depth=10
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: a path has more than 10 components
        memory=100
            image has the right architecture for ECS on arm64; start not verified
              start not verified: layer DIGEST: the names take more than 100 bytes
        total-memory=1M
            image has the right architecture for ECS on arm64; start not verified
              start not verified: reading the layers takes more than 1048576 bytes of memory
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn images_that_exceed_the_budget_together_are_all_inspected() {
    let layout = Builder::new();
    let names = |layer: usize| {
        (0..5000).fold(Archive::default(), |files, at| files.file(&format!("layer-{layer}/file-{at}"), b""))
    };
    let child = |architecture: &str| {
        let layers = (0..4).map(names).collect();
        with_platform(&image(&layout, architecture, &["/none"], layers), "linux", architecture)
    };
    let index = layout.index(&[child("amd64"), child("arm64")]);
    let runtimes = [Runtime::EcsAmd64, Runtime::EcsArm64];
    // The layers of an image take 2.5 MiB, and a transfer is charged with 4 MiB.
    let mut cases = Cases::default();
    for bounds in ["total-memory=100M", "total-memory=10M", "total-memory=7M", "total-memory=5M"] {
        let (report, _) = inspect_image(&layout, &index, &runtimes, &inspector_with(bounds), Duration::MAX).unwrap();
        cases.add(bounds, summary(&report));
    }
    expect![[r#"
        total-memory=100M
            fails [exec-not-found exec-not-found] fails ENOENT; fails ENOENT
        total-memory=10M
            fails [exec-not-found exec-not-found] fails ENOENT; fails ENOENT
        total-memory=7M
            fails [exec-not-found exec-not-found] fails ENOENT; fails ENOENT
        total-memory=5M
            unknown [] unknown reading the layers takes more than 5242880 bytes of memory; unknown reading the layers takes more than 5242880 bytes of memory
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn expired_deadline_gives_the_platform_verdict() {
    let layout = Builder::new();
    let image = image(&layout, "arm64", &["/app"], vec![app("arm64")]);
    let mut cases = Cases::default();
    for runtime in [Runtime::EcsArm64, Runtime::EcsAmd64] {
        let (report, _) = inspect_image(&layout, &image, &[runtime], &inspector_with(""), Duration::ZERO).unwrap();
        cases.add(runtime, summary(&report));
    }
    expect![[r#"
        ecs/arm64
            runs [] unknown the layers could not be read within the time limit
        ecs/amd64
            fails [wrong-architecture] unknown the layers could not be read within the time limit
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn uninspectable_images_have_a_reason() {
    let layout = Builder::new();
    let plain = || config("linux", "arm64", json!({}));
    let layer = |media_type: &str| layout.blob(media_type, &gzip(app("arm64")));
    let with = |key: &str, value: Value| {
        let mut config = plain();
        config["config"][key] = value;
        layout.manifest(&config, &[layer(OCI_GZIP)])
    };
    // CAP_NET_ADMIN, permitted and effective.
    let capability = [&[1, 0, 0, 2][..], &(1_u32 << 12).to_le_bytes(), &[0; 12]].concat();
    let capable = Archive::default().pax(&[("SCHILY.xattr.security.capability", &capability)]);
    let capable = capable.file("app", &elf::program("arm64"));
    let of_layers = |layers: &[Value]| layout.manifest(&plain(), layers);
    let mut cases = Cases::default();
    for (name, image) in [
        ("no command", with("Entrypoint", json!([]))),
        ("a string as entrypoint", with("Entrypoint", json!("/app"))),
        ("a volume at /", with("Volumes", json!({"/": {}}))),
        ("a program in /run", with("Entrypoint", json!(["/run/app"]))),
        ("a file capability", layout.manifest(&plain(), &[layout.blob(OCI_GZIP, &gzip(capable))])),
        ("an encrypted layer", of_layers(&[layer(&format!("{OCI_GZIP}+encrypted"))])),
        (
            "a non-distributable layer",
            of_layers(&[layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]),
        ),
        ("a layer in xz", of_layers(&[layer(OCI_GZIP), layer("application/vnd.example.tar+xz")])),
        ("text as a layer", of_layers(&[layout.blob(OCI_GZIP, b"no archive at all, but long enough for a header")])),
    ] {
        cases.add(name, masked(&summary(&report(&layout, &image, &[Runtime::EcsArm64]))));
    }
    expect![[r#"
        no command
            runs [] unknown neither an entrypoint nor a command is set
        a string as entrypoint
            runs [] unknown its config has an invalid command or invalid volumes
        a volume at /
            runs [] unknown / may be mounted over at run time
        a program in /run
            runs [] unknown /run may be mounted over at run time
        a file capability
            runs [] unknown /app sets a file capability that containers do not have by default
        an encrypted layer
            runs [] unknown one of the layers is encrypted
        a non-distributable layer
            runs [] unknown one of the layers is stored outside the registry
        a layer in xz
            unknown [] unknown one of its layers has the type `application/vnd.example.tar+xz`
        text as a layer
            fails [image-damaged] unknown layer DIGEST: the layer's archive is damaged: unexpected end of the archive
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn missing_layer_fails_wherever_the_program_is() {
    let layout = Builder::new();
    let lost = layout.blob(OCI_GZIP, b"lost");
    delete_blob(&layout, &lost);
    let single = layout.manifest(&config("linux", "arm64", json!({})), std::slice::from_ref(&lost));
    let index = layout.index(&[with_platform(&single, "linux", "arm64")]);
    let below = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let below = layout.manifest(&config("linux", "arm64", json!({})), &[lost, below]);
    let mut cases = Cases::default();
    for (name, image, runtimes) in [
        ("image, ecs/arm64", &single, &[Runtime::EcsArm64][..]),
        ("index, ecs/arm64", &index, &[Runtime::EcsArm64]),
        ("image, ecs/amd64", &single, &[Runtime::EcsAmd64]),
        ("image, undeclared", &single, &[]),
        ("program in a layer above the missing one, ecs/arm64", &below, &[Runtime::EcsArm64]),
    ] {
        cases.add(name, summary(&report(&layout, image, runtimes)));
    }
    expect![[r#"
        image, ecs/arm64
            fails [image-damaged] unknown layer 76f75e6129fe is not in the repository
        index, ecs/arm64
            fails [image-damaged] unknown layer 76f75e6129fe is not in the repository
        image, ecs/amd64
            fails [wrong-architecture image-damaged] unknown layer 76f75e6129fe is not in the repository
        image, undeclared
            fails [image-damaged] unknown layer 76f75e6129fe is not in the repository
        program in a layer above the missing one, ecs/arm64
            fails [image-damaged] starts
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn wrong_layer_bytes_are_an_error() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    fs::write(layout.path().join("blobs/sha256").join(digest(&layer).hex()), gzip(app("amd64"))).unwrap();
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[layer]);
    let error = inspect_image(&layout, &image, &[Runtime::EcsArm64], &inspector_with(""), Duration::MAX).unwrap_err();
    assert!(matches!(error, RegistryError::Transfer { .. }), "{error}");
}

#[test]
fn platform_is_compared_with_the_program() {
    let layout = Builder::new();
    let one = |label, program| image(&layout, label, &["/app"], vec![app(program)]);
    let mut cases = Cases::default();
    for (platform, program, runtimes) in [
        ("amd64", "arm64", &[Runtime::EcsAmd64][..]),
        ("amd64", "arm64", &[]),
        ("amd64", "arm64", &[Runtime::EcsArm64]),
        ("arm64", "arm64", &[Runtime::EcsAmd64]),
        ("", "arm64", &[Runtime::EcsArm64]),
        ("", "arm64", &[Runtime::EcsAmd64]),
        ("", "arm64", &[]),
        ("arm64", "arm64", &[]),
        ("arm", "arm", &[Runtime::EcsArm64]),
    ] {
        let name = format!("platform `{platform}`, program for {program}, {}", names(runtimes));
        cases.add(name, summary(&report(&layout, &one(platform, program), runtimes)));
    }
    expect![[r#"
        platform `amd64`, program for arm64, ecs/amd64
            fails [platform-mismatch] fails ENOEXEC
        platform `amd64`, program for arm64, undeclared
            fails [platform-mismatch] fails ENOEXEC
        platform `amd64`, program for arm64, ecs/arm64
            runs [] starts
        platform `arm64`, program for arm64, ecs/amd64
            fails [wrong-architecture] fails ENOEXEC
        platform ``, program for arm64, ecs/arm64
            runs [] starts
        platform ``, program for arm64, ecs/amd64
            fails [wrong-architecture] fails ENOEXEC
        platform ``, program for arm64, undeclared
            undeclared []
        platform `arm64`, program for arm64, undeclared
            undeclared [] starts
        platform `arm`, program for arm, ecs/arm64
            unknown [] unknown /app is a 32-bit program, which only some hosts run: those whose kernel and processor support it
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn user_must_be_defined_in_the_image() {
    let layout = Builder::new();
    let accounts = || {
        let text = Fields { mode: 0o644, ..Fields::default() };
        let closed = Fields { mode: 0o750, user: 0, group: 77, ..Fields::default() };
        Archive::default()
            .directory("etc")
            .entry(b"etc/passwd", text, b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
            .entry(b"etc/group", text, b"app:x:1000:\nextra:x:77:app\n")
            .file("app", &elf::program("arm64"))
            .entry(b"member", closed, &elf::program("arm64"))
    };
    let bare = || Archive::default().file("app", &elf::program("arm64"));
    let mut cases = Cases::default();
    for (user, command, layer, name) in [
        ("app", "/app", accounts(), "accounts"),
        ("app", "/member", accounts(), "accounts"),
        ("1000", "/member", accounts(), "accounts"),
        ("root", "/app", accounts(), "accounts"),
        ("ghost", "/app", accounts(), "accounts"),
        ("app:ghosts", "/app", accounts(), "accounts"),
        ("${UID}", "/app", accounts(), "accounts"),
        ("a:b:c", "/app", accounts(), "accounts"),
        ("nobody", "/app", bare(), "no accounts"),
        ("root", "/app", bare(), "no accounts"),
        ("65532:65532", "/app", bare(), "no accounts"),
    ] {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!([command]);
        config["config"]["User"] = json!(user);
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer))]);
        for runtime in [Runtime::EcsArm64, Runtime::LambdaArm64] {
            let name = format!("user `{user}`, {command}, {name}, {runtime}");
            cases.add(name, summary(&report(&layout, &image, &[runtime])));
        }
    }
    expect![[r#"
        user `app`, /app, accounts, ecs/arm64
            runs [] starts
        user `app`, /app, accounts, lambda/arm64
            runs [] starts
        user `app`, /member, accounts, ecs/arm64
            runs [] starts
        user `app`, /member, accounts, lambda/arm64
            runs [] unknown access to /member depends on the user's identity, its groups and the host
        user `1000`, /member, accounts, ecs/arm64
            runs [] unknown access to /member depends on the user's identity, its groups and the host
        user `1000`, /member, accounts, lambda/arm64
            runs [] unknown access to /member depends on the user's identity, its groups and the host
        user `root`, /app, accounts, ecs/arm64
            runs [] starts
        user `root`, /app, accounts, lambda/arm64
            runs [] starts
        user `ghost`, /app, accounts, ecs/arm64
            fails [user-not-found] fails
        user `ghost`, /app, accounts, lambda/arm64
            runs [] unknown the image's user `ghost` is not in /etc/passwd, and Lambda is not documented to refuse that
        user `app:ghosts`, /app, accounts, ecs/arm64
            fails [user-not-found] fails
        user `app:ghosts`, /app, accounts, lambda/arm64
            runs [] unknown the image's group `ghosts` is not in /etc/group, and Lambda is not documented to refuse that
        user `${UID}`, /app, accounts, ecs/arm64
            fails [user-not-found] fails
        user `${UID}`, /app, accounts, lambda/arm64
            runs [] unknown the image's user `${UID}` is not in /etc/passwd, and variables are not expanded, and Lambda is not documented to refuse that
        user `a:b:c`, /app, accounts, ecs/arm64
            runs [] unknown container engines interpret the user a:b:c differently
        user `a:b:c`, /app, accounts, lambda/arm64
            runs [] unknown container engines interpret the user a:b:c differently
        user `nobody`, /app, no accounts, ecs/arm64
            fails [user-not-found] fails
        user `nobody`, /app, no accounts, lambda/arm64
            runs [] unknown the image's user `nobody` is a name, and the image has no /etc/passwd, and Lambda is not documented to refuse that
        user `root`, /app, no accounts, ecs/arm64
            fails [user-not-found] fails
        user `root`, /app, no accounts, lambda/arm64
            runs [] unknown the image's user `root` is a name, and the image has no /etc/passwd, and Lambda is not documented to refuse that
        user `65532:65532`, /app, no accounts, ecs/arm64
            runs [] starts
        user `65532:65532`, /app, no accounts, lambda/arm64
            runs [] starts
    "#]].assert_eq(cases.as_str());
}

#[test]
fn start_is_verified_only_if_everything_is_followed() {
    let layout = Builder::new();
    let program = elf::program("arm64");
    let layer = || {
        let bin = ["app", "sh", "gosu", "node", "setpriv", "tini"];
        let archive = bin
            .iter()
            .fold(Archive::default().directory("bin"), |archive, name| archive.file(&format!("bin/{name}"), &program));
        let archive = archive.directory("etc").file("etc/passwd", b"root:x:0:0::/:/x\napp:x:7:7::/:/x\n");
        archive.file("entry.sh", b"#!/bin/sh\n. /env\nexec \"$@\"\n").file("exec.sh", b"#!/bin/sh\nexec \"$@\"\n")
    };
    let mut cases = Cases::default();
    for (variables, command) in [
        (&["PATH=/bin"][..], &["/bin/app"][..]),
        (&["PATH=/bin"], &["/exec.sh", "/bin/app"]),
        (&["PATH=/bin"], &["/entry.sh", "/bin/app"]),
        (&["PATH=/bin"], &["gosu", "app", "/bin/app"]),
        (&["PATH=/bin"], &["setpriv", "--reuid=app", "--clear-groups", "/bin/app"]),
        (&["PATH=/bin"], &["setpriv", "--inh-caps=-all", "/bin/app"]),
        (&["PATH=/bin"], &["tini", "-x", "/bin/app"]),
        (&["PATH=/bin", "LD_PRELOAD=/lib/jemalloc.so"], &["/bin/app"]),
        (&["PATH=/bin", "LD_LIBRARY_PATH=/lib"], &["/bin/app"]),
        (&["PATH=/bin", "BASH_ENV=/env"], &["/exec.sh", "/bin/app"]),
        (&["PATH=/bin", "ENV=production"], &["/exec.sh", "/bin/app"]),
        (&["PATH=/bin", "NODE_OPTIONS=--require /x"], &["node", "none.js"]),
    ] {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!(command);
        config["config"]["Env"] = json!(variables);
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer()))]);
        let report = report(&layout, &image, &[Runtime::EcsArm64]);
        let runtime = report.runtimes().next().unwrap();
        let reason = runtime.not_verified.clone().unwrap_or_default();
        let shown = format!("{} {}", variables[1..].join(" "), command.join(" "));
        cases.add(shown.trim(), format!("{}, verified {}; {reason}", summary(&report), runtime.verified));
    }
    expect![[r#"
        /bin/app
            runs [] starts, verified true; 
        /exec.sh /bin/app
            runs [] starts, verified true; 
        /entry.sh /bin/app
            runs [] starts, verified false; it is unknown what the script /entry.sh starts
        gosu app /bin/app
            runs [] starts, verified true; 
        setpriv --reuid=app --clear-groups /bin/app
            runs [] starts, verified true; 
        setpriv --inh-caps=-all /bin/app
            runs [] starts, verified false; it is unknown what setpriv starts
        tini -x /bin/app
            runs [] starts, verified false; it is unknown what tini starts
        LD_PRELOAD=/lib/jemalloc.so /bin/app
            runs [] starts, verified false; LD_PRELOAD or LD_AUDIT loads other code into the program
        LD_LIBRARY_PATH=/lib /bin/app
            runs [] starts, verified true; 
        BASH_ENV=/env /exec.sh /bin/app
            runs [] starts, verified false; a variable, for example BASH_ENV, may make shells run other commands first
        ENV=production /exec.sh /bin/app
            runs [] starts, verified true; 
        NODE_OPTIONS=--require /x node none.js
            runs [] starts, verified false; NODE_OPTIONS loads other code into Node.js
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn mounts_must_not_fail() {
    let layout = Builder::new();
    let lower = || Archive::default().file("proc", b"").file("lib", b"");
    let mut cases = Cases::default();
    for (name, command, layers) in [
        ("a file at a mount point", "/app", vec![app("arm64").file("sys", b"")]),
        ("a directory for a file", "/app", vec![app("arm64").directory("etc").directory("etc/hosts")]),
        ("a link to a directory", "/app", vec![app("arm64").directory("etc").link("etc/hosts", "/")]),
        ("a link at /etc", "/app", vec![app("arm64").directory("usr/etc").link("etc", "usr/etc")]),
        ("a link at /dev", "/app", vec![app("arm64").directory("tmp").link("dev", "tmp")]),
        ("directories", "/app", vec![app("arm64").directory("proc").directory("dev").directory("etc")]),
        ("in a lower layer", "/app", vec![lower(), app("arm64")]),
        ("in a lower layer that is read", "/none", vec![lower(), app("arm64")]),
        ("removed", "/none", vec![lower(), app("arm64").file(".wh.proc", b"")]),
    ] {
        let image = image(&layout, "arm64", &[command], layers);
        for runtime in [Runtime::EcsArm64, Runtime::LambdaArm64] {
            cases.add(format!("{name}, {runtime}"), summary(&report(&layout, &image, &[runtime])));
        }
    }
    expect![[r#"
        a file at a mount point, ecs/arm64
            unknown [] unknown /sys is not a directory: containerd refuses that, Docker Engine replaces it
        a file at a mount point, lambda/arm64
            runs [] starts
        a directory for a file, ecs/arm64
            fails [mount-refused] fails
        a directory for a file, lambda/arm64
            runs [] starts
        a link to a directory, ecs/arm64
            unknown [] unknown /etc/hosts leads to a directory: containerd refuses that, Docker Engine replaces it
        a link to a directory, lambda/arm64
            runs [] starts
        a link at /etc, ecs/arm64
            runs [] unknown /etc is a link, which containerd follows, and which Docker Engine replaces with an empty directory
        a link at /etc, lambda/arm64
            runs [] starts
        a link at /dev, ecs/arm64
            runs [] unknown /dev may be mounted over at run time
        a link at /dev, lambda/arm64
            runs [] starts
        directories, ecs/arm64
            runs [] starts
        directories, lambda/arm64
            runs [] starts
        in a lower layer, ecs/arm64
            runs [] starts
        in a lower layer, lambda/arm64
            runs [] starts
        in a lower layer that is read, ecs/arm64
            fails [exec-not-found] fails ENOENT
        in a lower layer that is read, lambda/arm64
            fails [exec-not-found] fails ENOENT
        removed, ecs/arm64
            fails [exec-not-found] fails ENOENT
        removed, lambda/arm64
            fails [exec-not-found] fails ENOENT
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn duplicate_names_are_refused_by_docker_only() {
    let layout = Builder::new();
    let mut cases = Cases::default();
    for (name, layer) in [
        ("two files", app("amd64").file("x", b"").file("x", b"1")),
        ("two directories", app("amd64").directory("d").directory("d")),
        ("file and directory", app("amd64").file("d", b"").directory("d")),
        ("with a dot", app("amd64").directory("d").directory("./d")),
        ("a missing parent", app("amd64").file("d/x", b"").directory("d")),
        ("with a slash", app("amd64").file("x", b"").file("/x", b"")),
        ("through a link", app("amd64").directory("d").file("d/x", b"").link("l", "d").file("l/x", b"")),
        ("a whiteout", app("amd64").file(".wh.x", b"").file("x", b"")),
    ] {
        let image = image(&layout, "amd64", &["/app"], vec![layer]);
        cases.add(name.to_owned(), summary(&report(&layout, &image, &[Runtime::EcsAmd64])));
    }
    expect![[r#"
        two files
            unknown [] starts
        two directories
            unknown [] starts
        file and directory
            unknown [] starts
        with a dot
            unknown [] starts
        a missing parent
            runs [] starts
        with a slash
            runs [] starts
        through a link
            runs [] starts
        a whiteout
            runs [] starts
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn volumes_that_docker_refuses_are_unknown() {
    let layout = Builder::new();
    let mut cases = Cases::default();
    for volume in ["/etc/file", "/etc/file/data", "/etc", "/new", "/proc", "/proc/x", "etc/file", "/sys"] {
        let mut config = config("linux", "amd64", json!({}));
        config["config"]["Entrypoint"] = json!(["/app"]);
        config["config"]["Volumes"] = json!({volume: {}});
        let layer = app("amd64").directory("etc").file("etc/file", b"");
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer))]);
        for runtime in [Runtime::EcsAmd64, Runtime::LambdaAmd64] {
            cases.add(format!("{volume}, {runtime}"), summary(&report(&layout, &image, &[runtime])));
        }
    }
    expect![[r#"
        /etc/file, ecs/amd64
            unknown [] unknown Docker Engine refuses a volume at /etc/file
        /etc/file, lambda/amd64
            runs [] starts
        /etc/file/data, ecs/amd64
            unknown [] unknown Docker Engine refuses a volume at /etc/file/data
        /etc/file/data, lambda/amd64
            runs [] starts
        /etc, ecs/amd64
            runs [] starts
        /etc, lambda/amd64
            runs [] starts
        /new, ecs/amd64
            runs [] starts
        /new, lambda/amd64
            runs [] starts
        /proc, ecs/amd64
            unknown [] unknown Docker Engine refuses a volume at /proc
        /proc, lambda/amd64
            runs [] starts
        /proc/x, ecs/amd64
            unknown [] unknown Docker Engine refuses a volume at /proc/x
        /proc/x, lambda/amd64
            runs [] starts
        etc/file, ecs/amd64
            unknown [] unknown Docker Engine refuses a volume at etc/file
        etc/file, lambda/amd64
            runs [] starts
        /sys, ecs/amd64
            runs [] starts
        /sys, lambda/amd64
            runs [] starts
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn working_directory_must_be_a_directory() {
    let layout = Builder::new();
    let layer = || {
        let app = Archive::default().directory("srv").file("app", &elf::program("arm64")).file("file", b"x");
        app.link("dangling", "nowhere").link("link", "/file")
    };
    let mut cases = Cases::default();
    for directory in ["/srv", "/new/$X", "/file", "/file/x", "/link", "/dangling", "app", "$HOME", "/tmp/x"] {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!(["/app"]);
        config["config"]["WorkingDir"] = json!(directory);
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer()))]);
        for runtime in [Runtime::EcsArm64, Runtime::LambdaArm64] {
            cases.add(format!("{directory}, {runtime}"), summary(&report(&layout, &image, &[runtime])));
        }
    }
    expect![[r#"
        /srv, ecs/arm64
            runs [] starts
        /srv, lambda/arm64
            runs [] starts
        /new/$X, ecs/arm64
            runs [] starts
        /new/$X, lambda/arm64
            runs [] unknown the working directory /new/$X is not in the image, and Lambda is not documented to create it
        /file, ecs/arm64
            fails [working-directory-refused] fails
        /file, lambda/arm64
            runs [] unknown the working directory /file cannot be entered: /file is not a directory, and Lambda is not documented to refuse that
        /file/x, ecs/arm64
            fails [working-directory-refused] fails
        /file/x, lambda/arm64
            runs [] unknown the working directory /file/x cannot be entered: /file is not a directory, and Lambda is not documented to refuse that
        /link, ecs/arm64
            fails [working-directory-refused] fails
        /link, lambda/arm64
            runs [] unknown the working directory /link cannot be entered: /link is not a directory, and Lambda is not documented to refuse that
        /dangling, ecs/arm64
            runs [] unknown the working directory /dangling could not be determined
        /dangling, lambda/arm64
            runs [] unknown the working directory /dangling could not be determined
        app, ecs/arm64
            runs [] unknown container engines treat the relative working directory app differently
        app, lambda/arm64
            runs [] unknown container engines treat the relative working directory app differently
        $HOME, ecs/arm64
            runs [] unknown container engines treat the relative working directory $HOME differently
        $HOME, lambda/arm64
            runs [] unknown container engines treat the relative working directory $HOME differently
        /tmp/x, ecs/arm64
            runs [] starts
        /tmp/x, lambda/arm64
            runs [] starts
    "#]].assert_eq(cases.as_str());
}

#[test]
fn lambda_starts_every_extension() {
    let layout = Builder::new();
    let base = || Archive::default().directory("opt").directory("opt/extensions").file("app", &elf::program("arm64"));
    let extension = |bytes: &[u8]| base().file("opt/extensions/adapter", bytes);
    let not_executable = Fields { mode: 0o644, ..Fields::default() };
    let below = || base().file("opt/extensions/below", &elf::program("arm64"));
    let mut cases = Cases::default();
    for (name, layer) in [
        ("sound", extension(&elf::program("arm64"))),
        ("another architecture", extension(&elf::program("amd64"))),
        ("a missing interpreter", extension(b"#!/bin/bash\n")),
        ("a carriage return", extension(b"#!/app\r\n")),
        ("a directory", base().directory("opt/extensions/dir")),
        ("a link to a directory", base().link("opt/extensions/dir", "/opt")),
        ("a text", base().entry(b"opt/extensions/readme.md", not_executable, b"x")),
        ("removed", base().file("opt/extensions/.wh.below", b"")),
        (
            "removed and foreign",
            base().file("opt/extensions/.wh.below", b"").file("opt/extensions/z", &elf::program("amd64")),
        ),
        ("too many", (0..40).fold(base(), |layer, at| layer.directory(&format!("opt/extensions/{at}")))),
    ] {
        let image = image(&layout, "arm64", &["/app"], vec![below(), layer]);
        let runtimes = [Runtime::LambdaArm64, Runtime::EcsArm64];
        cases.add(name, summary(&report(&layout, &image, &runtimes)));
    }
    expect![[r#"
        sound
            runs [] starts; starts
        another architecture
            fails [platform-mismatch] fails ENOEXEC; starts
        a missing interpreter
            fails [exec-interpreter-missing] fails ENOENT; starts
        a carriage return
            fails [exec-interpreter-missing] fails ENOENT; starts
        a directory
            runs [] starts; starts
        a link to a directory
            fails [exec-permission] fails EACCES; starts
        a text
            fails [exec-permission] fails EACCES; starts
        removed
            runs [] starts; starts
        removed and foreign
            fails [platform-mismatch] fails ENOEXEC; starts
        too many
            runs [] unknown the extensions of Lambda: /opt/extensions has too many files; starts
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn thirty_two_bit_programs_depend_on_the_host() {
    let layout = Builder::new();
    let with_loader = || {
        let mut bytes = elf::program("arm");
        // The only program header, of 32 bytes behind a header of 52, becomes PT_INTERP.
        let at = u32::try_from(bytes.len()).unwrap();
        bytes[52..56].copy_from_slice(&3_u32.to_le_bytes());
        bytes[56..60].copy_from_slice(&at.to_le_bytes());
        bytes[68..72].copy_from_slice(&6_u32.to_le_bytes());
        [bytes.as_slice(), b"/none\0"].concat()
    };
    let sh = || Archive::default().directory("bin").file("bin/tini", &elf::program("arm64"));
    let mut cases = Cases::default();
    for (name, command, layer) in [
        ("static", &["/app"][..], app("arm")),
        ("without its loader", &["/app"], Archive::default().file("app", &with_loader())),
        ("wrapped", &["/bin/tini", "/app"], sh().file("app", &elf::program("arm"))),
        ("wrapped, without its loader", &["/bin/tini", "/app"], sh().file("app", &with_loader())),
    ] {
        let image = image(&layout, "arm64", command, vec![layer]);
        cases.add(name, summary(&report(&layout, &image, &[Runtime::EcsArm64])));
    }
    expect![[r#"
        static
            unknown [] unknown /app is a 32-bit program, which only some hosts run: those whose kernel and processor support it
        without its loader
            fails [exec-loader] fails ENOENT
        wrapped
            unknown [] unknown /app is a 32-bit program, which only some hosts run: those whose kernel and processor support it
        wrapped, without its loader
            fails [exec-loader] fails ENOENT
    "#]].assert_eq(cases.as_str());
}

#[test]
fn environment_must_have_names() {
    let layout = Builder::new();
    let program = elf::program("arm64");
    let layer = || Archive::default().directory("bin").file("bin/app", &program).file("bin/node", &program);
    let mut cases = Cases::default();
    for (variables, command) in [
        (&["A=b", "PATH=/bin"][..], "app"),
        (&["=b"], "/bin/app"),
        (&["A=\0"], "/bin/app"),
        (&["A"], "/bin/app"),
        (&["A=b"], "app"),
        (&["A=b"], "/bin/app"),
        (&[], "app"),
        (&["PATH=/bin"], "node"),
        (&["PATH=/bin", "NODE_OPTIONS=--import tsx"], "node"),
    ] {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!([command, "none.js"]);
        config["config"]["Env"] = json!(variables);
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer()))]);
        cases.add(format!("{variables:?} {command}"), summary(&report(&layout, &image, &[Runtime::EcsArm64])));
    }
    expect![[r#"
        ["A=b", "PATH=/bin"] app
            runs [] starts
        ["=b"] /bin/app
            fails [environment-refused] fails
        ["A=\0"] /bin/app
            fails [environment-refused] fails
        ["A"] /bin/app
            runs [] unknown container engines treat an environment variable without `=` differently
        ["A=b"] app
            runs [] unknown container engines look up app in different directories, because the image does not set PATH
        ["A=b"] /bin/app
            runs [] starts
        [] app
            runs [] starts
        ["PATH=/bin"] node
            fails [exec-not-found] fails
        ["PATH=/bin", "NODE_OPTIONS=--import tsx"] node
            runs [] starts
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn programs_without_their_files_fail() {
    let layout = Builder::new();
    let closed = Fields { mode: 0o711, ..Fields::default() };
    let layer = || {
        let program = elf::program("arm64");
        let layer = ["bash", "dash", "python3", "gosu"]
            .iter()
            .fold(Archive::default().directory("bin"), |layer, name| layer.file(&format!("bin/{name}"), &program));
        let layer = layer.link("bin/sh", "dash").file("crlf", b"#!/bin/bash -e\r\n");
        layer.entry(b"closed", closed, b"#!/bin/sh\n").directory("etc").file("etc/passwd", b"root:x:0:0::/:/x\n")
    };
    let mut cases = Cases::default();
    for (user, command) in [
        ("", &["/bin/sh", "/none.sh"][..]),
        ("", &["/bin/sh", "-c", "['node', 'app.js']"]),
        ("", &["/bin/sh", "-c", "cd /none && ./app"]),
        ("", &["/bin/python3", "none.py"]),
        ("", &["/crlf"]),
        ("", &["/closed"]),
        ("1000", &["/closed"]),
        ("", &["/bin/gosu", "ghost", "/bin/bash"]),
        ("1000", &["/bin/gosu", "root", "/bin/bash"]),
    ] {
        let mut config = config("linux", "arm64", json!({}));
        config["config"]["Entrypoint"] = json!(command);
        config["config"]["User"] = json!(user);
        let image = layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(layer()))]);
        let report = report(&layout, &image, &[Runtime::EcsArm64]);
        let evidence: Vec<&str> = report.faults().map(|fault| fault.evidence.as_str()).collect();
        cases.add(format!("`{user}` {command:?}"), format!("{}\n{}", summary(&report), evidence.join("; ")));
    }
    expect![[r#"
        `` ["/bin/sh", "/none.sh"]
            fails [exec-not-found] fails
            /none.sh is not in the image (an argument of a shell)
        `` ["/bin/sh", "-c", "['node', 'app.js']"]
            fails [exec-not-found] fails ENOENT
            [node, was not found as an executable in PATH (started by a shell)
        `` ["/bin/sh", "-c", "cd /none && ./app"]
            fails [exec-not-found] fails
            /none is not in the image (an argument of a shell)
        `` ["/bin/python3", "none.py"]
            fails [exec-not-found] fails
            ./none.py is not in the image (an argument of python)
        `` ["/crlf"]
            fails [exec-interpreter-missing] fails
            the first line of /crlf ends with a carriage return (CRLF), which becomes part of the interpreter's option
        `` ["/closed"]
            runs [] starts
        `1000` ["/closed"]
            fails [exec-permission] fails
            /closed may not be read by the image's user (mode 711) (an argument of a shell)
        `` ["/bin/gosu", "ghost", "/bin/bash"]
            fails [user-not-found] fails
            gosu: ghost is not in the image's /etc/passwd
        `1000` ["/bin/gosu", "root", "/bin/bash"]
            fails [exec-permission] fails
            gosu: only root may change the user to root, but the image's user is not root
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn lambda_does_not_start_root_only_programs() {
    let layout = Builder::new();
    let app = |mode| {
        let fields = Fields { mode, ..Fields::default() };
        Archive::default().entry(b"app", fields, &elf::program("arm64"))
    };
    let closed = image(&layout, "arm64", &["/app"], vec![app(0o744)]);
    let open = image(&layout, "arm64", &["/app"], vec![app(0o755)]);
    let both = [Runtime::LambdaArm64, Runtime::EcsArm64];
    expect!["runs [] starts; starts"].assert_eq(&summary(&report(&layout, &open, &both)));
    expect!["fails [exec-permission] fails EACCES; starts"].assert_eq(&summary(&report(&layout, &closed, &both)));
}

#[test]
fn identical_layers_are_resolved_by_the_program() {
    let layout = Builder::new();
    let child = |architecture| {
        with_platform(&image(&layout, architecture, &["/app"], vec![app("amd64")]), "linux", architecture)
    };
    let index = layout.index(&[child("amd64"), child("arm64")]);
    let mut cases = Cases::default();
    for runtimes in [
        &[Runtime::EcsAmd64][..],
        &[Runtime::EcsArm64],
        &[Runtime::EcsAmd64, Runtime::EcsArm64],
        &[],
        &[Runtime::LambdaAmd64],
    ] {
        cases.add(names(runtimes), summary(&report(&layout, &index, runtimes)));
    }
    expect![[r#"
        ecs/amd64
            runs [] starts
        ecs/arm64
            fails [platform-mismatch identical-layers] fails ENOEXEC
        ecs/amd64 ecs/arm64
            fails [platform-mismatch identical-layers] starts; fails ENOEXEC
        undeclared
            fails [platform-mismatch identical-layers] starts; fails ENOEXEC
        lambda/amd64
            fails [index-refused]
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn data_images_fail_only_with_a_declared_runtime() {
    let layout = Builder::new();
    let mut cases = Cases::default();
    for (command, layer) in [
        ("/none", app("arm64")),
        ("/text", Archive::default().file("text", b"echo\n")),
        ("/dir", Archive::default().directory("dir")),
        ("/crlf", Archive::default().file("crlf", b"#!/bin/sh\r\n")),
    ] {
        let image = image(&layout, "arm64", &[command], vec![layer]);
        for runtimes in [&[Runtime::LinuxArm64][..], &[]] {
            cases.add(format!("{command}, {}", names(runtimes)), summary(&report(&layout, &image, runtimes)));
        }
    }
    expect![[r#"
        /none, linux/arm64
            fails [exec-not-found] fails ENOENT
        /none, undeclared
            undeclared [] fails ENOENT
        /text, linux/arm64
            fails [exec-format] fails ENOEXEC
        /text, undeclared
            undeclared [] fails ENOEXEC
        /dir, linux/arm64
            fails [exec-permission] fails EACCES
        /dir, undeclared
            undeclared [] fails EACCES
        /crlf, linux/arm64
            fails [exec-interpreter-missing] fails ENOENT
        /crlf, undeclared
            fails [exec-interpreter-missing] fails ENOENT
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn repeated_layer_is_inspected_quickly() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(Archive::default().file("x", b"x")));
    let many = |count| {
        let layers = vec![layer.clone(); count];
        let config = layout.with_diff_ids(&config("linux", "arm64", json!({})), &layers);
        let config = layout.json("application/vnd.oci.image.config.v1+json", &config);
        layout.json(
            OCI_MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}),
        )
    };
    expect!["fails [exec-not-found] fails ENOENT"].assert_eq(&summary(&report(
        &layout,
        &many(400),
        &[Runtime::EcsArm64],
    )));
    expect!["runs [] unknown it has 1000 layers, more than the 500 that are read"].assert_eq(&summary(&report(
        &layout,
        &many(1000),
        &[Runtime::EcsArm64],
    )));
}

#[test]
fn cpu_variant_stays_unknown() {
    let layout = Builder::new();
    let image_with_program = |program| {
        let mut config = config("linux", "amd64", json!({}));
        config["variant"] = json!("v3");
        layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(app(program)))])
    };
    let (own, foreign) = (image_with_program("amd64"), image_with_program("arm64"));
    expect!["unknown [] starts"].assert_eq(&summary(&report(&layout, &own, &[Runtime::EcsAmd64])));
    expect!["fails [platform-mismatch] fails ENOEXEC"].assert_eq(&summary(&report(
        &layout,
        &foreign,
        &[Runtime::EcsAmd64],
    )));
}

#[test]
fn paths_below_a_volume_are_unknown() {
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
    let mut cases = Cases::default();
    for (volume, command, layers) in [
        ("/data/x", "/data/x/app", vec![app("arm64")]),
        ("/data/", "/data/app", vec![app("arm64")]),
        ("/data", "/srv/data/app", vec![Archive::default().link("data", "srv/data"), foreign()]),
        ("/data/x", "/data/y", vec![app("arm64")]),
    ] {
        let image = with(volume, command, layers);
        cases.add(
            format!("volume {volume}, command {command}"),
            summary(&report(&layout, &image, &[Runtime::EcsArm64])),
        );
    }
    expect![[r#"
        volume /data/x, command /data/x/app
            runs [] unknown /data/x may be mounted over at run time
        volume /data/, command /data/app
            runs [] unknown /data may be mounted over at run time
        volume /data, command /srv/data/app
            runs [] unknown /srv/data may be mounted over at run time
        volume /data/x, command /data/y
            fails [exec-not-found] fails ENOENT
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn shared_layers_with_own_programs_run() {
    let layout = Builder::new();
    let both = || Archive::default().file("amd64", &elf::program("amd64")).file("arm64", &elf::program("arm64"));
    let child = |architecture: &str| {
        let image = image(&layout, architecture, &[&format!("/{architecture}")], vec![both()]);
        with_platform(&image, "linux", architecture)
    };
    let index = layout.index(&[child("amd64"), child("arm64")]);
    let runtimes = [Runtime::EcsAmd64, Runtime::EcsArm64];
    expect!["runs [] starts; starts"].assert_eq(&summary(&report(&layout, &index, &runtimes)));
    let data =
        |architecture| with_platform(&image(&layout, architecture, &["none"], vec![both()]), "linux", architecture);
    let data = layout.index(&[data("amd64"), data("arm64")]);
    expect!["undeclared [] fails ENOENT; fails ENOENT"].assert_eq(&summary(&report(&layout, &data, &[])));
}

#[test]
fn platform_fault_is_reported_without_the_layer() {
    let layout = Builder::new();
    let layer = layout.blob(OCI_GZIP, &gzip(app("arm64")));
    fs::write(layout.path().join("blobs/sha256").join(digest(&layer).hex()), b"another").unwrap();
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[layer]);
    expect!["fails [wrong-architecture] unknown download of blob sha256:DIGEST failed: the received bytes have the digest sha256:DIGEST"].assert_eq(&masked(&summary(&report(
        &layout,
        &image,
        &[Runtime::EcsAmd64],
    ))));
}

#[test]
fn program_of_a_wrapper_below_a_mount_is_unknown() {
    let layout = Builder::new();
    let tini = Archive::default().file("tini", &elf::program("arm64"));
    let image = image(&layout, "arm64", &["/tini", "--", "/run/app"], vec![tini]);
    let report = report(&layout, &image, &[Runtime::EcsArm64]);
    expect!["runs [] starts /run may be mounted over at run time"].assert_eq(&summary(&report));
    expect![[r#"
        image has the right architecture for ECS on arm64; start not verified

          image     image
          digest    sha256:DIGEST
          platform  linux/arm64
          starts    /tini

        ~ ECS on arm64
          start not verified: /run may be mounted over at run time
    "#]]
    .assert_eq(&masked(&ecr_preflight::report::format_text(&report)));
}

#[test]
fn image_texts_are_escaped_and_truncated() {
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
fn many_unordered_layers_stay_within_the_deadline() {
    let layout = Builder::new();
    let many = (0..20_000).fold(Archive::default(), |many, at| many.file(&format!("file-{at}"), b""));
    let unordered = |at: usize| Archive::default().file(&format!("made/by/nobody-{at}"), b"x");
    let layers: Vec<Archive> = std::iter::once(many).chain((0..300).map(unordered)).collect();
    let image = image(&layout, "arm64", &["none"], layers);
    // Applying a layer only visits the names of that layer.
    let began = std::time::Instant::now();
    expect!["fails [exec-not-found] fails ENOENT"].assert_eq(&summary(&report(&layout, &image, &[Runtime::EcsArm64])));
    let whole = began.elapsed();
    let (late, _) = inspect_image(&layout, &image, &[Runtime::EcsArm64], &inspector_with(""), whole / 20).unwrap();
    expect!["runs [] unknown the layers could not be read within the time limit"].assert_eq(&summary(&late));
}

/// Verdict, whether it is verified, faults, warnings and reasons for each runtime.
fn details(report: &Report) -> String {
    let line = |runtime: &RuntimeReport| {
        let faults = runtime.faults.iter().map(|fault| format!("{}: {}", fault.code.as_str(), fault.evidence));
        let warnings =
            runtime.warnings.iter().map(|warning| format!("warning: {}: {}", warning.code.as_str(), warning.evidence));
        let texts: Vec<String> = faults.chain(warnings).chain(runtime.unknown.iter().cloned()).collect();
        let verified = if runtime.verified { "verified" } else { "not verified" };
        format!("{} {} ({verified}) {}", runtime.subject.name(), runtime.verdict.as_str(), texts.join("; "))
    };
    let lines: Vec<String> = report.runtimes().map(line).collect();
    let notified = if report.needs_notification() { ", notified" } else { "" };
    format!("{}{notified}\n{}", report.verdict.as_str(), lines.join("\n"))
}

#[test]
fn program_that_starts_decides() {
    let layout = Builder::new();
    let declared = |os: &str, architecture: &str| {
        let layers = [layout.blob(OCI_GZIP, &gzip(app("arm64")))];
        layout.manifest(&config(os, architecture, json!({})), &layers)
    };
    let listed = |image: &Value, architecture: &str| layout.index(&[with_platform(image, "linux", architecture)]);
    let all = [Runtime::EcsArm64, Runtime::LinuxArm64, Runtime::LambdaArm64];
    let mut cases = Cases::default();
    for (name, image, runtimes) in [
        ("declares amd64", declared("linux", "amd64"), &all[..]),
        ("declares s390x", declared("linux", "s390x"), &all[..1]),
        ("declares darwin", declared("darwin", "arm64"), &all),
        ("declares windows, whose layers are not read", declared("windows", "arm64"), &all[..1]),
        ("declares no operating system", declared("", "arm64"), &all[..1]),
        ("declares another architecture and cannot start", declared("linux", "arm64"), &[Runtime::AppRunner]),
        ("index lists arm64, config amd64", listed(&declared("linux", "amd64"), "arm64"), &all[..2]),
        ("index lists arm64, config amd64, undeclared", listed(&declared("linux", "amd64"), "arm64"), &[]),
        ("index lists arm64, config darwin", listed(&declared("darwin", "arm64"), "arm64"), &all[..1]),
        // Not selected.
        ("index lists amd64, config arm64", listed(&declared("linux", "arm64"), "amd64"), &all[..2]),
        ("index without a platform, config amd64", layout.index(&[declared("linux", "amd64")]), &all[..1]),
    ] {
        cases.add(name, details(&report(&layout, &image, runtimes)));
    }
    expect![[r#"
        declares amd64
            unknown, notified
            ecs/arm64 runs (verified) warning: platform-mismatch: the declared platform is linux/amd64, but its programs are for linux/arm64
            linux/arm64 runs (verified) warning: platform-mismatch: the declared platform is linux/amd64, but its programs are for linux/arm64
            lambda/arm64 unknown (verified) the declared platform is linux/amd64, but its programs are for linux/arm64, and the service is not documented to accept that
        declares s390x
            runs
            ecs/arm64 runs (verified) warning: platform-mismatch: the declared platform is linux/s390x, but its programs are for linux/arm64
        declares darwin
            unknown, notified
            ecs/arm64 unknown (verified) the image declares darwin/arm64, but its program is for Linux: containerd starts such an image, but Docker refuses to pull it
            linux/arm64 unknown (verified) the image declares darwin/arm64, but its program is for Linux: containerd starts such an image, but Docker refuses to pull it
            lambda/arm64 unknown (verified) the image declares darwin/arm64, but its program is for Linux: containerd starts such an image, but Docker refuses to pull it
        declares windows, whose layers are not read
            fails, notified
            ecs/arm64 fails (not verified) wrong-os: the image is built for windows/arm64, not linux/arm64
        declares no operating system
            runs
            ecs/arm64 runs (verified) 
        declares another architecture and cannot start
            fails, notified
            apprunner fails (verified) wrong-architecture: the image is built for linux/arm64, not linux/amd64
        index lists arm64, config amd64
            runs
            ecs/arm64 runs (verified) warning: descriptor-mismatch: the index lists 28e789462a06 as linux/arm64, but its config declares linux/amd64
            linux/arm64 runs (verified) warning: descriptor-mismatch: the index lists 28e789462a06 as linux/arm64, but its config declares linux/amd64
        index lists arm64, config amd64, undeclared
            undeclared
            linux/arm64 runs (verified) warning: descriptor-mismatch: the index lists 28e789462a06 as linux/arm64, but its config declares linux/amd64
        index lists arm64, config darwin
            unknown, notified
            ecs/arm64 unknown (verified) the index lists 5b5c2f0593e6 as linux/arm64, but its config declares darwin/arm64: containerd starts such an image, but Docker refuses to pull it
        index lists amd64, config arm64
            fails, notified
            ecs/arm64 fails (not verified) platform-missing: the index has linux/amd64, but not linux/arm64
            linux/arm64 fails (not verified) platform-missing: the index has linux/amd64, but not linux/arm64
        index without a platform, config amd64
            fails, notified
            ecs/arm64 fails (not verified) platform-missing: the index has linux/amd64, but not linux/arm64
    "#]].assert_eq(cases.as_str());
    // The first program starts, but nothing is known about the next.
    let wrapper = image(
        &layout,
        "amd64",
        &["/sbin/tini", "/run/app"],
        vec![Archive::default().directory("sbin").file("sbin/tini", &elf::program("arm64"))],
    );
    expect![[r#"
        unknown, notified
        ecs/arm64 unknown (not verified) the declared platform is linux/amd64, but its programs are for linux/arm64, as far as they are known: /run may be mounted over at run time"#]].assert_eq(&details(&report(&layout, &wrapper, &[Runtime::EcsArm64])));
}

#[test]
fn identical_layers_need_the_same_start() {
    let layout = Builder::new();
    let both = Archive::default().file("app", &elf::program("amd64")).file("app-arm64", &elf::program("arm64"));
    let layer = layout.blob(OCI_GZIP, &gzip(both));
    let child = |architecture: &str, run: Value| {
        let mut config = config("linux", architecture, json!({}));
        config["config"] = run;
        with_platform(&layout.manifest(&config, std::slice::from_ref(&layer)), "linux", architecture)
    };
    let mut cases = Cases::default();
    for (name, amd64, arm64) in [
        ("command per architecture", json!({"Cmd": ["/app"]}), json!({"Cmd": ["/app-arm64"]})),
        ("data", json!({}), json!({})),
        ("PATH", json!({"Cmd": ["/app"]}), json!({"Cmd": ["/app"], "Env": ["PATH=/arm64"]})),
        ("WorkingDir", json!({"Cmd": ["/app"]}), json!({"Cmd": ["/app"], "WorkingDir": "/arm64"})),
        ("User", json!({"Cmd": ["/app"]}), json!({"Cmd": ["/app"], "User": "1"})),
        ("same", json!({"Cmd": ["/app"]}), json!({"Cmd": ["/app"]})),
    ] {
        let index = layout.index(&[child("amd64", amd64), child("arm64", arm64)]);
        let found = report(&layout, &index, &[]);
        let codes: Vec<&str> = found.faults().map(|fault| fault.code.as_str()).collect();
        let unread = inspect_image(&layout, &index, &[], &inspector_with(""), Duration::ZERO).unwrap().0;
        let unread = details(&unread).replace('\n', "; ");
        cases.add(name, format!("{} {}; without inspection: {unread}", found.verdict.as_str(), codes.join(" ")));
    }
    expect![[r#"
        command per architecture
            undeclared ; without inspection: undeclared; 
        data
            undeclared ; without inspection: undeclared; 
        PATH
            fails platform-mismatch; without inspection: undeclared; 
        WorkingDir
            fails platform-mismatch; without inspection: undeclared; 
        User
            fails platform-mismatch; without inspection: undeclared; 
        same
            fails platform-mismatch identical-layers; without inspection: unknown; linux/amd64 unknown (not verified) linux/amd64 and linux/arm64 have the same layers, and at most one of them can start; linux/arm64 unknown (not verified) linux/arm64 and linux/amd64 have the same layers, and at most one of them can start
    "#]].assert_eq(cases.as_str());
}

#[test]
fn programs_of_the_host_are_not_missing() {
    let layout = Builder::new();
    let with = |command: &[&str], variable: &str| {
        let mut config = config("linux", "amd64", json!({}));
        config["config"] = json!({"Cmd": command, "Env": ["PATH=/usr/bin", variable]});
        let files = Archive::default().directory("sbin").file("sbin/tini", &elf::program("amd64"));
        layout.manifest(&config, &[layout.blob(OCI_GZIP, &gzip(files))])
    };
    let mut cases = Cases::default();
    for (command, variable) in [
        (&["nvidia-smi"][..], "NVIDIA_VISIBLE_DEVICES=all"),
        (&["/sbin/tini", "--", "/usr/bin/nvidia-smi"], "NVIDIA_VISIBLE_DEVICES=all"),
        (&["nvidia-smi"], "A=B"),
        (&["/sbin/docker-init", "--", "/app"], "A=B"),
        (&["/usr/local/bin/aws-lambda-rie"], "A=B"),
        (&["/app"], "NVIDIA_VISIBLE_DEVICES=all"),
    ] {
        let image = with(command, variable);
        cases.add(format!("{command:?} {variable}"), summary(&report(&layout, &image, &[Runtime::EcsAmd64])));
    }
    expect![[r#"
        ["nvidia-smi"] NVIDIA_VISIBLE_DEVICES=all
            runs [] unknown nvidia-smi is not in the image, but may be added by the host
        ["/sbin/tini", "--", "/usr/bin/nvidia-smi"] NVIDIA_VISIBLE_DEVICES=all
            runs [] starts /usr/bin/nvidia-smi is not in the image, but may be added by the host
        ["nvidia-smi"] A=B
            fails [exec-not-found] fails ENOENT
        ["/sbin/docker-init", "--", "/app"] A=B
            runs [] unknown /sbin/docker-init is not in the image, but may be added by the host
        ["/usr/local/bin/aws-lambda-rie"] A=B
            runs [] unknown /usr/local/bin/aws-lambda-rie is not in the image, but may be added by the host
        ["/app"] NVIDIA_VISIBLE_DEVICES=all
            fails [exec-not-found] fails ENOENT
    "#]]
    .assert_eq(cases.as_str());
}
