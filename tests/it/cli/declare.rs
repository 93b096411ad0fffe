//! `declare`: what it prints, and what it writes.

use std::process::Command;
use std::time::Duration;

use expect_test::expect;

use crate::cli::run;
use crate::support::aws::{FakeAws, Fault};
use crate::support::cases::Cases;

const REPOSITORY: &str = "team/app";
const KEY: &str = "intended-runtime";

/// A run with credentials and a region, against this AWS.
fn declare(aws: &FakeAws, arguments: &[&str]) -> String {
    let url = aws.url();
    let settings = [
        ("AWS_ENDPOINT_URL_ECR", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_REGION", "us-west-2"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    run(&[&["declare"], arguments].concat(), &settings)
}

fn aws_with_repositories() -> FakeAws {
    let aws = FakeAws::start();
    aws.create_repositories(&[REPOSITORY, "team/api"]);
    aws.tag_resource(REPOSITORY, "owner", "team");
    aws
}

/// How many calls wrote something.
fn write_count(aws: &FakeAws) -> usize {
    aws.calls_of("TagResource").len() + aws.calls_of("UntagResource").len()
}

fn declaration(aws: &FakeAws) -> Option<String> {
    let tags = aws.resource_tags(REPOSITORY);
    assert!(tags.contains(&("owner".to_owned(), "team".to_owned())), "no other tag is changed");
    tags.into_iter().find(|(key, _)| key == KEY).map(|(_, value)| value)
}

#[test]
fn declaration_is_shown_and_written_once() {
    let aws = aws_with_repositories();
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        written
        --- err
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "ecs-aarch64", "--yes"]));
    assert_eq!(declaration(&aws).as_deref(), Some("ecs/arm64"));
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: "ecs/arm64" → "ecs/arm64 apprunner"
        written
        --- err
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "apprunner", "ecs/arm64", "apprunner", "-y"]));
    assert_eq!((declaration(&aws).as_deref(), write_count(&aws)), (Some("ecs/arm64 apprunner"), 2));
    let mut cases = Cases::default();
    for name in [
        REPOSITORY,
        "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app",
        "arn:aws:ecr:us-west-2:123456789012:repository/team/app",
    ] {
        cases.add(name, declare(&aws, &[name, "ecs/arm64", "apprunner"]));
    }
    expect![[r#"
        team/app
            success true code 0
            --- out
            team/app: intended-runtime: "ecs/arm64 apprunner": nothing to change
            --- err
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app
            success true code 0
            --- out
            team/app: intended-runtime: "ecs/arm64 apprunner": nothing to change
            --- err
        arn:aws:ecr:us-west-2:123456789012:repository/team/app
            success true code 0
            --- out
            team/app: intended-runtime: "ecs/arm64 apprunner": nothing to change
            --- err
    "#]]
    .assert_eq(cases.as_str());
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: "ecs/arm64 apprunner" → not set
        written
        --- err
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "--remove", "--yes"]));
    assert_eq!((declaration(&aws), write_count(&aws)), (None, 3));
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: not set: nothing to change
        --- err
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "--remove", "--yes"]));
    assert_eq!(write_count(&aws), 3);
}

#[test]
fn nothing_is_written_without_consent() {
    let aws = aws_with_repositories();
    expect![[r#"
        success false code 3
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        --- err
        error: nothing was written: standard input is not a terminal, so the change cannot be confirmed

        hint: use `--yes` to write without confirmation, or `--dry-run` to only show the change
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "ecs/arm64"]));
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        --- err
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "ecs/arm64", "--dry-run"]));
    assert_eq!((declaration(&aws), write_count(&aws)), (None, 0));
}

/// What was printed at the terminal, without the answer, which the terminal echoes before or after the question.
fn without_echo(printed: &str) -> String {
    let printed = printed.replace('\r', "");
    let (before, after) = printed.split_once("[y/N] ").unwrap_or_else(|| panic!("no question: {printed}"));
    let before = before.strip_prefix("n\n").or(before.strip_prefix("y\n")).unwrap_or(before);
    let after = after.strip_prefix("n\n").or(after.strip_prefix("y\n")).unwrap_or(after);
    format!("{before}[y/N]\n{after}")
}

#[test]
fn terminal_asks_and_only_yes_writes() {
    let aws = aws_with_repositories();
    // script(1), from Debian's essential package bsdutils, provides the terminal.
    let tool = env!("CARGO_BIN_EXE_ecr-preflight");
    let ask = |answer: &str, runtime: &str| {
        let command = format!("{tool} declare {REPOSITORY} {runtime}");
        let mut script = Command::new("sh");
        script.args(["-c", &format!("{answer} | script -qec '{command}' /dev/null")]);
        script.env_clear().envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent"), ("AWS_REGION", "us-west-2")]);
        script.envs([("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")]).env("AWS_ENDPOINT_URL", aws.url());
        let output = script.output().unwrap();
        (output.status.code(), without_echo(&String::from_utf8(output.stdout).unwrap()))
    };
    let (code, text) = ask("echo n", "apprunner");
    expect![[r#"
        team/app: intended-runtime: not set → "apprunner"
        Write this to arn:aws:ecr:us-west-2:123456789012:repository/team/app? [y/N]
        nothing was written
    "#]]
    .assert_eq(&text);
    assert_eq!((code, declaration(&aws), write_count(&aws)), (Some(2), None, 0));
    let (code, text) = ask("echo y", "apprunner");
    expect![[r#"
        team/app: intended-runtime: not set → "apprunner"
        Write this to arn:aws:ecr:us-west-2:123456789012:repository/team/app? [y/N]
        written
    "#]]
    .assert_eq(&text);
    assert_eq!((code, declaration(&aws).as_deref(), write_count(&aws)), (Some(0), Some("apprunner"), 1));
    // Consent covers what was shown, not what was written in between.
    let reads = aws.calls_of("ListTagsForResource").len();
    let directory = tempfile::TempDir::new().unwrap();
    let changed = directory.path().join("changed");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let is_shown =
                || aws.calls_of("ListTagsForResource").iter().filter(|call| call.ended.is_some()).count() > reads;
            (0..4000).take_while(|_| !is_shown()).for_each(|_| std::thread::sleep(Duration::from_millis(5)));
            aws.tag_resource(REPOSITORY, KEY, "ecs/arm64");
            std::fs::write(&changed, "").unwrap();
        });
        let answer = format!("{{ until [ -e {} ]; do sleep 0.05; done; echo y; }}", changed.display());
        let (code, text) = ask(&answer, "lambda/arm64");
        expect![[r#"
            team/app: intended-runtime: "apprunner" → "lambda/arm64"
            Write this to arn:aws:ecr:us-west-2:123456789012:repository/team/app? [y/N]
            error: nothing was written: the declaration has changed since it was shown

            hint: run the command again to see the current declaration
        "#]]
        .assert_eq(&text);
        assert_eq!((code, write_count(&aws)), (Some(3), 1));
    });
    assert_eq!(declaration(&aws).as_deref(), Some("ecs/arm64"));
}

#[test]
fn invalid_arguments_are_errors_before_any_call() {
    let aws = aws_with_repositories();
    let mut text = String::new();
    for arguments in [
        &[REPOSITORY, "esc/arm64"][..],
        &[REPOSITORY],
        &[],
        &["team/app:v1", "ecs/arm64"],
        &["123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1", "ecs/arm64"],
        &["arn:aws:ecr:us-west-2:123456789012:team/app", "ecs/arm64"],
        &[REPOSITORY, "ecs/arm64", "--remove"],
        &[REPOSITORY, "ecs/arm64", "--format", "json"],
    ] {
        text += &declare(&aws, arguments);
    }
    assert!(aws.calls().is_empty());
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: invalid value 'esc/arm64' for '[RUNTIME]...': unknown runtime `esc/arm64`; did you mean `ecs/arm64`?
        success false code 64
        --- out
        --- err
        error: the following required arguments were not provided:
          <RUNTIME>...

        Usage: ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
               ecr-preflight declare --from <FILE> [--yes | --dry-run]
               ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
               ecr-preflight declare --suggest [<PREFIX>]

        For more information, try '--help'.
        success false code 64
        --- out
        --- err
        error: the following required arguments were not provided:
          <REPOSITORY>
          <RUNTIME>...

        Usage: ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
               ecr-preflight declare --from <FILE> [--yes | --dry-run]
               ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
               ecr-preflight declare --suggest [<PREFIX>]

        For more information, try '--help'.
        success false code 64
        --- out
        --- err
        error: `team/app:v1` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`

        hint: name the repository without a tag: `team/app`, its URI, or its ARN
        success false code 64
        --- out
        --- err
        error: `team/app:v1` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`

        hint: name the repository without a tag: `team/app`, its URI, or its ARN
        success false code 64
        --- out
        --- err
        error: `arn:aws:ecr:us-west-2:123456789012:team/app` is not a valid repository ARN: expected `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`

        hint: name the repository without a tag: `team/app`, its URI, or its ARN
        success false code 64
        --- out
        --- err
        error: the argument '[RUNTIME]...' cannot be used with '--remove'

        Usage: ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
               ecr-preflight declare --from <FILE> [--yes | --dry-run]
               ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
               ecr-preflight declare --suggest [<PREFIX>]

        For more information, try '--help'.
        success false code 64
        --- out
        --- err
        error: the argument '[REPOSITORY]' cannot be used with '--format <FORMAT>'

        Usage: ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
               ecr-preflight declare --from <FILE> [--yes | --dry-run]
               ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
               ecr-preflight declare --suggest [<PREFIX>]

        For more information, try '--help'.
    "#]].assert_eq(&text);
}

#[test]
fn impossible_declarations_are_noted() {
    let aws = aws_with_repositories();
    aws.tag_resource(REPOSITORY, KEY, "ecs\u{1b}[2J");
    expect![[r#"
        success true code 0
        --- out
        team/app: intended-runtime: "ecs�[2J" → "ecs/arm64 lambda/amd64"
        --- err
        note: no image runs on both lambda/amd64 and ecs/arm64, because Lambda does not accept an index and a single image has one architecture; every image of this repository will fail, unless its own tag declares a runtime
    "#]]
    .assert_eq(&declare(&aws, &[REPOSITORY, "lambda/amd64", "ecs/arm64", "--dry-run"]));
}

#[test]
fn write_errors_name_action_and_resource() {
    let aws = aws_with_repositories();
    let mut text = String::new();
    for (action, code) in [
        ("DescribeRepositories", "AccessDeniedException"),
        ("ListTagsForResource", "AccessDeniedException"),
        ("TagResource", "AccessDeniedException"),
        ("TagResource", "TooManyTagsException"),
        ("TagResource", "InvalidTagParameterException"),
    ] {
        let aws = aws_with_repositories();
        aws.fail(action, .., Fault::Error(400, code));
        text += &declare(&aws, &[REPOSITORY, "ecs/arm64", "--yes"]);
        assert_eq!(declaration(&aws), None);
    }
    aws.tag_resource(REPOSITORY, KEY, "apprunner");
    aws.fail("UntagResource", .., Fault::Error(400, "AccessDeniedException"));
    text += &declare(&aws, &[REPOSITORY, "--remove", "--yes"]);
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
        success false code 3
        --- out
        --- err
        error: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
        success false code 3
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        --- err
        error: ecr:TagResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
        success false code 3
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        --- err
        error: ecr:TagResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
          caused by: the repository has too many tags

        hint: a repository has at most 50 tags: remove one that is not needed
        success false code 3
        --- out
        team/app: intended-runtime: not set → "ecs/arm64"
        --- err
        error: ecr:TagResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
          caused by: InvalidTagParameterException: service message
        success false code 3
        --- out
        team/app: intended-runtime: "apprunner" → not set
        --- err
        error: ecr:UntagResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&text);
}

#[test]
fn list_shows_repositories_and_declarations() {
    let aws = aws_with_repositories();
    let long = "team/a-repository-whose-name-is-longer-than-a-column/of-a-table";
    aws.create_repositories(&["batch/worker", "empty", "function", "tools", long]);
    aws.tag_resource(REPOSITORY, KEY, "ecs/arm64 apprunner");
    aws.tag_resource("function", KEY, "lambda/arm64");
    expect![[r#"
        success true code 0
        --- out
        REPOSITORY  INTENDED-RUNTIME
        team/api    -
        team/app    ecs/arm64 apprunner

        2 repositories in us-west-2: 1 declared, 1 without a declaration
        --- err
    "#]]
    .assert_eq(&declare(&aws, &["--list", "team/ap"]));
    aws.tag_resource("batch/worker", KEY, "ecs esc/arm64\u{1b} apprunner");
    aws.tag_resource("empty", KEY, "");
    let every = "ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64";
    aws.tag_resource(long, KEY, every);
    let text = declare(&aws, &["--list"]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    expect![[r#"
        success false code 2
        --- out
        REPOSITORY    INTENDED-RUNTIME
        batch/worker  ✗ "ecs esc/arm64� apprunner"
            unknown runtime `ecs`; did you mean `ecs/amd64` or `ecs/arm64`?
            unknown runtime `esc/arm64�`; did you mean `ecs/arm64`?
        empty         ✗ ""
            unknown runtime ``; did you mean `ecs/amd64` or `ecs/arm64` or `apprunner`
            or `agentcore`?
        function      lambda/arm64
        team/a-repository-whose-name-is-longer-than-a-column/of-a-table
                      ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64
                      linux/amd64 linux/arm64
        team/api      -
        team/app      ecs/arm64 apprunner
        tools         -

        7 repositories in us-west-2: 3 declared, 2 without a declaration, 2 with an
        invalid declaration
        --- err
    "#]]
    .assert_eq(&text);
    expect![[r#"
        success false code 2
        --- out
        {
          "schema": "ecr-preflight-declarations/1",
          "region": "us-west-2",
          "key": "intended-runtime",
          "repositories": [
            {
              "name": "batch/worker",
              "arn": "arn:aws:ecr:us-west-2:123456789012:repository/batch/worker",
              "uri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/batch/worker",
              "declared": "ecs esc/arm64\u001b apprunner",
              "runtimes": [
                "apprunner"
              ],
              "unreadable": [
                {
                  "word": "ecs",
                  "nearest": [
                    "ecs/amd64",
                    "ecs/arm64"
                  ]
                },
                {
                  "word": "esc/arm64�",
                  "nearest": [
                    "ecs/arm64"
                  ]
                }
              ]
            }
          ]
        }
        --- err
    "#]]
    .assert_eq(&declare(&aws, &["--list", "batch", "--format", "json"]));
    expect![[r#"
        success true code 0
        --- out
        There are no repositories in us-west-2 whose names begin with `none`.
        --- err
    "#]]
    .assert_eq(&declare(&aws, &["--list", "none"]));
    assert_eq!(write_count(&aws), 0);
}

#[test]
fn unreadable_tags_do_not_hide_other_repositories() {
    let aws = aws_with_repositories();
    aws.tag_resource(REPOSITORY, KEY, "apprunner");
    // Four are read concurrently, so either may be the first call: there is only one.
    aws.fail("ListTagsForResource", 1..=1, Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 2
        --- out
        REPOSITORY  INTENDED-RUNTIME
        team/api    ? its tags could not be read

        1 repository in us-west-2: 1 whose tags could not be read
        --- err
        error: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/api was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&declare(&aws, &["--list", "team/api"]));
    aws.fail("ListTagsForResource", 2.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 2
        --- out
        REPOSITORY  INTENDED-RUNTIME
        team/api    ? its tags could not be read
        team/app    ? its tags could not be read

        2 repositories in us-west-2: 2 whose tags could not be read
        --- err
        error: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/api was denied: allow the caller this action on this resource
        error: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&declare(&aws, &["--list"]));
    expect![[r#"
        success false code 2
        --- out
        {
          "schema": "ecr-preflight-declarations/1",
          "region": "us-west-2",
          "key": "intended-runtime",
          "repositories": [
            {
              "name": "team/api",
              "arn": "arn:aws:ecr:us-west-2:123456789012:repository/team/api",
              "uri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/api",
              "declared": null,
              "runtimes": [],
              "unreadable": [],
              "error": "ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/api was denied: allow the caller this action on this resource"
            }
          ]
        }
        --- err
        error: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/api was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&declare(&aws, &["--list", "team/api", "--format", "json"]));
    aws.fail("DescribeRepositories", .., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:DescribeRepositories on arn:aws:ecr:us-west-2:*:repository/* was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&declare(&aws, &["--list"]));
}

/// The declarations of the repositories, by name.
fn declarations(aws: &FakeAws, names: &[String]) -> Vec<Option<String>> {
    names
        .iter()
        .map(|name| aws.resource_tags(name).into_iter().find(|(key, _)| key == KEY).map(|(_, value)| value))
        .collect()
}

#[test]
fn file_declares_many_repositories_and_can_be_resumed() {
    let aws = FakeAws::start();
    let names: Vec<String> = (0..300).map(|number| format!("team/service-{number:03}")).collect();
    aws.create_repositories(&names.iter().map(String::as_str).collect::<Vec<_>>());
    aws.tag_resource(&names[1], KEY, "ecs/arm64");
    aws.tag_resource(&names[2], KEY, "apprunner");
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("runtimes.tsv");
    let lines: Vec<String> = names.iter().map(|name| format!("{name}\tecs/arm64\n")).collect();
    let text = lines
        .concat()
        .replace("service-002\tecs/arm64", "service-002\t-")
        .replace("service-299\tecs/arm64", "service-299");
    std::fs::write(&file, text).unwrap();
    let from = ["--from", file.to_str().unwrap()];

    let shown = declare(&aws, &[&from[..], &["--dry-run"]].concat());
    assert!(shown.ends_with("298 of 299 to write, 1 already as requested\n--- err\n"), "{shown}");
    assert!(shown.contains("team/service-002: intended-runtime: \"apprunner\" → not set\n"), "{shown}");
    assert_eq!(write_count(&aws), 0);
    let refused = declare(&aws, &from);
    assert!(refused.starts_with("success false code 3") && refused.contains("`--yes`"), "{refused}");
    assert_eq!(write_count(&aws), 0);

    // The hundredth write is refused: the command stops, and says where.
    aws.fail("TagResource", 100..101, Fault::Error(400, "AccessDeniedException"));
    let stopped = declare(&aws, &[&from[..], &["--yes"]].concat());
    assert!(
        stopped.contains("written: 100 of 298; stopped at team/service-101; run the command again to continue\n"),
        "{stopped}"
    );
    let resumed = declare(&aws, &[&from[..], &["--yes"]].concat());
    assert!(resumed.contains("198 of 299 to write, 101 already as requested\nwritten: 198\n"), "{resumed}");
    let expected: Vec<Option<String>> =
        (0..300).map(|number| (![2, 299].contains(&number)).then(|| "ecs/arm64".to_owned())).collect();
    assert_eq!(declarations(&aws, &names), expected);

    // The list is such a file, and asks for what is there.
    let listed = declare(&aws, &["--list", "--format", "tsv"]);
    let (_, listed) = listed.split_once("--- out\n").unwrap();
    std::fs::write(&file, listed.split_once("--- err").unwrap().0).unwrap();
    let again = declare(&aws, &[&from[..], &["--yes"]].concat());
    assert!(again.contains("0 of 298 to write, 298 already as requested\n"), "{again}");
}

#[test]
fn prefix_declares_all_its_repositories() {
    let aws = aws_with_repositories();
    aws.create_repositories(&["other/app"]);
    expect![[r#"
        success true code 0
        --- out
        team/api: intended-runtime: not set → "ecs/amd64 apprunner"
        team/app: intended-runtime: not set → "ecs/amd64 apprunner"
        2 of 2 to write, 0 already as requested
        written: 2
        --- err
    "#]]
    .assert_eq(&declare(&aws, &["--prefix", "team/", "ecs/amd64", "apprunner", "--yes"]));
    let names = ["team/api", REPOSITORY, "other/app"].map(str::to_owned);
    let value = Some("ecs/amd64 apprunner".to_owned());
    assert_eq!(declarations(&aws, &names), [value.clone(), value, None]);
    expect![[r#"
        success true code 0
        --- out
        team/api: intended-runtime: "ecs/amd64 apprunner" → not set
        team/app: intended-runtime: "ecs/amd64 apprunner" → not set
        2 of 2 to write, 0 already as requested
        written: 2
        --- err
    "#]]
    .assert_eq(&declare(&aws, &["--prefix", "team/", "--remove", "--yes"]));
    assert_eq!(declarations(&aws, &names), [None, None, None]);
}

#[test]
fn bulk_declarations_with_errors_write_nothing() {
    let aws = aws_with_repositories();
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("runtimes.tsv");
    let mut text = String::new();
    for content in [
        "team/app esc/arm64\nteam/app:v1 ecs/arm64\n",
        "team/app ecs/arm64\nteam/none ecs/arm64\nno ecs/arm64\n",
        "# nothing\n",
    ] {
        std::fs::write(&file, content).unwrap();
        text += &declare(&aws, &["--from", file.to_str().unwrap(), "--yes"]).replace(file.to_str().unwrap(), "FILE");
    }
    for arguments in [
        &["--from", "/nonexistent"][..],
        &["--prefix", "team/"],
        &["--prefix", "team/", "esc/arm64"],
        &["--prefix", "team/", "ecs/arm64", "--remove"],
        &["--prefix", "nobody/", "ecs/arm64"],
        &["--from", "FILE", "ecs/arm64"],
    ] {
        text += &declare(&aws, arguments);
    }
    assert_eq!(write_count(&aws), 0);
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: nothing was written: FILE has invalid lines
            FILE:1: unknown runtime `esc/arm64`; did you mean `ecs/arm64`?
            FILE:2: `team/app:v1` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`

        hint: each line is a repository and its runtimes, for example `team/app ecs/arm64 apprunner`; `-` in place of the runtimes removes the declaration, and `#` begins a comment
        success false code 3
        --- out
        --- err
        error: nothing was written: repositories do not exist in us-west-2: team/none, no

        hint: a name refers to the account and region of the AWS CLI; use URIs or ARNs for others
        success false code 3
        --- out
        --- err
        error: nothing was written: no repository is selected
        success false code 3
        --- out
        --- err
        error: cannot read /nonexistent
          caused by: No such file or directory (os error 2)
        success false code 64
        --- out
        --- err
        error: --prefix needs at least one runtime, or --remove
        success false code 64
        --- out
        --- err
        error: unknown runtime `esc/arm64`; did you mean `ecs/arm64`?
        success false code 64
        --- out
        --- err
        error: --remove takes no runtimes
        success false code 3
        --- out
        --- err
        error: nothing was written: no repository is selected
        success false code 64
        --- out
        --- err
        error: the argument '--from <FILE>' cannot be used with '[REPOSITORY]'

        Usage: ecr-preflight declare <REPOSITORY> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare <REPOSITORY> --remove [--yes | --dry-run]
               ecr-preflight declare --from <FILE> [--yes | --dry-run]
               ecr-preflight declare --prefix <PREFIX> <RUNTIME>... [--yes | --dry-run]
               ecr-preflight declare --list [<PREFIX>] [--format <FORMAT>]
               ecr-preflight declare --suggest [<PREFIX>]

        For more information, try '--help'.
    "#]]
    .assert_eq(&text);
}
