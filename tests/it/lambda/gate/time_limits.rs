//! Slow registries: the answer comes in time, and what was read is not read again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::REPOSITORY;
use super::super::function::Function;
use super::hook::{again, ask, sample};
use super::{STOPPING, aws_with_arm64_image};
use crate::support::aws::{FakeAws, Fault};
use crate::support::layout::{Builder, OCI_GZIP, config, digest};

/// A layer that does not have the program.
fn layer_without_program() -> Vec<u8> {
    let gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::none());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(5);
    tar.append_data(&mut header, "motd", b"hello".as_slice()).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// The time limit of the function: longer than what it keeps for the answer.
const TIME_LEFT: Duration = Duration::from_secs(6);

#[test]
fn third_invocation_gives_up() {
    let aws = aws_with_arm64_image();
    aws.fail("BatchGetImage", 1.., Fault::Stalled);
    aws.set_time_left(TIME_LEFT);
    let function = Function::start_consumers(&aws, &[STOPPING]);
    for (invocation, status) in [(1, "IN_PROGRESS"), (2, "IN_PROGRESS"), (3, "SUCCESS"), (4, "SUCCESS"), (0, "SUCCESS")]
    {
        let began = Instant::now();
        let answer = ask(&aws, &again(&sample("task-definition"), invocation));
        assert_eq!(answer["hookStatus"], status, "invocation {invocation}");
        assert!(began.elapsed() < TIME_LEFT - Duration::from_secs(1), "{:?}", began.elapsed());
        if status == "SUCCESS" {
            assert!(answer["message"].as_str().unwrap().contains("could not be read in time"), "{answer}");
        }
    }
    let decisions: Vec<Value> =
        function.log().iter().map(|line| json!([line["decision"], line["GateDecisions"]])).collect();
    let (open, skipped) = (json!(["in-progress", null]), json!(["skipped", 1]));
    assert_eq!(decisions, [open.clone(), open, skipped.clone(), skipped.clone(), skipped]);
}

#[test]
fn next_invocation_uses_the_layers_that_were_read() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let base = layout.layer(OCI_GZIP, &crate::support::elf::program("arm64"));
    let top = layout.blob(OCI_GZIP, &layer_without_program());
    let image = layout.manifest(&config("linux", "arm64", json!({})), &[base.clone(), top.clone()]);
    layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    let base = digest(&base).to_string();
    aws.fail_naming("Blob", Box::leak(base.clone().into_boxed_str()), 1..=1, Fault::Stalled);
    aws.set_time_left(TIME_LEFT);
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let payload = sample("task-definition-arm64");
    assert_eq!(ask(&aws, &payload)["hookStatus"], "IN_PROGRESS");
    let answer = ask(&aws, &again(&payload, 2));
    assert_eq!(answer["hookStatus"], "SUCCESS");
    assert!(answer["message"].as_str().unwrap().contains("will start on ECS on arm64"), "{answer}");
    let requests = |digest: &str| aws.calls_of("Blob").iter().filter(|call| call.names(digest)).count();
    assert_eq!((requests(digest(&top).as_str()), requests(&base)), (1, 2));
    drop(function.log());
}

#[test]
fn certain_fault_counts_although_another_image_is_slow() {
    let aws = aws_with_arm64_image();
    aws.push("team/slow", &Builder::new());
    aws.fail_naming("BatchGetImage", "team/slow", 1.., Fault::Stalled);
    aws.set_time_left(TIME_LEFT);
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let mut payload = sample("task-definition");
    let slow = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/slow:v1";
    payload["requestData"]["targetModel"]["resourceProperties"]["ContainerDefinitions"][1]["Image"] = slow.into();
    assert_eq!(ask(&aws, &payload)["hookStatus"], "FAILED");
    drop(function.log());
}
