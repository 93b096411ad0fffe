//! The command-line tool as a user meets it: success, exit code, standard output and standard error of each run.

mod audit;
mod checks;
mod formats;
mod recipes;
mod declare;
mod hints;
mod shell;
mod page;

use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::json;

use crate::support::elf;
use crate::support::layout::{Builder, promising};

/// The four facts of a run.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    // Nothing of the machine's own configuration may decide.
    command.env_clear().envs([("HOME", "/nonexistent"), ("PATH", "/usr/bin")]).envs(settings.iter().copied());
    let output = command.args(arguments).output().unwrap();
    // Trailing blanks, which clap writes in its help, would not survive an editor.
    let text = |bytes: &[u8]| -> String {
        String::from_utf8(bytes.to_vec()).unwrap().lines().map(|line| format!("{}\n", line.trim_end())).collect()
    };
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("success {} code {}\n--- out\n{out}--- err\n{err}", output.status.success(), output.status.code().unwrap())
}

/// A run over a layout, whose directory is called DIR in what is expected.
pub fn check(layout: &Builder, arguments: &[&str], expected: &Expect) {
    check_with(layout, arguments, &[], expected);
}

/// The same with variables of the environment.
pub fn check_with(layout: &Builder, arguments: &[&str], settings: &[(&str, &str)], expected: &Expect) {
    let directory = layout.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &directory)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    expected.assert_eq(&run(&arguments, settings).replace(&directory, "DIR"));
}

#[test]
fn an_image_that_runs_one_that_fails_and_one_that_cannot_be_told() {
    let mut layout = Builder::new();
    let (amd64, arm64, arm) = (layout.image("amd64"), layout.image("arm64"), layout.image("arm"));
    let both = layout.index(&[promising(&amd64, "linux", "amd64"), promising(&arm64, "linux", "arm64")]);
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
              digest    sha256:cb1575aab1326289d6915a0780c7fcf663f8aa6baa094e3eefd97b97bc111b89
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
              digest    sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63
              platform  linux/arm64

            ✗ App Runner
              wrong-architecture: the image is made for linux/arm64, not linux/amd64
              you would meet: exec /app: exec format error

            What to do
              1. Build it for linux/amd64:
                 docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:fails --push .
              2. Or, where it was copied from another registry, copy it for linux/amd64:
                 docker pull --platform linux/amd64 SOURCE && docker tag SOURCE REGISTRY/IMAGE:fails && docker push REGISTRY/IMAGE:fails
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
              digest    sha256:7e13a64d366720176887305c1f7b7e2271f296c3ec33aa6d75ed1bac662af278
              platform  linux/arm/v7

            ? Linux on arm64
              the image claims linux/arm/v7: a 32-bit arm image starts only where the host runs 32-bit programs

            label checked, binary not inspected: /app is a program of 32 bits, which only some hosts start
            --- err
        "#]],
    );
}

#[test]
fn without_a_runtime_what_the_image_declares_counts() {
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
              digest    sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63
              platform  linux/arm64
              starts    /app

            declare where it runs: tag the repository, or label the image, `intended-runtime=ecs/arm64` for example
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
              digest    sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63
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
            oci:DIR:labelled: where it is meant to run is not readable

              image     oci:DIR:labelled
              digest    sha256:82cb014ed692770ab73059783c20603f2cc6f445e25424a603ef3704af90e562
              platform  linux/arm64

            ? `esc/arm64`
              invalid-declaration: the image's label declares `esc/arm64`, which names no runtime
              where it is meant to run is not readable

            What to do
              1. If ECS on arm64 was meant, label the image in its Dockerfile:
                 LABEL intended-runtime="ecs/arm64"
            --- err
        "#]],
    );
}

#[test]
fn what_cannot_be_checked_is_said_with_what_helps() {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    layout.tag("v1", &image);
    layout.tag("v2", &image);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "oci:DIR:v3"],
        expect![[r#"
        success false code 2
        --- out
        --- err
        error: oci:DIR:v3 is not there

        hint: the layout has v1, v2
    "#]],
    );
    check(
        &["check", "oci:DIR"],
        expect![[r#"
        success false code 2
        --- out
        --- err
        error: oci:DIR holds several images

        hint: the layout has v1, v2
    "#]],
    );
    check(
        &["check", "oci:DIR/blobs:v1"],
        expect![[r#"
            success false code 2
            --- out
            --- err
            error: DIR/blobs cannot be read: it is no OCI image layout, for want of a file `oci-layout`
        "#]],
    );
    check(
        &["check", "ghcr.io/Team/App:v1"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `Team/App` is not a repository name: expected lower-case words and digits, joined by `.`, `_`, `__`, `-` and `/`

            hint: did you mean `ghcr.io/team/app:v1`?
        "#]],
    );
    check(
        &["check", "dir:image"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `dir:image` names no image in a registry

            hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, or `HOST/REPOSITORY:TAG` such as `public.ecr.aws/docker/library/busybox:1.37`
        "#]],
    );
    check(
        &["check", "ghcr.io/team/app@v1"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: `v1` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits

            hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, or `HOST/REPOSITORY:TAG` such as `public.ecr.aws/docker/library/busybox:1.37`
        "#]],
    );
    check(
        &["check", "oci:DIR:v1", "--runtime", "ecs"],
        expect![[r#"
            success false code 64
            --- out
            --- err
            error: invalid value 'ecs' for '--runtime <RUNTIME>': `ecs` names no runtime; did you mean `ecs/amd64` or `ecs/arm64`?

            For more information, try '--help'.
        "#]],
    );
    check(
        &["replay", "DIR/index.json", "--layout", "DIR"],
        expect![[r#"
        success false code 2
        --- out
        --- err
        error: DIR/index.json cannot be read: missing field `detail-type` at line 1 column 507
    "#]],
    );
    check(
        &["replay", "DIR/none.json"],
        expect![[r#"
        success false code 2
        --- out
        --- err
        error: DIR/none.json cannot be read: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn a_setting_that_cannot_be_used_stops_the_command() {
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
        error: PREFLIGHT_INSPCET is no setting; did you mean PREFLIGHT_INSPECT?
    "#]]
    .assert_eq(&run(&["check", "oci:x:y"], &[("PREFLIGHT_INSPCET", "labels")]));
}

#[test]
fn a_program_is_what_its_header_says() {
    let layout = Builder::new();
    std::fs::write(layout.path().join("arm64"), elf::program("arm64")).unwrap();
    std::fs::write(layout.path().join("script"), "#!/bin/sh\n").unwrap();
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["binary", "DIR/arm64", "--runtime", "lambda/arm64"],
        expect![[r#"
        success true code 0
        --- out
        DIR/arm64 is made for linux/arm64
        it will start on Lambda on arm64
        --- err
    "#]],
    );
    check(
        &["binary", "DIR/arm64", "--runtime", "lambda/amd64", "--runtime", "ecs/arm64"],
        expect![[r#"
        success false code 1
        --- out
        DIR/arm64 is made for linux/arm64
        it will not start on Lambda on amd64
        it will start on ECS on arm64
        --- err
    "#]],
    );
    check(
        &["binary", "DIR/script"],
        expect![[r#"
        success false code 2
        --- out
        DIR/script cannot be told: it is no ELF file
        --- err
    "#]],
    );
    check(
        &["binary", "DIR/none"],
        expect![[r#"
        success false code 2
        --- out
        --- err
        error: DIR/none cannot be read: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn help_teaches() {
    expect![[r#"
        success true code 0
        --- out
        Will this container image start where it is meant to run?

        An image's manifest and config are held against the runtimes that it is meant for, and what it
        starts is followed into its layers. Nothing is run.

        Usage: ecr-preflight [OPTIONS] <COMMAND>

        Commands:
          check        Check images against the runtimes that they are meant for
          replay       Replay an event through the function's own handler and print what it would send and
                       mark
          binary       Check one program, by its ELF header, against the runtimes that it is meant for
          audit        Check the images that a registry of Amazon ECR already holds
          declare      Declare where a repository's images are meant to run, by its resource tag; or list
                       what is declared
          completions  Print the script with which a shell completes this program's commands and options
          man          Print the manual page, or write all pages into a directory
          page         Make a page to look at, filter and pass on out of the results of an audit

        Options:
              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version

        Examples:
          Check what `docker buildx build --output type=oci,dest=image,tar=false` made, before it is pushed:
            ecr-preflight check oci:image:v1 --runtime ecs/arm64

          Check what `docker save app:v1 --output image.tar` wrote:
            ecr-preflight check docker-archive:image.tar --runtime ecs/amd64

          Check an image in Amazon ECR against what its repository declares:
            ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

          Check an image of any registry before it is copied:
            ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

          Check what a registry of Amazon ECR already holds:
            ecr-preflight audit --prefix team/ --results team.jsonl

          See what the function would say of an event, without an AWS account:
            ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

          Declare where a repository's images run; list what is declared:
            ecr-preflight declare team/app ecs/arm64 apprunner
            ecr-preflight declare --list

        Each command has more to say: `ecr-preflight check --help`

        Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, linux/amd64, linux/arm64

        Exit code: 0 it runs, or nothing is declared for it; 1 it fails; 2 it could not be told, or an
        error; 64 the command line or a setting is wrong, and nothing was done
        --- err
    "#]]
    .assert_eq(&run(&["--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Check images against the runtimes that they are meant for.

        Without --runtime, what an image's tag, its repository's resource tag or its label declares counts.

        Usage: ecr-preflight check [OPTIONS] <IMAGE>...

        Arguments:
          <IMAGE>...
                  `oci:DIR[:TAG|@DIGEST]` for an OCI image layout, `oci-archive:FILE[:TAG|@DIGEST]` for a
                  tar archive of one, `docker-archive:FILE[:[REPOSITORY:]TAG]` for what `docker save`
                  writes, the URI of an image in Amazon ECR, or `HOST[:PORT]/REPO[:TAG][@DIGEST]` for one in
                  any other registry, with docker's credentials; without HOST, Docker Hub

        Options:
              --runtime <RUNTIME>
                  Where they are meant to run; may be given several times

          -v, --verbose
                  Say on standard error how much was read, and how long it took

              --no-exec
                  Read labels only: do not look into layers at what the image really starts

              --platforms
                  Show what each image holds, platform by platform, and what its programs are made for,
                  whatever the runtime

              --format <FORMAT>
                  What to print

                  Possible values:
                  - text:  For people
                  - json:  For programs: one object, schema `ecr-preflight/1`; of several images, one on
                    each line
                  - sarif: For code scanning, GitHub's for example: one SARIF 2.1.0 log
                  - junit: For CI servers: one `JUnit` report, a test suite for each image

                  [default: text]

              --dockerfile <FILE>
                  Where SARIF shows findings: the file that the images are built from, as a path from the
                  top of the repository

                  [default: Dockerfile]

              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
          ecr-preflight check oci:image@sha256:3c949327… --runtime lambda/amd64 --format json
          ecr-preflight check docker-archive:image.tar --runtime ecs/amd64
          ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
          ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
          ecr-preflight check oci-archive:api.tar oci-archive:worker.tar --runtime ecs/arm64 --format sarif
          ecr-preflight check --platforms grafana/grafana:11.4.0

        Exit code: 1 if any image fails; else 2 if any could not be told or read; else 0;
        64 if the command line or a setting is wrong, and then nothing is checked
        --- err
    "#]]
    .assert_eq(&run(&["check", "--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Replay an event through the function's own handler and print what it would send and mark.

        Settings come from the same PREFLIGHT_ variables as the function's.

        Usage: ecr-preflight replay [OPTIONS] <EVENT>

        Arguments:
          <EVENT>
                  The event, a JSON file as EventBridge delivers it

        Options:
              --layout <DIR>
                  An OCI image layout that stands in for the repository; without it, Amazon ECR is read

              --declared <RUNTIMES>
                  The value of the repository's resource tag that declares runtimes, in the layout's place

              --no-exec
                  Read labels only: do not look into layers at what the image really starts

              --format <FORMAT>
                  What to print: the message as people see it, or the function's return value

                  Possible values:
                  - text: For people
                  - json: For programs: one object, schema `ecr-preflight/1`

                  [default: text]

              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner
          PREFLIGHT_VERDICT_TAGS=failures ecr-preflight replay events/push-arm64-for-ecs-amd64.json --layout
          events/images
          ecr-preflight replay event.json --format json
        --- err
    "#]]
    .assert_eq(&run(&["replay", "--help"], &[]));
}

#[test]
fn an_image_in_ecr_without_credentials_is_an_error() {
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
    // Neither a profile nor the metadata service of an instance: nothing leaves the machine.
    let settings = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: dispatch failure: other: the credential provider was not enabled: no credentials found in chain. Attempted:
          Environment: the credential provider was not enabled: environment variable not set
          Profile: the credential provider was not enabled
          WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
          EcsContainer: the credential provider was not enabled: ECS provider not configured
          Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`

        hint: log in with `aws sso login`, or choose a profile with AWS_PROFILE
    "#]].assert_eq(&run(&["check", uri, "--runtime", "ecs/arm64"], &settings));
}
