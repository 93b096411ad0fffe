//! `check` with text output: several images, colors, line width, and the platforms of an image.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::cli::{check, check_with, run};
use crate::support::archive::Archive;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, as_attestation, config, layer, with_platform};
use crate::support::registry::{Auth, REPOSITORY, Registry};

/// A layout with an image that runs on amd64, one that fails there, and one that is unknown.
fn layout_of_three_images() -> Builder {
    let mut layout = Builder::new();
    let [amd64, arm64, arm] = ["amd64", "arm64", "arm"].map(|architecture| layout.image(architecture));
    layout.tag("amd64", &amd64);
    layout.tag("arm64", &arm64);
    layout.tag("arm", &arm);
    layout
}

/// An image with these files that starts this command.
fn image(layout: &Builder, architecture: &str, command: &[&str], files: Archive) -> Value {
    let layer = layout.blob("application/vnd.oci.image.layer.v1.tar", &files.end());
    let config = json!({"os": "linux", "architecture": architecture, "config": {"Entrypoint": command}});
    layout.manifest(&config, &[layer])
}

#[test]
fn two_images_one_failing() {
    check(
        &layout_of_three_images(),
        &["check", "oci:DIR:amd64", "oci:DIR:arm64", "--runtime", "apprunner"],
        &expect![[r#"
            success false code 1
            --- out
            oci:DIR:amd64 will start on App Runner

              image     oci:DIR:amd64
              digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
              platform  linux/amd64
              starts    /app

            ✓ App Runner

            oci:DIR:arm64 will not start on App Runner

              image     oci:DIR:arm64
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64

            ✗ App Runner
              wrong-architecture: the image is built for linux/arm64, not linux/amd64
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/amd64:
                 docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:arm64 --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:arm64 SOURCE

            2 images: 1 fails, 1 runs
            --- err
        "#]],
    );
}

#[test]
fn unreadable_image_does_not_hide_others() {
    check(
        &layout_of_three_images(),
        &[
            "check", "oci:DIR:none", "oci:DIR:amd64", "oci-archive:DIR/none.tar", "oci:DIR/none:v1", "--runtime",
            "ecs/amd64",
        ],
        &expect![[r#"
            success false code 3
            --- out
            oci:DIR:amd64 will start on ECS on amd64

              image     oci:DIR:amd64
              digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
              platform  linux/amd64
              starts    /app

            ✓ ECS on amd64

            4 images: 3 could not be read, 1 runs
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: amd64, arm64, arm

            error: oci-archive:DIR/none.tar: cannot read DIR/none.tar
              caused by: No such file or directory (os error 2)

            error: oci:DIR/none:v1: cannot read DIR/none
              caused by: No such file or directory (os error 2)

        "#]],
    );
}

#[test]
fn exit_code_is_the_worst_of_all_images() {
    let layout = layout_of_three_images();
    let directory = layout.path().display().to_string();
    for (tags, runtime, code) in [
        (["amd64", "amd64"].as_slice(), Some("ecs/amd64"), 0),
        (&["amd64", "arm64"], None, 0),
        (&["amd64", "arm64"], Some("ecs/amd64"), 1),
        (&["arm64", "amd64"], Some("ecs/amd64"), 1),
        (&["arm", "arm64"], Some("linux/arm64"), 2),
        (&["arm", "amd64"], Some("linux/arm64"), 1),
        (&["none", "amd64"], Some("ecs/amd64"), 3),
        (&["none", "arm64"], Some("ecs/amd64"), 3),
        (&["arm64", "none"], Some("ecs/amd64"), 3),
        (&["none", "arm"], Some("linux/arm64"), 3),
    ] {
        for format in ["text", "json", "sarif", "junit"] {
            let images: Vec<String> = tags.iter().map(|tag| format!("oci:{directory}:{tag}")).collect();
            let runtime: Vec<&str> = runtime.iter().flat_map(|runtime| ["--runtime", *runtime]).collect();
            let images = images.iter().map(String::as_str);
            let arguments: Vec<&str> = ["check", "--format", format].into_iter().chain(images).chain(runtime).collect();
            let text = run(&arguments, &[]);
            assert!(text.contains(&format!("code {code}\n")), "{tags:?} {format}: {text}");
        }
    }
}

#[test]
fn reports_keep_the_order_of_arguments() {
    let layout = layout_of_three_images();
    let directory = layout.path().display().to_string();
    let tags: Vec<&str> = ["amd64", "none", "arm64"].into_iter().cycle().take(20).collect();
    let images: Vec<String> = tags.iter().map(|tag| format!("oci:{directory}:{tag}")).collect();
    let arguments = ["check", "--format", "json"].into_iter().chain(images.iter().map(String::as_str));
    let text = run(&arguments.collect::<Vec<_>>(), &[]);
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let reference_of =
        |line: &Value| line["image"]["reference"].as_str().or(line["reference"].as_str()).unwrap().to_owned();
    assert_eq!(lines.iter().map(reference_of).collect::<Vec<_>>(), images);
}

#[test]
fn shared_layer_is_read_once() {
    let mut layout = Builder::new();
    let tags: Vec<String> = (0..6).map(|number| format!("v{number}")).collect();
    for tag in &tags {
        let image = layout.labelled("amd64", json!({"name": tag}));
        layout.tag(tag, &image);
    }
    let shared = layout.layer(OCI_GZIP, &elf::program("amd64"))["digest"].as_str().unwrap().to_owned();
    let registry = Registry::new(&layout, Auth::None);
    let images: Vec<String> = tags.iter().map(|tag| format!("{}/{REPOSITORY}:{tag}", registry.address())).collect();
    let arguments = ["check", "--runtime", "ecs/amd64"].into_iter().chain(images.iter().map(String::as_str));
    let text = run(&arguments.collect::<Vec<_>>(), &[]);
    let summary: Vec<&str> = text.lines().filter(|line| line.starts_with("6 images")).collect();
    expect!["6 images: 6 run"].assert_eq(&summary.join("\n"));
    let of_layer = registry.requests("blobs").into_iter().filter(|request| request.target.ends_with(&shared));
    assert_eq!(of_layer.count(), 1);
}

#[test]
fn colored_output() {
    let layout = layout_of_three_images();
    let arguments = ["check", "oci:DIR:arm64", "oci:DIR:none", "--runtime", "apprunner", "--color", "always"];
    // Escape characters become visible.
    let directory = layout.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &directory)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = run(&arguments, &[]).replace(&directory, "DIR").replace('\u{1b}', "␛");
    expect![[r#"
        success false code 3
        --- out
        ␛[1m␛[31moci:DIR:arm64 will not start on App Runner␛[0m

        ␛[2m  image     ␛[0moci:DIR:arm64
        ␛[2m  digest    ␛[0msha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
        ␛[2m  platform  ␛[0mlinux/arm64

        ␛[1m␛[31m✗␛[0m ␛[1mApp Runner␛[0m
          ␛[31mwrong-architecture:␛[0m the image is built for linux/arm64, not linux/amd64
        ␛[2m  expected error: ␛[0mexec /app: exec format error

        ␛[1mWhat to do␛[0m
          1. Build it for linux/amd64:
             docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:arm64 --push .
          2. Or, if it was copied from another registry, copy all its platforms:
             docker buildx imagetools create --tag REGISTRY/IMAGE:arm64 SOURCE

        2 images: 1 fails, 1 could not be read
        --- err
        ␛[1m␛[31merror:␛[0m oci:DIR:none does not exist

        ␛[1m␛[32mhint:␛[0m choose an image in the layout: amd64, arm64, arm

    "#]]
    .assert_eq(&text);
}

#[test]
fn colors_follow_the_environment() {
    let layout = layout_of_three_images();
    let image = format!("oci:{}:arm64", layout.path().display());
    for (when, settings, is_colored) in [
        ("auto", [].as_slice(), false),
        ("auto", &[("CLICOLOR_FORCE", "1")], true),
        ("auto", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ("always", &[("NO_COLOR", "1")], true),
        ("never", &[("CLICOLOR_FORCE", "1")], false),
    ] {
        for format in ["text", "json"] {
            let text = run(&["check", &image, "--color", when, "--format", format], settings);
            let expected = is_colored && format == "text";
            assert_eq!(text.contains('\u{1b}'), expected, "{when} {settings:?} {format}");
        }
    }
}

#[test]
fn text_wraps_but_commands_and_digests_do_not() {
    let mut layout = Builder::new();
    let [amd64, arm64] = ["amd64", "arm64"].map(|architecture| layout.image(architecture));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    layout.tag("v1", &both);
    check_with(
        &layout,
        &["check", "oci:DIR:v1", "--runtime", "lambda/arm64"],
        &[("COLUMNS", "60")],
        &expect![[r#"
            success false code 1
            --- out
            oci:DIR:v1 will not start on Lambda on arm64

              image     oci:DIR:v1
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64

            ✗ Lambda on arm64
              index-refused: it is an index (linux/amd64, linux/arm64),
                not a single image
              expected error: The image manifest, config or layer media
                type for the source image REGISTRY/IMAGE:v1 is not
                supported.

            What to do
              1. Build it as a single image, without attestations:
                 docker buildx build --platform linux/arm64 --provenance=false --sbom=false --tag REGISTRY/IMAGE:v1 --push .
              2. Or use the image for linux/arm64 by its digest:
                 aws lambda update-function-code --function-name NAME --image-uri REGISTRY/IMAGE@sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
            --- err
        "#]],
    );
}

#[test]
fn platforms_of_single_images() {
    let mut layout = Builder::new();
    let amd64 = elf::program("amd64");
    let files = || Archive::default().file("app", &amd64).file("bin/sh", &amd64);
    let tini = || files().file("sbin/tini", &amd64);
    let cases = [
        ("program", image(&layout, "amd64", &["/app"], files())),
        ("script", image(&layout, "amd64", &["/run.sh"], files().file("run.sh", b"#!/bin/sh\nwait\n"))),
        ("wrapped", image(&layout, "amd64", &["/sbin/tini", "--", "/app"], tini())),
        ("lies", image(&layout, "arm64", &["/app"], files())),
        ("lies-in-script", image(&layout, "arm64", &["/run.sh"], files().file("run.sh", b"#!/bin/sh\n"))),
        ("no-command", image(&layout, "amd64", &[], files())),
        ("no-file", image(&layout, "amd64", &["/none"], files())),
        ("no-program", image(&layout, "amd64", &["/text"], files().file("text", b"echo\n"))),
        ("narrow", image(&layout, "arm64", &["/app"], Archive::default().file("app", &elf::program("arm")))),
        ("unlabelled", image(&layout, "", &["/app"], files())),
    ];
    let mut tables = String::new();
    for (name, image) in &cases {
        layout.tag(name, image);
        let text = run(&["check", "--platforms", &format!("oci:{}:{name}", layout.path().display())], &[]);
        let rows = text.lines().filter(|line| line.contains("linux/") || line.contains("code"));
        rows.for_each(|row| tables.push_str(&format!("{name}: {row}\n")));
    }
    expect![[r#"
        program: success true code 0
        program: ✓ linux/amd64  3.1 kB  /app → linux/amd64
        script: success true code 0
        script: ✓ linux/amd64  4.1 kB  /run.sh → /bin/sh → linux/amd64
        wrapped: success true code 0
        wrapped: ✓ linux/amd64  4.1 kB  /sbin/tini → /app → linux/amd64
        lies: success false code 1
        lies: ✗ linux/arm64  3.1 kB  /app → linux/amd64
        lies-in-script: success false code 1
        lies-in-script: ✗ linux/arm64  4.1 kB  /run.sh → /bin/sh → linux/amd64
        no-command: success true code 0
        no-command: ? linux/amd64  3.1 kB  unknown: neither an entrypoint nor a command is set
        no-file: success true code 0
        no-file: ? linux/amd64  3.1 kB  unknown: /none is not in the image
        no-program: success true code 0
        no-program: ? linux/amd64  4.1 kB  unknown: /text is a text file without a first line `#!…`
        narrow: success true code 0
        narrow: ? linux/arm64  2.0 kB  /app → linux/arm
        unlabelled: success true code 0
        unlabelled: ? linux/unknown  3.1 kB  /app → linux/amd64
    "#]]
    .assert_eq(&tables);
    check(
        &layout,
        &["check", "--platforms", "oci:DIR:no-command"],
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:no-command: 1 platform

              image     oci:DIR:no-command
              digest    sha256:f34995bd825fd2b8f6cea789d7681823edfa5f3aae159a19b0ba39903b9aba20

              PLATFORM     LAYERS  PROGRAM
            ? linux/amd64  3.1 kB  unknown: neither an entrypoint nor a command is set
            --- err
        "#]],
    );
}

#[test]
fn platforms_of_an_index_with_mismatches() {
    let mut layout = Builder::new();
    let arm64 = layout.image("arm64");
    let lies = layout.manifest(&config("linux", "amd64", json!({})), &[layout.layer(OCI_GZIP, &elf::program("arm64"))]);
    let windows = layout.manifest(&config("windows", "amd64", json!({})), &[layout.blob(OCI_GZIP, &layer(b"MZ"))]);
    let attestation = layout.attestation();
    let index = layout.index(&[
        with_platform(&lies, "linux", "amd64"),
        with_platform(&arm64, "linux", "arm64"),
        with_platform(&layout.image("arm"), "linux", "386"),
        with_platform(&windows, "windows", "amd64"),
        as_attestation(&attestation),
    ]);
    layout.tag("v1", &index);
    layout.tag("attestation", &attestation);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "--platforms", "oci:DIR:v1"],
        expect![[r#"
            success false code 1
            --- out
            oci:DIR:v1: 4 platforms, 2 mismatches

              image     oci:DIR:v1
              digest    sha256:674ec21c1460caeedecc2001b1804dafb5d5a605fdc9b7f4752d98e9ffcb2c6a

              PLATFORM       LAYERS  PROGRAM
            ✗ linux/amd64    2.1 kB  /app → linux/arm64
            ✓ linux/arm64    2.1 kB  /app → linux/arm64
            ✗ linux/arm/v7   2.1 kB  /app → linux/arm
              the index lists it as linux/386
            - windows/amd64  2.1 kB  not inspected: it is for windows
            --- err
        "#]],
    );
    check(
        &["check", "--platforms", "oci:DIR:v1", "--no-exec"],
        expect![[r#"
            success false code 1
            --- out
            oci:DIR:v1: 4 platforms, 1 mismatch

              image     oci:DIR:v1
              digest    sha256:674ec21c1460caeedecc2001b1804dafb5d5a605fdc9b7f4752d98e9ffcb2c6a

              PLATFORM       LAYERS  PROGRAM
            - linux/amd64    2.1 kB  not inspected: disabled by PREFLIGHT_INSPECT or --no-exec
            - linux/arm64    2.1 kB  not inspected: disabled by PREFLIGHT_INSPECT or --no-exec
            ✗ linux/arm/v7   2.1 kB  not inspected: disabled by PREFLIGHT_INSPECT or --no-exec
              the index lists it as linux/386
            - windows/amd64  2.1 kB  not inspected: disabled by PREFLIGHT_INSPECT or --no-exec
            --- err
        "#]],
    );
    check(
        &["check", "--platforms", "oci:DIR:v1", "--format", "json"],
        expect![[r#"
            success false code 1
            --- out
            {
              "schema": "ecr-preflight/platforms/1",
              "image": {
                "reference": "oci:DIR:v1",
                "digest": "sha256:674ec21c1460caeedecc2001b1804dafb5d5a605fdc9b7f4752d98e9ffcb2c6a",
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "kind": "index",
                "platforms": [
                  "linux/amd64",
                  "linux/arm64",
                  "linux/386",
                  "windows/amd64"
                ]
              },
              "verdict": "fails",
              "platforms": [
                {
                  "digest": "sha256:84e692ed8e13d49ad89c759643b0bedf9340d219e5343566d743effd22e4d53c",
                  "platform": "linux/amd64",
                  "bytes": 2071,
                  "program": {
                    "outcome": "known",
                    "platform": "linux/arm64",
                    "chain": [
                      "/app"
                    ]
                  },
                  "agrees": false
                },
                {
                  "digest": "sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8",
                  "platform": "linux/arm64",
                  "bytes": 2071,
                  "program": {
                    "outcome": "known",
                    "platform": "linux/arm64",
                    "chain": [
                      "/app"
                    ]
                  },
                  "agrees": true
                },
                {
                  "digest": "sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0",
                  "platform": "linux/arm/v7",
                  "listedAs": "linux/386",
                  "bytes": 2071,
                  "program": {
                    "outcome": "known",
                    "platform": "linux/arm",
                    "chain": [
                      "/app"
                    ]
                  },
                  "agrees": false
                },
                {
                  "digest": "sha256:0254178e948eb01e13e8695abcd371b397e19003db1175b3d16c39990beb1aa7",
                  "platform": "windows/amd64",
                  "bytes": 2071,
                  "program": {
                    "outcome": "not-inspected",
                    "reason": "it is for windows"
                  }
                }
              ]
            }
            --- err
        "#]],
    );
    check(
        &["check", "--platforms", "oci:DIR:attestation", "oci:DIR:none"],
        expect![[r#"
            success false code 3
            --- out
            oci:DIR:attestation: not an image: an attestation

              image     oci:DIR:attestation
              digest    sha256:3a261fa8056efd48cdff7a93d0b5d91a279c3ff6d28481e5e25b7b1e3baea83f

            2 images: 1 could not be read, 1 is not checked
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: v1, attestation

        "#]],
    );
    check(
        &["check", "--platforms", "oci:DIR:v1", "--format", "sarif"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `--platforms` supports only `--format text` and `--format json`

            hint: add `--format json`, or leave out `--platforms`
        "#]],
    );
    check(
        &["check", "--platforms", "oci:DIR:v1", "--runtime", "ecs/arm64"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: the argument '--platforms' cannot be used with '--runtime <RUNTIME>'

            Usage: ecr-preflight check --platforms <IMAGE>...

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn platforms_beyond_the_limit_are_not_inspected() {
    let mut layout = Builder::new();
    let children: Vec<Value> = (0..18)
        .map(|number| {
            let program = [elf::program("amd64"), vec![number]].concat();
            let image = layout.manifest(&config("linux", "amd64", json!({})), &[layout.layer(OCI_GZIP, &program)]);
            with_platform(&image, "linux", "amd64")
        })
        .collect();
    let index = layout.index(&children);
    layout.tag("v1", &index);
    check(
        &layout,
        &["check", "--platforms", "oci:DIR:v1"],
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1: 18 platforms

              image     oci:DIR:v1
              digest    sha256:d1aa07b2feffc371f53adc7a6c13797acec9fb4ad66ce6acd17908bbdf790c5d

              PLATFORM     LAYERS  PROGRAM
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            ✓ linux/amd64  2.1 kB  /app → linux/amd64
            - linux/amd64       ?  not inspected: only 16 children of its index are read
            - linux/amd64       ?  not inspected: only 16 children of its index are read
            --- err
        "#]],
    );
}
