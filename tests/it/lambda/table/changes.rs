//! Changes of what runs an image, and tasks that stopped: from the event of the service to the message.

use expect_test::expect;
use serde_json::{Value, json};

use super::super::function::{Function, invoke};
use super::super::handle;
use super::{REGISTRY, TABLE, World, with_consumers};
use crate::lambda::REPOSITORY;
use crate::support::aws::Fault;
use crate::support::aws::account::Account;

const CENSUS: &str = r#"{"source": "ecr-preflight", "detail-type": "ECR Preflight Census", "detail": {}}"#;

/// An account whose service `prod/web` runs `team/app:v1` with this `runtimePlatform`.
fn account(revision: u32, platform: &Value) -> Account {
    let mut account = Account::default();
    let members = json!({"requiresCompatibilities": ["FARGATE"], "runtimePlatform": platform});
    let image = format!("{REGISTRY}/{REPOSITORY}:v1");
    let definition = account.add_definition(&format!("web:{revision}"), &image, &json!({}), &members);
    account.add_service("prod", "web", &definition, &json!({"launchType": "FARGATE"}));
    account
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("events/{name}.json")).unwrap()).unwrap()
}

/// The events that the function for consumers sent since this many calls, as the bus delivers them.
fn announced(world: &World, skip: usize) -> Vec<Value> {
    let calls = world.aws.calls_of("PutEvents");
    let entries = calls.iter().skip(skip).flat_map(|call| call.body["Entries"].as_array().unwrap().clone());
    let event = |entry: Value| {
        assert_eq!(entry["EventBusName"], "default");
        json!({"id": "announced", "source": entry["Source"], "detail-type": entry["DetailType"],
            "account": "123456789012", "region": "us-west-2", "time": "2026-11-16T02:00:00Z",
            "resources": entry["Resources"],
            "detail": serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap()})
    };
    entries.map(event).collect()
}

#[tokio::test]
async fn task_definition_that_loses_its_platform_is_reported_without_a_push_and_resolved() {
    let world = World::new();
    world.aws.set_account(account(1, &json!({"cpuArchitecture": "ARM64"})));
    world.aws.hold_events();
    let function = Function::start_consumers(&world.aws, &[TABLE]);
    assert_eq!(invoke(&world.aws, CENSUS).0, "response");
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 1)).await.unwrap();
    assert!(world.headlines().is_empty());
    let mut sent = 0;
    for (revision, platform) in [(2, Value::Null), (3, json!({"cpuArchitecture": "ARM64"}))] {
        world.aws.set_account(account(revision, &platform));
        // The deployment begins, and it is delivered twice.
        for _ in 0..2 {
            let (outcome, line) = invoke(&world.aws, &sample("ecs-deployment").to_string());
            assert_eq!((outcome.as_str(), &line["checked"]), ("response", &json!(1)), "{line}");
            for event in announced(&world, sent) {
                let report = handle(&world.aws, with_consumers(), event).await.unwrap();
                assert_eq!(serde_json::to_value(&report).unwrap()["arrival"]["how"], "consumer");
            }
            sent += 1;
        }
    }
    drop(function);
    expect![[r#"
        [
            "team/app:v1 will not start on ECS on amd64 (prod/web)",
            "team/app:v1 will start on ECS on arm64 (prod/web), which resolves an earlier report",
        ]
    "#]]
    .assert_debug_eq(&world.headlines());
    let text = world.messages()[0]["default"].as_str().unwrap().to_owned();
    assert!(text.contains("it has no runtimePlatform, and Fargate then uses X86_64"), "{text}");
}

#[tokio::test]
async fn image_that_a_service_leaves_is_resolved_and_not_held_against_the_new_definition() {
    let world = World::new();
    world.aws.set_account(account(1, &Value::Null));
    world.aws.hold_events();
    let _function = Function::start_consumers(&world.aws, &[TABLE]);
    assert_eq!(invoke(&world.aws, CENSUS).0, "response");
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 1)).await.unwrap();
    // The service is deployed with another tag, for which there is an image that suits it.
    handle(&world.aws, with_consumers(), world.push("v2", &world.amd64, 2)).await.unwrap();
    let mut moved = Account::default();
    let members = json!({"requiresCompatibilities": ["FARGATE"]});
    let definition = moved.add_definition("web:2", &format!("{REGISTRY}/{REPOSITORY}:v2"), &json!({}), &members);
    moved.add_service("prod", "web", &definition, &json!({"launchType": "FARGATE"}));
    world.aws.set_account(moved);
    let (_, line) = invoke(&world.aws, &sample("ecs-deployment").to_string());
    assert_eq!(line["checked"], 2, "{line}");
    for event in announced(&world, 0) {
        handle(&world.aws, with_consumers(), event).await.unwrap();
    }
    expect![[r#"
        [
            "team/app:v1 will not start on ECS on amd64 (prod/web)",
            "team/app:v1: no runtime is declared for it, which resolves an earlier report",
        ]
    "#]]
    .assert_debug_eq(&world.headlines());
}

#[tokio::test]
async fn stopped_task_is_explained_once() {
    let world = World::new();
    world.aws.set_account(account(1, &Value::Null));
    world.aws.hold_events();
    let _function = Function::start_consumers(&world.aws, &[TABLE]);
    let mut event = sample("ecs-task-stopped");
    let detail = &mut event["detail"];
    detail["attributes"] = json!([{"name": "ecs.cpu-architecture", "value": "x86_64"}]);
    detail["taskDefinitionArn"] = "arn:aws:ecs:us-west-2:123456789012:task-definition/web:1".into();
    detail["group"] = "service:web".into();
    detail["containers"] = json!([{"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1"),
        "imageDigest": world.arm64.as_str(), "exitCode": 1, "lastStatus": "STOPPED"}]);
    let right = {
        let mut event = event.clone();
        event["detail"]["containers"][0]["imageDigest"] = world.amd64.as_str().into();
        event
    };
    // The service starts its task again.
    let again = {
        let mut event = event.clone();
        event["id"] = "another".into();
        event
    };
    for (skip, event) in [&event, &event, &right].into_iter().enumerate() {
        let (outcome, line) = invoke(&world.aws, &event.to_string());
        assert_eq!((outcome.as_str(), &line["checked"]), ("response", &json!(1)), "{line}");
        for announced in announced(&world, skip) {
            handle(&world.aws, with_consumers(), announced).await.unwrap();
        }
    }
    let (outcome, line) = invoke(&world.aws, &again.to_string());
    assert_eq!((outcome.as_str(), &line["checked"]), ("response", &json!(0)), "{line}");
    expect![[r#"
        [
            "prod/web stopped: team/app will not start on ECS on amd64",
        ]
    "#]]
    .assert_debug_eq(&world.headlines());
    let text = world.messages()[0]["default"].as_str().unwrap().to_owned();
    expect![[r#"
        prod/web stopped: team/app will not start on ECS on amd64

          image     123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app@DIGEST
          digest    DIGEST
          platform  linux/arm64
          run by    prod/web (container app of task definition web:1)

        ✗ ECS on amd64 (from its running task)
          wrong-architecture: the image is built for linux/arm64, not linux/amd64
          to change: the image or the task definition
          expected error: exec /app: exec format error

        What to do
          1. Build it for linux/amd64:
             docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:TAG --push .
          2. Or, if it was copied from another registry, copy all its platforms:
             docker buildx imagetools create --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:TAG SOURCE
          3. Or keep the image, and set in the task definition:
             "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}

        The container ended with exit code 1 (Essential container in task exited)
    "#]].assert_eq(&text.replace(world.arm64.as_str(), "DIGEST"));
}

#[test]
fn change_that_cannot_be_read_or_sent_is_an_error() {
    for action in ["DescribeServices", "Query", "BatchWriteItem", "PutEvents"] {
        let world = World::new();
        world.aws.set_account(account(1, &Value::Null));
        world.aws.fail(action, 1.., Fault::Error(400, "AccessDeniedException"));
        let _function = Function::start_consumers(&world.aws, &[TABLE]);
        let (outcome, body) = invoke(&world.aws, &sample("ecs-deployment").to_string());
        assert_eq!(outcome, "error", "{action}: {body}");
        assert!(body["errorMessage"].as_str().unwrap().contains("AccessDeniedException"), "{body}");
    }
}

#[test]
fn events_that_announce_nothing_are_ignored() {
    let world = World::new();
    let _function = Function::start_consumers(&world.aws, &[TABLE]);
    let mut running = sample("ecs-task-stopped");
    running["detail"]["lastStatus"] = "RUNNING".into();
    for event in [running, sample("push-arm64")] {
        let (outcome, line) = invoke(&world.aws, &event.to_string());
        assert_eq!(outcome, "response");
        assert!(line["message"].as_str().unwrap().starts_with("ignored: "), "{line}");
    }
    assert!(world.aws.calls().is_empty());
}
