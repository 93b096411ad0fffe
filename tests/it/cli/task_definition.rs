//! `check --task-definition`: each container on its own platform, with its own command.

use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::cli::{check, run};
use crate::report::schema::assert_valid;
use crate::support::layout::{Builder, with_platform};

/// A layout with images for arm64, for amd64 and for both, and files with task definitions in it.
fn layout(files: &[(&str, Value)]) -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    layout.tag("app", &arm64);
    layout.tag("v1-ecs-arm64", &arm64);
    layout.tag("both", &both);
    let directory = layout.path().display().to_string();
    for (name, file) in files {
        let text = serde_json::to_string_pretty(file).unwrap().replace("DIR", &directory);
        fs::write(layout.path().join(name), text).unwrap();
    }
    layout
}

fn on_fargate(architecture: Option<&str>, containers: &Value) -> Value {
    let mut definition =
        json!({"family": "web", "requiresCompatibilities": ["FARGATE"], "containerDefinitions": containers});
    if let Some(architecture) = architecture {
        definition["runtimePlatform"] = json!({"cpuArchitecture": architecture, "operatingSystemFamily": "LINUX"});
    }
    definition
}

#[test]
fn task_definition_without_a_runtime_platform_runs_on_amd64() {
    let container = json!([{"name": "app", "image": "oci:DIR:app"}]);
    let layout = layout(&[("td.json", on_fargate(None, &container))]);
    check(
        &layout,
        &["check", "--task-definition", "DIR/td.json"],
        &expect![[r#"
            success false code 1
            --- out
            oci:DIR:app will not start on ECS on amd64

              image     oci:DIR:app
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64
              run by    container app of task definition web

            ✗ ECS on amd64 (it has no runtimePlatform, and Fargate then uses X86_64)
              wrong-architecture: the image is built for linux/arm64, not linux/amd64
              to change: the image or the task definition
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/amd64:
                 docker buildx build --platform linux/amd64 --tag REGISTRY/IMAGE:app --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:app SOURCE
              3. Or keep the image, and set in the task definition:
                 "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
            --- err
        "#]],
    );
}

#[test]
fn image_that_suits_its_own_declaration_is_not_what_is_wrong() {
    let container = json!([{"name": "app", "image": "oci:DIR:v1-ecs-arm64"}]);
    let layout = layout(&[("td.json", on_fargate(Some("X86_64"), &container))]);
    check(
        &layout,
        &["check", "--task-definition", "DIR/td.json"],
        &expect![[r#"
            success false code 1
            --- out
            oci:DIR:v1-ecs-arm64 will not start on ECS on amd64

              image     oci:DIR:v1-ecs-arm64
              digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
              platform  linux/arm64
              run by    container app of task definition web

            ✗ ECS on amd64 (from its runtimePlatform)
              wrong-architecture: the image is built for linux/arm64, not linux/amd64
              to change: the task definition, because the image suits what is declared for it
              expected error: exec /app: exec format error

            What to do
              1. Keep the image, and set in the task definition:
                 "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
            --- err
        "#]],
    );
}

#[test]
fn each_container_is_checked_with_its_own_command() {
    let containers = json!([
        {"name": "app", "image": "oci:DIR:both"},
        {"name": "worker", "image": "oci:DIR:both", "entryPoint": ["celery"], "command": ["worker"]},
        {"name": "cron", "image": "oci:DIR:both", "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/env"}]},
    ]);
    let layout = layout(&[("td.json", on_fargate(Some("ARM64"), &containers))]);
    check(
        &layout,
        &["check", "--task-definition", "DIR/td.json"],
        &expect![[r#"
            success false code 1
            --- out
            oci:DIR:both will start on ECS on arm64

              image     oci:DIR:both
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              starts    /app
              run by    container app of task definition web

            ✓ ECS on arm64 (from its runtimePlatform)

            oci:DIR:both will not start on ECS on arm64

              image     oci:DIR:both
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              run by    container worker of task definition web

            ✗ ECS on arm64 (from its runtimePlatform)
              exec-not-found: celery was not found as an executable in PATH
              to change: the image or the task definition
              expected error: exec: "celery": executable file not found in $PATH

            What to do
              1. Copy the program to a directory of PATH, executable for all users, or name it by its path in the entry point of the task definition

            oci:DIR:both has the right architecture for ECS on arm64; start not verified

              image     oci:DIR:both
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              run by    container cron of task definition web

            ~ ECS on arm64 (from its runtimePlatform)
              start not verified: its definition reads environment variables from files

            3 images: 1 fails, 1 right architecture only (start not verified), 1 runs
            --- err
        "#]],
    );
}

#[test]
fn platform_that_is_unknown_is_said_to_be() {
    let containers = json!([{"name": "app", "image": "oci:DIR:both"}]);
    let definition = json!({"family": "web", "requiresCompatibilities": ["EC2"], "containerDefinitions": containers});
    let layout = layout(&[("td.json", definition)]);
    check(
        &layout,
        &["check", "--task-definition", "DIR/td.json"],
        &expect![[r#"
            success true code 0
            --- out
            oci:DIR:both: no runtime is declared for it

              image     oci:DIR:both
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              starts    /app on linux/amd64
              starts    /app on linux/arm64
              run by    container app of task definition web; architecture unknown: it has no runtimePlatform, and instances may have either architecture

            Say on which architecture it runs in the task definition, or declare where the image runs: tag the repository or label the image, for example with `intended-runtime=ecs/amd64 ecs/arm64`
            --- err
        "#]],
    );
}

#[test]
fn what_is_left_out_is_named() {
    let windows = json!({
        "containerDefinitions": [{"name": "iis", "image": "oci:DIR:none"}],
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
    });
    let containers = json!([{"name": "app", "image": "oci:DIR:both"}]).to_string();
    let resource = |address: &str, containers: Option<&str>| {
        let platform = json!([{"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}]);
        let values = json!({"family": "web", "container_definitions": containers, "runtime_platform": platform});
        json!({"address": address, "type": "aws_ecs_task_definition", "values": values})
    };
    let resources = [resource("aws_ecs_task_definition.web", Some(&containers)), resource("module.jobs.new", None)];
    let plan = json!({"planned_values": {"root_module": {"resources": resources}}});
    let layout = layout(&[("windows.json", windows), ("plan.json", plan)]);
    check(
        &layout,
        &["check", "--task-definition", "DIR/windows.json", "--task-definition", "DIR/plan.json"],
        &expect![[r#"
            success false code 2
            --- out
            oci:DIR:both will start on ECS on arm64

              image     oci:DIR:both
              digest    sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223
              platform  linux/amd64, linux/arm64
              starts    /app
              run by    container app of task definition web

            ✓ ECS on arm64 (from its runtimePlatform)
            --- err
            note: DIR/windows.json: Windows is not checked: iis
            note: DIR/plan.json: not checked, because they are not known before `terraform apply`: module.jobs.new
        "#]],
    );
    check(
        &layout,
        &["check", "--task-definition", "DIR/windows.json"],
        &expect![[r#"
        success true code 0
        --- out
        --- err
        note: DIR/windows.json: Windows is not checked: iis
    "#]],
    );
}

#[test]
fn files_that_cannot_be_read_are_usage_errors() {
    let layout = layout(&[
        ("other.json", json!({"Resources": {}})),
        ("image.json", json!({"containerDefinitions": [{"name": "app", "image": "a b"}]})),
    ]);
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["check", "--task-definition", "DIR/other.json"],
        expect![[r#"
        success false code 64
        --- out
        --- err
        error: DIR/other.json: it has no task definition: expected `containerDefinitions`, as in the input of `aws ecs register-task-definition`, or the output of `terraform show -json`
    "#]],
    );
    check(
        &["check", "--task-definition", "DIR/image.json"],
        expect![[r#"
        success false code 64
        --- out
        --- err
        error: DIR/image.json: container app: `a b` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`
    "#]],
    );
    check(
        &["check", "--task-definition", "DIR/none.json"],
        expect![[r#"
        success false code 3
        --- out
        --- err
        error: cannot read DIR/none.json
          caused by: No such file or directory (os error 2)
    "#]],
    );
    check(
        &["check", "--task-definition", "DIR/image.json", "oci:DIR:both"],
        expect![[r#"
        success false code 64
        --- out
        --- err
        error: the argument '--task-definition <FILE>' cannot be used with '[IMAGE]...'

        Usage: ecr-preflight check --task-definition <FILE> [IMAGE]...

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn sarif_and_junit_name_the_container_and_its_line() {
    let containers = json!([{"name": "app", "image": "oci:DIR:app"}, {"name": "web", "image": "oci:DIR:app"}]);
    let layout = layout(&[("td.json", on_fargate(None, &containers))]);
    let file = layout.path().join("td.json").display().to_string();
    let output = run(&["check", "--task-definition", &file, "--format", "sarif"], &[]);
    let log: Value =
        serde_json::from_str(output.split("--- out\n").nth(1).unwrap().split("--- err").next().unwrap()).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    for (result, name) in results.iter().zip(["app", "web"]) {
        let place = &result["locations"][0]["physicalLocation"];
        let line = usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap();
        assert!(text.lines().nth(line - 1).unwrap().contains("\"image\""), "{place}");
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("td.json"), "{place}");
        let message = result["message"]["text"].as_str().unwrap();
        assert!(message.contains(&format!("container {name} of task definition web")), "{message}");
    }
    let fingerprint = |result: &Value| result["partialFingerprints"]["imageRuleRuntime/v1"].clone();
    assert_ne!(fingerprint(&results[0]), fingerprint(&results[1]));
    let junit = run(&["check", "--task-definition", &file, "--format", "junit"], &[]);
    assert!(junit.contains("container web of task definition web)\""), "{junit}");
}

#[test]
fn json_has_the_consumer_and_which_side_is_wrong() {
    let container = json!([{"name": "app", "image": "oci:DIR:v1-ecs-arm64", "command": ["x"]}]);
    let layout = layout(&[("td.json", on_fargate(None, &container))]);
    let file = layout.path().join("td.json").display().to_string();
    let output = run(&["check", "--task-definition", &file, "--format", "json"], &[]);
    let report: Value =
        serde_json::from_str(output.split("--- out\n").nth(1).unwrap().split("--- err").next().unwrap()).unwrap();
    assert_valid(&report, "a task definition");
    let expected =
        json!({"service": "ecs", "definition": "web", "container": "app", "architectureFrom": "fargate-default"});
    assert_eq!(report["consumer"], expected);
    assert_eq!(report["intended"], json!([{"runtime": "ecs/amd64", "declaredBy": "consumer"}]));
    assert_eq!(report["runtimes"][0]["faults"][0]["wrong"], "consumer");
}
