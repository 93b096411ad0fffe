//! `audit --consumers`: who runs each image, and what is unknown about that.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use super::Fixture;
use super::via_lambda::Function;
use crate::report::schema::assert_valid;
use crate::support::aws::Fault;
use crate::support::aws::account::{Account, CODE_URL, REGISTRY, SECRET_VALUE};
use crate::support::layout::{Builder, with_platform};

const DENIED: Fault = Fault::Error(400, "AccessDeniedException");

/// The images of [`Fixture::with_images`]: two consumers run one that fails, one by its other tag and one by its digest;
/// one consumer pins one that runs; five run one that is unknown; nobody runs the last. Another runs an image that does
/// not exist.
fn fixture() -> Fixture {
    let fixture = Fixture::with_images();
    let mut layout = Builder::new();
    let (amd64, arm64) = (layout.image("amd64"), layout.image("arm64"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    let (arm64, both) = (layout.tag("x", &arm64).to_string(), layout.tag("y", &both).to_string());
    let grafana = format!("{REGISTRY}/grafana/grafana");
    let mut account = Account::default();
    let fargate = json!({"requiresCompatibilities": ["FARGATE"]});
    let add_service = |account: &mut Account, cluster: &str, name: &str, image: &str| {
        let definition = account.add_definition(&format!("{name}:1"), image, &json!({}), &fargate);
        account.add_service(cluster, name, &definition, &json!({}));
    };
    add_service(&mut account, "prod", "web", &format!("{grafana}:latest"));
    account.add_function("resize", &format!("{grafana}:old"), &arm64, &json!({"Architectures": ["arm64"]}));
    add_service(&mut account, "prod", "pinned", &format!("{grafana}@{both}"));
    for number in 1..=5 {
        let name = format!("service-with-a-long-name-{number}");
        add_service(&mut account, "staging", &name, &format!("{REGISTRY}/team/app:0.9-ecs-arm64"));
    }
    account.add_job_definition("import", &format!("{REGISTRY}/team/gone:v9"), &json!({}), &json!({}));
    fixture.aws.set_account(account);
    fixture
}

fn stdout_lines(fixture: &Fixture, arguments: &[&str]) -> Vec<Value> {
    let output = String::from_utf8(fixture.output(arguments).stdout).unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The tag, the consumers and what was not read of each line.
fn uses(lines: &[Value]) -> String {
    let line = |line: &Value| {
        let names = line["inUse"]["by"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap());
        let names = names.collect::<Vec<_>>().join(" ");
        let line = format!("{}: {names} {}", line["arrival"]["tag"].as_str().unwrap(), line["inUse"]["notRead"]);
        line.replace(" null", "") + "\n"
    };
    lines.iter().map(line).collect()
}

#[test]
fn lines_in_a_pipe_name_all_consumers() {
    expect![[r#"
        success false code 1
        --- out
        VERDICT     REPOSITORY       TAGS           PUSHED      RUNTIME    IN USE BY                                                     CAUSE
        fails       grafana/grafana  11.4.0,latest  2026-05-28  apprunner  prod/web,resize                                               wrong-architecture: linux/arm64
        runs        grafana/grafana  11.5.0         2026-07-25  apprunner  prod/pinned                                                   -
        unknown     team/app         0.9-ecs-arm64  2026-09-21  ecs/arm64  staging/service-with-a-long-name-1,staging/service-with-a-long-name-2,staging/service-with-a-long-name-3,staging/service-with-a-long-name-4,staging/service-with-a-long-name-5  the image declares linux/arm/v7
        undeclared  team/tools       v1             2026-09-21  -          -                                                             -

        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1
          wrong-architecture  1
        in use: 3 images: fails 1, unknown 1, runs 1
        1 consumer runs an image of Amazon ECR that has no result here
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        --- err
    "#]].assert_eq(&fixture().run(&["--consumers", "--all-rows"]));
}

#[test]
fn consumers_have_a_column_in_a_terminal() {
    let fixture = fixture();
    let table = |columns: &str| {
        let output = fixture.command(&["--all-rows", "--consumers"]).env("COLUMNS", columns).output().unwrap();
        let text = fixture.format_output(&output);
        let table = text.split_once("--- out\n").unwrap().1.split_once(" images in ").unwrap().0.to_owned();
        assert!(table.lines().all(|line| line.chars().count() <= columns.parse().unwrap()), "{table}");
        table
    };
    expect![[r#"
            TAGS           RUNTIME    IN USE BY         CAUSE
        grafana/grafana  2 images: fails 1, runs 1
          ✗ 11.4.0 +1      apprunner  prod/web, resize  wrong-architecture: linux/arm64
          ✓ 11.5.0         apprunner  prod/pinned

        team/app  1 image: unknown 1
          ? 0.9-ecs-arm64  ecs/arm64  …-long-name-1 +4  the image declares linux/arm/v7

        team/tools  1 image: undeclared 1
          - v1

        4"#]]
    .assert_eq(&table("80"));
    expect![[r#"
            TAGS           RUNTIME    IN USE BY                 CAUSE
        grafana/grafana  2 images: fails 1, runs 1
          ✗ 11.4.0 +1      apprunner  prod/web, resize          wrong-architecture: linux/arm64
          ✓ 11.5.0         apprunner  prod/pinned

        team/app  1 image: unknown 1
          ? 0.9-ecs-arm64  ecs/arm64  …e-with-a-long-name-1 +4  the image declares linux/arm/v7

        team/tools  1 image: undeclared 1
          - v1

        4"#]]
    .assert_eq(&table("120"));
    expect![[r#"
            TAGS           PUSHED      RUNTIME    IN USE BY                         CAUSE
        grafana/grafana  2 images: fails 1, runs 1
          ✗ 11.4.0 +1      2026-05-28  apprunner  prod/web, resize                  wrong-architecture: linux/arm64
          ✓ 11.5.0         2026-07-25  apprunner  prod/pinned

        team/app  1 image: unknown 1
          ? 0.9-ecs-arm64  2026-09-21  ecs/arm64  …g/service-with-a-long-name-1 +4  the image declares linux/arm/v7

        team/tools  1 image: undeclared 1
          - v1             2026-09-21

        4"#]]
    .assert_eq(&table("160"));
    table("60");
}

#[test]
fn result_lines_list_consumers() {
    let fixture = fixture();
    let lines = stdout_lines(&fixture, &["--consumers", "--format", "jsonl"]);
    lines.iter().for_each(|line| assert_valid(line, "audit --consumers"));
    expect![[r#"
        11.4.0: prod/web resize
        0.9-ecs-arm64: staging/service-with-a-long-name-1 staging/service-with-a-long-name-2 staging/service-with-a-long-name-3 staging/service-with-a-long-name-4 staging/service-with-a-long-name-5
        v1: 
        11.5.0: prod/pinned
    "#]].assert_eq(&uses(&lines));
    expect![[r#"
        {
          "by": [
            {
              "container": "app",
              "definition": "web:1",
              "name": "prod/web",
              "service": "ecs"
            },
            {
              "definition": "resize",
              "name": "resize",
              "service": "lambda"
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&lines[0]["inUse"]).unwrap());
    // Verdicts and order do not depend on consumers, and without them nothing changes.
    let without = stdout_lines(&fixture, &["--format", "jsonl"]);
    let bare = lines.into_iter().map(|mut line| {
        line.as_object_mut().unwrap().remove("inUse").unwrap();
        line
    });
    assert_eq!(bare.collect::<Vec<_>>(), without);
}

#[test]
fn csv_and_markdown_have_a_column() {
    let fixture = fixture();
    let csv = fixture.output(&["--consumers", "--format", "csv"]).stdout;
    let csv = String::from_utf8(csv).unwrap();
    let ends: String = csv.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().1)).collect();
    expect![[r#"
        in_use_by
        prod/web resize
        staging/service-with-a-long-name-1 staging/service-with-a-long-name-2 staging/service-with-a-long-name-3 staging/service-with-a-long-name-4 staging/service-with-a-long-name-5

        prod/pinned
    "#]].assert_eq(&ends);
    let markdown = fixture.output(&["--consumers", "--format", "markdown", "--all-rows"]).stdout;
    expect![[r#"
        1 of 4 images will not start, 1 unknown.

        | Verdict | Image | Runtime | In use by | Cause |
        |---|---|---|---|---|
        | ✗ fails | `grafana/grafana:11.4.0`, `latest` | `apprunner` | `prod/web`, `resize` | `wrong-architecture: linux/arm64` |
        | ? unknown | `team/app:0.9-ecs-arm64` | `ecs/arm64` | `staging/service-with-a-long-name-1`, `staging/service-with-a-long-name-2`, `staging/service-with-a-long-name-3`, `staging/service-with-a-long-name-4`, `staging/service-with-a-long-name-5` | `the image declares linux/arm/v7` |
        | ✓ runs | `grafana/grafana:11.5.0` | `apprunner` | `prod/pinned` |  |
        | - undeclared | `team/tools:v1` |  |  |  |
    "#]].assert_eq(&String::from_utf8(markdown).unwrap());
    let page = crate::cli::page::rows(&{
        fixture.output(&["--consumers", "--html", "DIR/x.html"]);
        fs::read_to_string(fixture.path("x.html")).unwrap()
    });
    for secret in [SECRET_VALUE, CODE_URL, "PRESIGNED"] {
        assert!(!csv.contains(secret) && !json!(page).to_string().contains(secret), "{secret} is written");
    }
    // The same from the lines, without AWS.
    fs::write(fixture.path("x.jsonl"), fixture.output(&["--consumers", "--format", "jsonl"]).stdout).unwrap();
    let results = fixture.path("x.jsonl").display().to_string();
    let from_lines = crate::cli::run(&["page", &results, "--format", "csv", "--output", "-"], &[]);
    assert!(from_lines.contains(&csv), "{from_lines}");
}

#[test]
fn refused_services_are_unknown() {
    let fixture = fixture();
    fixture.aws.fail("ListClusters", 1.., DENIED);
    expect![[r#"
        success false code 1
        --- out
        VERDICT     REPOSITORY       TAGS           PUSHED      RUNTIME    IN USE BY  CAUSE
        fails       grafana/grafana  11.4.0,latest  2026-05-28  apprunner  resize     wrong-architecture: linux/arm64
        runs        grafana/grafana  11.5.0         2026-07-25  apprunner  ?          -
        unknown     team/app         0.9-ecs-arm64  2026-09-21  ecs/arm64  ?          the image declares linux/arm/v7
        undeclared  team/tools       v1             2026-09-21  -          ?          -

        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1
          wrong-architecture  1
        in use: 1 image: fails 1
        1 consumer runs an image of Amazon ECR that has no result here
        not read: Amazon ECS: ecs:ListClusters: access denied
        The consumers of Amazon ECS in us-west-2 are unknown or incomplete: an image without one may be in use.
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--consumers", "--all-rows"]));
    let lines = stdout_lines(&fixture, &["--consumers", "--format", "jsonl"]);
    lines.iter().for_each(|line| assert_valid(line, "audit --consumers"));
    expect![[r#"
        11.4.0: resize ["ecs"]
        0.9-ecs-arm64:  ["ecs"]
        v1:  ["ecs"]
        11.5.0:  ["ecs"]
    "#]]
    .assert_eq(&uses(&lines));
    let csv = String::from_utf8(fixture.output(&["--consumers", "--format", "csv"]).stdout).unwrap();
    assert_eq!(csv.lines().filter(|line| line.ends_with(",unknown")).count(), 3, "{csv}");
    let markdown = String::from_utf8(fixture.output(&["--consumers", "--format", "markdown"]).stdout).unwrap();
    assert!(markdown.contains("| `ecs/arm64` | unknown |"), "{markdown}");
}

#[test]
fn unread_services_change_only_a_success() {
    let code = |fixture: &Fixture, arguments: &[&str]| fixture.output(arguments).status.code().unwrap();
    let fixture = fixture();
    let tools = ["--repository", "team/tools", "--consumers"];
    assert_eq!([code(&fixture, &tools), code(&fixture, &["--consumers"])], [0, 1]);
    fixture.aws.fail("ListFunctions", 1.., DENIED);
    assert_eq!([code(&fixture, &tools), code(&fixture, &tools[..2]), code(&fixture, &["--consumers"])], [2, 0, 1]);
}

#[test]
fn callers_without_credentials_get_one_error() {
    let fixture = fixture();
    for action in
        ["ListClusters", "ListFunctions", "AppRunner.ListServices", "DescribeJobDefinitions", "ListAgentRuntimes"]
    {
        fixture.aws.fail(action, 1.., Fault::Error(400, "ExpiredTokenException"));
    }
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecs:ListClusters failed
          caused by: the AWS session has expired

        hint: get new credentials, with `aws sso login` if you use single sign-on
    "#]]
    .assert_eq(&fixture.run(&["--consumers", "--results", "DIR/x.jsonl"]));
    assert!(fixture.aws.calls_of("DescribeRepositories").is_empty() && !fixture.path("x.jsonl").exists());
}

#[test]
fn consumers_are_read_again_on_a_resume() {
    let fixture = fixture();
    let arguments = ["--consumers", "--results", "DIR/x.jsonl", "--format", "jsonl"];
    let first = stdout_lines(&fixture, &arguments);
    let stored = fs::read_to_string(fixture.path("x.jsonl")).unwrap();
    assert!(!stored.contains("inUse"), "the results file keeps what was found in the images");
    let calls = fixture.aws.calls_of("BatchGetImage").len();
    // Nothing runs any more, except for one service that now starts another image.
    let mut account = Account::default();
    let image = format!("{REGISTRY}/team/tools:v1");
    let definition = account.add_definition("web:2", &image, &json!({}), &json!({}));
    account.add_service("prod", "web", &definition, &json!({}));
    fixture.aws.set_account(account);
    let second = stdout_lines(&fixture, &arguments);
    assert_eq!(fixture.aws.calls_of("BatchGetImage").len(), calls, "no image is checked again");
    assert_eq!(fs::read_to_string(fixture.path("x.jsonl")).unwrap(), stored);
    expect![[r#"
        11.4.0: prod/web resize
        0.9-ecs-arm64: staging/service-with-a-long-name-1 staging/service-with-a-long-name-2 staging/service-with-a-long-name-3 staging/service-with-a-long-name-4 staging/service-with-a-long-name-5
        v1: 
        11.5.0: prod/pinned
        ---
        11.4.0: 
        0.9-ecs-arm64: 
        v1: prod/web
        11.5.0: 
    "#]].assert_eq(&(uses(&first) + "---\n" + &uses(&second)));
}

#[test]
fn moved_tags_are_those_of_the_listing() {
    let fixture = Fixture::new();
    let mut layout = Builder::new();
    let old = layout.image("amd64");
    layout.tag("v1", &old);
    fixture.aws.push("team/app", &layout);
    let mut account = Account::default();
    let definition = account.add_definition("web:1", &format!("{REGISTRY}/team/app:v1"), &json!({}), &json!({}));
    account.add_service("prod", "web", &definition, &json!({}));
    fixture.aws.set_account(account);
    let arguments = ["--consumers", "--results", "DIR/x.jsonl", "--format", "jsonl"];
    let of_amd64 = |lines: &[Value]| {
        let mut found: Vec<(bool, usize)> = lines
            .iter()
            .map(|line| (line["image"]["platforms"][0] == "linux/amd64", line["inUse"]["by"].as_array().unwrap().len()))
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(of_amd64(&stdout_lines(&fixture, &arguments)), [(true, 1)]);
    let mut layout = Builder::new();
    let new = layout.image("arm64");
    layout.tag("v1", &new);
    fixture.aws.push("team/app", &layout);
    assert_eq!(of_amd64(&stdout_lines(&fixture, &arguments)), [(false, 1), (true, 0)]);
    // Lines that were printed are valid results, but their consumers are not kept.
    let printed = fixture.output(&arguments).stdout;
    fs::write(fixture.path("y.jsonl"), printed).unwrap();
    let resumed = fixture.output(&["--results", "DIR/y.jsonl", "--format", "jsonl"]).stdout;
    assert!(!String::from_utf8(resumed).unwrap().contains("inUse"));
}

#[test]
fn page_shows_consumers_and_a_filter() {
    let fixture = fixture();
    let page = |arguments: &[&str]| {
        fixture.output(&[&["--html", "DIR/x.html"], arguments].concat());
        fs::read_to_string(fixture.path("x.html")).unwrap()
    };
    let plain = page(&[]);
    assert!(!plain.contains("id=\"in-use\""));
    let shown = |page: &str| {
        let rows = crate::cli::page::rows(page);
        let row = |[row, details]: [Value; 2]| format!("{} {} {}\n", row["tag"], row["users"], details["users"]);
        rows.into_iter().map(row).collect::<String>()
    };
    assert!(crate::cli::page::rows(&plain).iter().flatten().all(|part| part.get("users").is_none()));
    let whole = page(&["--consumers", "--concurrency", "1"]);
    assert!(whole.contains("<input id=\"in-use\" type=\"checkbox\"> In use <span class=\"dim\">3</span>"));
    assert!(!whole.contains("unknown or incomplete"));
    expect![[r#"
        "11.5.0" ["prod/pinned"] ["prod/pinned, container app of pinned:1 (Amazon ECS)"]
        "11.4.0" ["prod/web","resize"] ["prod/web, container app of web:1 (Amazon ECS)","resize (AWS Lambda)"]
        "0.9-ecs-arm64" ["staging/service-with-a-long-name-1","staging/service-with-a-long-name-2","staging/service-with-a-long-name-3","staging/service-with-a-long-name-4","staging/service-with-a-long-name-5"] ["staging/service-with-a-long-name-1, container app of service-with-a-long-name-1:1 (Amazon ECS)","staging/service-with-a-long-name-2, container app of service-with-a-long-name-2:1 (Amazon ECS)","staging/service-with-a-long-name-3, container app of service-with-a-long-name-3:1 (Amazon ECS)","staging/service-with-a-long-name-4, container app of service-with-a-long-name-4:1 (Amazon ECS)","staging/service-with-a-long-name-5, container app of service-with-a-long-name-5:1 (Amazon ECS)"]
        "v1" [] []
    "#]].assert_eq(&shown(&whole));
    fixture.aws.fail("ListClusters", 1.., DENIED);
    fixture.aws.fail("ListAgentRuntimes", 1.., DENIED);
    let partial = page(&["--consumers", "--concurrency", "1"]);
    let note = "<p class=\"note\">The consumers of Amazon Bedrock AgentCore, Amazon ECS in us-west-2 are unknown or incomplete: an \
                image without one may be in use.</p>";
    assert!(partial.contains(note));
    expect![[r#"
        "11.5.0" null []
        "11.4.0" ["resize"] ["resize (AWS Lambda)"]
        "0.9-ecs-arm64" null []
        "v1" null []
    "#]]
    .assert_eq(&shown(&partial));
    // Why they are unknown has nothing to do with the images.
    let headline = |page: &str| page.split_once("<h1>").unwrap().1.split_once("</h1>").unwrap().0.to_owned();
    assert_eq!(headline(&partial), headline(&plain));
}

#[test]
fn consumers_of_other_regions_are_unknown() {
    let fixture = fixture();
    let arguments = ["--repository", "team/tools", "--consumers", "--all-rows", "--results", "DIR/x.jsonl"];
    fixture.run(&arguments);
    let line = fs::read_to_string(fixture.path("x.jsonl")).unwrap();
    let elsewhere = line.replace("\"region\":\"us-west-2\"", "\"region\":\"us-east-1\"");
    fs::write(fixture.path("x.jsonl"), elsewhere).unwrap();
    expect![[r#"
        success true code 0
        --- out
        VERDICT     REPOSITORY                                               TAGS  PUSHED      RUNTIME  IN USE BY  CAUSE
        undeclared  123456789012.dkr.ecr.us-east-1.amazonaws.com/team/tools  v1    2026-09-21  -        ?          -
        undeclared  123456789012.dkr.ecr.us-west-2.amazonaws.com/team/tools  v1    2026-09-21  -        -          -

        2 images in 2 repositories: undeclared 2
        in use: 0 images
        9 consumers run images of Amazon ECR that have no result here
        The consumers of AWS App Runner, AWS Batch, AWS Lambda, Amazon Bedrock AgentCore, Amazon ECS in us-east-1 are unknown or incomplete: an image without one may be in use.
        1 image checked in TIME, N requests
        wrote DIR/x.jsonl
        --- err
    "#]].assert_eq(&fixture.run(&arguments));
}

#[test]
fn function_checks_images_that_consumers_run() {
    let fixture = Arc::new(fixture());
    let _function = Function::start(&fixture, &[]);
    let own = fixture.run(&["--consumers", "--all-rows"]);
    assert_eq!(fixture.run(&["--consumers", "--all-rows", "--via-lambda"]), own);
}

#[test]
fn interrupted_reading_leaves_no_file() {
    let fixture = fixture();
    fixture.aws.set_delay(Duration::from_secs(2));
    let running = fixture.command(&["--consumers", "--results", "DIR/x.jsonl"]).spawn().unwrap();
    let began = Instant::now();
    while fixture.aws.calls_of("ListFunctions").is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert_eq!((output.status.code(), fixture.path("x.jsonl").exists()), (Some(130), false));
}

#[test]
fn consumers_need_the_results() {
    let output = fixture().run(&["--consumers", "--via-lambda", "--no-follow"]);
    assert!(output.starts_with("success false code 64") && output.contains("--no-follow"), "{output}");
}
