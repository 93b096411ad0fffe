//! Images and what runs them: which consumers count, what they start, and which of the two is wrong.

use std::time::Duration;

use ecr_preflight::check::{ImageOrigin, InspectContext, check_image_with};
use ecr_preflight::consumer::{
    Consumer, ConsumerLookup, ConsumerPlatform, ConsumerService, KnownConsumers, PlatformSource, StartOverride,
};
use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::log::today;
use ecr_preflight::name::{Repository, Selector};
use ecr_preflight::registry::oci_layout::OciLayout;
use ecr_preflight::report::{Report, format_text};
use ecr_preflight::runtime::Runtime;
use ecr_preflight::settings::CheckSettings;
use expect_test::{Expect, expect};
use serde_json::Value;

use crate::report::schema::assert_valid;
use crate::support::layout::{Builder, digest, with_platform};

/// A service or function that runs the image with this tag.
fn consumer(name: &str, runtime: Runtime, tag: &str, command: &str) -> Consumer {
    let is_lambda = matches!(runtime, Runtime::LambdaAmd64 | Runtime::LambdaArm64);
    Consumer {
        service: if is_lambda { ConsumerService::Lambda } else { ConsumerService::Ecs },
        name: name.to_owned(),
        arn: String::new(),
        definition: if is_lambda { name.to_owned() } else { "web:42".to_owned() },
        container: if is_lambda { String::new() } else { "app".to_owned() },
        image: format!("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:{tag}"),
        digest: None,
        platform: ConsumerPlatform::Known(runtime, PlatformSource::RuntimePlatform),
        start: StartOverride {
            command: command.split_whitespace().map(str::to_owned).collect(),
            ..StartOverride::default()
        },
    }
}

/// Checks an image under a tag, with its consumers.
fn check(layout: &mut Builder, image: &Value, tag: &str, lookup: ConsumerLookup) -> Report {
    layout.tag(tag, image);
    let registry = OciLayout::open(layout.path(), None).unwrap();
    let settings = CheckSettings::default();
    let inspector = Inspector::new(&settings.limits);
    let inspection = InspectContext { inspector: &inspector, time_left: Duration::MAX, is_repeated: false };
    let repository = Repository::new("123456789012", "us-west-2", "team/app").unwrap();
    let selector = Selector::DigestAndTag(digest(image), tag.parse().unwrap());
    let origin = ImageOrigin { repository: Some(&repository), ..ImageOrigin::from_reference("team/app:v1", &selector) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let check = check_image_with(&lookup, &registry, &origin, None, &settings, inspection, today());
    let report = runtime.block_on(check).unwrap().report;
    assert_valid(&serde_json::to_value(&report).unwrap(), "a report with consumers");
    report
}

fn known(consumers: Vec<Consumer>) -> ConsumerLookup {
    let as_of = Some("2026-11-28T05:00:00Z".to_owned());
    ConsumerLookup::Known(KnownConsumers { consumers, as_of, ..KnownConsumers::default() })
}

/// The verdict, and each runtime with its verdict, its faults with what is wrong, and its consumers.
fn summary(report: &Report) -> String {
    let runtimes = report.runtimes().map(|runtime| {
        let faults = runtime.faults.iter().map(|fault| {
            let wrong = fault.wrong.map(|side| format!(" ({side:?})")).unwrap_or_default();
            format!(" {}{wrong}", fault.code.as_str())
        });
        let consumers: Vec<&str> = runtime.consumers.iter().map(|consumer| consumer.name.as_str()).collect();
        format!(
            "; {} {}{} [{}]",
            runtime.subject.name(),
            runtime.verdict.as_str(),
            faults.collect::<String>(),
            consumers.join(" ")
        )
    });
    format!("{}{}", report.verdict.as_str(), runtimes.collect::<String>())
}

#[test]
fn bound_consumers_count_like_declarations() {
    use Runtime::{EcsAmd64, EcsArm64, LambdaAmd64};
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    let cases: [(&str, &Value, Vec<Consumer>, Expect); 12] = [
        ("v1", &amd64, vec![], expect!["undeclared"]),
        ("v1", &amd64, vec![consumer("prod/web", EcsAmd64, "v1", "")], expect!["runs; ecs/amd64 runs [prod/web]"]),
        (
            "v1",
            &amd64,
            vec![consumer("prod/web", EcsArm64, "v1", "")],
            expect!["fails; ecs/arm64 fails wrong-architecture (Either) [prod/web]"],
        ),
        // The tag says that the image is right.
        (
            "v1-ecs-amd64",
            &amd64,
            vec![consumer("prod/web", EcsArm64, "v1-ecs-amd64", "")],
            expect!["fails; ecs/amd64 runs []; ecs/arm64 fails wrong-architecture (Consumer) [prod/web]"],
        ),
        // The tag and the consumer agree that it is wrong, and one result says so.
        (
            "v1-ecs-arm64",
            &amd64,
            vec![consumer("prod/web", EcsArm64, "v1-ecs-arm64", "")],
            expect!["fails; ecs/arm64 fails wrong-architecture (Image) [prod/web]"],
        ),
        // Of three services, two run.
        (
            "v1",
            &amd64,
            vec![
                consumer("prod/web", EcsAmd64, "v1", ""),
                consumer("prod/api", EcsAmd64, "v1", ""),
                consumer("prod/old", EcsArm64, "v1", ""),
            ],
            expect![
                "fails; ecs/amd64 runs [prod/web prod/api]; ecs/arm64 fails wrong-architecture (Consumer) [prod/old]"
            ],
        ),
        // All run on the other architecture.
        (
            "v1",
            &amd64,
            vec![consumer("prod/web", EcsArm64, "v1", ""), consumer("prod/api", EcsArm64, "v1", "")],
            expect!["fails; ecs/arm64 fails wrong-architecture (Image) [prod/web prod/api]"],
        ),
        (
            "v1",
            &both,
            vec![consumer("prod/web", EcsAmd64, "v1", ""), consumer("prod/old", EcsArm64, "v1", "")],
            expect!["runs; ecs/amd64 runs [prod/web]; ecs/arm64 runs [prod/old]"],
        ),
        // Other tags do not count if the image's own tag is run.
        (
            "v1",
            &amd64,
            vec![consumer("prod/web", EcsAmd64, "v1", ""), consumer("prod/old", EcsArm64, "v0", "")],
            expect!["runs; ecs/amd64 runs [prod/web]"],
        ),
        // Each start is checked.
        (
            "v1",
            &amd64,
            vec![consumer("prod/web", EcsAmd64, "v1", ""), consumer("prod/worker", EcsAmd64, "v1", "worker")],
            expect!["runs; ecs/amd64 runs [prod/web]; ecs/amd64 runs [prod/worker]"],
        ),
        // No image suits both.
        (
            "v1",
            &amd64,
            vec![consumer("prod/web", EcsArm64, "v1", ""), consumer("resize", LambdaAmd64, "v1", "")],
            expect![
                "fails; ecs/arm64 fails wrong-architecture (Consumer) consumer-conflict [prod/web]; lambda/amd64 runs [resize]"
            ],
        ),
        (
            "v1",
            &both,
            vec![consumer("prod/web", EcsArm64, "v1", ""), consumer("resize", LambdaAmd64, "v1", "")],
            expect![
                "fails; ecs/arm64 runs [prod/web]; lambda/amd64 fails index-refused (Image) consumer-conflict [resize]"
            ],
        ),
    ];
    for (tag, image, consumers, expected) in cases {
        expected.assert_eq(&summary(&check(&mut layout, image, tag, known(consumers))));
    }
}

#[test]
fn related_consumers_count_only_if_nothing_else_does() {
    use Runtime::{EcsAmd64, EcsArm64};
    let mut layout = Builder::new();
    let (amd64, arm) = (layout.image("amd64"), layout.image("arm"));
    let on_both = || vec![consumer("prod/web", EcsAmd64, "v0", ""), consumer("prod/old", EcsArm64, "v0-arm", "")];
    for (tag, image, consumers, expected) in [
        // A repository with a tag for each architecture is sound.
        ("v1", &amd64, on_both(), expect!["runs; ecs/amd64 runs [prod/web]"]),
        ("v1", &arm, on_both(), expect!["unknown; ecs/arm64 unknown [prod/old]"]),
        (
            "v1",
            &amd64,
            vec![consumer("prod/old", EcsArm64, "v0", "")],
            expect!["fails; ecs/arm64 fails wrong-architecture (Either) [prod/old]"],
        ),
        ("v1-ecs-amd64", &amd64, vec![consumer("prod/old", EcsArm64, "v0", "")], expect!["runs; ecs/amd64 runs []"]),
    ] {
        expected.assert_eq(&summary(&check(&mut layout, image, tag, known(consumers))));
    }
}

#[test]
fn report_names_who_runs_the_image_and_what_to_change() {
    let mut layout = Builder::new();
    let amd64 = layout.image("amd64");
    let mut without_platform = consumer("prod/web", Runtime::EcsAmd64, "v1-ecs-arm64", "");
    without_platform.platform = ConsumerPlatform::Known(Runtime::EcsAmd64, PlatformSource::FargateDefault);
    let arm64 = layout.image("arm64");
    let report = check(&mut layout, &arm64, "v1-ecs-arm64", known(vec![without_platform]));
    expect![[r#"
        team/app:v1 will not start on ECS on amd64 (prod/web)

          image     team/app:v1
          digest    sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8
          platform  linux/arm64
          starts    /app on linux/arm64

        ✓ ECS on arm64 (declared by the image's tag)

        ✗ ECS on amd64 (it has no runtimePlatform, and Fargate then uses X86_64)
          run by: prod/web (container app of task definition web:42)
          wrong-architecture: the image is built for linux/arm64, not linux/amd64
          to change: the task definition, because the image suits what is declared for it
          expected error: exec /app: exec format error

        What to do
          1. Keep the image, and set in the task definition:
             "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    "#]]
    .assert_eq(&format_text(&report));
    let mut celery = consumer("prod/worker", Runtime::EcsAmd64, "v1", "");
    celery.start.entrypoint = vec!["celery".to_owned()];
    let report = check(&mut layout, &amd64, "v1", known(vec![celery]));
    expect![[r#"
        team/app:v1 will not start on ECS on amd64 (prod/worker)

          image     team/app:v1
          digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
          platform  linux/amd64
          starts    /app on linux/amd64

        ✗ ECS on amd64 (from its runtimePlatform)
          run by: prod/worker (container app of task definition web:42)
          exec-not-found: celery was not found as an executable in PATH
          to change: the image or the task definition
          expected error: exec: "celery": executable file not found in $PATH

        What to do
          1. Copy the program to a directory of PATH, executable for all users, or name it by its path in the entry point of the task definition
    "#]].assert_eq(&format_text(&report));
}

#[test]
fn what_is_not_known_about_consumers_is_said() {
    let mut layout = Builder::new();
    let amd64 = layout.image("amd64");
    let report = check(&mut layout, &amd64, "v1-ecs-amd64", ConsumerLookup::Failed("access denied".to_owned()));
    expect![[r#"
        team/app:v1 will start on ECS on amd64

          image     team/app:v1
          digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
          platform  linux/amd64
          starts    /app

        ✓ ECS on amd64 (declared by the image's tag)

        What runs the image could not be read: access denied
    "#]]
    .assert_eq(&format_text(&report));
    let body = serde_json::to_value(&report).unwrap();
    expect![[r#"{"bound":0,"known":false,"reason":"access denied","related":0}"#]]
        .assert_eq(&body["consumers"].to_string());
    let lookup = ConsumerLookup::Known(KnownConsumers {
        consumers: vec![consumer("prod/web", Runtime::EcsAmd64, "v1-ecs-amd64", "")],
        as_of: Some("2026-11-28T05:00:00Z".to_owned()),
        not_read: vec!["lambda: access denied".to_owned()],
        omitted: 3,
    });
    let report = check(&mut layout, &amd64, "v1-ecs-amd64", lookup);
    expect![[r#"
        team/app:v1 will start on ECS on amd64 (prod/web)

          image     team/app:v1
          digest    sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b
          platform  linux/amd64
          starts    /app

        ✓ ECS on amd64 (declared by the image's tag)
          run by: prod/web (container app of task definition web:42)

        Not everything that may run the image is known: lambda: access denied
    "#]]
    .assert_eq(&format_text(&report));
    let body = serde_json::to_value(&report).unwrap();
    expect![[r#"{"asOf":"2026-11-28T05:00:00Z","bound":1,"known":true,"notRead":["lambda: access denied"],"omitted":3,"related":0}"#]].assert_eq(&body["consumers"].to_string());
}
