//! What the function, as a process, answers to deployments, and what it logs.

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use super::super::REPOSITORY;
use super::super::function::{Function, invoke};
use super::{Images, PAYLOAD, definition, image, on_fargate, payload};
use crate::support::aws::Fault;
use crate::support::cases::Cases;

const FAIL: (&str, &str) = ("PREFLIGHT_GATES", "fail");

/// A sound and a wrong deployment, and others that are not judged, with the name of each.
fn deployments(images: &Images) -> Vec<(&'static str, Value, Value)> {
    let resolved = |digest: &str| json!({"launchType": "FARGATE", "containerImages": [{"containerName": "app", "image": image("amd64"), "imageDigest": digest}]});
    let graviton = |mut definition: Value| {
        definition["runtimePlatform"] = json!({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"});
        definition
    };
    let containers = |containers: Value| json!({"containerDefinitions": containers});
    let express = json!({"launchType": "FARGATE", "ecsManagedResources": {"logGroups": []}});
    let mut overridden = express.clone();
    overridden["overrides"] = json!({"runtimePlatform": {"cpuArchitecture": "ARM64"}});
    vec![
        ("sound", on_fargate(), definition("amd64")),
        ("wrong architecture", on_fargate(), definition("arm64")),
        ("index", on_fargate(), definition("both")),
        ("sound on Graviton", on_fargate(), graviton(definition("arm64"))),
        ("wrong on Graviton", on_fargate(), graviton(definition("amd64"))),
        ("digest of the wrong image", resolved(images.arm64.as_str()), definition("amd64")),
        ("digest of the right image", resolved(images.amd64.as_str()), definition("arm64")),
        ("instances", json!({"launchType": "EC2"}), definition("arm64")),
        ("Express", express, definition("arm64")),
        ("Express with an override", overridden, definition("amd64")),
        (
            "Windows",
            json!({"launchType": "FARGATE", "platformFamily": "WINDOWS_SERVER_2022_CORE"}),
            definition("arm64"),
        ),
        ("tag that does not exist", on_fargate(), definition("later")),
        (
            "program that is missing",
            on_fargate(),
            containers(json!([{"name": "app", "image": image("amd64"), "entryPoint": ["/serve"]}])),
        ),
        (
            "program that may be mounted",
            on_fargate(),
            containers(json!([{"name": "app", "image": image("amd64"), "entryPoint": ["/srv/serve"],
                "mountPoints": [{"sourceVolume": "code", "containerPath": "/srv"}]}])),
        ),
        (
            "start that depends on a file",
            on_fargate(),
            containers(json!([{"name": "app", "image": image("amd64"), "entryPoint": ["/serve"],
                "environmentFiles": [{"value": "arn:aws:s3:::bucket/env", "type": "s3"}]}])),
        ),
        (
            "container that is not essential",
            on_fargate(),
            containers(
                json!([{"name": "app", "image": image("amd64")}, {"name": "logs", "image": image("arm64"), "essential": false}]),
            ),
        ),
        (
            "container that an essential one waits for",
            on_fargate(),
            containers(json!([
                {"name": "app", "image": image("amd64"), "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}]},
                {"name": "migrate", "image": image("arm64"), "essential": false},
            ])),
        ),
        (
            "image of another registry",
            on_fargate(),
            containers(json!([{"name": "app", "image": "public.ecr.aws/docker/library/nginx:latest"}])),
        ),
        ("no containers", on_fargate(), json!({})),
    ]
}

#[test]
fn only_certain_faults_stop_a_deployment() {
    let images = Images::push();
    let function = Function::start_consumers(&images.aws, &[FAIL, ("PREFLIGHT_STACK", "preflight")]);
    let deployments = deployments(&images);
    let mut answers = Vec::new();
    for (_, revision, definition) in &deployments {
        images.deploy(revision, definition);
        let (outcome, answer) = invoke(&images.aws, PAYLOAD);
        assert_eq!(outcome, "response");
        answers.push(answer.to_string());
    }
    let mut cases = Cases::default();
    let log = function.log();
    let lines: Vec<&Value> = log.iter().filter(|line| line["gate"] == "ecs").collect();
    assert_eq!(lines.len(), deployments.len());
    for (((name, ..), answer), line) in deployments.iter().zip(answers).zip(lines) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["stack", "decision"]]));
        assert_eq!((&directive["Metrics"][0]["Name"], &line["GateDecisions"]), (&json!("GateDecisions"), &json!(1)));
        assert_eq!((&line["deployment"], &line["attempt"]), (&payload()["resourceArn"], &json!(1)));
        assert_eq!(line["target"], payload()["executionDetails"]["serviceArn"]);
        let message = line["message"].as_str().unwrap();
        let message = message.replace(images.amd64.as_str(), "AMD64").replace(images.arm64.as_str(), "ARM64");
        cases.add(*name, format!("{answer} {} {}\n{message}", line["decision"], line["faults"]));
    }
    expect![[r#"
        sound
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 will start on ECS on amd64
        wrong architecture
            {"hookStatus":"FAILED"} "stopped" "wrong-architecture"
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:arm64 will not start on ECS on amd64 (architecture: it has no runtimePlatform, and Fargate then uses X86_64): wrong-architecture: the image is built for linux/arm64, not linux/amd64 (expected error: exec /app: exec format error). What to do: Keep the image, and set in the task definition: `"RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}`. To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service
        index
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:both will start on ECS on amd64
        sound on Graviton
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:arm64 will start on ECS on arm64
        wrong on Graviton
            {"hookStatus":"FAILED"} "stopped" "wrong-architecture"
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 will not start on ECS on arm64 (architecture: from its runtimePlatform): wrong-architecture: the image is built for linux/amd64, not linux/arm64 (expected error: exec /app: exec format error). What to do: Keep the image, and set in the task definition: `"RuntimePlatform": {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}`. To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service
        digest of the wrong image
            {"hookStatus":"FAILED"} "stopped" "wrong-architecture"
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64@ARM64 will not start on ECS on amd64 (architecture: it has no runtimePlatform, and Fargate then uses X86_64): wrong-architecture: the image is built for linux/arm64, not linux/amd64 (expected error: exec /app: exec format error). What to do: Build it for linux/amd64: `docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:TAG --push .`. Or, if it was copied from another registry, copy all its platforms: `docker buildx imagetools create --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:TAG SOURCE`. Or keep the image, and set in the task definition: `"RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}`. To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service
        digest of the right image
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:arm64@AMD64 will start on ECS on amd64
        instances
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: its architecture is unknown: it has no runtimePlatform, and instances may have either architecture
        Express
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: its architecture is unknown: Amazon ECS chooses the architecture of an Express service
        Express with an override
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: its architecture is unknown: Amazon ECS chooses the architecture of an Express service
        Windows
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: it runs Windows, which is not checked
        tag that does not exist
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: the image does not exist yet
        program that is missing
            {"hookStatus":"FAILED"} "stopped" "exec-not-found"
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 will not start on ECS on amd64 (architecture: it has no runtimePlatform, and Fargate then uses X86_64): exec-not-found: /serve is not in the image (expected error: exec: "/serve": stat /serve: no such file or directory). What to do: Copy the program to the path that the entry point of the task definition names, or correct that path. To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service
        program that may be mounted
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 has the right architecture for ECS on amd64; start not verified
        start that depends on a file
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 has the right architecture for ECS on amd64; start not verified
        container that is not essential
            {"hookStatus":"SUCCEEDED"} "passed" ""
            container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 will start on ECS on amd64. Not judged: container logs: its failure does not affect the task
        container that an essential one waits for
            {"hookStatus":"FAILED"} "stopped" "wrong-architecture"
            container migrate of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:arm64 will not start on ECS on amd64 (architecture: it has no runtimePlatform, and Fargate then uses X86_64): wrong-architecture: the image is built for linux/arm64, not linux/amd64 (expected error: exec /app: exec format error). What to do: Keep the image, and set in the task definition: `"RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}`. To deploy it anyway, waive the fault by the tag ecr-preflight:waive of the repository, set the parameter EcsHook to warn, or remove the hook from the service. container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:amd64 will start on ECS on amd64
        image of another registry
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            Not judged: container app of task definition web: `public.ecr.aws/docker/library/nginx:latest` is not an image in Amazon ECR
        no containers
            {"hookStatus":"SUCCEEDED"} "skipped" ""
            it runs no image
    "#]].assert_eq(cases.as_str());
}

#[test]
fn warning_gate_stops_nothing() {
    let images = Images::push();
    images.deploy(&on_fargate(), &definition("arm64"));
    let function = Function::start_consumers(&images.aws, &[("PREFLIGHT_GATES", "warn")]);
    assert_eq!(invoke(&images.aws, PAYLOAD), ("response".to_owned(), json!({"hookStatus": "SUCCEEDED"})));
    let log = function.log();
    assert_eq!((&log[0]["decision"], log.len()), (&json!("would-stop"), 1));
}

#[test]
fn waived_fault_does_not_stop_a_deployment() {
    let images = Images::push();
    images.deploy(&on_fargate(), &definition("arm64"));
    images.aws.tag_resource(REPOSITORY, "ecr-preflight:waive", "wrong-architecture emulated for now");
    assert_eq!(super::answer(&images.aws, "fail", &payload()), json!({"hookStatus": "SUCCEEDED"}));
}

#[test]
fn other_stages_need_no_call() {
    let images = Images::push();
    images.deploy(&on_fargate(), &definition("arm64"));
    for stage in [
        "RECONCILE_SERVICE", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "pre_scale_up", "",
    ] {
        let mut payload = payload();
        payload["lifecycleStage"] = stage.into();
        assert_eq!(super::answer(&images.aws, "fail", &payload), json!({"hookStatus": "SUCCEEDED"}), "{stage}");
    }
    assert!(images.aws.calls().is_empty());
}

#[test]
fn slow_layers_are_waited_for_three_times() {
    let images = Images::push();
    // The platform is right, so that the layer decides.
    images.deploy(&on_fargate(), &definition("amd64"));
    images.aws.fail("Blob", 2.., Fault::Stalled);
    // The function reserves five seconds of its own time.
    images.aws.set_time_left(Duration::from_millis(6_500));
    let function = Function::start_consumers(&images.aws, &[FAIL]);
    let mut payload = payload();
    let began = Instant::now();
    for attempts in 1..=2 {
        let (outcome, answer) = invoke(&images.aws, &payload.to_string());
        let details = json!({"ecr-preflight-attempts": attempts});
        let expected = json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 30, "hookDetails": details});
        assert_eq!((outcome.as_str(), &answer), ("response", &expected));
        payload["hookDetails"] = answer["hookDetails"].clone();
    }
    assert_eq!(invoke(&images.aws, &payload.to_string()).1, json!({"hookStatus": "SUCCEEDED"}));
    assert!(began.elapsed() >= Duration::from_secs(4));
    let log = function.log();
    let decisions: Vec<&Value> =
        log.iter().filter(|line| line["gate"] == "ecs").map(|line| &line["decision"]).collect();
    assert_eq!(decisions, ["in-progress", "in-progress", "skipped"]);
}

#[test]
fn gate_with_invalid_settings_stops_nothing() {
    for variables in [
        vec![("PREFLIGHT_GATES", "off")],
        vec![FAIL, ("PREFLIGHT_LIMITS", "much")],
        vec![FAIL, ("PREFLIGHT_GATE", "fail")],
    ] {
        let images = Images::push();
        images.deploy(&on_fargate(), &definition("arm64"));
        let function = Function::start_consumers(&images.aws, &variables);
        assert_eq!(invoke(&images.aws, PAYLOAD), ("response".to_owned(), json!({"hookStatus": "SUCCEEDED"})));
        let of_cloudformation = std::fs::read_to_string("events/gates/hook-task-definition.json").unwrap();
        let (outcome, answer) = invoke(&images.aws, &of_cloudformation);
        assert_eq!((outcome.as_str(), &answer["hookStatus"]), ("response", &json!("SUCCESS")));
        assert!(answer["clientRequestToken"].is_string());
        assert_eq!(function.log()[0]["level"], "ERROR", "{variables:?}");
        assert!(images.aws.calls().is_empty());
    }
}
