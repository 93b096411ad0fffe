//! Audits while AWS throttles or denies calls.

use std::collections::BTreeSet;
use std::fs;

use expect_test::expect;

use super::{Fixture, image_names};
use crate::support::aws::Fault;

#[test]
fn audit_slows_down_when_throttled() {
    let fixture = Fixture::new();
    fixture.aws.set_page_size(1000);
    for number in 0..4 {
        let name = format!("r{number}");
        fixture.aws.push_indexes(&name, 50, "arm64");
        fixture.aws.tag_resource(&name, "intended-runtime", "ecs/arm64");
    }
    fixture.aws.throttle("BatchGetImage", 60.0);
    fixture.aws.throttle("DescribeImages", 2.0);
    let output = fixture.output(&["--all", "--results", "DIR/x.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", fixture.format_output(&output));
    assert_eq!(fixture.lines("x.jsonl").len(), 200);
    let calls = fixture.aws.calls_of("BatchGetImage");
    let refused = calls.iter().filter(|call| call.status == Some(400)).count();
    assert_eq!(calls.len() - refused, 200);
    assert!((1..200).contains(&refused), "{refused} refused");
}

#[test]
fn unreadable_images_are_retried_by_the_next_run() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 5, "arm64");
    fixture.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    fixture.aws.fail("BatchGetImage", 2..=3, Fault::Error(400, "AccessDeniedException"));
    let arguments = ["--concurrency", "1", "--results", "DIR/x.jsonl"];
    expect![[r#"
        success false code 2
        --- out
        3 images in 1 repository: runs 3 (3 not verified)
        3 images checked in TIME, N requests
        2 images could not be read
        the same command resumes with what is missing
        wrote DIR/x.jsonl
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v3 could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource
        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2 could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource
    "#]].assert_eq(&fixture.run(&arguments));
    assert_eq!(fixture.lines("x.jsonl").len(), 3);
    let output = fixture.output(&arguments);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fixture.aws.calls_of("BatchGetImage").len(), 5 + 2, "only those two are retried");
    assert_eq!(image_names(&fixture.lines("x.jsonl")).len(), 5);
}

#[test]
fn unlistable_repository_does_not_stop_others() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.aws.push_indexes(name, 1, "arm64");
    }
    fixture.aws.fail("DescribeImages", 1..=1, Fault::Error(400, "RepositoryNotFoundException"));
    let output = fixture.output(&["--results", "DIR/x.jsonl"]);
    assert_eq!((output.status.code(), fixture.lines("x.jsonl").len()), (Some(2), 2));
    // Repositories are listed concurrently: any of them may be the one that fails.
    let failed = ["a", "b", "c"]
        .into_iter()
        .find(|name| !fixture.lines("x.jsonl").iter().any(|line| line["arrival"]["repository"] == **name));
    let (resource, name) = (format!("repository/{}", failed.unwrap()), format!("images of {} could", failed.unwrap()));
    expect![[r#"
        success false code 2
        --- out
        2 images in 2 repositories: undeclared 2
        2 images checked in TIME, N requests
        the images of 1 repository could not be listed
        the same command resumes with what is missing
        wrote DIR/x.jsonl
        --- err
        error: the images of NAME could not be listed: ecr:DescribeImages: arn:aws:ecr:us-west-2:123456789012:repository/NAME does not exist
    "#]].assert_eq(&fixture.format_output(&output).replace(&resource, "repository/NAME").replace(&name, "images of NAME could"));
}

#[test]
fn unlistable_registry_is_an_error_with_a_hint() {
    let fixture = Fixture::with_images();
    fixture.aws.fail("DescribeRepositories", .., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&fixture.run(&[]));
    let mut without_credentials = fixture.command(&[]);
    without_credentials.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: no AWS credentials found

        hint: sign in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with AWS_PROFILE
    "#]]
    .assert_eq(&fixture.format_output(&without_credentials.output().unwrap()));
}

#[test]
fn many_unreadable_images_are_counted() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 30, "arm64");
    fixture.aws.fail("BatchGetImage", .., Fault::Error(400, "AccessDeniedException"));
    let output = fixture.output(&["--all", "--results", "DIR/x.jsonl"]);
    let format_output = fixture.format_output(&output);
    assert_eq!(format_output.lines().filter(|line| line.starts_with("error: ")).count(), 21, "{format_output}");
    expect![[r#"
        success false code 2
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        30 images could not be read
        the same command resumes with what is missing
        wrote DIR/x.jsonl
    "#]]
    .assert_eq(format_output.split_once("--- err\n").unwrap().0);
    expect!["error: further errors are only counted"].assert_eq(format_output.lines().last().unwrap());
    assert_eq!(fs::read(fixture.path("x.jsonl")).unwrap(), b"");
}

#[test]
fn audit_only_reads() {
    let fixture = Fixture::with_images();
    let all_tags = |fixture: &Fixture| {
        let of = |name: &str| (fixture.aws.tags(name), fixture.aws.resource_tags(name));
        ["grafana/grafana", "team/app", "team/tools"].map(of)
    };
    let before = all_tags(&fixture);
    let output = fixture.command(&[]).env("PREFLIGHT_VERDICT_TAGS", "all").output().unwrap();
    assert_eq!((output.status.code(), all_tags(&fixture)), (Some(1), before));
    let actions: BTreeSet<String> = fixture.aws.calls().into_iter().map(|call| call.action).collect();
    let read_actions =
        "BatchGetImage Blob DescribeImages DescribeRepositories GetDownloadUrlForLayer ListTagsForResource";
    assert_eq!(actions.into_iter().collect::<Vec<_>>().join(" "), read_actions);
}
