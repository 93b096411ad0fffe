//! What is reported once, and what is reported as resolved.

use expect_test::expect;
use serde_json::Value;

use super::super::handle;
use super::{World, with_consumers};
use crate::lambda::REPOSITORY;

fn thread(message: &Value) -> String {
    let card: Value = serde_json::from_str(message["https"].as_str().unwrap()).unwrap();
    card["metadata"]["threadId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn fault_is_reported_once_and_resolved_once_in_the_same_thread() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    let settings = with_consumers();
    // Each image is pushed twice, as a pipeline that is run again does, and each event is delivered twice.
    let mut second = 0;
    for digest in [&world.amd64, &world.arm64, &world.amd64, &world.arm64] {
        for _ in 0..2 {
            second += 1;
            let event = world.push("v1", digest, second);
            for event in [event.clone(), event] {
                handle(&world.aws, settings.clone(), event).await.unwrap();
            }
        }
    }
    expect![[r#"
        [
            "team/app:v1 will not start on ECS on amd64",
            "team/app:v1 will start on ECS on amd64, which resolves an earlier report",
            "team/app:v1 will not start on ECS on amd64",
        ]
    "#]]
    .assert_debug_eq(&world.headlines());
    let threads: Vec<String> = world.messages().iter().map(thread).collect();
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
}

#[tokio::test]
async fn other_faults_of_the_same_image_are_reported() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 1)).await.unwrap();
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner");
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 2)).await.unwrap();
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn nothing_is_resolved_that_was_not_reported() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    // An image without a declaration is not reported.
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 1)).await.unwrap();
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    handle(&world.aws, with_consumers(), world.push("v1", &world.amd64, 2)).await.unwrap();
    assert!(world.headlines().is_empty(), "{:?}", world.headlines());
}

#[tokio::test]
async fn waived_fault_resolves_nothing() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 1)).await.unwrap();
    world.aws.tag_resource(REPOSITORY, "ecr-preflight:waive", "wrong-architecture accepted for now");
    let report = handle(&world.aws, with_consumers(), world.push("v1", &world.arm64, 2)).await.unwrap();
    assert!(report.is_waived() && report.resolved.is_none());
    assert_eq!(world.messages().len(), 1);
}
