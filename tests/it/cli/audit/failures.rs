//! A service that throttles or refuses.

use std::collections::BTreeSet;
use std::fs;

use expect_test::expect;

use super::{Stage, subjects};
use crate::support::aws::Fault;

#[test]
fn a_service_that_throttles_is_asked_more_slowly_until_all_is_answered() {
    let stage = Stage::new();
    stage.aws.page(1000);
    for number in 0..4 {
        let name = format!("r{number}");
        stage.aws.push_indexes(&name, 50, "arm64");
        stage.aws.tag_resource(&name, "intended-runtime", "ecs/arm64");
    }
    stage.aws.throttle("BatchGetImage", 60.0);
    stage.aws.throttle("DescribeImages", 2.0);
    let output = stage.output(&["--all", "--results", "DIR/x.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", stage.shown(&output));
    assert_eq!(stage.lines("x.jsonl").len(), 200);
    let calls = stage.aws.calls_of("BatchGetImage");
    let refused = calls.iter().filter(|call| call.status == Some(400)).count();
    assert_eq!(calls.len() - refused, 200);
    assert!((1..200).contains(&refused), "{refused} refused");
}

#[test]
fn what_cannot_be_read_is_named_and_asked_about_again_the_next_time() {
    let stage = Stage::new();
    stage.aws.push_indexes("team/app", 5, "arm64");
    stage.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    stage.aws.fail("BatchGetImage", 2..=3, Fault::Error(400, "AccessDeniedException"));
    let arguments = ["--concurrency", "1", "--results", "DIR/x.jsonl"];
    expect![[r#"
        success false code 2
        --- out
        3 images of 1 repository: 3 run
        3 answers in TIME, N requests
        2 images could not be read
        results in DIR/x.jsonl: the same command goes on with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v3 could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource: AccessDeniedException: as said
        hint: `aws sts get-caller-identity` shows who the caller is; another profile is chosen with AWS_PROFILE
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2 could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource: AccessDeniedException: as said
    "#]].assert_eq(&stage.run(&arguments));
    assert_eq!(stage.lines("x.jsonl").len(), 3);
    let output = stage.output(&arguments);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stage.aws.calls_of("BatchGetImage").len(), 5 + 2, "those two, and no others");
    assert_eq!(subjects(&stage.lines("x.jsonl")).len(), 5);
}

#[test]
fn a_repository_whose_images_cannot_be_listed_does_not_stop_the_others() {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.aws.push_indexes(name, 1, "arm64");
    }
    stage.aws.fail("DescribeImages", 1..=1, Fault::Error(400, "RepositoryNotFoundException"));
    let output = stage.output(&["--results", "DIR/x.jsonl"]);
    assert_eq!((output.status.code(), stage.lines("x.jsonl").len()), (Some(2), 2));
    let shown = stage.shown(&output);
    assert!(
        shown.contains(" could not be listed: ecr:DescribeImages: ")
            && shown.contains("\nthe images of 1 repository could not be listed\n"),
        "{shown}"
    );
}

#[test]
fn a_registry_that_cannot_be_listed_at_all_is_an_error_with_a_hint() {
    let stage = Stage::filled();
    stage.aws.fail("DescribeRepositories", .., Fault::Error(400, "AccessDeniedException"));
    let shown = stage.run(&[]);
    assert!(shown.contains("error: ecr:DescribeRepositories on ") && shown.contains("was denied"), "{shown}");
    let mut stranger = stage.command(&[]);
    stranger.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    let shown = stage.shown(&stranger.output().unwrap());
    assert!(shown.contains("hint: log in with `aws sso login`, or choose a profile with AWS_PROFILE"), "{shown}");
}

#[test]
fn many_that_cannot_be_read_are_counted() {
    let stage = Stage::new();
    stage.aws.push_indexes("team/app", 30, "arm64");
    stage.aws.fail("BatchGetImage", .., Fault::Error(400, "AccessDeniedException"));
    let output = stage.output(&["--all", "--results", "DIR/x.jsonl"]);
    let shown = stage.shown(&output);
    assert_eq!(shown.lines().filter(|line| line.starts_with("error: ")).count(), 21, "{shown}");
    assert!(shown.contains("30 images could not be read"), "{shown}");
    assert_eq!(fs::read(stage.path("x.jsonl")).unwrap(), b"");
}

#[test]
fn an_audit_changes_nothing() {
    let stage = Stage::filled();
    let facts = |stage: &Stage| {
        let of = |name: &str| (stage.aws.tags(name), stage.aws.resource_tags(name));
        ["grafana/grafana", "team/app", "team/tools"].map(of)
    };
    let before = facts(&stage);
    let output = stage.command(&[]).env("PREFLIGHT_VERDICT_TAGS", "all").output().unwrap();
    assert_eq!((output.status.code(), facts(&stage)), (Some(1), before));
    let actions: BTreeSet<String> = stage.aws.calls().into_iter().map(|call| call.action).collect();
    let reading = "BatchGetImage Blob DescribeImages DescribeRepositories GetDownloadUrlForLayer ListTagsForResource";
    assert_eq!(actions.into_iter().collect::<Vec<_>>().join(" "), reading);
}
