//! Which images are asked about.

use super::{Stage, subjects};
use crate::support::layout::Builder;

/// What is asked about with these arguments.
fn asked(stage: &Stage, arguments: &[&str]) -> Vec<String> {
    let arguments = [arguments, &["--fresh", "--results", "DIR/x.jsonl"]].concat();
    let output = stage.output(&arguments);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", stage.shown(&output));
    subjects(&stage.lines("x.jsonl"))
}

#[test]
fn repositories_are_chosen_by_prefix_name_and_resource_tag() {
    let stage = Stage::new();
    let names = ["a/one", "a/two", "ab", "b/one", "b/two", "c/one", "d"];
    names.iter().for_each(|name| stage.aws.push_indexes(name, 1, "arm64"));
    stage.aws.tag_resource("a/two", "env", "prod");
    stage.aws.tag_resource("b/one", "env", "prod");
    stage.aws.tag_resource("b/one", "tier", "web=1");
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
        assert_eq!(asked(&stage, &arguments).join(" "), expected, "{arguments:?}");
    }
}

#[test]
fn a_scope_that_nothing_is_in_is_an_error() {
    let stage = Stage::new();
    for name in ["team/app", "team/api", "tools"] {
        stage.aws.push_indexes(name, 1, "arm64");
        stage.aws.tag_resource(name, "env", "prod");
    }
    for (arguments, error, hint) in [
        (
            "--prefix taem/",
            "there is no repository whose name begins with `taem/` in us-west-2",
            "the repositories in us-west-2 that are nearest to `taem/`: `team/api`, `team/app` and `tools`",
        ),
        (
            "--prefix team/*",
            "there is no repository whose name begins with `team/*` in us-west-2",
            "a prefix is no pattern: `--prefix team/` is enough",
        ),
        (
            "--prefix team/ --where env=test",
            "there is no repository whose name begins with `team/` that has the resource tag `env=test` in us-west-2",
            "keys and values count to the letter: `aws ecr list-tags-for-resource` shows those of a repository",
        ),
        ("--where =prod", "invalid value '=prod' for '--where <KEY=VALUE>': expected KEY=VALUE", ""),
    ] {
        let shown = stage.run(&arguments.split_whitespace().collect::<Vec<_>>());
        let code = if hint.is_empty() { 64 } else { 2 };
        assert!(shown.starts_with(&format!("success false code {code}\n")), "{shown}");
        assert!(shown.contains(&format!("error: {error}\n\n")) && shown.contains(hint), "{shown}");
    }
    let empty = Stage::new().run(&[]);
    assert!(empty.contains("error: there is no repository in us-west-2\n\nhint: another region is chosen"), "{empty}");
}

#[test]
fn a_repository_that_is_not_there_is_an_error() {
    let stage = Stage::filled();
    let shown = stage.run(&["--repository", "team/ap"]);
    assert!(
        shown.starts_with("success false code 2") && shown.contains("repository/team/ap does not exist"),
        "{shown}"
    );
}

#[test]
fn the_images_that_were_pushed_last_are_asked_about() {
    let stage = Stage::new();
    // Three to a page, so that the newest stand on any of them.
    stage.aws.push_indexes("team/app", 25, "arm64");
    let newest = |from: usize| -> Vec<String> {
        let mut names: Vec<String> = (from..25).map(|number| format!("team/app:v{number}")).collect();
        names.sort();
        names
    };
    assert_eq!(asked(&stage, &[]), newest(15));
    assert_eq!(asked(&stage, &["--newest", "4"]), newest(21));
    assert_eq!(asked(&stage, &["--all"]), newest(0));
    assert_eq!(stage.output(&["--newest", "0"]).status.code(), Some(64));
}

#[test]
fn tags_that_declare_nothing_share_an_answer_and_marks_are_nobodys() {
    let stage = Stage::new();
    let mut layout = Builder::new();
    let (amd64, chart, signature) = (layout.image("amd64"), layout.helm(), layout.signature());
    for tag in ["v1", "latest", "1.0", "v1-ecs-arm64", "v1-amd64", "preflight-pass-apprunner-0123456789ab"] {
        layout.tag(tag, &amd64);
    }
    let other = layout.image("arm64");
    layout.tag("preflight-fail-apprunner-ba9876543210", &other);
    layout.tag("chart", &chart);
    layout.tag(&format!("sha256-{}.sig", "0".repeat(64)), &signature);
    stage.aws.push("team/app", &layout);
    assert_eq!(asked(&stage, &[]), ["team/app:1.0", "team/app:v1-amd64", "team/app:v1-ecs-arm64"]);
    let lines = stage.lines("x.jsonl");
    let shared = lines.iter().find(|line| line["arrival"]["tag"] == "1.0").unwrap();
    assert_eq!(shared["arrival"]["alsoTagged"], serde_json::json!(["latest", "v1"]));
    let verdict = |tag: &str| lines.iter().find(|line| line["arrival"]["tag"] == tag).unwrap()["verdict"].clone();
    assert_eq!([verdict("1.0"), verdict("v1-amd64"), verdict("v1-ecs-arm64")], ["undeclared", "runs", "fails"]);
    // What a person says counts for all tags alike, and what the settings say too.
    assert_eq!(asked(&stage, &["--runtime", "ecs/arm64"]), ["team/app:1.0"]);
    assert_eq!(stage.lines("x.jsonl")[0]["verdict"], "fails");
    assert_eq!(stage.lines("x.jsonl")[0]["settings"], "runtime=ecs/arm64 inspect=manifest");
}

#[test]
fn the_tags_of_a_repository_are_read_once_for_all_its_images() {
    let stage = Stage::new();
    stage.aws.push_indexes("team/app", 20, "arm64");
    stage.aws.push_indexes("team/tools", 20, "arm64");
    stage.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    assert_eq!(asked(&stage, &["--all", "--where", "intended-runtime=ecs/arm64"]).len(), 20);
    assert_eq!(stage.aws.calls_of("ListTagsForResource").len(), 2);
    assert_eq!(asked(&stage, &["--all"]).len(), 40);
    assert_eq!(stage.aws.calls_of("ListTagsForResource").len(), 4);
}

#[test]
fn the_region_is_the_one_that_is_named() {
    let stage = Stage::filled();
    stage.run(&["--region", "eu-central-1"]);
    let call = &stage.aws.calls_of("DescribeRepositories")[0];
    assert!(call.header("authorization").unwrap().contains("/eu-central-1/ecr/"));
    let output = stage.command(&[]).env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let unset = stage.command(&[]).env("AWS_REGION", "").env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    assert_eq!(stage.shown(&unset), stage.shown(&output), "a variable without a value is as one that is not set");
    let other = stage.command(&[]).env("AWS_REGION", "").env("AWS_DEFAULT_REGION", "us-west-2").output().unwrap();
    assert_eq!(other.status.code(), Some(1), "{}", stage.shown(&other));
    assert!(stage.shown(&output).contains("error: no AWS region is configured\n\nhint: set AWS_REGION, or `region` in the profile that AWS_PROFILE names; `audit` takes `--region` too"));
}
