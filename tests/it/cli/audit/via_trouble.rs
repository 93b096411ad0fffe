//! `audit --via-lambda` where something fails on the way there or back.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use super::Stage;
use super::via_lambda::Function;
use crate::support::aws::Fault;
use crate::support::layout::Builder;

/// So many images of one repository, which run.
fn stage(images: usize) -> Arc<Stage> {
    let stage = Stage::new();
    stage.aws.push_indexes("team/app", images, "arm64");
    stage.aws.tag_resource("team/app", "intended-runtime", "ecs/arm64");
    Arc::new(stage)
}

const ASKED: [&str; 6] = ["--via-lambda", "--all", "--patience", "3", "--results", "DIR/via.jsonl"];

/// Interrupts a run as soon as so many calls of an action were made.
fn interrupt(stage: &Stage, running: &Child, action: &str, calls: usize) -> Instant {
    let began = Instant::now();
    while stage.aws.calls_of(action).len() < calls && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    Instant::now()
}

#[test]
fn nothing_is_asked_before_the_log_can_be_read_and_what_passes_is_waited_for() {
    let stage = stage(2);
    let _function = Function::start(&stage, &[("PREFLIGHT_INSPECT", "manifest")]);
    // As often as the SDK tries.
    stage.aws.fail("FilterLogEvents", 1..=4, Fault::Error(400, "ThrottlingException"));
    stage.aws.fail("PutEvents", 1..=4, Fault::Status(503, "busy"));
    let output = stage.output(&["--via-lambda", "--results", "DIR/via.jsonl"]);
    assert_eq!((output.status.code(), stage.lines("via.jsonl").len()), (Some(0), 2), "{}", stage.shown(&output));
    let looks = stage.aws.calls_of("FilterLogEvents");
    let put = stage.aws.calls_of("PutEvents");
    assert!(looks[3].status == Some(400) && looks[4].status == Some(200) && looks[4].ended < Some(put[0].began));
    assert_eq!(put.iter().map(|call| call.status).collect::<Vec<_>>()[3..], [Some(503), Some(200)]);
}

#[test]
fn a_log_that_cannot_be_read_for_too_long_ends_it_and_nothing_is_put() {
    let stage = stage(2);
    stage.aws.fail("FilterLogEvents", 1.., Fault::Dropped);
    let output = stage.output(&ASKED);
    let shown = stage.shown(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    let said = "error: logs:FilterLogEvents on /aws/lambda/ecr-preflight failed again and again: ";
    assert!(shown.contains(said) && shown.contains("interrupted: 2 images were listed by then"), "{shown}");
    assert!(stage.aws.calls_of("PutEvents").is_empty());
}

#[test]
fn a_log_that_is_denied_later_names_what_is_open_and_sums_up() {
    let stage = stage(2);
    stage.aws.fail("FilterLogEvents", 2.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 2
        --- out
        0 images of 0 repositories: nothing to say
        0 answers in TIME, N requests
        2 images could not be read
        interrupted: 2 images were listed by then
        results in DIR/via.jsonl: the same command goes on with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v0 could not be read: the function's log cannot be read any more
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 could not be read: the function's log cannot be read any more
        error: logs:FilterLogEvents on /aws/lambda/ecr-preflight was denied: allow the caller this action on this log group: AccessDeniedException: as said
    "#]].assert_eq(&stage.run(&ASKED));
}

#[test]
fn a_bus_that_refuses_later_leaves_the_answers_that_are_to_come() {
    let stage = stage(12);
    let _function = Function::start(&stage, &[("PREFLIGHT_INSPECT", "manifest")]);
    stage.aws.fail("PutEvents", 2.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 2
        --- out
        10 images of 1 repository: 10 run
        10 answers in TIME, N requests
        interrupted: 12 images were listed by then
        results in DIR/via.jsonl: the same command goes on with what is missing
        --- err
        error: events:PutEvents failed: allow the caller this action on the event bus, in the function's region: AccessDeniedException: as said
    "#]].assert_eq(&stage.run(&ASKED));
    assert_eq!(stage.lines("via.jsonl").len(), 10);
}

#[test]
fn what_is_taken_is_not_forgotten_where_the_rest_is_refused() {
    let stage = stage(3);
    let _function = Function::start(&stage, &[("PREFLIGHT_INSPECT", "manifest")]);
    let taken_alone = r#"{"FailedEntryCount":2,"Entries":[{"EventId":"event-1"},
        {"ErrorCode":"ThrottlingException"},{"ErrorCode":"ThrottlingException","ErrorMessage":"\u001b[2J"}]}"#;
    stage.aws.fail("PutEvents", 1..=1, Fault::Says(taken_alone));
    stage.aws.fail(
        "PutEvents",
        2..,
        Fault::Says(r#"{"FailedEntryCount":2,"Entries":[{"ErrorCode":"InternalFailure"}]}"#),
    );
    stage.aws.log(json!({"how": "audit", "event_id": "event-1", "verdict": "runs"}).to_string());
    let output = stage.output(&ASKED);
    let shown = stage.shown(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(
        shown.contains("team/app:v2 could not be read: its report was too large for the function's log"),
        "{shown}"
    );
    assert!(shown.contains("refused an event again and again: it says nothing of the event"), "{shown}");
}

#[test]
fn what_is_no_report_or_one_of_another_image_is_no_answer() {
    let stage = stage(3);
    let arrival = |tag: &str| {
        json!({"account": "123456789012", "region": "us-west-2", "repository": "team/app",
            "digest": format!("sha256:{}", "0".repeat(64)), "tag": tag})
    };
    let line = |event: &str, report: Value| json!({"how": "audit", "event_id": event, "report": report}).to_string();
    stage.aws.log(line("event-1", json!({"schema": "ecr-preflight/1", "verdict": "runs"})));
    let other = json!({"schema": "ecr-preflight/1", "verdict": "runs", "arrival": arrival("\u{1b}[2Jv9")});
    stage.aws.log(line("event-2", other));
    stage.aws.log(line("event-3", json!("none")));
    stage.aws.log(line("event-7", json!("of somebody else")));
    expect![[r#"
        success false code 2
        --- out
        0 images of 0 repositories: nothing to say
        0 answers in TIME, N requests
        3 images could not be read
        results in DIR/via.jsonl: the same command goes on with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2 could not be read: the function's answer cannot be understood (is it of another version?): it is no report: missing field `arrival` at line 1 column 45
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 could not be read: the function answered about another image: team/app:�[2Jv9 (sha256:0000000000000000000000000000000000000000000000000000000000000000) in us-west-2 of 123456789012
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v0 could not be read: the function's answer cannot be understood (is it of another version?): it is no object
    "#]].assert_eq(&stage.run(&ASKED));
    assert!(stage.lines("via.jsonl").is_empty());
}

#[test]
fn pages_of_the_log_that_lead_to_themselves_end() {
    let stage = stage(1);
    stage.aws.fail("FilterLogEvents", 1.., Fault::Says(r#"{"events":[],"nextToken":"0"}"#));
    let output = stage.output(&ASKED);
    assert_eq!(output.status.code(), Some(2));
    let looks = stage.aws.calls_of("FilterLogEvents").len();
    assert!((3..=7).contains(&looks), "{looks} requests");
    assert!(stage.shown(&output).contains("team/app:v0 could not be read: no answer within 3 s: "));
}

#[test]
fn an_interruption_is_heard_while_the_log_is_read() {
    let stage = stage(2);
    stage.aws.fail("FilterLogEvents", 2.., Fault::Stalled);
    let running = stage.command(&ASKED).spawn().unwrap();
    let interrupted = interrupt(&stage, &running, "FilterLogEvents", 2);
    let output = running.wait_with_output().unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(3), "{:?}", interrupted.elapsed());
    let shown = stage.shown(&output);
    assert_eq!(output.status.code(), Some(130), "{shown}");
    assert!(shown.contains("interrupted: 2 images were listed by then"), "{shown}");
}

#[test]
fn an_interruption_of_what_only_hands_over_is_told() {
    let stage = stage(12);
    stage.aws.fail("PutEvents", 2.., Fault::Stalled);
    let running = stage.command(&["--via-lambda", "--all", "--no-follow"]).spawn().unwrap();
    interrupt(&stage, &running, "PutEvents", 2);
    expect![[r#"
        success false code 130
        --- out
        10 images handed to the function; its answers go to the log group /aws/lambda/ecr-preflight
        interrupted: 12 images were listed by then
        --- err
    "#]]
    .assert_eq(&stage.shown(&running.wait_with_output().unwrap()));
}

#[test]
fn whether_tags_tell_is_not_for_this_machine_to_say() {
    let (stage, mut layout) = (Stage::new(), Builder::new());
    let image = layout.image("arm64");
    layout.tag("v1", &image);
    layout.tag("v1-ecs-arm64", &image);
    stage.aws.push("team/app", &layout);
    let output =
        stage.command(&["--via-lambda", "--no-follow"]).env("PREFLIGHT_IMAGE_TAGS", "ignore").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stage.shown(&output));
    let entries = stage.aws.calls_of("PutEvents")[0].body["Entries"].as_array().unwrap().len();
    assert_eq!(entries, 2, "each tag that declares something has an event of its own");
}
