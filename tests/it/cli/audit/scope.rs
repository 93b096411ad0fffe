//! Which images are checked.

use expect_test::expect;

use super::{Fixture, image_names};
use crate::support::cases::Cases;
use crate::support::layout::Builder;

/// The images that an audit with these arguments checks.
fn checked_images(fixture: &Fixture, arguments: &[&str]) -> Vec<String> {
    let arguments = [arguments, &["--fresh", "--results", "DIR/x.jsonl"]].concat();
    let output = fixture.output(&arguments);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", fixture.format_output(&output));
    image_names(&fixture.lines("x.jsonl"))
}

#[test]
fn repositories_are_selected_by_prefix_name_and_tag() {
    let fixture = Fixture::new();
    let names = ["a/one", "a/two", "ab", "b/one", "b/two", "c/one", "d"];
    names.iter().for_each(|name| fixture.aws.push_indexes(name, 1, "arm64"));
    fixture.aws.tag_resource("a/two", "env", "prod");
    fixture.aws.tag_resource("b/one", "env", "prod");
    fixture.aws.tag_resource("b/one", "tier", "web=1");
    for (arguments, expected) in [
        ("", "a/one:v0 a/two:v0 ab:v0 b/one:v0 b/two:v0 c/one:v0 d:v0"),
        ("--prefix a/", "a/one:v0 a/two:v0"),
        ("--prefix a", "a/one:v0 a/two:v0 ab:v0"),
        ("--repository b/two --repository d --repository b/two", "b/two:v0 d:v0"),
        ("--where env=prod", "a/two:v0 b/one:v0"),
        ("--where env=prod --where tier=web=1", "b/one:v0"),
        ("--prefix b/ --where env=prod", "b/one:v0"),
    ] {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        assert_eq!(checked_images(&fixture, &arguments).join(" "), expected, "{arguments:?}");
    }
}

#[test]
fn empty_selection_is_an_error() {
    let fixture = Fixture::new();
    for name in ["team/app", "team/api", "tools"] {
        fixture.aws.push_indexes(name, 1, "arm64");
        fixture.aws.tag_resource(name, "env", "prod");
    }
    let mut cases = Cases::default();
    for arguments in ["--prefix taem/", "--prefix team/*", "--prefix team/ --where env=test", "--where =prod"] {
        cases.add(arguments, fixture.run(&arguments.split_whitespace().collect::<Vec<_>>()));
    }
    cases.add("an empty registry", Fixture::new().run(&[]));
    expect![[r#"
        --prefix taem/
            success false code 3
            --- out
            --- err
            error: there is no repository whose name begins with `taem/` in us-west-2

            hint: `taem/` is not among the repositories in us-west-2; the nearest: `team/api`, `team/app` and `tools`
        --prefix team/*
            success false code 3
            --- out
            --- err
            error: there is no repository whose name begins with `team/*` in us-west-2

            hint: a prefix is not a pattern: `--prefix team/` is enough
        --prefix team/ --where env=test
            success false code 3
            --- out
            --- err
            error: there is no repository whose name begins with `team/` with the resource tag `env=test` in us-west-2

            hint: keys and values are case-sensitive: `aws ecr list-tags-for-resource` shows those of a repository
        --where =prod
            success false code 64
            --- out
            --- err
            error: invalid value '=prod' for '--where <KEY=VALUE>': expected KEY=VALUE

            For more information, try '--help'.
        an empty registry
            success false code 3
            --- out
            --- err
            error: there is no repository in us-west-2

            hint: choose another region with `--region`, or another account with AWS_PROFILE
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn missing_repository_is_an_error() {
    let fixture = Fixture::with_images();
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:DescribeRepositories: arn:aws:ecr:us-west-2:*:repository/team/ap does not exist

        hint: did you mean `team/app`? It is in us-west-2; choose another region with AWS_REGION
    "#]]
    .assert_eq(&fixture.run(&["--repository", "team/ap"]));
}

#[test]
fn newest_images_are_checked() {
    let fixture = Fixture::new();
    // Pages of three entries, so that the newest images are on any of them.
    fixture.aws.push_indexes("team/app", 25, "arm64");
    let newest = |from: usize| -> Vec<String> {
        let mut names: Vec<String> = (from..25).map(|number| format!("team/app:v{number}")).collect();
        names.sort();
        names
    };
    assert_eq!(checked_images(&fixture, &[]), newest(15));
    assert_eq!(checked_images(&fixture, &["--newest", "4"]), newest(21));
    assert_eq!(checked_images(&fixture, &["--all"]), newest(0));
    assert_eq!(fixture.output(&["--newest", "0"]).status.code(), Some(64));
}

#[test]
fn tags_share_a_result_and_verdict_tags_are_skipped() {
    let fixture = Fixture::new();
    let mut layout = Builder::new();
    let (amd64, chart, signature) = (layout.image("amd64"), layout.helm(), layout.signature());
    for tag in ["v1", "latest", "1.0", "v1-ecs-arm64", "v1-amd64", "preflight-pass-apprunner-0123456789ab"] {
        layout.tag(tag, &amd64);
    }
    let other = layout.image("arm64");
    layout.tag("preflight-fail-apprunner-ba9876543210", &other);
    layout.tag("chart", &chart);
    layout.tag(&format!("sha256-{}.sig", "0".repeat(64)), &signature);
    fixture.aws.push("team/app", &layout);
    assert_eq!(checked_images(&fixture, &[]), ["team/app:1.0", "team/app:v1-amd64", "team/app:v1-ecs-arm64"]);
    let lines = fixture.lines("x.jsonl");
    let shared = lines.iter().find(|line| line["arrival"]["tag"] == "1.0").unwrap();
    assert_eq!(shared["arrival"]["alsoTagged"], serde_json::json!(["latest", "v1"]));
    let verdict = |tag: &str| lines.iter().find(|line| line["arrival"]["tag"] == tag).unwrap()["verdict"].clone();
    assert_eq!([verdict("1.0"), verdict("v1-amd64"), verdict("v1-ecs-arm64")], ["undeclared", "runs", "fails"]);
    // A runtime from the command line applies to all tags alike.
    assert_eq!(checked_images(&fixture, &["--runtime", "ecs/arm64"]), ["team/app:1.0"]);
    assert_eq!(fixture.lines("x.jsonl")[0]["verdict"], "fails");
    assert_eq!(fixture.lines("x.jsonl")[0]["settings"], "runtime=ecs/arm64 inspect=manifest");
}

#[test]
fn repository_tags_are_read_once() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 20, "arm64");
    fixture.aws.push_indexes("team/tools", 20, "arm64");
    fixture.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    assert_eq!(checked_images(&fixture, &["--all", "--where", "intended-runtime=ecs/arm64"]).len(), 20);
    assert_eq!(fixture.aws.calls_of("ListTagsForResource").len(), 2);
    assert_eq!(checked_images(&fixture, &["--all"]).len(), 40);
    assert_eq!(fixture.aws.calls_of("ListTagsForResource").len(), 4);
}

#[test]
fn region_option_overrides_the_environment() {
    let fixture = Fixture::with_images();
    fixture.run(&["--region", "eu-central-1"]);
    let call = &fixture.aws.calls_of("DescribeRepositories")[0];
    assert!(call.header("authorization").unwrap().contains("/eu-central-1/ecr/"));
    let output =
        fixture.command(&[]).env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let unset = fixture.command(&[]).env("AWS_REGION", "").env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    assert_eq!(fixture.format_output(&unset), fixture.format_output(&output), "an empty variable counts as unset");
    let other = fixture.command(&[]).env("AWS_REGION", "").env("AWS_DEFAULT_REGION", "us-west-2").output().unwrap();
    assert_eq!(other.status.code(), Some(1), "{}", fixture.format_output(&other));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the AWS profile; or use `--region REGION` with `audit` or `consumers`, or `declare` with the repository's URI
    "#]].assert_eq(&fixture.format_output(&output));
}
