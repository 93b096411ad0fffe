//! Findings of an audit that do not count: waivers of the configuration file and of repositories, and the baseline.

use std::fs;

use expect_test::expect;

use super::Fixture;
use crate::support::layout::Builder;

const WAIVER: &str = "[[waivers]]\nfault = \"wrong-architecture\"\nimage = \"grafana/*\"\nruntime = \"apprunner\"\n\
                      reason = \"moves to ECS\"\nexpires = 2999-12-31\n";

/// The images of `Fixture::with_images`, and this configuration file.
fn fixture(configuration: &str) -> Fixture {
    let fixture = Fixture::with_images();
    fs::write(fixture.path("c.toml"), configuration).unwrap();
    fixture
}

#[test]
fn waived_image_does_not_count_and_stays() {
    let fixture = fixture(WAIVER);
    expect![[r#"
        success false code 2
        --- out
        VERDICT     REPOSITORY       TAGS           PUSHED      RUNTIME    CAUSE
        unknown     team/app         0.9-ecs-arm64  2026-09-21  ecs/arm64  the image declares linux/arm/v7
        waived      grafana/grafana  11.4.0,latest  2026-05-28  apprunner  waived: wrong-architecture: linux/arm64
        runs        grafana/grafana  11.5.0         2026-07-25  apprunner  -
        undeclared  team/tools       v1             2026-09-21  -          -

        4 images in 3 repositories: unknown 1, waived 1, undeclared 1, runs 1
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        wrote DIR/r.jsonl
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--config", "DIR/c.toml", "--results", "DIR/r.jsonl", "--all-rows"]));
    let short = fixture.run(&["--config", "DIR/c.toml", "--results", "DIR/r.jsonl"]);
    assert!(!short.contains("grafana"), "{short}");
    // The file keeps what was found: without the configuration, the image fails.
    assert!(!fs::read_to_string(fixture.path("r.jsonl")).unwrap().contains("waived"));
    let without = fixture.run(&["--no-config", "--results", "DIR/r.jsonl"]);
    assert!(
        without.starts_with("success false code 1") && without.contains("4 checked by an earlier run"),
        "{without}"
    );
    let lines = fixture.run(&["--config", "DIR/c.toml", "--results", "DIR/r.jsonl", "--format", "jsonl"]);
    let waived = r#""waived":{"expires":"2999-12-31","reason":"moves to ECS"}"#;
    assert_eq!(lines.matches(waived).count(), 1, "{lines}");
    assert_eq!(lines.matches("\n{\"schema\":\"ecr-preflight/1\",").count(), 4, "{lines}");
}

#[test]
fn repository_tag_waives_in_an_audit() {
    let fixture = Fixture::with_images();
    fixture.aws.tag_resource("grafana/grafana", "ecr-preflight:waive", "wrong-architecture until 2999-12-31 legacy");
    let text = fixture.run(&["--prefix", "grafana", "--results", "DIR/r.jsonl"]);
    assert!(text.starts_with("success true code 0"), "{text}");
    assert!(text.contains("\n2 images in 1 repository: waived 1, runs 1\n"), "{text}");
    let line = fs::read_to_string(fixture.path("r.jsonl")).unwrap();
    assert!(line.contains(r#""waived":{"reason":"legacy","expires":"2999-12-31"}"#), "{line}");
    // A date that has passed since.
    fs::write(fixture.path("r.jsonl"), line.replace("2999-12-31", "2020-12-31")).unwrap();
    let later = fixture.run(&["--prefix", "grafana", "--results", "DIR/r.jsonl"]);
    assert!(later.starts_with("success false code 1") && later.contains("fails 1, runs 1"), "{later}");
}

#[test]
fn unused_waivers_are_named_for_the_whole_registry() {
    let fixture = fixture(&format!("{WAIVER}[[waivers]]\nfault = \"exec-format\"\nreason = \"r\"\n"));
    let whole = fixture.run(&["--config", "DIR/c.toml"]);
    assert!(whole.contains("\nunused waiver: exec-format\n") && whole.matches("unused").count() == 1, "{whole}");
    let part = fixture.run(&["--config", "DIR/c.toml", "--prefix", "team"]);
    assert!(!part.contains("unused"), "{part}");
}

#[test]
fn expired_waiver_does_not_apply_in_an_audit() {
    let fixture = fixture(&WAIVER.replace("2999", "2020"));
    let text = fixture.run(&["--config", "DIR/c.toml"]);
    assert!(text.starts_with("success false code 1") && text.contains("fails 1, unknown 1"), "{text}");
    assert!(
        text.contains("\nthe waiver of wrong-architecture of grafana/* on apprunner expired on 2020-12-31\n"),
        "{text}"
    );
}

#[test]
fn only_new_findings_count_against_a_baseline() {
    let fixture = Fixture::with_images();
    assert!(fixture.run(&["--results", "DIR/old.jsonl"]).starts_with("success false code 1"));
    expect![[r#"
        success true code 0
        --- out
        VERDICT  REPOSITORY       TAGS           PUSHED      RUNTIME    CAUSE
        known    grafana/grafana  11.4.0,latest  2026-05-28  apprunner  known: wrong-architecture: linux/arm64
        known    team/app         0.9-ecs-arm64  2026-09-21  ecs/arm64  known: the image declares linux/arm/v7

        4 images in 3 repositories: known 2, undeclared 1, runs 1
        compared with the baseline: 0 new, 2 known
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--baseline", "DIR/old.jsonl"]));
    // Another image with the known fault is known too; another runtime and another fault are new.
    let mut layout = Builder::new();
    let arm64 = layout.image("arm64");
    layout.tag("11.6.0", &arm64);
    layout.tag("11.7.0-ecs-amd64", &arm64);
    fixture.aws.push("grafana/grafana", &layout);
    fixture.aws.tag_resource("grafana/grafana", "intended-runtime", "apprunner");
    let compared = fixture.run(&["--baseline", "DIR/old.jsonl", "--results", "DIR/new.jsonl"]);
    expect![[r#"
        success false code 1
        --- out
        VERDICT  REPOSITORY       TAGS              PUSHED      RUNTIME    CAUSE
        fails    grafana/grafana  11.7.0-ecs-amd64  2026-09-21  ecs/amd64  new: wrong-architecture: linux/arm64
        known    grafana/grafana  11.6.0            2026-09-21  apprunner  known: wrong-architecture: linux/arm64
        known    team/app         0.9-ecs-arm64     2026-09-21  ecs/arm64  known: the image declares linux/arm/v7

        4 images in 3 repositories: fails 1, known 2, undeclared 1
          wrong-architecture  1
        compared with the baseline: 1 new, 2 known
        not checked: 1 other than images (charts, signatures)
        4 images checked in TIME, N requests
        wrote DIR/new.jsonl
        --- err
    "#]]
    .assert_eq(&compared);
    let page = fs::read_to_string("docs/audit.md").unwrap();
    let shown = compared.split("--- out\n").nth(1).unwrap().split("not checked").next().unwrap();
    assert!(page.contains(shown), "docs/audit.md shows this:\n{shown}");
    let mut command = fixture.command(&["--baseline", "DIR/old.jsonl", "--results", "DIR/new.jsonl"]);
    expect![[r#"
        success false code 1
        --- out
        grafana/grafana  2 images: fails 1, known 1
          ✗ 11.7.0-ecs-amd64  2026-09-21  ecs/amd64  new: wrong-architecture: linux/arm64
          ✗ 11.6.0            2026-09-21  apprunner  known: wrong-architecture: linux/arm64

        team/app  1 image: known 1
          ? 0.9-ecs-arm64     2026-09-21  ecs/arm64  known: the image declares linux/arm/v7

        4 images in 3 repositories: fails 1, known 2, undeclared 1
          wrong-architecture  1
        compared with the baseline: 1 new, 2 known
        not checked: 1 other than images (charts, signatures)
        0 images checked in TIME, N requests, 4 checked by an earlier run (`--fresh` checks them again)
        wrote DIR/new.jsonl
        --- err
    "#]]
    .assert_eq(&fixture.format_output(&command.env("COLUMNS", "140").output().unwrap()));
    let accepted = fixture.run(&["--baseline", "DIR/new.jsonl"]);
    assert!(accepted.starts_with("success true code 0"), "{accepted}");
    assert!(accepted.contains("\ncompared with the baseline: 0 new, 3 known\n"), "{accepted}");
}

#[test]
fn waived_finding_is_neither_new_nor_known() {
    let fixture = fixture(WAIVER);
    fixture.run(&["--results", "DIR/old.jsonl", "--no-config"]);
    let text = fixture.run(&["--baseline", "DIR/old.jsonl", "--config", "DIR/c.toml"]);
    assert!(text.contains("known 1, waived 1"), "{text}");
    assert!(text.contains("\ncompared with the baseline: 0 new, 1 known\n"), "{text}");
}

#[test]
fn baseline_must_be_another_file_of_results() {
    let fixture = Fixture::with_images();
    fixture.run(&["--results", "DIR/old.jsonl"]);
    fs::write(fixture.path("text"), "no results\n").unwrap();
    let run = |arguments: &[&str]| fixture.run(arguments);
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: DIR/old.jsonl is given twice: for --results and for --baseline

        hint: the second would overwrite the first: name two different files
    "#]]
    .assert_eq(&run(&["--baseline", "DIR/old.jsonl", "--results", "DIR/old.jsonl"]));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: cannot read DIR/none.jsonl
          caused by: No such file or directory (os error 2)
    "#]]
    .assert_eq(&run(&["--baseline", "DIR/none.jsonl"]));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: cannot read DIR/text
          caused by: line 1: it is not a report: expected ident at line 1 column 2
    "#]]
    .assert_eq(&run(&["--baseline", "DIR/text"]));
    assert_eq!(fixture.aws.calls_of("PutImage").len(), 0);
}
