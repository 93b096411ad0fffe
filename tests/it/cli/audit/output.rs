//! What an audit prints, and the CSV, JSON Lines and HTML files that it writes.

use std::fs;
use std::process::Command;

use expect_test::expect;

use super::Fixture;
use crate::support::aws::Fault;
use crate::support::cases::Cases;
use crate::support::layout::Builder;

#[test]
fn table_shows_failures_first_and_counts_the_rest() {
    let fixture = Fixture::with_images();
    expect![[r#"
        success false code 1
        --- out
        VERDICT  REPOSITORY       TAGS           PUSHED      RUNTIME    CAUSE
        fails    grafana/grafana  11.4.0,latest  2026-05-28  apprunner  wrong-architecture: linux/arm64
        unknown  team/app         0.9-ecs-arm64  2026-09-21  ecs/arm64  the image declares linux/arm/v7

        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1
          wrong-architecture  1
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        --- err
    "#]]
    .assert_eq(&fixture.run(&[]));
}

#[test]
fn table_is_grouped_and_cut_in_a_terminal() {
    let fixture = Fixture::with_images();
    let mut layout = Builder::new();
    let arm64 = layout.image("arm64");
    layout.tag("a-tag-that-is-longer-than-a-third-of-the-terminal-ecs-amd64", &arm64);
    layout.tag("v2-ecs-amd64", &arm64);
    let name = "team/a-repository-with-a-long-name-that-fills-more-than-the-whole-width-of-a-terminal/app";
    fixture.aws.push(name, &layout);
    for columns in ["80", "60"] {
        let output = fixture.command(&["--all-rows"]).env("COLUMNS", columns).output().unwrap();
        let text = fixture.format_output(&output);
        let table = text.split_once("--- out\n").unwrap().1.split_once(" images in ").unwrap().0;
        let width = columns.parse().unwrap();
        assert!(table.lines().all(|line| line.chars().count() <= width), "{table}");
        if columns == "80" {
            expect![[r#"
                grafana/grafana  2 images: fails 1, runs 1
                  ✗ 11.4.0 +1                   apprunner  wrong-architecture: linux/arm64
                  ✓ 11.5.0                      apprunner

                …ls-more-than-the-whole-width-of-a-terminal/app  2 images: fails 1, undeclared 1
                  ✗ v2-ecs-amd64                ecs/amd64  wrong-architecture: linux/arm64
                  - …of-the-terminal-ecs-amd64

                team/app  1 image: unknown 1
                  ? 0.9-ecs-arm64               ecs/arm64  the image declares linux/arm/v7

                team/tools  1 image: undeclared 1
                  - v1

                6"#]]
            .assert_eq(table);
        }
    }
}

#[test]
fn all_rows_and_dates_are_shown_in_a_wide_terminal() {
    let fixture = Fixture::with_images();
    let mut command = fixture.command(&["--all-rows"]);
    expect![[r#"
        success false code 1
        --- out
        grafana/grafana  2 images: fails 1, runs 1
          ✗ 11.4.0 +1      2026-05-28  apprunner  wrong-architecture: linux/arm64
          ✓ 11.5.0         2026-07-25  apprunner

        team/app  1 image: unknown 1
          ? 0.9-ecs-arm64  2026-09-21  ecs/arm64  the image declares linux/arm/v7

        team/tools  1 image: undeclared 1
          - v1             2026-09-21

        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1
          wrong-architecture  1
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        --- err
    "#]]
    .assert_eq(&fixture.format_output(&command.env("COLUMNS", "140").output().unwrap()));
    let unverified = fixture.command(&["--all-rows", "--no-exec"]).env("COLUMNS", "140").output().unwrap();
    let unverified = fixture.format_output(&unverified);
    let lines = unverified.lines().filter(|line| line.contains("runs") || line.contains('~'));
    expect![[r#"
        grafana/grafana  2 images: fails 1, runs 1
        ~ 11.5.0         2026-07-25  apprunner  not verified: disabled by PREFLIGHT_INSPECT or --no-exec
        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1 (1 not verified)
    "#]]
    .assert_eq(&lines.map(|line| format!("{}\n", line.trim())).collect::<String>());
}

#[test]
fn audit_colors_follow_the_environment() {
    let fixture = Fixture::with_images();
    let colored = |settings: &[(&str, &str)]| {
        let output = fixture.command(&[]).envs(settings.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(colored(&[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[]), "standard output is not a terminal");
    assert!(!colored(&[("NO_COLOR", "1")]));
}

#[test]
fn jsonl_and_csv_are_printed_to_stdout() {
    let fixture = Fixture::with_images();
    let output = fixture.output(&["--format", "jsonl"]);
    let verdicts: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["fails", "unknown", "undeclared", "runs"]);
    expect![[r#"
        success false code 1
        --- out
        image_verdict,account,region,repository,tag,also_tagged,digest,pushed_at,platforms,runtime,verdict,faults,evidence,symptom,remedy,unknown,not_verified,ignored,owner
        fails,123456789012,us-west-2,grafana/grafana,11.4.0,latest,sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8,2026-05-28T20:26:40Z,linux/arm64,apprunner,fails,wrong-architecture,"the image is built for linux/arm64, not linux/amd64",exec /app: exec format error,docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 --push .; docker buildx imagetools create --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 SOURCE,,,,
        unknown,123456789012,us-west-2,team/app,0.9-ecs-arm64,,sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0,2026-09-21T14:13:20Z,linux/arm/v7,ecs/arm64,unknown,,,,,the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs,,,
        undeclared,123456789012,us-west-2,team/tools,v1,,sha256:7f2861b59251341fa6863066c3024d3814a61931f837a60d749013599230566b,2026-09-21T14:13:20Z,linux/amd64,,,,,,,,,,
        runs,123456789012,us-west-2,grafana/grafana,11.5.0,,sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223,2026-07-25T17:20:00Z,linux/amd64 linux/arm64,apprunner,runs,,,,,,,,
        --- err
        4 images in 3 repositories: fails 1, unknown 1, undeclared 1, runs 1
          wrong-architecture  1
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
    "#]].assert_eq(&fixture.run(&["--format", "csv"]));
    let quiet = fixture.output(&["--format", "csv", "-q"]);
    let loud = fixture.output(&["--format", "csv"]);
    assert_eq!((quiet.stdout, quiet.stderr, quiet.status), (loud.stdout, Vec::new(), loud.status));
    // A run without a results file leaves no file behind.
    assert_eq!(fs::read_dir(fixture.directory.path()).unwrap().count(), 0);
}

#[test]
fn markdown_lists_problems() {
    let fixture = Fixture::with_images();
    let output = fixture.output(&["--format", "markdown", "--results", "DIR/all.jsonl"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    expect![[r#"
        1 of 4 images will not start, 1 unknown.

        | Verdict | Image | Runtime | Cause |
        |---|---|---|---|
        | ✗ fails | `grafana/grafana:11.4.0`, `latest` | `apprunner` | `wrong-architecture: linux/arm64` |
        | ? unknown | `team/app:0.9-ecs-arm64` | `ecs/arm64` | `the image declares linux/arm/v7` |
    "#]]
    .assert_eq(&printed);
    // The same from the stored results, without AWS.
    let (results, csv) = (fixture.path("all.jsonl"), fixture.path("page.csv"));
    let page = |format: &str, output: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
        command.env_clear().arg("page").arg(&results).args(["--format", format, "--output", output]).output().unwrap()
    };
    assert_eq!(String::from_utf8(page("markdown", "-").stdout).unwrap(), printed);
    assert!(page("csv", &csv.display().to_string()).status.success());
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let from_audit = String::from_utf8(fixture.output(&["--format", "csv"]).stdout).unwrap();
    assert_eq!(sorted(fs::read_to_string(csv).unwrap()), sorted(from_audit));
}

#[test]
fn result_line_is_the_report_of_the_function() {
    let fixture = Fixture::with_images();
    fixture.run(&["--repository", "grafana/grafana", "--newest", "1", "--results", "DIR/all.jsonl"]);
    expect![[r#"
        {"schema":"ecr-preflight/1","arrival":{"how":"audit","account":"123456789012","region":"us-west-2","repository":"grafana/grafana","digest":"sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223","tag":"11.5.0","pushedAt":"2026-07-25T17:20:00Z"},"image":{"reference":"123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.5.0","digest":"sha256:6072ef59ad52431365443c066721a0f485a2ec3dc762325f9635106b44b7e223","mediaType":"application/vnd.oci.image.index.v1+json","kind":"index","platforms":["linux/amd64","linux/arm64"]},"intended":[{"runtime":"apprunner","declaredBy":"repository-tag"}],"verdict":"runs","runtimes":[{"runtime":"apprunner","verdict":"runs","verified":true,"unknown":[],"faults":[]}],"exec":[{"platform":"linux/amd64","host":"linux/amd64","argv":["/app"],"outcome":"starts","chain":["/app"]}]}
    "#]].assert_eq(&fs::read_to_string(fixture.path("all.jsonl")).unwrap());
}

#[test]
fn results_name_the_owner() {
    let fixture = Fixture::with_images();
    fixture.aws.tag_resource("grafana/grafana", "ecr-preflight:owner", "team-observability");
    let arguments = ["--repository", "grafana/grafana", "--results", "DIR/all.jsonl", "--format", "csv"];
    let csv = String::from_utf8(fixture.output(&arguments).stdout).unwrap();
    assert!(csv.lines().skip(1).count() == 2 && csv.lines().skip(1).all(|row| row.ends_with(",team-observability")));
    assert!(fixture.lines("all.jsonl").iter().all(|report| report["owner"] == "team-observability"));
}

#[test]
fn csv_and_html_are_written_beside_the_table() {
    let fixture = Fixture::with_images();
    fixture.run(&["--csv", "DIR/all.csv", "--html", "DIR/all.html"]);
    let sheet = fs::read_to_string(fixture.path("all.csv")).unwrap();
    assert_eq!(sheet.as_bytes(), fixture.output(&["--format", "csv"]).stdout);
    let page = fs::read_to_string(fixture.path("all.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("wrong-architecture"));
}

#[test]
fn files_are_written_after_stdout_is_closed() {
    let fixture = Fixture::with_images();
    let mut running = fixture.command(&["--csv", "DIR/all.csv", "--html", "DIR/all.html"]).spawn().unwrap();
    drop(running.stdout.take());
    assert_eq!(running.wait().unwrap().code(), Some(141));
    assert!(fs::read_to_string(fixture.path("all.csv")).unwrap().contains("grafana/grafana"));
    assert!(fs::read_to_string(fixture.path("all.html")).unwrap().contains("wrong-architecture"));
}

/// The headline, facts and notes of a page, with the time of the audit masked.
fn page_head(page: &str) -> String {
    let body = page.split_once("<h1>").unwrap().1;
    let headline = body.split_once("</h1>").unwrap().0;
    let facts = body.split("<dt>").skip(1).map(|fact| {
        let (name, rest) = fact.split_once("</dt><dd>").unwrap();
        let value = rest.split_once("</dd>").unwrap().0;
        let is_time = value.starts_with("20") && value.ends_with(" UTC");
        format!("{name}: {}", if is_time { "TIME UTC" } else { value })
    });
    let notes = body.split("<p class=\"note\">").skip(1).map(|note| note.split_once("</p>").unwrap().0.to_owned());
    let lines: Vec<String> = [headline.to_owned()].into_iter().chain(facts).chain(notes).collect();
    lines.join("\n")
}

#[test]
fn audit_page_shows_time_settings_and_gaps() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 2, "arm64");
    fixture.aws.push_indexes("team/tools", 2, "arm64");
    fixture.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    fixture.aws.tag_resource("team/tools", "intended-runtime", "ecs/arm64");
    let page = || {
        let output = fixture.output(&["--html", "DIR/x.html", "--concurrency", "1"]);
        (output.status.code(), fs::read_to_string(fixture.path("x.html")).unwrap())
    };
    let (code, whole) = page();
    assert_eq!(code, Some(0));
    expect![[r#"
        No image is known to fail, but the start of 4 of 4 images is not verified
        Registry: 123456789012, us-west-2
        Checked: TIME UTC
        Repositories: 2
        Images: 4
        Selected: the newest 10 of each repository
        Settings: inspect=manifest
        The counts above are complete. The list of images needs a script in this file, but scripts are disabled here."#]].assert_eq(&page_head(&whole));
    let (images, listings) =
        (fixture.aws.calls_of("BatchGetImage").len(), fixture.aws.calls_of("DescribeImages").len());
    fixture.aws.fail("BatchGetImage", images + 1..=images + 1, Fault::Error(400, "AccessDeniedException"));
    fixture.aws.fail("DescribeImages", listings + 1..=listings + 1, Fault::Error(400, "AccessDeniedException"));
    let (code, partial) = page();
    assert_eq!(code, Some(2));
    expect![[r#"
        No image is known to fail, but not all were checked
        Registry: 123456789012, us-west-2
        Checked: TIME UTC
        Repositories: 1
        Images: 1
        Selected: the newest 10 of each repository
        Settings: inspect=manifest
        1 image could not be read.
        The images of 1 repository could not be listed.
        The counts above are complete. The list of images needs a script in this file, but scripts are disabled here."#]].assert_eq(&page_head(&partial));
}

#[test]
fn unwritable_files_are_errors_before_any_call() {
    let fixture = Fixture::with_images();
    let mut cases = Cases::default();
    for arguments in [["--csv", "DIR/none/x.csv"], ["--html", "DIR/none/x"], ["--results", "DIR/none/x.jsonl"]] {
        cases.add(arguments.join(" "), fixture.run(&arguments));
    }
    expect![[r#"
        --csv DIR/none/x.csv
            success false code 3
            --- out
            --- err
            error: cannot write DIR/none/x.csv
              caused by: No such file or directory (os error 2)
        --html DIR/none/x
            success false code 3
            --- out
            --- err
            error: cannot write DIR/none/x
              caused by: No such file or directory (os error 2)
        --results DIR/none/x.jsonl
            success false code 3
            --- out
            --- err
            error: DIR/none/x.jsonl cannot be opened or read
              caused by: No such file or directory (os error 2)
    "#]]
    .assert_eq(cases.as_str());
    assert_eq!(fixture.aws.calls().len(), 0);
}

#[test]
fn audit_help() {
    let fixture = Fixture::new();
    expect![[r#"
        success true code 0
        --- out
        Check the images that a registry of Amazon ECR already contains.

        Without --runtime, each image is checked for the runtimes that its tags, its repository's resource
        tag or its label declare. Tags of one image that declare nothing share one result.

        Results are written to the results file as they arrive. After an interruption, the same command
        resumes with the images that are missing or could not be read.

        Usage: ecr-preflight audit [OPTIONS]

        Options:
              --prefix <PREFIX>
                  Only repositories whose names begin with this prefix

              --repository <NAME>
                  Only this repository; can be repeated

              --where <KEY=VALUE>
                  Only repositories with this resource tag; if repeated, with all of them

              --newest <N>
                  Only the N images of each repository that were pushed last

                  [default: 10]

              --all
                  Every tagged image

              --region <REGION>
                  The region of the registry; by default that of the environment or the profile

              --runtime <RUNTIME>
                  The runtime of all images, whatever they declare; can be repeated

                  [alias: --platform]
                  [possible values: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore,
                  linux/amd64, linux/arm64]

              --no-exec
                  Read manifests and configs only; do not inspect the program in the layers

              --config <FILE>
                  Read this configuration file. Default: `.ecr-preflight.toml` in the working directory or
                  the nearest directory above it, up to the root of the git repository

              --no-config
                  Do not read a configuration file

              --results <FILE>
                  Keep the results in this file, one report a line. Images that it already contains are not
                  checked again

              --baseline <FILE>
                  Compare with the results file of an earlier audit: only new findings count. A finding is
                  known if the same repository had the same fault on the same runtime

              --fresh
                  Overwrite the results file

              --csv <FILE>
                  Write all results as CSV, a row for each image and runtime

              --html <FILE>
                  Write all results as an HTML page

              --consumers
                  Also show what runs each image. This reads the services that `consumers` reads, in the
                  region of the registry, with the same permissions. Verdicts do not change: `consumers
                  --check` checks images for what runs them

              --format <FORMAT>
                  The output format

                  Possible values:
                  - table:    For people: failing and unknown images, and a summary
                  - jsonl:    For programs: every report, one a line
                  - csv:      For spreadsheets: every image and runtime
                  - markdown: For issues and pull requests: failing and unknown images

                  [default: table]

              --all-rows
                  Show images without problems in the table or in Markdown, too

              --concurrency <N>
                  How many images to check at once; fewer while AWS throttles

                  [default: 16]

              --via-lambda
                  Let the deployed function check the images: this tool only lists them, sends them to the
                  function as events, and reads the reports from its log. The function's settings apply

              --stack <STACK>
                  The function's stack, for --via-lambda. Its log group is /aws/lambda/STACK

                  [default: ecr-preflight]

              --rate <N>
                  The highest number of events a second, for --via-lambda; fewer while the event bus refuses
                  them

                  [default: 50]

              --no-follow
                  Do not wait for the reports, for --via-lambda: they stay in the function's log

              --timeout <SECONDS>
                  How many seconds to wait for the next report, for --via-lambda

                  [default: 300]

              --notify
                  Send one message about failing and unknown images to the topic of the setting
                  `PREFLIGHT_TOPIC_ARN`, if there are any

          -h, --help
                  Print help (see a summary with '-h')

        Global options:
              --color <WHEN>
                  When to use colors. `auto` uses them in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -v, --verbose
                  Show all causes of errors, and how much `check` read and how long it took, on standard
                  error

          -q, --quiet
                  Show only results and errors: no progress, notes or summaries. `check` reports only images
                  that do not pass

        Examples:
          ecr-preflight audit --prefix team/ --results team.jsonl
          ecr-preflight audit --all --where env=prod --results prod.jsonl --csv prod.csv
          ecr-preflight audit --repository team/app --runtime lambda/arm64 --no-exec
          ecr-preflight audit --all --via-lambda --results all.jsonl --html all.html
          ecr-preflight audit --consumers --html in-use.html

        Exit codes:
          0    no image fails
          1    an image fails, by a fault that is neither waived nor in the baseline
          2    no image fails, but one is unknown or could not be read; or with --consumers, a service
               could not be read completely
          3    an error ended the audit
          64   the command line or a setting is wrong
          130  interrupted
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--help"]));
}
