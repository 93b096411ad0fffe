//! `audit --via-lambda` when a call to the event bus or the log fails.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use super::Fixture;
use super::via_lambda::Function;
use crate::support::aws::Fault;
use crate::support::layout::Builder;

/// A registry of this many images in one repository; all of them run.
fn fixture_of(images: usize) -> Arc<Fixture> {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", images, "arm64");
    fixture.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    Arc::new(fixture)
}

const ARGUMENTS: [&str; 6] = ["--via-lambda", "--all", "--timeout", "3", "--results", "DIR/via.jsonl"];

/// Interrupts a run once it has made this many calls of an action.
fn interrupt(fixture: &Fixture, running: &Child, action: &str, calls: usize) -> Instant {
    let began = Instant::now();
    while fixture.aws.calls_of(action).len() < calls && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    Instant::now()
}

#[test]
fn events_are_sent_once_the_log_is_readable() {
    let fixture = fixture_of(2);
    let _function = Function::start(&fixture, &[("PREFLIGHT_INSPECT", "manifest")]);
    // As often as the SDK tries.
    fixture.aws.fail("FilterLogEvents", 1..=4, Fault::Error(400, "ThrottlingException"));
    fixture.aws.fail("PutEvents", 1..=4, Fault::Status(503, "busy"));
    let output = fixture.output(&["--via-lambda", "--results", "DIR/via.jsonl"]);
    assert_eq!(
        (output.status.code(), fixture.lines("via.jsonl").len()),
        (Some(0), 2),
        "{}",
        fixture.format_output(&output)
    );
    let reads = fixture.aws.calls_of("FilterLogEvents");
    let put = fixture.aws.calls_of("PutEvents");
    assert!(reads[3].status == Some(400) && reads[4].status == Some(200) && reads[4].ended < Some(put[0].began));
    assert_eq!(put.iter().map(|call| call.status).collect::<Vec<_>>()[3..], [Some(503), Some(200)]);
}

#[test]
fn unreadable_log_ends_the_audit_before_events() {
    let fixture = fixture_of(2);
    fixture.aws.fail("FilterLogEvents", 1.., Fault::Dropped);
    let output = fixture.output(&ARGUMENTS);
    expect![[r#"
        success false code 3
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        interrupted after 2 images had been listed
        the same command resumes with what is missing
        --- err
        error: logs:FilterLogEvents on /aws/lambda/ecr-preflight failed repeatedly
          caused by: AWS did not send a valid reply; `--verbose` shows the details
    "#]]
    .assert_eq(&fixture.format_output(&output));
    assert!(fixture.aws.calls_of("PutEvents").is_empty());
}

#[test]
fn log_denied_midway_lists_open_images() {
    let fixture = fixture_of(2);
    fixture.aws.fail("FilterLogEvents", 2.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 3
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        2 images could not be read
        interrupted after 2 images had been listed
        the same command resumes with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v0 could not be read: the function's log cannot be read any more
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 could not be read: the function's log cannot be read any more
        error: logs:FilterLogEvents on /aws/lambda/ecr-preflight was denied: allow the caller this action on this log group

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(&fixture.run(&ARGUMENTS));
}

#[test]
fn results_are_kept_after_the_bus_denies_access() {
    let fixture = fixture_of(12);
    let _function = Function::start(&fixture, &[("PREFLIGHT_INSPECT", "manifest")]);
    fixture.aws.fail("PutEvents", 2.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 3
        --- out
        10 images in 1 repository: runs 10 (10 not verified)
        10 images checked in TIME, N requests
        interrupted after 12 images had been listed
        the same command resumes with what is missing
        wrote DIR/via.jsonl
        --- err
        error: events:PutEvents was denied: allow the caller this action on the event bus in the function's region

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]]
    .assert_eq(&fixture.run(&ARGUMENTS));
    assert_eq!(fixture.lines("via.jsonl").len(), 10);
}

#[test]
fn accepted_events_count_when_others_are_refused() {
    let fixture = fixture_of(3);
    let _function = Function::start(&fixture, &[("PREFLIGHT_INSPECT", "manifest")]);
    let one_accepted = r#"{"FailedEntryCount":2,"Entries":[{"EventId":"event-1"},
        {"ErrorCode":"ThrottlingException"},{"ErrorCode":"ThrottlingException","ErrorMessage":"\u001b[2J"}]}"#;
    fixture.aws.fail("PutEvents", 1..=1, Fault::Body(one_accepted));
    fixture.aws.fail(
        "PutEvents",
        2..,
        Fault::Body(r#"{"FailedEntryCount":2,"Entries":[{"ErrorCode":"InternalFailure"}]}"#),
    );
    fixture.aws.log(json!({"how": "audit", "event_id": "event-1", "verdict": "runs"}).to_string());
    let output = fixture.output(&ARGUMENTS);
    expect![[r#"
        success false code 3
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        1 image could not be read
        interrupted after 3 images had been listed
        the same command resumes with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2 could not be read: its report was too large for the function's log
        error: the event bus rejected an event repeatedly: the response has no result for it
    "#]].assert_eq(&fixture.format_output(&output));
}

#[test]
fn invalid_and_foreign_reports_are_rejected() {
    let fixture = fixture_of(3);
    let arrival = |tag: &str| {
        json!({"account": "123456789012", "region": "us-west-2", "repository": "team/app",
            "digest": format!("sha256:{}", "0".repeat(64)), "tag": tag})
    };
    let line = |event: &str, report: Value| json!({"how": "audit", "event_id": event, "report": report}).to_string();
    fixture.aws.log(line("event-1", json!({"schema": "ecr-preflight/1", "verdict": "runs"})));
    let other = json!({"schema": "ecr-preflight/1", "verdict": "runs", "arrival": arrival("\u{1b}[2Jv9")});
    fixture.aws.log(line("event-2", other));
    fixture.aws.log(line("event-3", json!("none")));
    fixture.aws.log(line("event-7", json!("of somebody else")));
    expect![[r#"
        success false code 2
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        3 images could not be read
        the same command resumes with what is missing
        wrote DIR/via.jsonl
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2 could not be read: the function's report cannot be parsed (does the function have another version?): it is not a report of an audit: the digest is missing or unknown
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 could not be read: the function reported about another image: team/app:�[2Jv9 (sha256:0000000000000000000000000000000000000000000000000000000000000000) in us-west-2 of 123456789012
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v0 could not be read: the function's report cannot be parsed (does the function have another version?): the report is not an object
    "#]].assert_eq(&fixture.run(&ARGUMENTS));
    assert!(fixture.lines("via.jsonl").is_empty());
}

#[test]
fn repeated_log_page_token_ends() {
    let fixture = fixture_of(1);
    fixture.aws.fail("FilterLogEvents", 1.., Fault::Body(r#"{"events":[],"nextToken":"0"}"#));
    let output = fixture.output(&ARGUMENTS);
    expect![[r#"
        success false code 2
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        1 image could not be read
        the same command resumes with what is missing
        wrote DIR/via.jsonl
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v0 could not be read: no report within 3 s: check that the function's rule covers this repository, and that --stack names its stack
    "#]].assert_eq(&fixture.format_output(&output));
    let reads = fixture.aws.calls_of("FilterLogEvents").len();
    assert!((3..=7).contains(&reads), "{reads} requests");
}

#[test]
fn interrupt_works_while_the_log_is_read() {
    let fixture = fixture_of(2);
    fixture.aws.fail("FilterLogEvents", 2.., Fault::Stalled);
    let running = fixture.command(&ARGUMENTS).spawn().unwrap();
    let interrupted = interrupt(&fixture, &running, "FilterLogEvents", 2);
    let output = running.wait_with_output().unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(3), "{:?}", interrupted.elapsed());
    expect![[r#"
        success false code 130
        --- out
        0 images in 0 repositories
        0 images checked in TIME, N requests
        interrupted after 2 images had been listed
        the same command resumes with what is missing
        --- err
    "#]]
    .assert_eq(&fixture.format_output(&output));
}

#[test]
fn interrupt_works_while_events_are_sent() {
    let fixture = fixture_of(12);
    fixture.aws.fail("PutEvents", 2.., Fault::Stalled);
    let running = fixture.command(&["--via-lambda", "--all", "--no-follow"]).spawn().unwrap();
    interrupt(&fixture, &running, "PutEvents", 2);
    expect![[r#"
        success false code 130
        --- out
        10 images sent to the function; its log group is /aws/lambda/ecr-preflight
        interrupted after 12 images had been listed
        --- err
    "#]]
    .assert_eq(&fixture.format_output(&running.wait_with_output().unwrap()));
}

#[test]
fn local_image_tags_setting_is_ignored() {
    let (fixture, mut layout) = (Fixture::new(), Builder::new());
    let image = layout.image("arm64");
    layout.tag("v1", &image);
    layout.tag("v1-ecs-arm64", &image);
    fixture.aws.push("team/app", &layout);
    let output =
        fixture.command(&["--via-lambda", "--no-follow"]).env("PREFLIGHT_IMAGE_TAGS", "ignore").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", fixture.format_output(&output));
    let entries = fixture.aws.calls_of("PutEvents")[0].body["Entries"].as_array().unwrap().len();
    assert_eq!(entries, 2, "each declaring tag has its own event");
}
