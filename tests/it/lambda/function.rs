//! The function as a process: events come from the Lambda runtime API, messages go to SNS, log lines to standard
//! output.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

use ecr_preflight::name::Digest;
use expect_test::expect;
use serde_json::{Value, json};

use super::{REPOSITORY, TOPIC, push_event, verdict_tag};
use crate::support::aws::{FakeAws, Fault, SECRET};
use crate::support::cases::Cases;
use crate::support::layout::Builder;

/// A function that runs against the fake AWS until it is dropped.
pub struct Function {
    child: Child,
}

impl Function {
    pub fn start(aws: &FakeAws, variables: &[(&str, &str)]) -> Self {
        let child = command(variables).envs(region()).envs(endpoints(aws)).spawn().unwrap();
        Self { child }
    }

    /// Starts the function for consumers.
    pub fn start_consumers(aws: &FakeAws, variables: &[(&str, &str)]) -> Self {
        let program = env!("CARGO_BIN_EXE_consumers").into();
        let child = command_of(program, variables).envs(region()).envs(endpoints(aws)).spawn().unwrap();
        Self { child }
    }

    /// Ends the function and returns its log lines as JSON objects.
    pub fn log(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(!text.contains(SECRET), "{text}");
        let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("`{line}` is not JSON"));
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

/// The program of the function with exactly these variables; `TEST_BOOTSTRAP` may name a release build.
pub fn command(variables: &[(&str, &str)]) -> Command {
    let built = std::env::var_os("TEST_BOOTSTRAP").unwrap_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into());
    command_of(built, variables)
}

fn command_of(program: OsString, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
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

pub fn endpoints(aws: &FakeAws) -> Vec<(&'static str, String)> {
    vec![("AWS_LAMBDA_RUNTIME_API", aws.host()), ("AWS_ENDPOINT_URL", aws.url())]
}

pub const TOPIC_SETTING: (&str, &str) = ("PREFLIGHT_TOPIC_ARN", TOPIC);

/// An AWS with an arm64 image `v1` in a repository that declares this runtime.
fn aws_with_image(runtime: &str) -> (FakeAws, Digest) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", runtime);
    (aws, digest)
}

/// Invokes the function and parses its response.
pub fn invoke(aws: &FakeAws, event: &str) -> (String, Value) {
    let invocation = aws.invoke(event);
    let body = serde_json::from_str(&invocation.body).unwrap();
    (invocation.outcome, body)
}

#[test]
fn event_gives_a_message_and_a_report() {
    let (aws, digest) = aws_with_image("apprunner");
    aws.tag(REPOSITORY, "v2", digest.as_str());
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    for (tag, count) in [("v1", 1), ("v2", 2)] {
        let (outcome, report) = invoke(&aws, &push_event(&digest, tag).to_string());
        assert_eq!((outcome.as_str(), &report["schema"]), ("response", &json!("ecr-preflight/1")));
        assert_eq!((&report["verdict"], &report["image"]["digest"]), (&json!("fails"), &json!(digest.as_str())));
        let messages = aws.calls_of("Publish");
        assert_eq!(messages.len(), count);
        assert_eq!(messages[count - 1].body["TopicArn"], TOPIC);
    }
    let log = function.log();
    assert_eq!(log.len(), 2, "one line for each event: {log:?}");
    let mut messages = Vec::new();
    for line in log {
        assert_eq!(line["event_id"], "13cde686-328b-6117-af20-0e5566167482");
        assert_eq!((&line["repository"], &line["digest"]), (&json!(REPOSITORY), &json!(digest.as_str())));
        assert_eq!((&line["verdict"], &line["faults"]), (&json!("fails"), &json!("wrong-architecture")));
        assert_eq!((&line["level"], &line["notified"]), (&json!("INFO"), &json!(true)));
        messages.push(line["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(messages[0].replace("v1", "v2"), messages[1]);
    expect!["team/app:v1 will not start on App Runner"].assert_eq(&messages[0]);
}

/// A batch of the queue, with these bodies; the IDs are `message-1` and so on.
fn batch(bodies: &[&str]) -> String {
    let record = |(number, body): (usize, &&str)| {
        json!({"messageId": format!("message-{number}"), "receiptHandle": "handle", "body": body,
            "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1794794074000"}, "messageAttributes": {},
            "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-west-2",
            "eventSourceARN": "arn:aws:sqs:us-west-2:123456789012:arrivals"})
    };
    json!({"Records": (1..).zip(bodies).map(record).collect::<Vec<_>>()}).to_string()
}

#[test]
fn only_failed_messages_of_a_batch_stay_in_the_queue() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let mut nameless = push_event(&digest, "v1");
    nameless["detail"]["repository-name"] = Value::Null;
    let (good, nameless) = (push_event(&digest, "v1").to_string(), nameless.to_string());
    let (outcome, response) = invoke(&aws, &batch(&["no JSON", &good, &nameless, "{}"]));
    let failures = ["message-1", "message-3", "message-4"].map(|id| json!({"itemIdentifier": id}));
    assert_eq!((outcome.as_str(), response), ("response", json!({"batchItemFailures": failures})));
    assert_eq!(invoke(&aws, &batch(&[&good])).1, json!({"batchItemFailures": []}));
    let mut cases = Cases::default();
    let log = function.log();
    for line in &log {
        if line["level"] == "ERROR" {
            assert_eq!((&line["attempt"], &line["FailedEvents"]), (&json!(2), &json!(1)));
            let metrics = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(
                (&metrics["Dimensions"], &metrics["Metrics"][0]["Name"]),
                (&json!([[]]), &json!("FailedEvents"))
            );
        }
        cases.add(
            line["message"].as_str().unwrap(),
            format!("{} {} {}", line["message_id"], line["event_id"], line["error"]),
        );
    }
    expect![[r#"
        failed; the event stays in the queue
            "message-1" null "not an EventBridge event: expected ident at line 1 column 2"
        team/app:v1 will not start on App Runner
            null "13cde686-328b-6117-af20-0e5566167482" null
        failed; the event stays in the queue
            "message-3" "13cde686-328b-6117-af20-0e5566167482" "the event has no `repository-name`"
        failed; the event stays in the queue
            "message-4" null "not an EventBridge event: missing field `detail-type` at line 1 column 2"
        team/app:v1 will not start on App Runner
            null "13cde686-328b-6117-af20-0e5566167482" null
    "#]]
    .assert_eq(cases.as_str());
}

#[test]
fn repeated_pushes_notify_once() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let push = |id: &str, digest: &Digest| {
        aws.tag(REPOSITORY, "v1", digest.as_str());
        let mut event = push_event(digest, "v1");
        event["id"] = id.into();
        invoke(&aws, &event.to_string()).1["verdict"].clone()
    };
    for number in 0..10 {
        assert_eq!(push(&number.to_string(), &digest), "fails");
    }
    assert_eq!(aws.calls_of("Publish").len(), 1);
    // Another result for the tag, and then the first again.
    aws.tag_resource(REPOSITORY, "intended-runtime", "ecs/arm64");
    assert_eq!(push("10", &digest), "runs");
    aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner");
    assert_eq!(push("11", &digest), "fails");
    assert_eq!(aws.calls_of("Publish").len(), 2);
    let notified: Vec<String> =
        function.log().iter().map(|line| format!("{} {}", line["notified"], line["duplicate_of"])).collect();
    let duplicates = vec!["false \"0\"".to_owned(); 9];
    let expected = [vec!["true null".to_owned()], duplicates, vec!["false null".to_owned(), "true null".to_owned()]];
    assert_eq!(notified, expected.concat());
}

#[test]
fn failed_message_is_not_a_duplicate() {
    let (aws, digest) = aws_with_image("apprunner");
    aws.fail("Publish", 1..=1, Fault::Error(403, "AuthorizationError"));
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let event = push_event(&digest, "v1").to_string();
    let outcomes: Vec<String> = (0..3).map(|_| invoke(&aws, &event).0).collect();
    assert_eq!(outcomes, ["error", "response", "response"]);
    assert_eq!(aws.calls_of("Publish").len(), 2);
    drop(function.log());
}

#[test]
fn layers_beyond_a_limit_are_read_once() {
    let (aws, digest) = aws_with_image("ecs/arm64");
    aws.tag(REPOSITORY, "v2", digest.as_str());
    let function = Function::start(&aws, &[TOPIC_SETTING, ("PREFLIGHT_LIMITS", "bytes=1")]);
    let reports = ["v1", "v2"].map(|tag| invoke(&aws, &push_event(&digest, tag).to_string()).1);
    assert_eq!(reports[0]["exec"], reports[1]["exec"]);
    expect!["layer 6568dc4afaeb: the layer is larger than 1 bytes"]
        .assert_eq(reports[0]["exec"][0]["reason"].as_str().unwrap());
    // The config twice, and the layer once.
    assert_eq!(aws.calls_of("Blob").len(), 3);
    drop(function.log());
}

#[test]
fn push_in_another_account_is_ignored() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let mut event = push_event(&digest, "v1");
    event["account"] = json!("210987654321");
    let (outcome, report) = invoke(&aws, &event.to_string());
    assert_eq!((outcome.as_str(), &report["ignored"]), ("response", &json!("other-account")));
    assert!(aws.calls().is_empty());
    let log = function.log();
    assert_eq!(
        (&log[0]["ignored"], &log[0]["detail"]),
        (&json!("other-account"), &json!("the image is in the account 210987654321"))
    );
}

#[test]
fn excluded_repositories_are_ignored_without_a_call() {
    let (aws, digest) = aws_with_image("apprunner");
    let settings =
        [TOPIC_SETTING, ("PREFLIGHT_EXCLUDED_REPOSITORIES", "sandbox/,team"), ("PREFLIGHT_STACK", "preflight")];
    let function = Function::start(&aws, &settings);
    let (outcome, report) = invoke(&aws, &push_event(&digest, "v1").to_string());
    assert_eq!((outcome.as_str(), &report["ignored"]), ("response", &json!("excluded-repository")));
    assert!(aws.calls().is_empty());
    let log = function.log();
    let directive = &log[0]["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&log[0]["stack"], &directive["Dimensions"]), (&json!("preflight"), &json!([["stack", "verdict"]])));
}

#[test]
fn broken_connections_are_replaced() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    for tag in ["v1", "v2", "v3"] {
        aws.tag(REPOSITORY, tag, digest.as_str());
        assert_eq!(invoke(&aws, &push_event(&digest, tag).to_string()).0, "response");
        aws.close_connections();
    }
    // The config three times; the layer is read for the first event and then cached.
    assert_eq!((aws.calls_of("Blob").len(), aws.calls_of("Publish").len()), (4, 3));
    drop(function.log());
}

#[test]
fn failed_event_is_an_invocation_error() {
    let (aws, digest) = aws_with_image("apprunner");
    aws.fail("BatchGetImage", 1..=1, Fault::Error(400, "AccessDeniedException"));
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let event = push_event(&digest, "v1").to_string();
    let (outcome, error) = invoke(&aws, &event);
    assert_eq!((outcome.as_str(), &error["errorType"]), ("error", &json!("ecr-preflight")));
    let message = error["errorMessage"].as_str().unwrap();
    expect!["ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource: AccessDeniedException: service message"].assert_eq(message);
    assert!(aws.calls_of("Publish").is_empty());
    assert_eq!(invoke(&aws, &event).0, "response");
    let log = function.log();
    assert_eq!(log.len(), 2, "an error is logged once: {log:?}");
    assert_eq!((&log[0]["level"], &log[0]["error"]), (&json!("ERROR"), &json!(message)));
    assert_eq!(log[0]["event_id"], "13cde686-328b-6117-af20-0e5566167482");
    assert_eq!(log[1]["verdict"], "fails");
}

#[test]
fn push_in_another_region_is_an_error() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let mut event = push_event(&digest, "v1");
    event["region"] = json!("eu-central-1");
    let (outcome, error) = invoke(&aws, &event.to_string());
    assert_eq!(outcome, "error");
    expect!["the image is in eu-central-1, but this function reads us-west-2: deploy it in eu-central-1 too"]
        .assert_eq(error["errorMessage"].as_str().unwrap());
    assert!(aws.calls().is_empty());
    drop(function.log());
}

#[test]
fn invalid_event_is_an_invocation_error() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let mut nameless = push_event(&digest, "v1");
    nameless["detail"]["repository-name"] = Value::Null;
    let nameless = nameless.to_string();
    let payloads = [
        ("text", "no JSON"),
        ("a list", "[]"),
        ("an empty object", "{}"),
        ("a detail-type that is a number", "{\"detail-type\":7}"),
        ("a push without a repository", &nameless),
    ];
    let mut cases = Cases::default();
    for (name, payload) in payloads {
        let answer = aws.invoke(payload);
        assert_eq!(answer.outcome, "error", "{name}");
        cases.add(name, &answer.body);
    }
    expect![[r#"
        text
            {"errorType":"&lambda_runtime::deserializer::DeserializeError","errorMessage":"failed to deserialize the incoming data into the function's payload type: expected ident at line 1 column 2\n"}
        a list
            {"errorType":"&lambda_runtime::deserializer::DeserializeError","errorMessage":"failed to deserialize the incoming data into the function's payload type: invalid length 2, expected struct EventBridgeEvent with 9 elements\n"}
        an empty object
            {"errorType":"&lambda_runtime::deserializer::DeserializeError","errorMessage":"failed to deserialize the incoming data into the function's payload type: missing field `detail-type`\n"}
        a detail-type that is a number
            {"errorType":"&lambda_runtime::deserializer::DeserializeError","errorMessage":"failed to deserialize the incoming data into the function's payload type: invalid type: integer `7`, expected a string\n"}
        a push without a repository
            {"errorType":"ecr-preflight","errorMessage":"the event has no `repository-name`"}
    "#]].assert_eq(cases.as_str());
    assert!(aws.calls().is_empty());
    assert_eq!(invoke(&aws, &push_event(&digest, "v1").to_string()).0, "response");
    let log = function.log();
    let errors = log.iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!((errors, log.len()), (payloads.len(), payloads.len() + 1), "one line for each: {log:?}");
}

#[test]
fn ignored_events_make_no_calls() {
    let (aws, digest) = aws_with_image("apprunner");
    let function = Function::start(&aws, &[TOPIC_SETTING]);
    let verdict_tag = verdict_tag("fail-apprunner", &digest);
    for (tag, why) in [("", "untagged"), (verdict_tag.as_str(), "verdict-tag")] {
        let (outcome, report) = invoke(&aws, &push_event(&digest, tag).to_string());
        assert_eq!((outcome.as_str(), &report["verdict"]), ("response", &json!("ignored")));
        assert_eq!(report["ignored"], why);
    }
    assert!(aws.calls().is_empty());
    let ignored: Vec<Value> = function.log().into_iter().map(|line| line["ignored"].clone()).collect();
    assert_eq!(ignored, ["untagged", "verdict-tag"]);
}

#[test]
fn verdict_tag_is_set_once_in_immutable_repositories() {
    let (aws, digest) = aws_with_image("ecs/arm64");
    aws.make_immutable(REPOSITORY);
    let function = Function::start(&aws, &[("PREFLIGHT_VERDICT_TAGS", "all")]);
    for _ in 0..2 {
        let (outcome, report) = invoke(&aws, &push_event(&digest, "v1").to_string());
        assert_eq!((outcome.as_str(), &report["verdict"]), ("response", &json!("runs")));
        assert_eq!(aws.tags(REPOSITORY), [&verdict_tag("pass-ecs-arm64", &digest), "v1"]);
    }
    assert_eq!((aws.calls_of("PutImage").len(), aws.calls_of("Publish").len()), (2, 0));
    drop(function.log());
}

#[test]
fn moved_tags_are_ignored_and_taken_tags_reported() {
    let (aws, digest) = aws_with_image("apprunner");
    let other = Digest::of(b"another");
    let verdict_tag = verdict_tag("fail-apprunner", &digest);
    aws.make_immutable(REPOSITORY);
    aws.tag(REPOSITORY, &verdict_tag, other.as_str());
    let function = Function::start(&aws, &[TOPIC_SETTING, ("PREFLIGHT_VERDICT_TAGS", "failures")]);
    let (_, report) = invoke(&aws, &push_event(&digest, "v1").to_string());
    assert_eq!((&report["verdict"], aws.calls_of("Publish").len()), (&json!("fails"), 1));
    aws.tag(REPOSITORY, "v1", other.as_str());
    let (_, report) = invoke(&aws, &push_event(&digest, "v1").to_string());
    assert_eq!((&report["ignored"], aws.calls_of("Publish").len()), (&json!("superseded"), 1));
    let log = function.log();
    let levels: Vec<&Value> = log.iter().map(|line| &line["level"]).collect();
    assert_eq!(levels, ["ERROR", "INFO", "INFO"]);
    // The line names the image even though nothing was read.
    assert_eq!((&log[2]["ignored"], &log[2]["digest"]), (&json!("superseded"), &json!(digest.as_str())));
}

#[test]
fn verbose_log_has_no_presigned_url() {
    let (aws, digest) = aws_with_image("apprunner");
    aws.fail("Blob", 1..=1, Fault::Redirected);
    let function = Function::start(&aws, &[TOPIC_SETTING, ("PREFLIGHT_LOG_LEVEL", "info")]);
    assert_eq!(invoke(&aws, &push_event(&digest, "v1").to_string()).0, "response");
    // The config twice, and the layer.
    assert_eq!(aws.calls_of("Blob").len(), 3);
    let log = function.log();
    assert!(log.iter().any(|line| line["level"] == "INFO"));
}

#[test]
fn function_with_invalid_settings_does_not_start() {
    let mut cases = Cases::default();
    for (name, variables) in [
        ("an invalid value", vec![TOPIC_SETTING, ("PREFLIGHT_VERDICT_TAGS", "yes")]),
        ("an unknown variable", vec![TOPIC_SETTING, ("PREFLIGHT_VERDICT_TAG", "never")]),
        ("nothing to report to", vec![]),
    ] {
        cases.add(name, error_at_start(command(&variables).envs(region())));
    }
    let mut undecodable = command(&[TOPIC_SETTING]);
    undecodable
        .env("PREFLIGHT_VERDICT_TAGS", OsStr::from_bytes(b"al\xffways"))
        .env("OTHER", OsStr::from_bytes(b"\xff"));
    cases.add("bytes that are not UTF-8", error_at_start(undecodable.envs(region())));
    for missing in 0..3 {
        let mut given = region().to_vec();
        let (name, _) = given.remove(missing);
        cases.add(format!("without {name}"), error_at_start(command(&[TOPIC_SETTING]).envs(given)));
    }
    expect![[r#"
        an invalid value
            Error: "PREFLIGHT_VERDICT_TAGS is `yes`; allowed: never, failures or all"
        an unknown variable
            Error: "unknown setting PREFLIGHT_VERDICT_TAG; did you mean PREFLIGHT_VERDICT_TAGS?"
        nothing to report to
            Error: "results would not be reported: set PREFLIGHT_TOPIC_ARN, or PREFLIGHT_VERDICT_TAGS to failures or all"
        bytes that are not UTF-8
            Error: "PREFLIGHT_VERDICT_TAGS is `al�ways`; allowed: never, failures or all"
        without AWS_REGION
            Error: "AWS_REGION is not set: Lambda sets it for a function; elsewhere, set it yourself"
        without AWS_ACCESS_KEY_ID
            Error: "AWS_ACCESS_KEY_ID is not set: Lambda sets it for a function; elsewhere, set it yourself"
        without AWS_SECRET_ACCESS_KEY
            Error: "AWS_SECRET_ACCESS_KEY is not set: Lambda sets it for a function; elsewhere, set it yourself"
    "#]]
    .assert_eq(cases.as_str());
}

/// The one-line error of a function that does not start.
fn error_at_start(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(output.stdout.is_empty());
    error
}
