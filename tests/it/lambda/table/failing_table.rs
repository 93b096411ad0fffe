//! Calls to the table that fail.

use ecr_preflight::consumer::PlatformSource::FargateDefault;
use ecr_preflight::runtime::Runtime::EcsAmd64;

use super::super::{handle, settings};
use super::{ON, REQUIRED, TABLE, World, consumer};
use crate::lambda::REPOSITORY;
use crate::support::aws::Fault;

#[tokio::test]
async fn failed_lookup_is_said_or_an_error() {
    for action in ["Query", "GetItem"] {
        for required in [false, true] {
            let world = World::new();
            world.store_census(vec![consumer("prod/web", EcsAmd64, FargateDefault, "v1")], 60).await;
            world.aws.fail(action, 1.., Fault::Error(400, "AccessDeniedException"));
            world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
            let settings = settings(&[TABLE, if required { REQUIRED } else { ON }]);
            let result = handle(&world.aws, settings, world.push("v1", &world.arm64, 1)).await;
            if required {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("AccessDeniedException"), "{error}");
                assert!(world.messages().is_empty());
                continue;
            }
            let report = result.unwrap();
            assert_eq!(report.verdict.as_str(), "fails");
            assert!(report.consumers.unwrap().reason.unwrap().contains("AccessDeniedException"));
            let text = world.messages()[0]["default"].as_str().unwrap().to_owned();
            assert!(text.contains("What runs the image could not be read: "), "{text}");
        }
    }
}

#[tokio::test]
async fn message_is_sent_even_if_nothing_can_be_recorded() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    world.aws.fail("UpdateItem", 1.., Fault::Error(400, "AccessDeniedException"));
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    handle(&world.aws, settings(&[TABLE, ON]), world.push("v1", &world.arm64, 1)).await.unwrap();
    assert_eq!(world.messages().len(), 1);
}

#[tokio::test]
async fn message_that_could_not_be_recorded_fails_no_event() {
    let world = World::new();
    world.store_census(Vec::new(), 60).await;
    // The second call records that the message was sent.
    world.aws.fail("UpdateItem", 2.., Fault::Error(400, "AccessDeniedException"));
    world.aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/amd64");
    let event = world.push("v1", &world.arm64, 1);
    handle(&world.aws, settings(&[TABLE, ON]), event).await.unwrap();
    assert_eq!(world.messages().len(), 1);
}
