//! What a tag pointed at before.

use expect_test::expect;

use super::super::handle;
use super::{World, with_consumers};
use crate::lambda::REPOSITORY;

#[tokio::test]
async fn report_says_what_the_tag_was_before() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    let settings = with_consumers();
    let first = handle(&world.aws, settings.clone(), world.push("v1", &world.amd64, 1)).await.unwrap();
    assert_eq!(first.previous, None);
    let flipped = world.push("v1", &world.arm64, 62);
    // The event is delivered twice, and the earlier one once more after it.
    for event in [flipped.clone(), flipped] {
        let report = handle(&world.aws, settings.clone(), event).await.unwrap();
        let previous = report.previous.unwrap();
        assert_eq!((previous.digest, previous.until.as_str()), (world.amd64.clone(), "2026-11-16T01:01:02Z"));
    }
    let messages = world.messages();
    assert_eq!(messages.len(), 1);
    let text = messages[0]["default"].as_str().unwrap();
    let sentence = text.lines().find(|line| line.contains("until")).unwrap();
    expect!["This tag was linux/amd64 until 2026-11-16 01:01 UTC; now it is linux/arm64"].assert_eq(sentence);
    let late = super::super::push_event(&world.amd64, "v1");
    let report = handle(&world.aws, settings.clone(), late).await.unwrap();
    assert_eq!(report.ignored.map(ecr_preflight::event::IgnoreReason::as_str), Some("superseded"));
    // Back to the first image: it was the other one before.
    let report = handle(&world.aws, settings, world.push("v1", &world.amd64, 120)).await.unwrap();
    assert_eq!(report.previous.unwrap().digest, world.arm64);
}

#[tokio::test]
async fn each_tag_has_its_own_history() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    handle(&world.aws, with_consumers(), world.push("v1", &world.amd64, 1)).await.unwrap();
    let other = handle(&world.aws, with_consumers(), world.push("v2", &world.arm64, 2)).await.unwrap();
    assert_eq!(other.previous, None);
}
