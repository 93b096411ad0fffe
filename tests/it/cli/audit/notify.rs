//! `--notify`: one message for the whole audit.

use expect_test::expect;
use serde_json::Value;

use super::Fixture;
use crate::support::aws::Fault;

const TOPIC: (&str, &str) = ("PREFLIGHT_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:alerts");

#[test]
fn audit_sends_one_message_after_printing() {
    let fixture = Fixture::with_images();
    let output = fixture.command(&["--notify"]).env(TOPIC.0, TOPIC.1).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let format_output = fixture.format_output(&output);
    expect![[r#"
        :

          | :x: Audit: 1 image will not start, 1 unknown
          |
          | 4 images checked in us-west-2 of account 123456789012
          |
          | ✗ `grafana/grafana:11.4.0` +1: apprunner wrong-architecture: the image is built for linux/arm64, not linux/amd64
          | ? `team/app:0.9-ecs-arm64`: ecs/arm64 the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs
          |
          | by fault: wrong-architecture 1

          message attributes: verdict=fails  fault=wrong-architecture
        --- err
    "#]].assert_eq(format_output.split_once("\n\nTo Slack").map_or("", |(_, message)| message));
    let sent = fixture.aws.calls_of("Publish");
    assert_eq!(sent.len(), 1);
    let bodies: Value = serde_json::from_str(sent[0].body["Message"].as_str().unwrap()).unwrap();
    expect![[r#"
        Audit: 1 image will not start, 1 unknown
        4 images checked in us-west-2 of account 123456789012

        ✗ grafana/grafana:11.4.0 +1: apprunner wrong-architecture: the image is built for linux/arm64, not linux/amd64
        ? team/app:0.9-ecs-arm64: ecs/arm64 the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs

        by fault: wrong-architecture 1
    "#]].assert_eq(bodies["email"].as_str().unwrap());
    let document: Value = serde_json::from_str(bodies["sqs"].as_str().unwrap()).unwrap();
    expect![[r#"
        {
          "complete": true,
          "faults": {
            "wrong-architecture": 1
          },
          "images": 4,
          "schema": "ecr-preflight/audit/1",
          "unlistedRepositories": 0,
          "unreadImages": 0,
          "verdicts": {
            "fails": 1,
            "ignored": 0,
            "runs": 1,
            "undeclared": 1,
            "unknown": 1
          },
          "worst": [
            {
              "account": "123456789012",
              "digest": "sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8",
              "faults": [
                "wrong-architecture"
              ],
              "intended": [
                "apprunner"
              ],
              "region": "us-west-2",
              "repository": "grafana/grafana",
              "tag": "11.4.0",
              "verdict": "fails"
            },
            {
              "account": "123456789012",
              "digest": "sha256:3e3f3a1fe765dcdc7fda7c2cb925e73195180125cc106f5b042c074545a5f5b0",
              "faults": [],
              "intended": [
                "ecs/arm64"
              ],
              "region": "us-west-2",
              "repository": "team/app",
              "tag": "0.9-ecs-arm64",
              "verdict": "unknown"
            }
          ]
        }"#]]
    .assert_eq(&format!("{document:#}"));
    let sms = bodies["sms"].as_str().unwrap();
    assert_eq!(sent[0].body["Subject"], format!("[ecr-preflight] {sms}"));
}

#[test]
fn audit_message_stays_within_limits() {
    let fixture = Fixture::new();
    let name = "a".repeat(200);
    fixture.aws.set_page_size(1000);
    fixture.aws.push_indexes(&name, 300, "arm64");
    fixture.aws.tag_resource(&name, "intended-runtime", "apprunner");
    let output = fixture.command(&["--all", "--notify"]).env(TOPIC.0, TOPIC.1).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sent = fixture.aws.calls_of("Publish");
    let bodies: Value = serde_json::from_str(sent[0].body["Message"].as_str().unwrap()).unwrap();
    let card: Value = serde_json::from_str(bodies["https"].as_str().unwrap()).unwrap();
    let description = card["content"]["description"].as_str().unwrap();
    assert!(description.chars().count() < 8000, "{description}");
    let others: Vec<&str> = description.lines().filter(|line| !line.contains(&name)).collect();
    expect![[r#"
        300 images checked in us-west-2 of account 123456789012

        and 285 more

        by fault: platform-missing 300"#]]
    .assert_eq(&others.join("\n"));
}

#[test]
fn audit_message_mentions_unreadable_images() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 3, "arm64");
    fixture.aws.fail("BatchGetImage", 1..=1, Fault::Error(400, "AccessDeniedException"));
    let output = fixture.command(&["--notify"]).env(TOPIC.0, TOPIC.1).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", fixture.format_output(&output));
    let sent = fixture.aws.calls_of("Publish");
    let bodies: Value = serde_json::from_str(sent[0].body["Message"].as_str().unwrap()).unwrap();
    expect![[r#"
        Audit: incomplete
        2 images checked in us-west-2 of account 123456789012
        1 image could not be read.
    "#]]
    .assert_eq(bodies["email"].as_str().unwrap());
    let document: Value = serde_json::from_str(bodies["sqs"].as_str().unwrap()).unwrap();
    assert_eq!([&document["unreadImages"], &document["complete"]], [&Value::from(1), &Value::from(false)]);
}

#[test]
fn failed_notification_keeps_the_exit_code() {
    let fixture = Fixture::with_images();
    fixture.aws.fail("Publish", .., Fault::Error(403, "AuthorizationError"));
    let output = fixture.command(&["--notify"]).env(TOPIC.0, TOPIC.1).output().unwrap();
    let format_output = fixture.format_output(&output);
    assert_eq!(output.status.code(), Some(1), "{format_output}");
    expect![[r#"
        error: sns:Publish on arn:aws:sns:us-west-2:123456789012:alerts was denied: allow the function this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
    "#]].assert_eq(format_output.split_once("--- err\n").unwrap().1);
}

#[test]
fn nothing_is_sent_without_failures() {
    let fixture = Fixture::new();
    fixture.aws.push_indexes("team/app", 1, "arm64");
    let output = fixture.command(&["--notify"]).env(TOPIC.0, TOPIC.1).output().unwrap();
    assert_eq!((output.status.code(), fixture.aws.calls_of("Publish").len()), (Some(0), 0));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: --notify needs a topic: PREFLIGHT_TOPIC_ARN is not set

        hint: set it to the ARN of the topic that the function notifies
    "#]]
    .assert_eq(&fixture.run(&["--notify"]));
}
