//! What runs the pushed image, and which of the two is wrong.

use ecr_preflight::consumer::PlatformSource::{FargateDefault, RuntimePlatform};
use ecr_preflight::runtime::Runtime::{EcsAmd64, EcsArm64, LambdaAmd64};
use expect_test::{Expect, expect};

use super::super::{handle, settings};
use super::{ON, REQUIRED, TABLE, World, consumer, with_consumers};

#[tokio::test]
async fn message_names_what_runs_the_image() {
    let world = World::new();
    let consumers = vec![
        consumer("prod/web", EcsAmd64, FargateDefault, "v1"),
        consumer("prod/api", EcsArm64, RuntimePlatform, "v2"),
        consumer("prod/mixed", EcsArm64, RuntimePlatform, "v3"),
        consumer("prod/old", EcsAmd64, RuntimePlatform, "v3"),
        consumer("resize", LambdaAmd64, RuntimePlatform, "v4"),
        consumer("prod/new", EcsArm64, RuntimePlatform, "v4"),
    ];
    world.store_census(consumers, 60).await;
    let cases: [(&str, &_, Expect); 5] = [
        (
            "v1",
            &world.arm64,
            expect![[r#"
                team/app:v1 will not start on ECS on amd64 (prod/web)
                  to change: the image or the task definition
            "#]],
        ),
        (
            "v2",
            &world.amd64,
            expect![[r#"
                team/app:v2 will not start on ECS on arm64 (prod/api)
                  to change: the image or the task definition
            "#]],
        ),
        // Each runs its own platform.
        ("v3", &world.both, expect![""]),
        // No single image suits both.
        (
            "v4",
            &world.both,
            expect![[r#"
                team/app:v4 will not start on Lambda on amd64 (resize)
                  to change: the image
            "#]],
        ),
        // Nothing runs this tag, and the image suits one of those that run others.
        ("v5", &world.amd64, expect![""]),
    ];
    for (second, (tag, digest, expected)) in (1..).zip(cases) {
        let sent = world.messages().len();
        let report = handle(&world.aws, with_consumers(), world.push(tag, digest, second)).await.unwrap();
        let known = report.consumers.unwrap();
        assert!(known.known && known.reason.is_none(), "{tag}: {known:?}");
        let text: String =
            world.messages().iter().skip(sent).map(|message| message["default"].as_str().unwrap()).collect();
        let shown = text.lines().enumerate().filter(|(number, line)| {
            *number == 0 || line.contains("to change:") || line.contains("runtimePlatform` to")
        });
        expected.assert_eq(&shown.map(|(_, line)| format!("{line}\n")).collect::<String>());
    }
}

#[tokio::test]
async fn push_asks_the_table_once() {
    let world = World::new();
    world.store_census(vec![consumer("prod/web", EcsAmd64, FargateDefault, "v1")], 60).await;
    let before = world.aws.calls().len();
    handle(&world.aws, with_consumers(), world.push("v1", &world.amd64, 1)).await.unwrap();
    let calls: Vec<String> = world.aws.calls().into_iter().skip(before).map(|call| call.action).collect();
    let of_table = ["Query", "GetItem", "UpdateItem"].map(|action| calls.iter().filter(|call| *call == action).count());
    assert_eq!(of_table, [1, 1, 1], "{calls:?}");
    assert!(
        calls
            .iter()
            .all(|call| !call.starts_with("Describe") && !call.starts_with("List") || call == "ListTagsForResource")
    );
}

#[tokio::test]
async fn without_a_census_the_image_is_judged_alone_and_the_report_says_so() {
    let wrong = || vec![consumer("prod/web", EcsAmd64, FargateDefault, "v1")];
    for (seconds_ago, expected) in [
        (Some(2 * 3600), None),
        (Some(4 * 3600), Some("the census ran last at ")),
        (None, Some("the census has not run yet")),
    ] {
        for required in [false, true] {
            let world = World::new();
            if let Some(seconds_ago) = seconds_ago {
                world.store_census(wrong(), seconds_ago).await;
            }
            let settings = settings(&[TABLE, if required { REQUIRED } else { ON }]);
            let result = handle(&world.aws, settings, world.push("v1", &world.arm64, 1)).await;
            match (result, expected) {
                (Ok(report), None) => assert_eq!(report.verdict.as_str(), "fails"),
                (Ok(report), Some(reason)) => {
                    assert!(!required);
                    assert_eq!(report.verdict.as_str(), "undeclared");
                    let known = report.consumers.unwrap();
                    assert!(!known.known && known.reason.unwrap().starts_with(reason), "{reason}");
                }
                (Err(error), Some(reason)) => {
                    assert!(required);
                    let expected = format!("what runs the image is unknown: {reason}");
                    assert!(error.to_string().starts_with(&expected), "{error}");
                }
                (Err(error), None) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn without_the_setting_the_table_is_not_read() {
    let world = World::new();
    world.store_census(vec![consumer("prod/web", EcsAmd64, FargateDefault, "v1")], 60).await;
    let before = world.aws.calls().len();
    let report = handle(&world.aws, settings(&[TABLE]), world.push("v1", &world.arm64, 1)).await.unwrap();
    assert_eq!((report.verdict.as_str(), report.consumers), ("undeclared", None));
    assert!(
        world.aws.calls()[before..]
            .iter()
            .all(|call| !["Query", "GetItem", "UpdateItem"].contains(&call.action.as_str()))
    );
}
