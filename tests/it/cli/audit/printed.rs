//! What is printed and written at the end.

use std::fs;

use expect_test::expect;

use super::Stage;
use crate::support::aws::Fault;

#[test]
fn what_is_amiss_is_shown_the_worst_first_and_the_rest_is_counted() {
    let stage = Stage::filled();
    expect![[r#"
        success false code 1
        --- out
        VERDICT     IMAGE                         WHERE         WHY
        fails       grafana/grafana:11.4.0 +1     apprunner     wrong-architecture: the…
        unknown     team/app:old-ecs-arm64        ecs/arm64     the image claims linux/…

        4 images of 3 repositories: 1 fail, 1 cannot be told, 1 undeclared, 1 run
          wrong-architecture  1
        not asked about: 1 other than images (charts, signatures)
        4 answers in TIME, N requests
        --- err
    "#]]
    .assert_eq(&stage.run(&[]));
}

#[test]
fn everything_is_shown_where_it_is_asked_for_and_dates_where_there_is_room() {
    let stage = Stage::filled();
    let mut command = stage.command(&["--all-rows"]);
    expect![[r#"
        success false code 1
        --- out
        VERDICT     IMAGE                                                   PUSHED      WHERE         WHY
        fails       grafana/grafana:11.4.0 +1                               2026-05-28  apprunner     wrong-architecture: the image is made for lin…
        unknown     team/app:old-ecs-arm64                                  2026-09-21  ecs/arm64     the image claims linux/arm/v7: a 32-bit arm i…
        undeclared  team/tools:v1                                           2026-09-21
        runs        grafana/grafana:11.5.0                                  2026-07-25  apprunner

        4 images of 3 repositories: 1 fail, 1 cannot be told, 1 undeclared, 1 run
          wrong-architecture  1
        not asked about: 1 other than images (charts, signatures)
        4 answers in TIME, N requests
        --- err
    "#]].assert_eq(&stage.shown(&command.env("COLUMNS", "140").output().unwrap()));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let stage = Stage::filled();
    let coloured = |settings: &[(&str, &str)]| {
        let output = stage.command(&[]).envs(settings.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[]), "standard output is no terminal");
    assert!(!coloured(&[("NO_COLOR", "1")]));
}

#[test]
fn programs_read_reports_or_a_sheet_from_standard_output() {
    let stage = Stage::filled();
    let output = stage.output(&["--format", "jsonl"]);
    let verdicts: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["fails", "unknown", "undeclared", "runs"]);
    expect![[r#"
        success false code 1
        --- out
        image_verdict,account,region,repository,tag,also_tagged,digest,pushed_at,platforms,runtime,verdict,faults,evidence,symptom,remedy,unknown,ignored
        fails,123456789012,us-west-2,grafana/grafana,11.4.0,latest,sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63,2026-05-28T20:26:40Z,linux/arm64,apprunner,fails,wrong-architecture,"the image is made for linux/arm64, not linux/amd64",exec /app: exec format error,docker buildx build --platform linux/amd64 --tag 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 --push .; docker pull --platform linux/amd64 SOURCE && docker tag SOURCE 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0 && docker push 123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.4.0,,
        unknown,123456789012,us-west-2,team/app,old-ecs-arm64,,sha256:7e13a64d366720176887305c1f7b7e2271f296c3ec33aa6d75ed1bac662af278,2026-09-21T14:13:20Z,linux/arm/v7,ecs/arm64,unknown,,,,,the image claims linux/arm/v7: a 32-bit arm image starts only where the host runs 32-bit programs,
        undeclared,123456789012,us-west-2,team/tools,v1,,sha256:437bb3504e14e7dd58220cf0c7f637e66915450dd7b3f1883b00e903955f5504,2026-09-21T14:13:20Z,linux/amd64,,,,,,,,
        runs,123456789012,us-west-2,grafana/grafana,11.5.0,,sha256:cb1575aab1326289d6915a0780c7fcf663f8aa6baa094e3eefd97b97bc111b89,2026-07-25T17:20:00Z,linux/amd64 linux/arm64,apprunner,runs,,,,,,
        --- err
        4 images of 3 repositories: 1 fail, 1 cannot be told, 1 undeclared, 1 run
          wrong-architecture  1
        not asked about: 1 other than images (charts, signatures)
        4 answers in TIME, N requests
    "#]].assert_eq(&stage.run(&["--format", "csv"]));
    // Nothing is left of a run that keeps no results.
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 0);
}

#[test]
fn a_line_is_the_report_that_the_function_would_write() {
    let stage = Stage::filled();
    stage.run(&["--repository", "grafana/grafana", "--newest", "1", "--results", "DIR/all.jsonl"]);
    expect![[r#"
        {"schema":"ecr-preflight/1","arrival":{"how":"audit","account":"123456789012","region":"us-west-2","repository":"grafana/grafana","digest":"sha256:cb1575aab1326289d6915a0780c7fcf663f8aa6baa094e3eefd97b97bc111b89","tag":"11.5.0","pushedAt":"2026-07-25T17:20:00Z"},"image":{"reference":"123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana:11.5.0","digest":"sha256:cb1575aab1326289d6915a0780c7fcf663f8aa6baa094e3eefd97b97bc111b89","mediaType":"application/vnd.oci.image.index.v1+json","kind":"index","platforms":["linux/amd64","linux/arm64"]},"intended":[{"runtime":"apprunner","declaredBy":"repository-tag"}],"verdict":"runs","runtimes":[{"runtime":"apprunner","verdict":"runs","unknown":[],"faults":[]}],"exec":[{"platform":"linux/amd64","host":"linux/amd64","argv":["/app"],"outcome":"starts","chain":["/app"]}]}
    "#]].assert_eq(&fs::read_to_string(stage.path("all.jsonl")).unwrap());
}

#[test]
fn a_sheet_and_a_page_are_written_beside_the_table() {
    let stage = Stage::filled();
    stage.run(&["--csv", "DIR/all.csv", "--html", "DIR/all.html"]);
    let sheet = fs::read_to_string(stage.path("all.csv")).unwrap();
    assert_eq!(sheet.as_bytes(), stage.output(&["--format", "csv"]).stdout);
    let page = fs::read_to_string(stage.path("all.html")).unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains("grafana/grafana") && page.contains("wrong-architecture")
    );
}

#[test]
fn files_are_written_though_nobody_reads_what_is_printed() {
    let stage = Stage::filled();
    let mut running = stage.command(&["--csv", "DIR/all.csv", "--html", "DIR/all.html"]).spawn().unwrap();
    drop(running.stdout.take());
    assert_eq!(running.wait().unwrap().code(), Some(141));
    assert!(fs::read_to_string(stage.path("all.csv")).unwrap().contains("grafana/grafana"));
    assert!(fs::read_to_string(stage.path("all.html")).unwrap().contains("grafana/grafana"));
}

#[test]
fn the_page_says_when_how_and_what_is_missing() {
    let stage = Stage::new();
    stage.aws.push_indexes("team/app", 2, "arm64");
    stage.aws.push_indexes("team/tools", 2, "arm64");
    stage.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    stage.aws.tag_resource("team/tools", "intended-runtime", "ecs/arm64");
    let page = || {
        let output = stage.output(&["--html", "DIR/x.html", "--concurrency", "1"]);
        (output.status.code(), fs::read_to_string(stage.path("x.html")).unwrap())
    };
    let (code, whole) = page();
    assert_eq!(code, Some(0));
    assert!(whole.contains("<h1>Every image starts where it is meant to run</h1>"), "{whole}");
    assert!(whole.contains("<dt>Looked at</dt><dd>20") && whole.contains(" UTC</dd>"), "{whole}");
    assert!(whole.contains("<dt>Settings</dt><dd>inspect=manifest</dd>"), "{whole}");
    let (images, listings) = (stage.aws.calls_of("BatchGetImage").len(), stage.aws.calls_of("DescribeImages").len());
    stage.aws.fail("BatchGetImage", images + 1..=images + 1, Fault::Error(400, "AccessDeniedException"));
    stage.aws.fail("DescribeImages", listings + 1..=listings + 1, Fault::Error(400, "AccessDeniedException"));
    let (code, partial) = page();
    assert_eq!(code, Some(2));
    for part in [
        "<h1>Nothing is known to fail, but not everything was looked at</h1>",
        "<p class=\"note\">1 image could not be read and got no answer.</p>",
        "<p class=\"note\">The images of 1 repository could not be listed.</p>",
    ] {
        assert!(partial.contains(part), "{part}: {partial}");
    }
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_asked() {
    let stage = Stage::filled();
    for arguments in [["--csv", "DIR/none/x.csv"], ["--html", "DIR/none/x"], ["--results", "DIR/none/x.jsonl"]] {
        let output = stage.output(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("none/x"), "{output:?}");
    }
    assert_eq!(stage.aws.calls().len(), 0);
}

#[test]
fn the_help() {
    let stage = Stage::new();
    expect![[r#"
        success true code 0
        --- out
        Check the images that a registry of Amazon ECR already holds.

        Without --runtime, what an image's tags, its repository's resource tag or its label declare counts.
        Tags of one image that declare nothing share one answer.

        Usage: ecr-preflight audit [OPTIONS]

        Options:
              --prefix <PREFIX>
                  Only repositories whose names begin so

              --repository <NAME>
                  Only this repository; may be given several times

              --where <KEY=VALUE>
                  Only repositories with this resource tag; given several times, all of them must be there

              --newest <N>
                  So many images of each repository, those that were pushed last

                  [default: 10]

              --all
                  Every tagged image

              --region <REGION>
                  The region of the registry; without it, that of the environment or the profile

              --runtime <RUNTIME>
                  Where all of them are meant to run, whatever they declare; may be given several times

              --no-exec
                  Read labels only: do not look into layers at what the image really starts

              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

              --results <FILE>
                  Keep the results in this file, one report a line; what it holds already is not asked about
                  again

              --fresh
                  Begin the file of results anew

              --csv <FILE>
                  Write a sheet of all results, a row for each image and runtime

              --html <FILE>
                  Write a page of all results, for a browser

              --format <FORMAT>
                  What to print

                  Possible values:
                  - table: For people: what fails or cannot be told, and a summary
                  - jsonl: For programs: every report, one a line
                  - csv:   For spreadsheets: every image and runtime

                  [default: table]

              --all-rows
                  Show in the table what is sound, too

              --concurrency <N>
                  How many images to ask about at once; fewer while the service throttles

                  [default: 16]

              --via-lambda
                  Have the deployed function ask: this tool only lists the images, hands them to it as
                  events, and reads its answers from its log. The function's settings count then

              --stack <STACK>
                  The function's stack, for --via-lambda; its log is /aws/lambda/STACK

                  [default: ecr-preflight]

              --rate <N>
                  How many events a second at most, for --via-lambda; fewer where the bus refuses them

                  [default: 50]

              --no-follow
                  Do not wait for the answers, for --via-lambda: they are in the function's log

              --patience <SECONDS>
                  How many seconds to wait where no further answer comes, for --via-lambda

                  [default: 300]

              --notify
                  Tell the topic of the setting `PREFLIGHT_TOPIC_ARN` what was found, in one message;
                  nothing where there is nothing

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          ecr-preflight audit --prefix team/ --results team.jsonl
          ecr-preflight audit --all --where env=prod --results prod.jsonl --csv prod.csv
          ecr-preflight audit --repository team/app --runtime lambda/arm64 --no-exec
          ecr-preflight audit --all --via-lambda --results all.jsonl --html all.html

        A file of results is written as answers come. Interrupted or killed, the same command goes on with
        what is missing, and asks again about what could not be read.

        Exit code: 0 nothing fails; 1 something fails; 2 nothing fails, but something could not be told or
        read; 64 the command line or a setting is wrong; 130 interrupted
        --- err
    "#]]
    .assert_eq(&stage.run(&["--help"]));
}
