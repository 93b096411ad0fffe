//! What is printed and written at the end.

use std::fs;

use expect_test::expect;

use super::Stage;

#[test]
fn what_is_amiss_is_shown_the_worst_first_and_the_rest_is_counted() {
    let stage = Stage::filled();
    expect![[""]].assert_eq(&stage.run(&[]));
}

#[test]
fn everything_is_shown_where_it_is_asked_for_and_dates_where_there_is_room() {
    let stage = Stage::filled();
    let mut command = stage.command(&["--all-rows"]);
    expect![[""]].assert_eq(&stage.shown(&command.env("COLUMNS", "140").output().unwrap()));
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
    assert_eq!(verdicts, ["fails", "fails", "undeclared", "runs"]);
    expect![[""]].assert_eq(&stage.run(&["--format", "csv"]));
    // Nothing is left of a run that keeps no results.
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 0);
}

#[test]
fn a_line_is_the_report_that_the_function_would_write() {
    let stage = Stage::filled();
    stage.run(&["--repository", "grafana/grafana", "--newest", "1", "--results", "DIR/all.jsonl"]);
    expect![[""]].assert_eq(&fs::read_to_string(stage.path("all.jsonl")).unwrap());
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
    expect![[""]].assert_eq(&stage.run(&["--help"]));
}
