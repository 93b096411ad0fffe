//! `--quiet`: results and errors, without progress, notes and summaries.

use expect_test::expect;
use tempfile::TempDir;

use crate::cli::run;

/// One image that runs, one that fails, one that does not exist.
const IMAGES: [&str; 3] = ["oci:events/images:2.0.0", "oci:events/images:11.4.0", "oci:events/images:none"];

#[test]
fn check_reports_only_images_that_do_not_pass() {
    let arguments = [&["check", "-q"][..], &IMAGES, &["--runtime", "ecs/amd64"]].concat();
    expect![[r#"
        success false code 3
        --- out
        oci:events/images:11.4.0 will not start on ECS on amd64

          image     oci:events/images:11.4.0
          digest    sha256:92d7647685e4b8d67acaa131cf5f2ec027b384f96599af2cc4d021211081f17a
          platform  linux/arm64

        ✗ ECS on amd64
          wrong-architecture: the image is built for linux/arm64, not linux/amd64
          expected error: exec /app: exec format error

        What to do
          1. Build it for linux/amd64:
             docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:11.4.0 --push .
          2. Or, if it was copied from another registry, copy all its platforms:
             docker buildx imagetools create --tag REGISTRY/IMAGE:11.4.0 SOURCE
          3. Or keep the image, and set in the task definition:
             "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}

        --- err
        error: oci:events/images:none does not exist

        hint: choose an image in the layout: 11.4.0, 2.0.0, 1.4.2-ecs-amd64, v7-lambda-arm64, chart-0.1.0, 3.0.0, 4.0.0-arm64, 5.0.0, 6.0.0, 7.0.0, 8.0.0, latest

    "#]]
    .assert_eq(&run(&arguments, &[("AWS_REGION", "us-west-2")]));
}

#[test]
fn check_of_a_passing_image_prints_nothing() {
    for image in [&["oci:events/images:2.0.0", "--runtime", "ecs/arm64"][..], &["oci:events/images:2.0.0"]] {
        let text = run(&[&["check", "--quiet"][..], image].concat(), &[]);
        assert_eq!(text, "success true code 0\n--- out\n--- err\n");
    }
    // The exit code is not 0, so the report is shown.
    let text = run(&["check", "-q", "oci:events/images:2.0.0", "--require-declaration"], &[]);
    assert!(
        text.starts_with("success false code 2\n--- out\noci:events/images:2.0.0: no runtime is declared"),
        "{text}"
    );
}

#[test]
fn quiet_output_for_programs_and_files_is_complete() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("report.txt");
    let format = format!("text={}", file.display());
    let images = &IMAGES[..2];
    let loud = run(&[&["check", "--runtime", "ecs/amd64"][..], images].concat(), &[]);
    let quiet = run(&[&["check", "-q", "--runtime", "ecs/amd64", "--format", &format][..], images].concat(), &[]);
    assert!(loud.contains(&std::fs::read_to_string(&file).unwrap()) && quiet.len() < loud.len());
    for format in ["json", "junit", "sarif"] {
        let run = |option| run(&[&["check", option, "--format", format][..], images].concat(), &[]);
        assert_eq!(run("--quiet"), run("--color=auto"), "{format}");
    }
    let platforms = |option| run(&["check", "--platforms", option, "oci:events/images:2.0.0"], &[]);
    assert_eq!(platforms("--quiet"), platforms("--verbose").split("read ").next().unwrap());
}

#[test]
fn quiet_hides_notes_and_excludes_verbose() {
    let reference = "team/app:v1";
    let settings = [("AWS_REGION", "eu-west-1"), ("HTTPS_PROXY", "http://127.0.0.1:1")];
    let (loud, quiet) = (run(&["check", reference], &settings), run(&["check", "-q", reference], &settings));
    assert!(loud.contains("note: ") && !quiet.contains("note: "), "{quiet}");
    assert!(quiet.contains("error: ") && quiet.contains("hint: "), "{quiet}");
    let text = run(&["check", "-q", "-v", reference], &[]);
    assert!(text.starts_with("success false code 64\n") && text.contains("cannot be used with"), "{text}");
}
