//! `audit --via-lambda`: the tool puts events, the function's own process answers them, and its log is read.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::Arc;

use expect_test::expect;
use serde_json::{Value, json};

use super::{Stage, subjects};
use crate::lambda::function::{TOLD, command, endpoints, region};
use crate::support::aws::Fault;

/// The function's process, whose log lines are readable as soon as they are written.
pub struct Function(Child);

impl Function {
    pub fn start(stage: &Arc<Stage>, settings: &[(&str, &str)]) -> Self {
        let mut child =
            command(&[settings, &[TOLD]].concat()).envs(region()).envs(endpoints(&stage.aws)).spawn().unwrap();
        let (stdout, stage) = (child.stdout.take().unwrap(), Arc::clone(stage));
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| stage.aws.log(line));
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

/// What is the same whoever asked, in the order of the subjects.
fn answers(lines: &[Value]) -> Vec<Value> {
    let mut answers: Vec<Value> = lines.to_vec();
    for answer in &mut answers {
        answer["arrival"].as_object_mut().unwrap().remove("eventId");
        answer.as_object_mut().unwrap().remove("settings");
    }
    answers.sort_by_key(|answer| answer["arrival"]["tag"].as_str().unwrap().to_owned());
    answers
}

#[test]
fn the_function_answers_as_the_tool_itself_would_and_tells_nobody() {
    let stage = Arc::new(Stage::filled());
    let _function = Function::start(&stage, &[("PREFLIGHT_VERDICT_TAGS", "all")]);
    stage.aws.refuse_events(2);
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
        results in DIR/via.jsonl
        --- err
    "#]]
    .assert_eq(&stage.run(&["--via-lambda", "--results", "DIR/via.jsonl"]));
    let via = stage.lines("via.jsonl");
    assert!(via.iter().all(|line| line["settings"] == "function=ecr-preflight"));
    assert!(via.iter().all(|line| line["arrival"]["eventId"].as_str().unwrap().starts_with("event-")));
    stage.run(&["--results", "DIR/own.jsonl"]);
    assert_eq!(answers(&via), answers(&stage.lines("own.jsonl")));
    assert!(stage.aws.calls_of("Publish").is_empty() && stage.aws.calls_of("PutImage").is_empty());
    let put = stage.aws.calls_of("PutEvents");
    let sizes: Vec<usize> = put.iter().map(|call| call.body["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [4, 2], "what was refused is put again, and nothing else");
    // What is known is not asked about again.
    stage.run(&["--via-lambda", "--results", "DIR/via.jsonl"]);
    assert_eq!((stage.aws.calls_of("PutEvents").len(), stage.lines("via.jsonl").len()), (put.len(), via.len()));
}

#[test]
fn what_the_function_fails_on_or_never_sees_is_named_and_asked_about_the_next_time() {
    let stage = Arc::new(Stage::filled());
    let asked = ["--via-lambda", "--patience", "4", "--prefix", "team/", "--results", "DIR/via.jsonl"];
    // As the function words it when it fails; nobody serves the events.
    let failed = json!({"level": "ERROR", "event_id": "event-1", "error": "ecr:BatchGetImage was denied"});
    stage.aws.log(failed.to_string());
    stage.aws.log(json!({"how": "audit", "event_id": "event-2", "verdict": "runs"}).to_string());
    expect![[r#"
        success false code 2
        --- out
        0 images of 0 repositories: nothing to say
        not asked about: 1 other than images (charts, signatures)
        0 answers in TIME, N requests
        2 images could not be read
        results in DIR/via.jsonl: the same command goes on with what is missing
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:old-ecs-arm64 could not be read: the function failed: ecr:BatchGetImage was denied
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/tools:v1 could not be read: its report was too large for the function's log
    "#]].assert_eq(&stage.run(&asked));
    assert!(stage.lines("via.jsonl").is_empty());
    let _function = Function::start(&stage, &[]);
    // It begins with the two events that nobody served. Where it fails, nobody tries again but the tool.
    stage.aws.fail("BatchGetImage", 3..=3, Fault::Error(400, "AccessDeniedException"));
    let output = stage.output(&asked);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("could not be read: the function failed: ecr:BatchGetImage on arn:"), "{said}");
    assert_eq!((output.status.code(), stage.lines("via.jsonl").len(), stage.aws.handed_out()), (Some(2), 1, 4));
    stage.output(&asked);
    assert_eq!(subjects(&stage.lines("via.jsonl")), ["team/app:old-ecs-arm64", "team/tools:v1"]);
}

#[test]
fn without_following_the_events_are_handed_over_and_that_is_all() {
    let stage = Stage::filled();
    expect![[r#"
        success true code 0
        --- out
        4 images handed to the function; its answers go to the log group /aws/lambda/ecr-preflight
        --- err
    "#]]
    .assert_eq(&stage.run(&["--via-lambda", "--no-follow"]));
    assert!(stage.aws.calls_of("FilterLogEvents").is_empty());
}

#[test]
fn a_log_that_is_not_there_and_a_bus_that_refuses_say_what_to_do() {
    let stage = Stage::filled();
    // How much is listed by then is not the same every time.
    let shown = stage.run(&["--via-lambda", "--stack", "another"]);
    let said = "error: the log group /aws/lambda/another does not exist: ResourceNotFoundException: as said\n\nhint: name the function's stack by `--stack`\n";
    assert!(shown.starts_with("success false code 2") && shown.ends_with(said), "{shown}");
    assert!(stage.aws.calls_of("PutEvents").is_empty(), "nothing is asked where no answer can be read");
    stage.aws.fail("PutEvents", 1.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 2
        --- out
        0 images of 0 repositories: nothing to say
        not asked about: 1 other than images (charts, signatures)
        0 answers in TIME, N requests
        interrupted: 4 images were listed by then
        with --results FILE it would go on from here
        --- err
        error: events:PutEvents failed: allow the caller this action on the event bus, in the function's region: AccessDeniedException: as said
    "#]].assert_eq(&stage.run(&["--via-lambda"]));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: the argument '--via-lambda' cannot be used with '--runtime <RUNTIME>'

        Usage: ecr-preflight audit --via-lambda

        For more information, try '--help'.
    "#]]
    .assert_eq(&stage.run(&["--via-lambda", "--runtime", "ecs/arm64"]));
}
