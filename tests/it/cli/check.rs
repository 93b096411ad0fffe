//! `check`: the verdicts, declarations, errors and settings.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::cli::{check, run};
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config, with_platform};

#[test]
fn images_that_run_fail_and_are_unknown() {
    let mut layout = Builder::new();
    let (amd64, arm64, arm) = (layout.image("amd64"), layout.image("arm64"), layout.image("arm"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    layout.tag("fails", &arm64);
    layout.tag("runs", &both);
    layout.tag("unknown", &arm);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "oci:DIR:runs", "--runtime", "ecs/arm64", "--runtime", "fargate-x86_64"],
        expect![[r#"
            success true code 0
            --- out
            oci:DIR:runs will start on ECS on arm64, ECS on amd64

              image     oci:DIR:runs
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              starts    /app on linux/arm64
              starts    /app on linux/amd64

            ✓ ECS on arm64

            ✓ ECS on amd64
            --- err
        "#]],
    );
    check(
        &["check", "oci:DIR:fails", "--runtime", "apprunner"],
        expect![[r#"
            success false code 1
            --- out
            oci:DIR:fails will not start on App Runner

              image     oci:DIR:fails
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64

            ✗ App Runner
              wrong-architecture: the image is built for linux/arm64, not linux/amd64
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/amd64:
                 docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:fails --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE
            --- err
        "#]],
    );
    check(
        &["check", "oci:DIR:unknown", "--runtime", "linux/arm64"],
        expect![[r#"
            success false code 2
            --- out
            oci:DIR:unknown may not start on Linux on arm64

              image     oci:DIR:unknown
              digest    sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0
              platform  linux/arm/v7

            ? Linux on arm64
              the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:unknown --push .

            platform checked, program not inspected: /app is a 32-bit program, which only some hosts run: those whose kernel and processor support it
            --- err
        "#]],
    );
}

#[test]
fn declared_runtimes_are_checked_by_default() {
    let mut layout = Builder::new();
    let plain = layout.image("arm64");
    let labelled = layout.labelled("arm64", json!({"intended-runtime": "esc/arm64"}));
    layout.tag("v1", &plain);
    layout.tag("v1-ecs-arm64", &plain);
    layout.tag("labelled", &labelled);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "oci:DIR:v1"],
        expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1: no runtime is declared for it

              image     oci:DIR:v1
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64
              starts    /app

            Pass `--runtime`, or declare where the image runs: tag the repository or label the image, for example with `intended-runtime=ecs/arm64`
            --- err
        "#]],
    );
    check(
        &["check", "oci:DIR:v1-ecs-arm64"],
        expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1-ecs-arm64 will start on ECS on arm64

              image     oci:DIR:v1-ecs-arm64
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64
              starts    /app

            ✓ ECS on arm64 (declared by the image's tag)
            --- err
        "#]],
    );
    check(
        &["check", "oci:DIR:labelled"],
        expect![[r#"
            success false code 2
            --- out
            oci:DIR:labelled: the declared runtime is unknown

              image     oci:DIR:labelled
              digest    sha256:6c24b76403ea2e737dff80c1afe96d2c63d818e740a1f7faf2f1f8daad6f7fc9
              platform  linux/arm64

            ? `esc/arm64`
              invalid-declaration: the image's label declares `esc/arm64`, which is not a known runtime
              the declared runtime is unknown

            What to do
              1. If ECS on arm64 was meant, label the image in its Dockerfile:
                 LABEL intended-runtime="ecs/arm64"
            --- err
        "#]],
    );
}

#[test]
fn unusable_references_are_errors_with_hints() {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    layout.tag("v1", &image);
    layout.tag("v2", &image);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "oci:DIR:v3"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: oci:DIR:v3 does not exist

            hint: choose an image in the layout: v1, v2
        "#]],
    );
    check(
        &["check", "oci:DIR"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: oci:DIR contains several images

            hint: choose an image in the layout: v1, v2
        "#]],
    );
    check(
        &["check", "oci:DIR/blobs:v1"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: cannot read DIR/blobs
              caused by: not an OCI image layout: `oci-layout` is missing
        "#]],
    );
    check(
        &["check", "ghcr.io/Team/App:v1"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `Team/App` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`

            hint: did you mean `ghcr.io/team/app:v1`?
        "#]],
    );
    check(
        &["check", "dir:image"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `dir:image` has an unsupported scheme

            hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for example `public.ecr.aws/docker/library/busybox:1.37`
        "#]],
    );
    check(
        &["check", "ghcr.io/team/app@v1"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `v1` is not a valid digest: expected `sha256:` and 64 lower-case hexadecimal digits

            hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for example `public.ecr.aws/docker/library/busybox:1.37`
        "#]],
    );
    check(
        &["check", "oci:DIR:v1", "--runtime", "ecs"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: invalid value 'ecs' for '--runtime <RUNTIME>': unknown runtime `ecs`; did you mean `ecs/amd64` or `ecs/arm64`?
        "#]],
    );
    check(
        &["replay", "DIR/index.json", "--layout", "DIR"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: cannot read DIR/index.json
              caused by: not an EventBridge event in JSON: missing field `detail-type` at line 1 column 507
        "#]],
    );
    check(
        &["replay", "DIR/none.json"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: cannot read DIR/none.json
              caused by: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn invalid_settings_stop_the_command() {
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: PREFLIGHT_INSPECT is `all`; allowed: manifest, config or program
    "#]]
    .assert_eq(&run(&["check", "oci:x:y"], &[("PREFLIGHT_INSPECT", "all")]));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: unknown setting PREFLIGHT_INSPCET; did you mean PREFLIGHT_INSPECT?
    "#]]
    .assert_eq(&run(&["check", "oci:x:y"], &[("PREFLIGHT_INSPCET", "manifest")]));
}

#[test]
fn missing_credentials_are_an_error() {
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
    // Neither a profile nor the instance metadata service: nothing leaves the machine.
    let settings = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: no AWS credentials found

        hint: sign in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with AWS_PROFILE
    "#]]
    .assert_eq(&run(&["check", uri, "--runtime", "ecs/arm64"], &settings));
}

/// An image with the right architecture whose command is this.
fn layout_with_command(command: &[&str]) -> Builder {
    let mut layout = Builder::new();
    let mut config = config("linux", "arm64", json!({}));
    config["config"]["Entrypoint"] = json!(command);
    let image = layout.manifest(&config, &[layout.layer(OCI_GZIP, &elf::program("arm64"))]);
    layout.tag("v1", &image);
    layout
}

#[test]
fn unverified_start_is_not_promised() {
    let layout = layout_with_command(&["/run/app"]);
    let arguments = ["check", "oci:DIR:v1", "--runtime", "ecs/arm64", "--runtime", "linux/arm64"];
    check(
        &layout,
        &arguments,
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1 has the right architecture for ECS on arm64, Linux on arm64; start not verified

              image     oci:DIR:v1
              digest    sha256:6e8c772938e223383abc7093a50dff1ce3b86a9706de94f31c627677ed60d076
              platform  linux/arm64

            ~ ECS on arm64
              start not verified: /run may be mounted over at run time

            ~ Linux on arm64
              start not verified: /run may be mounted over at run time
            --- err
        "#]],
    );
    for (options, code) in [
        (["--runtime", "ecs/arm64"].as_slice(), 0),
        (&["--runtime", "ecs/arm64", "--strict"], 2),
        (&["--runtime", "ecs/amd64", "--strict"], 1),
        (&["--strict"], 0),
        (&["--require-declaration"], 2),
        (&["--require-declaration", "--runtime", "ecs/arm64"], 0),
    ] {
        for format in ["text", "json", "sarif", "junit"] {
            let image = format!("oci:{}:v1", layout.path().display());
            let text = run(&[&["check", &image, "--format", format], options].concat(), &[]);
            assert!(text.contains(&format!("code {code}\n")), "{options:?} {format}: {text}");
        }
    }
    // Without an inspection, nothing is verified.
    let sound = layout_with_command(&["/app"]);
    let image = format!("oci:{}:v1", sound.path().display());
    let strict = ["check", image.as_str(), "--runtime", "ecs/arm64", "--strict"];
    assert!(run(&strict, &[]).contains("code 0\n"));
    assert!(run(&[strict.as_slice(), &["--no-exec"]].concat(), &[]).contains("code 2\n"));
    // Of several images, those without a verified start are counted.
    let several = ["check", "oci:DIR:v1", "oci:DIR:v1", "--runtime", "ecs/arm64", "--no-exec"];
    check(
        &sound,
        &several,
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:v1 has the right architecture for ECS on arm64; start not verified

              image     oci:DIR:v1
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64

            ~ ECS on arm64
              start not verified: disabled by PREFLIGHT_INSPECT or --no-exec

            oci:DIR:v1 has the right architecture for ECS on arm64; start not verified

              image     oci:DIR:v1
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64

            ~ ECS on arm64
              start not verified: disabled by PREFLIGHT_INSPECT or --no-exec

            2 images: 2 right architecture only (start not verified)
            --- err
        "#]],
    );
}

#[test]
fn unreadable_manifest_is_an_error() {
    // The layout lists the image, but the blob of its manifest is damaged.
    let layout = layout_with_command(&["/app"]);
    let listed = std::fs::read_to_string(layout.path().join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:");
    std::fs::write(layout.path().join("blobs/sha256").join(digest), "{}").unwrap();
    check(
        &layout,
        &["check", "oci:DIR:v1", "--runtime", "ecs/arm64"],
        &expect![[r#"
            success false code 3
            --- out
            --- err
            error: manifest sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8 was requested, but the registry sent sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        "#]],
    );
}
