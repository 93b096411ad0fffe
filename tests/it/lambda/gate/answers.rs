//! The answers to the sample payloads.

use std::collections::BTreeSet;
use std::fs;

use expect_test::{expect, expect_file};
use serde_json::{Value, json};

use super::super::REPOSITORY;
use super::super::function::Function;
use super::hook::{ask, sample};
use super::{STOPPING, aws_with_arm64_image};
use crate::support::aws::FakeAws;
use crate::support::cases::Cases;
use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, config};

/// The sample payloads.
const SAMPLES: [&str; 11] = [
    "task-definition", "task-definition-arm64", "cloud-control", "function", "zip-function", "app-runner",
    "job-definition", "agent-runtime", "deletion", "bucket", "stack",
];

#[test]
fn sample_payloads_get_the_recorded_answers() {
    let files = fs::read_dir("events/gates").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let listed: BTreeSet<String> = SAMPLES.iter().map(|name| format!("hook-{name}.json")).collect();
    assert_eq!(files.filter(|file| file.starts_with("hook-")).collect::<BTreeSet<_>>(), listed);
    let aws = aws_with_arm64_image();
    let function = Function::start_consumers(&aws, &[STOPPING, ("PREFLIGHT_DOCS_URL", "https://example.com/faults")]);
    let mut cases = Cases::default();
    for name in SAMPLES {
        cases.add(name, serde_json::to_string_pretty(&ask(&aws, &sample(name))).unwrap());
    }
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lambda/gate/answers.txt")].assert_eq(cases.as_str());
    let log = function.log();
    assert_eq!(log.len(), SAMPLES.len(), "one line for each decision");
    let decisions: Vec<&str> = log.iter().map(|line| line["decision"].as_str().unwrap()).collect();
    assert_eq!(
        decisions,
        [
            "stopped", "passed", "stopped", "stopped", "skipped", "stopped", "skipped", "passed", "skipped", "skipped",
            "skipped"
        ]
    );
    assert!(!Value::from(log).to_string().contains("0PRIVATE0"), "the values of variables are not logged");
    assert!(aws.calls_of("Publish").is_empty() && aws.calls_of("PutImage").is_empty());
}

#[test]
fn decision_is_one_log_line_and_metric() {
    let aws = aws_with_arm64_image();
    let function = Function::start_consumers(&aws, &[STOPPING, ("PREFLIGHT_STACK", "preflight")]);
    assert_eq!(ask(&aws, &sample("task-definition"))["hookStatus"], "FAILED");
    let mut line = function.log().remove(0);
    for member in ["duration_ms", "message"] {
        assert!(!line.as_object_mut().unwrap().remove(member).unwrap().is_null());
    }
    line["_aws"]["Timestamp"] = 0.into();
    expect![[r#"{"GateDecisions":1,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["stack","decision"]],"Metrics":[{"Name":"GateDecisions","Unit":"Count"}],"Namespace":"ecr-preflight"}],"Timestamp":0},"attempt":1,"decision":"stopped","deployment":"arn:aws:cloudformation:us-west-2:123456789012:stack/web/1c7a4e70-8f2f-11f0-a1b2-0a1b2c3d4e5f","faults":"wrong-architecture","gate":"cloudformation","images":2,"level":"INFO","stack":"preflight","target":"AWS::ECS::TaskDefinition TaskDefinition"}"#]].assert_eq(&line.to_string());
}

#[test]
fn gate_that_warns_stops_nothing() {
    for settings in [&[("PREFLIGHT_GATES", "warn")][..], &[super::super::function::TOPIC_SETTING]] {
        // A function that is killed may have asked for the next event already, and would get it.
        let aws = aws_with_arm64_image();
        let function = Function::start_consumers(&aws, settings);
        let answer = ask(&aws, &sample("task-definition"));
        assert_eq!(answer["hookStatus"], "SUCCESS");
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with("ecr-preflight: The gate would have stopped this, but only warns. "), "{message}");
        assert_eq!(answer["annotations"][0]["annotationName"], "wrong-architecture");
        assert_eq!(function.log()[0]["decision"], "would-stop");
    }
}

#[test]
fn declared_platform_is_enough_only_if_the_settings_trust_it() {
    let mut payload = sample("task-definition");
    let properties = &mut payload["requestData"]["targetModel"]["resourceProperties"];
    properties["ContainerDefinitions"][0]["EnvironmentFiles"] = json!([{"Type": "s3", "Value": "arn:aws:s3:::b/env"}]);
    for (depth, status) in [("program", "SUCCESS"), ("config", "FAILED")] {
        let aws = aws_with_arm64_image();
        let function = Function::start_consumers(&aws, &[STOPPING, ("PREFLIGHT_INSPECT", depth)]);
        let answer = ask(&aws, &payload);
        assert_eq!(answer["hookStatus"], status, "{answer}");
        if status == "SUCCESS" {
            let message = answer["message"].as_str().unwrap();
            assert!(message.contains("it is unknown what it starts: its definition reads environment"), "{message}");
        }
        drop(function.log());
    }
}

#[test]
fn program_that_only_the_command_names_stops_nothing() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let mut config = config("linux", "arm64", json!({}));
    config["config"] = json!({"Cmd": ["/app"]});
    let layers = [layout.layer(OCI_GZIP, &elf::program("arm64"))];
    let image = layout.manifest(&config, &layers);
    layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    let function = Function::start_consumers(&aws, &[STOPPING]);
    for (property, status, text) in [
        ("Command", "SUCCESS", "each start may use another command"),
        ("EntryPoint", "FAILED", "exec-not-found: /missing is not in the image"),
    ] {
        let mut payload = sample("task-definition-arm64");
        let properties = &mut payload["requestData"]["targetModel"]["resourceProperties"];
        properties["ContainerDefinitions"][0][property] = json!(["/missing"]);
        let answer = ask(&aws, &payload);
        assert_eq!(answer["hookStatus"], status, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(text), "{answer}");
    }
    drop(function.log());
}

#[test]
fn waived_fault_passes() {
    let aws = aws_with_arm64_image();
    aws.tag_resource(REPOSITORY, "ecr-preflight:waive", "wrong-architecture the hosts emulate it");
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let answer = ask(&aws, &sample("task-definition"));
    assert_eq!((&answer["hookStatus"], answer.get("annotations")), (&json!("SUCCESS"), None));
    assert!(answer["message"].as_str().unwrap().contains("(waived)"), "{answer}");
    assert_eq!(function.log()[0]["decision"], "passed");
}

#[test]
fn waivers_without_effect_are_explained() {
    for (waiver, explanation) in [
        ("wrong-architecture until 2026-01-31 moves in January", "; its waiver expired on 2026-01-31"),
        ("wrong-arch moves in January", "the repository's tag `ecr-preflight:waive` waives nothing: unknown fault"),
    ] {
        let aws = aws_with_arm64_image();
        aws.tag_resource(REPOSITORY, "ecr-preflight:waive", waiver);
        let function = Function::start_consumers(&aws, &[STOPPING]);
        let answer = ask(&aws, &sample("task-definition"));
        assert_eq!(answer["hookStatus"], "FAILED");
        assert!(answer["message"].as_str().unwrap().contains(explanation), "{answer}");
        drop(function.log());
    }
}

#[test]
fn image_that_runs_in_several_containers_is_read_once() {
    let aws = aws_with_arm64_image();
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let mut payload = sample("task-definition");
    let containers = &mut payload["requestData"]["targetModel"]["resourceProperties"]["ContainerDefinitions"];
    let app = containers[0].clone();
    containers.as_array_mut().unwrap().extend([app.clone(), app]);
    let answer = ask(&aws, &payload);
    assert_eq!(answer["annotations"].as_array().map(Vec::len), Some(1));
    assert!(
        answer["message"].as_str().unwrap().contains("container app of task definition web and 2 more"),
        "{answer}"
    );
    assert_eq!(aws.calls_of("BatchGetImage").len(), 1);
    drop(function.log());
}
