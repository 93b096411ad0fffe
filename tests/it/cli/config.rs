//! The configuration file: where it is found, its images, and its waivers in every format of `check`.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::run_in;
use crate::lambda::push_event;
use crate::support::aws::FakeAws;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config};

/// A repository with the directory `api/src` and an image for amd64 in `api/image`, whose tag is `v1`, and this
/// configuration file.
fn repository(configuration: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::create_dir_all(directory.path().join(".git")).unwrap();
    fs::create_dir_all(directory.path().join("api/src")).unwrap();
    let mut layout = Builder::at(&directory.path().join("api/image"));
    let image = layout.image("amd64");
    layout.tag("v1", &image);
    fs::write(directory.path().join(".ecr-preflight.toml"), configuration).unwrap();
    directory
}

/// Output of a run in a directory of the repository; `ROOT` in it is the repository.
fn output(repository: &TempDir, directory: &str, arguments: &[&str]) -> String {
    let root = fs::canonicalize(repository.path()).unwrap();
    run_in(&root.join(directory), arguments, &[]).replace(root.to_str().unwrap(), "ROOT")
}

fn check(repository: &TempDir, directory: &str, arguments: &[&str], expected: &Expect) {
    expected.assert_eq(&output(repository, directory, arguments));
}

fn stdout(output: &str) -> &str {
    output.split_once("--- out\n").unwrap().1.split_once("--- err\n").unwrap().0
}

const IMAGES: &str = "[[images]]\nimage = \"oci:api/image:v1\"\nruntimes = [\"ecs/arm64\", \"apprunner\"]\n";

const WAIVER: &str = "[[waivers]]\nfault = \"wrong-architecture\"\nruntime = \"ecs/arm64\"\nimage = \"oci:*/image\"\n\
                      reason = \"moves to arm64 with the next release\"\nexpires = 2999-12-31\n";

#[test]
fn images_of_the_configuration_are_checked() {
    let repository = repository(IMAGES);
    for directory in ["", "api/src"] {
        let text = output(&repository, directory, &["check", "--verbose"]);
        let read = text.find("read ").unwrap();
        let rest = text[read..].find('\n').unwrap();
        let text = format!("{}read …{}", &text[..read], &text[read + rest..]);
        let file = if directory.is_empty() { "" } else { "ROOT/" };
        let expected = expect![[r#"
            success false code 1
            --- out
            oci:api/image:v1 will not start on ECS on arm64

              image     oci:api/image:v1
              digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
              platform  linux/amd64
              starts    /app on linux/amd64

            ✗ ECS on arm64
              wrong-architecture: the image is built for linux/amd64, not linux/arm64
              expected error: exec /app: exec format error

            ✓ App Runner

            What to do
              1. Build it for linux/arm64 and linux/amd64:
                 docker buildx build --platform linux/arm64,linux/amd64 --tag REGISTRY/IMAGE:v1 --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:v1 SOURCE
              3. Or keep the image, and set in the task definition:
                 "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
            --- err
            configuration: FILE
            note: checking the image of FILE
            read …
        "#]];
        expected.assert_eq(&text.replace(&format!("{file}.ecr-preflight.toml"), "FILE"));
    }
}

#[test]
fn command_line_replaces_images_and_runtimes() {
    let repository = repository(IMAGES);
    let named = output(&repository, "api", &["check", "oci:image:v1", "--runtime", "ecs/amd64"]);
    assert!(named.starts_with("success true") && !named.contains("note:"), "{named}");
    let other_runtime = output(&repository, "api", &["check", "--runtime", "ecs/amd64"]);
    assert!(other_runtime.starts_with("success true") && other_runtime.contains("note:"), "{other_runtime}");
    check(
        &repository,
        "",
        &["check", "--no-config"],
        &expect![[r#"
            success false code 64
            --- out
            --- err
            error: no image to check

            hint: name an image: `ecr-preflight check IMAGE`, or list images in `.ecr-preflight.toml`
        "#]],
    );
}

#[test]
fn waived_fault_does_not_count_and_stays() {
    let repository = repository(&format!("{IMAGES}{WAIVER}"));
    check(
        &repository,
        "",
        &["check"],
        &expect![[r#"
        success true code 0
        --- out
        oci:api/image:v1 will not start on ECS on arm64 (waived)

          image     oci:api/image:v1
          digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
          platform  linux/amd64
          starts    /app on linux/amd64

        ✗ ECS on arm64
          wrong-architecture: the image is built for linux/amd64, not linux/arm64
          waived until 2999-12-31: moves to arm64 with the next release
          expected error: exec /app: exec format error

        ✓ App Runner
        --- err
        note: checking the image of .ecr-preflight.toml
    "#]],
    );
    // Of several images.
    let several = output(&repository, "", &["check", "oci:api/image:v1", "oci:api/image", "--runtime", "ecs/arm64"]);
    assert!(several.contains("success true code 0") && several.contains("2 images: 2 are waived\n"), "{several}");
    let json = output(&repository, "", &["check", "--format", "json"]);
    let report: Value = serde_json::from_str(stdout(&json)).unwrap();
    assert_eq!(report["verdict"], "fails");
    expect![[r#"
        {
          "faults": [
            {
              "advice": [
                "Build it for linux/arm64 and linux/amd64",
                "Or, if it was copied from another registry, copy all its platforms",
                "Or keep the image, and set in the task definition"
              ],
              "code": "wrong-architecture",
              "evidence": "the image is built for linux/amd64, not linux/arm64",
              "platform": "linux/amd64",
              "remedy": [
                "docker buildx build --platform linux/arm64,linux/amd64 --tag REGISTRY/IMAGE:v1 --push .",
                "docker buildx imagetools create --tag REGISTRY/IMAGE:v1 SOURCE",
                "\"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}"
              ],
              "symptom": "exec /app: exec format error",
              "waived": {
                "expires": "2999-12-31",
                "reason": "moves to arm64 with the next release"
              }
            }
          ],
          "runtime": "ecs/arm64",
          "unknown": [],
          "verdict": "fails",
          "verified": true
        }"#]]
    .assert_eq(&format!("{:#}", report["runtimes"][0]));
    assert_eq!(report["runtimes"][1]["faults"].as_array().map(Vec::len), Some(0));
}

#[test]
fn waived_fault_is_skipped_in_junit() {
    let repository = repository(&format!("{IMAGES}{WAIVER}"));
    check(
        &repository,
        "",
        &["check", "--format", "junit"],
        &expect![[r#"
        success true code 0
        --- out
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="ecr-preflight" tests="2" skipped="1" failures="0" errors="0">
            <testsuite name="oci:api/image:v1" tests="2" skipped="1" errors="0" failures="0">
                <testcase name="ecs/arm64" classname="oci:api/image:v1">
                    <skipped message="waived until 2999-12-31: moves to arm64 with the next release: the image is built for linux/amd64, not linux/arm64" type="waived"/>
                </testcase>
                <testcase name="apprunner" classname="oci:api/image:v1"/>
            </testsuite>
        </testsuites>
        --- err
        note: checking the image of .ecr-preflight.toml
    "#]],
    );
}

#[test]
fn waived_fault_is_a_note_in_sarif() {
    let repository = repository(&format!("{IMAGES}{WAIVER}"));
    let sarif = |runtime: &str| {
        let text = output(&repository, "", &["check", "--runtime", runtime, "--format", "sarif"]);
        let log: Value = serde_json::from_str(stdout(&text)).unwrap();
        assert!(!log.to_string().contains("suppressions"));
        let run = &log["runs"][0];
        let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().cloned().unwrap_or_default();
        let notes: Vec<String> =
            notes.iter().map(|note| format!("{} {}", note["level"], note["message"]["text"])).collect();
        let results = run["results"].as_array().unwrap();
        let runtime = |result: &Value| {
            let name = result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap();
            name.rsplit(' ').next().unwrap().to_owned()
        };
        (notes.join("\n"), results.iter().map(runtime).collect::<Vec<_>>().join(" "))
    };
    let note = "\"note\" \"oci:api/image:v1 on ECS on arm64: the image is built for linux/amd64, not linux/arm64 \
                (wrong-architecture; waived until 2999-12-31: moves to arm64 with the next release)\"";
    assert_eq!(sarif("ecs/arm64"), (note.to_owned(), String::new()));
    assert_eq!(sarif("ecs/arm64,linux/arm64"), (note.to_owned(), "linux/arm64".to_owned()));
    assert_eq!(sarif("linux/arm64"), (String::new(), "linux/arm64".to_owned()));
}

#[test]
fn image_fails_by_the_fault_that_is_not_waived() {
    let repository = repository(&format!("{IMAGES}{WAIVER}"));
    check(
        &repository,
        "",
        &["check", "--runtime", "ecs/arm64,linux/arm64"],
        &expect![[r#"
            success false code 1
            --- out
            oci:api/image:v1 will not start on ECS on arm64, Linux on arm64

              image     oci:api/image:v1
              digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
              platform  linux/amd64

            ✗ ECS on arm64
              wrong-architecture: the image is built for linux/amd64, not linux/arm64
              waived until 2999-12-31: moves to arm64 with the next release
              expected error: exec /app: exec format error

            ✗ Linux on arm64
              wrong-architecture: the image is built for linux/amd64, not linux/arm64
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:v1 --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:v1 SOURCE
            --- err
            note: checking the image of .ecr-preflight.toml
        "#]],
    );
}

#[test]
fn expired_and_unused_waivers_are_named() {
    let expired = WAIVER.replace("2999-12-31", "2020-01-31");
    let unused = "[[waivers]]\nfault = \"exec-format\"\nimage = \"team/*\"\nreason = \"r\"\n";
    let repository = repository(&format!("{IMAGES}{expired}{unused}"));
    let text = output(&repository, "", &["check", "--verbose"]);
    assert!(text.starts_with("success false code 1\n"), "{text}");
    let line = "  the waiver expired on 2020-01-31: moves to arm64 with the next release\n";
    assert!(text.contains(line), "{text}");
    assert!(text.ends_with("unused waiver: exec-format of team/*\n"), "{text}");
    assert_eq!(text.matches("unused").count(), 1);
    assert!(!output(&repository, "", &["check"]).contains("unused"));
}

#[test]
fn strict_and_required_declarations_still_count() {
    let repository = repository("[[waivers]]\nfault = \"platform-mismatch\"\nreason = \"r\"\n");
    let mut layout = Builder::at(&repository.path().join("images"));
    let image =
        layout.manifest(&config("linux", "amd64", json!({})), &[layout.layer(OCI_GZIP, &elf::program("arm64"))]);
    layout.tag("v1", &image);
    let code = |arguments: &[&str]| {
        let text = output(&repository, "", &[&["check", "oci:images:v1"], arguments].concat());
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(code(&["--no-config"]), "success false code 1");
    assert_eq!(code(&[]), "success true code 0");
    assert_eq!(code(&["--require-declaration"]), "success false code 2");
}

#[test]
fn invalid_configuration_is_a_usage_error() {
    let broken = repository("[[waivers]]\nfault = \"wrong-arch\"\nreason = \"r\"\n");
    check(
        &broken,
        "api/src",
        &["check", "oci:../image:v1"],
        &expect![[r#"
        success false code 64
        --- out
        --- err
        error: ROOT/.ecr-preflight.toml:2: unknown fault `wrong-arch`; did you mean `wrong-architecture`?
    "#]],
    );
    check(
        &broken,
        "",
        &["check", "oci:api/image:v1", "--config", "none.toml"],
        &expect![[r#"
        success false code 64
        --- out
        --- err
        error: cannot read the configuration file none.toml: No such file or directory (os error 2)
    "#]],
    );
    check(
        &broken,
        "",
        &["check", "--config", "api/empty.toml"],
        &expect![[r#"
        success false code 64
        --- out
        --- err
        error: cannot read the configuration file api/empty.toml: No such file or directory (os error 2)
    "#]],
    );
    let ignored = output(&broken, "", &["check", "oci:api/image:v1", "--no-config"]);
    assert!(ignored.starts_with("success true code 0"), "{ignored}");
    check(
        &repository("[[images]]\nimage = \"oci:\"\n"),
        "",
        &["check"],
        &expect![[r#"
        success false code 64
        --- out
        --- err
        error: .ecr-preflight.toml:2: `oci:` has no directory: expected `oci:DIR[:TAG|@DIGEST]`
    "#]],
    );
}

#[test]
fn repository_tag_waives_for_check_and_replay() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = layout.image("arm64");
    let digest = layout.tag("v1", &image);
    aws.push("team/app", &layout);
    aws.tag_resource("team/app", "intended-runtime", "apprunner");
    aws.tag_resource("team/app", "ecr-preflight:waive", "wrong-architecture until 2999-12-31 legacy");
    let url = aws.url();
    let settings = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "us-west-2"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "0KEYKEY0"),
    ];
    let directory = TempDir::new().unwrap();
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";
    let run = |arguments: &[&str]| run_in(directory.path(), arguments, &settings);
    let text = run(&["check", uri]);
    assert!(text.starts_with("success true code 0"), "{text}");
    assert!(text.contains("\n  waived until 2999-12-31: legacy\n"), "{text}");
    // `--runtime` replaces what the repository's tags say.
    assert!(run(&["check", uri, "--runtime", "apprunner"]).starts_with("success false code 1"));
    fs::write(directory.path().join("event.json"), push_event(&digest, "v1").to_string()).unwrap();
    expect![[r#"
        success true code 0
        --- out
        Nothing to send: team/app:v1 will not start on App Runner (waived)
        --- err
    "#]]
    .assert_eq(&run(&["replay", "event.json"]));
}

#[test]
fn example_of_the_documentation_is_valid() {
    let example = fs::read_to_string("recipes/ecr-preflight.toml").unwrap();
    let page = fs::read_to_string("docs/cli.md").unwrap();
    assert!(page.contains(&format!("```toml\n{example}```\n")), "docs/cli.md shows recipes/ecr-preflight.toml");
    let text = run_in(Path::new("recipes"), &["check", "--config", "ecr-preflight.toml"], &[]);
    assert!(text.starts_with("success true code 0"), "{text}");
}
