//! `audit --via-lambda`: the tool sends events, a process of the function handles them, and its log is read.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::Arc;

use expect_test::expect;
use serde_json::{Value, json};

use super::{Fixture, image_names};
use crate::lambda::function::{TOPIC_SETTING, command, endpoints, region};
use crate::support::aws::Fault;

/// The function's process. Its log lines are readable as soon as they are written.
pub struct Function(Child);

impl Function {
    pub fn start(fixture: &Arc<Fixture>, settings: &[(&str, &str)]) -> Self {
        let mut child = command(&[settings, &[TOPIC_SETTING]].concat())
            .envs(region())
            .envs(endpoints(&fixture.aws))
            .spawn()
            .unwrap();
        let (stdout, fixture) = (child.stdout.take().unwrap(), Arc::clone(fixture));
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| fixture.aws.log(line));
        });
        Self(child)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The reports sorted by tag, without what depends on who made them.
fn comparable(lines: &[Value]) -> Vec<Value> {
    let mut comparable: Vec<Value> = lines.to_vec();
    for answer in &mut comparable {
        answer["arrival"].as_object_mut().unwrap().remove("eventId");
        answer.as_object_mut().unwrap().remove("settings");
    }
    comparable.sort_by_key(|answer| answer["arrival"]["tag"].as_str().unwrap().to_owned());
    comparable
}

#[test]
fn function_gives_the_results_of_a_local_audit() {
    let fixture = Arc::new(Fixture::with_images());
    let _function = Function::start(&fixture, &[("PREFLIGHT_VERDICT_TAGS", "all")]);
    fixture.aws.refuse_events(2);
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
        wrote DIR/via.jsonl
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--via-lambda", "--results", "DIR/via.jsonl"]));
    let via = fixture.lines("via.jsonl");
    assert!(via.iter().all(|line| line["settings"] == "function=ecr-preflight"));
    assert!(via.iter().all(|line| line["arrival"]["eventId"].as_str().unwrap().starts_with("event-")));
    fixture.run(&["--results", "DIR/own.jsonl"]);
    assert_eq!(comparable(&via), comparable(&fixture.lines("own.jsonl")));
    assert!(fixture.aws.calls_of("Publish").is_empty() && fixture.aws.calls_of("PutImage").is_empty());
    let put = fixture.aws.calls_of("PutEvents");
    let sizes: Vec<usize> = put.iter().map(|call| call.body["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [4, 2], "only refused events are sent again");
    // Results that are known are not requested again.
    fixture.run(&["--via-lambda", "--results", "DIR/via.jsonl"]);
    assert_eq!((fixture.aws.calls_of("PutEvents").len(), fixture.lines("via.jsonl").len()), (put.len(), via.len()));
}

/// The images of the two repositories below `team/`.
const IMAGES: [&str; 2] = ["team/app:0.9-ecs-arm64", "team/tools:v1"];

/// Masks the names of images: repositories are listed concurrently, and either event may be the first.
fn without_names(text: &str) -> String {
    let mut text = text.to_owned();
    for image in IMAGES {
        let (repository, _) = image.split_once(':').unwrap();
        text = text.replace(&format!("123456789012.dkr.ecr.us-west-2.amazonaws.com/{image}"), "IMAGE");
        text = text.replace(&format!("repository/{repository}"), "repository/NAME");
    }
    text
}

#[test]
fn failed_and_missing_results_are_retried_next_time() {
    let fixture = Arc::new(Fixture::with_images());
    let arguments = ["--via-lambda", "--timeout", "4", "--prefix", "team/", "--results", "DIR/via.jsonl"];
    // As the function logs a failure; nothing handles the events.
    let failed = json!({"level": "ERROR", "event_id": "event-1", "error": "ecr:BatchGetImage was denied"});
    fixture.aws.log(failed.to_string());
    fixture.aws.log(json!({"how": "audit", "event_id": "event-2", "verdict": "runs"}).to_string());
    let shown = fixture.run(&arguments);
    assert!(IMAGES.iter().all(|image| shown.contains(image)), "{shown}");
    expect![[r#"
        success false code 2
        --- out
        0 images in 0 repositories
        not checked: 1 other than images (charts, signatures)
        0 images checked in TIME, N requests
        2 images could not be read
        the same command resumes with what is missing
        wrote DIR/via.jsonl
        --- err
        error: IMAGE could not be read: the function failed: ecr:BatchGetImage was denied
        error: IMAGE could not be read: its report was too large for the function's log
    "#]]
    .assert_eq(&without_names(&shown));
    assert!(fixture.lines("via.jsonl").is_empty());
    let _function = Function::start(&fixture, &[]);
    // It first handles the two events that nothing handled before. Failures are retried by the tool only.
    fixture.aws.fail("BatchGetImage", 3..=3, Fault::Error(400, "AccessDeniedException"));
    let output = fixture.output(&arguments);
    expect![[r#"
        error: IMAGE could not be read: the function failed: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/NAME was denied: allow the caller this action on this resource: AccessDeniedException: service message
    "#]].assert_eq(&without_names(&String::from_utf8(output.stderr.clone()).unwrap()));
    assert_eq!((output.status.code(), fixture.lines("via.jsonl").len(), fixture.aws.handed_out()), (Some(2), 1, 4));
    fixture.output(&arguments);
    assert_eq!(image_names(&fixture.lines("via.jsonl")), ["team/app:0.9-ecs-arm64", "team/tools:v1"]);
}

#[test]
fn no_follow_only_sends_events() {
    let fixture = Fixture::with_images();
    expect![[r#"
        success true code 0
        --- out
        4 images sent to the function; its log group is /aws/lambda/ecr-preflight
        --- err
    "#]]
    .assert_eq(&fixture.run(&["--via-lambda", "--no-follow"]));
    assert!(fixture.aws.calls_of("FilterLogEvents").is_empty());
}

#[test]
fn missing_log_group_and_denied_bus_are_errors() {
    let fixture = Fixture::with_images();
    // How many images are listed by then differs from run to run.
    let output = fixture.output(&["--via-lambda", "--stack", "another"]);
    assert_eq!(output.status.code(), Some(3));
    expect![[r#"
        error: the log group /aws/lambda/another does not exist
          caused by: ResourceNotFoundException: service message

        hint: name the function's stack with `--stack`
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).unwrap());
    assert!(fixture.aws.calls_of("PutEvents").is_empty(), "no events are sent if results cannot be read");
    fixture.aws.fail("PutEvents", 1.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 3
        --- out
        0 images in 0 repositories
        not checked: 1 other than images (charts, signatures)
        0 images checked in TIME, N requests
        interrupted after 4 images had been listed
        with `--results FILE` the next run would resume from here
        --- err
        error: events:PutEvents was denied: allow the caller this action on the event bus in the function's region

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]]
    .assert_eq(&fixture.run(&["--via-lambda"]));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: the argument '--via-lambda' cannot be used with '--runtime <RUNTIME>'

        Usage: ecr-preflight audit --via-lambda

        For more information, try '--help'.
    "#]]
    .assert_eq(&fixture.run(&["--via-lambda", "--runtime", "ecs/arm64"]));
}
