//! The function as a process of its own: events come from Lambda's runtime interface, messages go to SNS, log lines to
//! standard output.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

use ecr_preflight::name::Digest;
use serde_json::{Value, json};

use super::{ARN, REPOSITORY, TOPIC, pushed};
use crate::support::aws::{FakeAws, Fault, SECRET};
use crate::support::layout::Builder;

/// A function that serves a small AWS until it is dropped.
struct Function {
    child: Child,
}

impl Function {
    fn start(aws: &FakeAws, variables: &[(&str, &str)]) -> Self {
        let child = command(variables).envs(region()).envs(endpoints(aws)).spawn().unwrap();
        Self { child }
    }

    /// Ends it; gives back its log, each line as the object that it is.
    fn log(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(!text.contains(SECRET), "{text}");
        let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("`{line}` is no JSON"));
        let lines: Vec<Value> = text.lines().map(object).collect();
        assert!(lines.iter().all(Value::is_object));
        lines
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The function's program with these settings and nothing else; a release build, where one is named.
pub fn command(variables: &[(&str, &str)]) -> Command {
    let built = std::env::var_os("TEST_BOOTSTRAP").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into());
    let mut command = Command::new(built);
    command.env_clear().envs(variables.iter().copied());
    command.env("AWS_LAMBDA_FUNCTION_NAME", "preflight").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
    command.env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn region() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_REGION", "us-west-2"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "0KEYKEY0"),
        ("AWS_SESSION_TOKEN", "0SESSION0"),
    ]
}

pub fn endpoints(aws: &FakeAws) -> [(&'static str, String); 3] {
    [("AWS_LAMBDA_RUNTIME_API", aws.host()), ("AWS_ENDPOINT_URL_ECR", aws.url()), ("AWS_ENDPOINT_URL_SNS", aws.url())]
}

pub const TOLD: (&str, &str) = ("PREFLIGHT_TOPIC_ARN", TOPIC);

/// An arm64 image under `v1` in a repository for this runtime.
fn repository(runtime: &str) -> (FakeAws, Digest) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", runtime);
    (aws, digest)
}

/// Invokes the function and reads what it answers as JSON.
fn invoke(aws: &FakeAws, event: &str) -> (String, Value) {
    let invocation = aws.invoke(event);
    let body = serde_json::from_str(&invocation.body).unwrap();
    (invocation.outcome, body)
}

#[test]
fn an_event_becomes_a_message_and_the_report_is_the_response_again_and_again() {
    let (aws, digest) = repository("apprunner");
    let function = Function::start(&aws, &[TOLD]);
    for told in 1..=2 {
        let (outcome, report) = invoke(&aws, &pushed(&digest, "v1").to_string());
        assert_eq!((outcome.as_str(), &report["schema"]), ("response", &json!("ecr-preflight/1")));
        assert_eq!((&report["verdict"], &report["image"]["digest"]), (&json!("fails"), &json!(digest.as_str())));
        let messages = aws.calls_of("Publish");
        assert_eq!(messages.len(), told);
        assert_eq!(messages[told - 1].body["TopicArn"], TOPIC);
    }
    let log = function.log();
    assert_eq!(log.len(), 2, "one line for each event: {log:?}");
    for line in log {
        assert_eq!(line["event_id"], "13cde686-328b-6117-af20-0e5566167482");
        assert_eq!((&line["repository"], &line["digest"]), (&json!(REPOSITORY), &json!(digest.as_str())));
        assert_eq!((&line["verdict"], &line["faults"]), (&json!("fails"), &json!("wrong-architecture")));
        assert_eq!((&line["level"], &line["told"]), (&json!("INFO"), &json!(true)));
        assert_eq!(line["message"], "team/app:v1 will not start on App Runner");
    }
}

#[test]
fn connections_that_broke_while_the_function_slept_are_replaced() {
    let (aws, digest) = repository("apprunner");
    let function = Function::start(&aws, &[TOLD]);
    for _ in 0..3 {
        assert_eq!(invoke(&aws, &pushed(&digest, "v1").to_string()).0, "response");
        aws.hang_up();
    }
    // Three times the config; the layer is read for the first event, and remembered.
    assert_eq!((aws.calls_of("Blob").len(), aws.calls_of("Publish").len()), (4, 3));
    drop(function.log());
}

#[test]
fn what_fails_is_an_error_of_the_invocation_and_the_next_event_is_served() {
    let (aws, digest) = repository("apprunner");
    aws.fail("BatchGetImage", 1..=1, Fault::Error(400, "AccessDeniedException"));
    let function = Function::start(&aws, &[TOLD]);
    let event = pushed(&digest, "v1").to_string();
    let (outcome, error) = invoke(&aws, &event);
    assert_eq!((outcome.as_str(), &error["errorType"]), ("error", &json!("ecr-preflight")));
    let said = error["errorMessage"].as_str().unwrap();
    assert!(said.starts_with(&format!("ecr:BatchGetImage on {ARN} was denied")), "{said}");
    assert!(aws.calls_of("Publish").is_empty());
    assert_eq!(invoke(&aws, &event).0, "response");
    let log = function.log();
    assert_eq!(log.len(), 2, "an error is said once: {log:?}");
    assert_eq!((&log[0]["level"], &log[0]["error"]), (&json!("ERROR"), &json!(said)));
    assert_eq!(log[0]["event_id"], "13cde686-328b-6117-af20-0e5566167482");
    assert_eq!(log[1]["verdict"], "fails");
}

#[test]
fn a_push_in_another_region_is_an_error_that_says_so_and_nothing_is_asked() {
    let (aws, digest) = repository("apprunner");
    let function = Function::start(&aws, &[TOLD]);
    let mut event = pushed(&digest, "v1");
    event["region"] = json!("eu-central-1");
    let (outcome, error) = invoke(&aws, &event.to_string());
    let said =
        "the image is in eu-central-1, and this function reads the repositories of us-west-2: deploy it there too";
    assert_eq!((outcome.as_str(), &error["errorMessage"]), ("error", &json!(said)));
    assert!(aws.calls().is_empty());
    drop(function.log());
}

#[test]
fn what_is_no_event_is_an_error_and_the_next_event_is_served() {
    let (aws, digest) = repository("apprunner");
    let function = Function::start(&aws, &[TOLD]);
    let mut nameless = pushed(&digest, "v1");
    nameless["detail"]["repository-name"] = Value::Null;
    let nameless = nameless.to_string();
    let payloads = [
        ("no JSON", "expected ident"),
        ("[]", "expected struct EventBridgeEvent"),
        ("{}", "missing field"),
        ("{\"detail-type\":7}", "invalid type"),
        (&nameless, "the event does not say its repository-name"),
    ];
    for (payload, said) in payloads {
        let answer = aws.invoke(payload);
        assert_eq!(answer.outcome, "error", "{payload}");
        assert!(answer.body.contains(said), "{payload}: {}", answer.body);
    }
    assert!(aws.calls().is_empty());
    assert_eq!(invoke(&aws, &pushed(&digest, "v1").to_string()).0, "response");
    let log = function.log();
    let errors = log.iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!((errors, log.len()), (payloads.len(), payloads.len() + 1), "one line for each: {log:?}");
}

#[test]
fn events_that_are_ignored_call_nothing() {
    let (aws, digest) = repository("apprunner");
    let function = Function::start(&aws, &[TOLD]);
    let mark = format!("preflight-fail-apprunner-{}", digest.short());
    for (tag, why) in [("", "untagged"), (mark.as_str(), "verdict-tag")] {
        let (outcome, report) = invoke(&aws, &pushed(&digest, tag).to_string());
        assert_eq!((outcome.as_str(), &report["verdict"]), ("response", &json!("ignored")));
        assert_eq!(report["ignored"], why);
    }
    assert!(aws.calls().is_empty());
    let ignored: Vec<Value> = function.log().into_iter().map(|line| line["ignored"].clone()).collect();
    assert_eq!(ignored, ["untagged", "verdict-tag"]);
}

#[test]
fn a_mark_is_set_once_however_often_the_event_comes_in_an_immutable_repository_too() {
    let (aws, digest) = repository("ecs/arm64");
    aws.make_immutable(REPOSITORY);
    let function = Function::start(&aws, &[("PREFLIGHT_VERDICT_TAGS", "all")]);
    for _ in 0..2 {
        let (outcome, report) = invoke(&aws, &pushed(&digest, "v1").to_string());
        assert_eq!((outcome.as_str(), &report["verdict"]), ("response", &json!("runs")));
        assert_eq!(aws.tags(REPOSITORY), [&format!("preflight-pass-ecs-arm64-{}", digest.short()), "v1"]);
    }
    assert_eq!((aws.calls_of("PutImage").len(), aws.calls_of("Publish").len()), (2, 0));
    drop(function.log());
}

#[test]
fn an_image_that_the_tag_has_left_is_ignored_and_one_that_another_has_marked_is_told() {
    let (aws, digest) = repository("apprunner");
    let other = Digest::of(b"another");
    let mark = format!("preflight-fail-apprunner-{}", digest.short());
    aws.make_immutable(REPOSITORY);
    aws.tag(REPOSITORY, &mark, other.as_str());
    let function = Function::start(&aws, &[TOLD, ("PREFLIGHT_VERDICT_TAGS", "failures")]);
    let (_, report) = invoke(&aws, &pushed(&digest, "v1").to_string());
    assert_eq!((&report["verdict"], aws.calls_of("Publish").len()), (&json!("fails"), 1));
    aws.tag(REPOSITORY, "v1", other.as_str());
    let (_, report) = invoke(&aws, &pushed(&digest, "v1").to_string());
    assert_eq!((&report["ignored"], aws.calls_of("Publish").len()), (&json!("superseded"), 1));
    let log = function.log();
    let levels: Vec<&Value> = log.iter().map(|line| &line["level"]).collect();
    assert_eq!(levels, ["ERROR", "INFO", "INFO"]);
    // Though nothing was read, the line says which image it is about.
    assert_eq!((&log[2]["ignored"], &log[2]["digest"]), (&json!("superseded"), &json!(digest.as_str())));
}

#[test]
fn the_most_talkative_log_holds_no_presigned_address() {
    let (aws, digest) = repository("apprunner");
    aws.fail("Blob", 1..=1, Fault::Redirected);
    let function = Function::start(&aws, &[TOLD, ("PREFLIGHT_LOG_LEVEL", "info")]);
    assert_eq!(invoke(&aws, &pushed(&digest, "v1").to_string()).0, "response");
    // The config twice, and the layer.
    assert_eq!(aws.calls_of("Blob").len(), 3);
    let log = function.log();
    assert!(log.iter().any(|line| line["level"] == "INFO"));
}

#[test]
fn a_function_that_is_set_wrongly_does_not_start_and_says_why() {
    let wrong = [
        (
            vec![TOLD, ("PREFLIGHT_VERDICT_TAGS", "yes")],
            "PREFLIGHT_VERDICT_TAGS is `yes`; allowed: never, failures or all",
        ),
        (
            vec![TOLD, ("PREFLIGHT_VERDICT_TAG", "never")],
            "PREFLIGHT_VERDICT_TAG is no setting; did you mean PREFLIGHT_VERDICT_TAGS?",
        ),
        (vec![], "nobody would be told: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_VERDICT_TAGS to failures or all"),
    ];
    for (variables, why) in wrong {
        starts_not(command(&variables).envs(region()), why);
    }
    let mut undecodable = command(&[TOLD]);
    undecodable
        .env("PREFLIGHT_VERDICT_TAGS", OsStr::from_bytes(b"al\xffways"))
        .env("OTHER", OsStr::from_bytes(b"\xff"));
    starts_not(
        undecodable.envs(region()),
        "PREFLIGHT_VERDICT_TAGS is `al\u{fffd}ways`; allowed: never, failures or all",
    );
    for missing in 0..3 {
        let mut given = region().to_vec();
        let (name, _) = given.remove(missing);
        let why = format!("{name} is not set; the Lambda service sets it, elsewhere set it yourself");
        starts_not(command(&[TOLD]).envs(given), &why);
    }
}

fn starts_not(command: &mut Command, why: &str) {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(why), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(output.stdout.is_empty());
}
