//! Every file in `events/` through the function's handler: the whole output of `replay`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect, expect_file};
use tempfile::TempDir;

use crate::support::sample_images;

/// Runs `replay` on the sample images and returns its output.
fn replay(event: &str, declared: Option<&str>, settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.args(["replay", &format!("events/{event}"), "--layout", "events/images"]);
    command.args(declared.map(|declared| format!("--declared={declared}")));
    let output = command.envs(settings.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}exit code {}\n", text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// Each event, and what its repository declares.
const EVENTS: [(&str, Option<&str>); 24] = [
    ("audit.json", Some("apprunner")),
    ("push-arm64.json", Some("apprunner")),
    ("push-arm64-for-ecs-amd64.json", None),
    ("push-arm64-hint.json", Some("ecs/amd64")),
    ("push-arm-v7.json", Some("ecs/arm64")),
    ("push-label.json", None),
    ("push-index.json", Some("ecs/amd64 ecs/arm64 apprunner")),
    ("push-index-for-lambda.json", None),
    ("push-descriptor-mismatch.json", Some("ecs/amd64")),
    ("push-identical-layers.json", Some("ecs/amd64 ecs/arm64")),
    ("push-attestation-tagged.json", Some("apprunner")),
    ("push-helm-chart.json", Some("apprunner")),
    ("push-signature.json", Some("apprunner")),
    ("push-untagged.json", Some("apprunner")),
    ("push-verdict-tag.json", Some("apprunner")),
    ("push-superseded.json", Some("apprunner")),
    ("delete.json", Some("apprunner")),
    ("replication.json", Some("lambda/amd64")),
    ("pull-through-cache.json", Some("ecs/amd64")),
    ("referrer.json", Some("apprunner")),
    ("ecs-deployment.json", Some("apprunner")),
    ("ecs-task-stopped.json", Some("apprunner")),
    ("app-runner-operation.json", Some("apprunner")),
    ("lambda-state.json", Some("apprunner")),
];

#[test]
fn event_files_give_the_recorded_output() {
    let names_in = |directory: &str, suffix: &str| -> BTreeSet<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| Some(name.strip_suffix(suffix)?.to_owned())).collect()
    };
    let listed: BTreeSet<String> = EVENTS.iter().map(|(event, _)| event.trim_end_matches(".json").to_owned()).collect();
    assert_eq!(names_in("events", ".json"), listed, "every event file is replayed");
    assert_eq!(names_in("tests/it/lambda/events", ".txt"), listed, "every recorded output has an event");
    for (event, declared) in EVENTS {
        let printed = replay(event, declared, &[("PREFLIGHT_VERDICT_TAGS", "all")]);
        let name = event.trim_end_matches(".json");
        expect_file![format!("{}/tests/it/lambda/events/{name}.txt", env!("CARGO_MANIFEST_DIR"))].assert_eq(&printed);
    }
}

#[test]
fn replay_previews_every_format() {
    let replay = |event: &str, format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
        command.args(["replay", &format!("events/{event}"), "--layout", "events/images", "--declared=apprunner"]);
        String::from_utf8(command.args(["--format", format]).output().unwrap().stdout).unwrap()
    };
    let card: serde_json::Value = serde_json::from_str(&replay("push-arm64.json", "card")).unwrap();
    assert_eq!((&card["version"], &card["source"]), (&"1.0".into(), &"custom".into()));
    let email = replay("push-arm64.json", "email");
    let (subject, body) = email.split_once("\n\n").unwrap();
    expect![
        "Subject: [ecr-preflight] grafana/grafana:11.4.0 will not start on App Runner: the image is arm64, App Run..."
    ]
    .assert_eq(subject);
    assert!(body.starts_with("grafana/grafana:11.4.0 will not start") && body.contains("To stop messages"), "{body}");
    let sms = replay("push-arm64.json", "sms");
    expect![[r#"
        grafana/grafana:11.4.0 will not start on App Runner
    "#]]
    .assert_eq(&sms);
    for format in ["card", "email", "sms"] {
        let nothing = replay("push-untagged.json", format);
        assert!(nothing.starts_with("Nothing to send: "), "{nothing}");
    }
}

#[test]
fn sample_images_are_up_to_date() {
    let built = TempDir::new().unwrap();
    sample_images::build(built.path());
    let (built, recorded) = (built.path(), Path::new("events/images"));
    let files = |directory: &Path| -> BTreeSet<String> {
        let names = fs::read_dir(directory.join("blobs/sha256")).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    if std::env::var_os("UPDATE_EXPECT").is_some() && files(built) != files(recorded) {
        sample_images::build(recorded);
    }
    assert_eq!(files(built), files(recorded));
    let blobs = files(built).into_iter().map(|name| format!("blobs/sha256/{name}"));
    for file in blobs.chain(["oci-layout".to_owned(), "index.json".to_owned()]) {
        assert_eq!(fs::read(built.join(&file)).unwrap(), fs::read(recorded.join(&file)).unwrap(), "{file}");
    }
}

#[test]
fn settings_change_tags_and_declarations() {
    let check = |settings: &[(&str, &str)], expected: Expect| {
        expected.assert_eq(replay("push-arm64-for-ecs-amd64.json", None, settings).lines().next().unwrap_or_default());
    };
    check(
        &[("PREFLIGHT_VERDICT_TAGS", "failures")],
        expect![
            "Verdict tag on sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8: preflight-fail-ecs-amd64-cb9d8244a81cd48e"
        ],
    );
    check(&[("PREFLIGHT_VERDICT_TAGS", "never")], expect!["To Slack:"]);
    check(
        &[("PREFLIGHT_IMAGE_TAGS", "ignore")],
        expect!["Nothing to send: team/app:1.4.2-ecs-amd64: no runtime is declared for it"],
    );
    check(&[("PREFLIGHT_IMAGE_TAGS", "no")], expect!["error: PREFLIGHT_IMAGE_TAGS is `no`; allowed: read or ignore"]);
}
