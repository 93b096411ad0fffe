//! The log line of an event, which also holds its metrics.

use ecr_preflight::event::{Event, IgnoreReason};
use ecr_preflight::lambda::log::{EventRecord, metrics_line};
use ecr_preflight::name::Digest;
use ecr_preflight::oci::{Image, ImageContent};
use ecr_preflight::report::{Report, ReportContext};
use expect_test::expect;
use serde_json::Value;

use crate::report::messages::report;

fn context(notified: bool) -> EventRecord<'static> {
    EventRecord {
        event_id: "13cde686",
        stack: Some("ecr-preflight"),
        is_audit: false,
        ignored_detail: "",
        notified,
        duplicate_of: None,
        duration_ms: 87,
        bytes_read: 1234,
        ended_at_ms: 1_794_794_074_000,
    }
}

#[test]
fn line_of_a_failing_image() {
    let report = report("team/app", "v1", "ecs/amd64 lambda/arm64 apprunr", "/app");
    let line = metrics_line(&report, context(true));
    expect![[r#"
        {
          "Arrivals": 1,
          "BytesRead": 1234,
          "Duration": 87,
          "Faults": 2,
          "_aws": {
            "CloudWatchMetrics": [
              {
                "Dimensions": [
                  [
                    "stack",
                    "verdict"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "Arrivals",
                    "Unit": "Count"
                  }
                ],
                "Namespace": "ecr-preflight"
              },
              {
                "Dimensions": [
                  [
                    "stack"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "Duration",
                    "Unit": "Milliseconds"
                  },
                  {
                    "Name": "BytesRead",
                    "Unit": "Bytes"
                  }
                ],
                "Namespace": "ecr-preflight"
              },
              {
                "Dimensions": [
                  [
                    "stack",
                    "fault"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "Faults",
                    "Unit": "Count"
                  }
                ],
                "Namespace": "ecr-preflight"
              }
            ],
            "Timestamp": 1794794074000
          },
          "digest": "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d",
          "event_id": "13cde686",
          "fault": "wrong-architecture",
          "faults": "wrong-architecture invalid-declaration",
          "how": "push",
          "level": "INFO",
          "message": "team/app:v1 will not start on ECS on amd64",
          "notified": true,
          "repository": "team/app",
          "runtimes": "ecs/amd64 lambda/arm64 apprunr",
          "stack": "ecr-preflight",
          "tag": "v1",
          "verdict": "fails"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&line).unwrap());
}

#[test]
fn line_of_an_ignored_event() {
    let event = std::fs::read("events/push-untagged.json").unwrap();
    let Ok(Event::Ignored(why, said, arrival)) = Event::parse(&serde_json::from_slice(&event).unwrap()) else {
        panic!()
    };
    assert_eq!(why, IgnoreReason::Untagged);
    let report = Report::from_ignored_event(arrival.as_ref(), why);
    let line = metrics_line(&report, EventRecord { ignored_detail: &said, ..context(false) });
    expect![[r#"{"Arrivals":1,"BytesRead":1234,"Duration":87,"Faults":0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["stack","verdict"]],"Metrics":[{"Name":"Arrivals","Unit":"Count"}],"Namespace":"ecr-preflight"},{"Dimensions":[["stack"]],"Metrics":[{"Name":"Duration","Unit":"Milliseconds"},{"Name":"BytesRead","Unit":"Bytes"}],"Namespace":"ecr-preflight"}],"Timestamp":1794794074000},"detail":"sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8","digest":"sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8","event_id":"13cde686","faults":"","how":"push","ignored":"untagged","level":"INFO","message":"team/app is not checked: it has no tag","notified":false,"repository":"team/app","runtimes":"","stack":"ecr-preflight","verdict":"ignored"}"#]].assert_eq(&line.to_string());
}

#[test]
fn line_of_an_audit_has_the_report_and_no_metric() {
    let event = std::fs::read("events/audit.json").unwrap();
    let Ok(Event::Arrival(arrival)) = Event::parse(&serde_json::from_slice(&event).unwrap()) else { panic!() };
    let report = |reference: &str| {
        let place = ReportContext { arrival: Some(&arrival), reference, ..ReportContext::default() };
        let content = ImageContent::Artifact("application/vnd.cncf.helm.config.v1+json".to_owned());
        let chart = Image {
            digest: Digest::of(b"chart"),
            media_type: "m".to_owned(),
            content,
            runtime_label: None,
            refusal: None,
        };
        Report::from_ignored(place, Some(&chart), IgnoreReason::Artifact)
    };
    let small = report("a");
    let audit = EventRecord { is_audit: true, ..context(false) };
    let found = metrics_line(&small, audit);
    assert_eq!(found["report"], serde_json::to_value(&small).unwrap());
    assert_eq!(found["report"]["arrival"]["alsoTagged"], serde_json::json!(["11.4", "11"]));
    assert_eq!((found.get("_aws"), found["notified"].as_bool()), (None, Some(false)));
    let large = metrics_line(&report(&"a".repeat(200_000)), audit);
    assert_eq!((large.get("report"), &large["verdict"]), (None, &found["verdict"]));
}

#[test]
fn metrics_and_dimensions_are_members_of_the_line() {
    for declared in ["ecs/arm64", "ecs/amd64", "ecs"] {
        let line = metrics_line(&report("team/app", "v1", declared, "/app"), context(true));
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            let names = directive["Metrics"].as_array().unwrap().iter().map(|metric| &metric["Name"]);
            assert!(names.into_iter().all(|name| line[name.as_str().unwrap()].is_u64()), "{directive}");
            let dimensions = directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap());
            let is_text = |name: &Value| line[name.as_str().unwrap()].is_string();
            assert!(dimensions.into_iter().all(is_text), "{directive}");
        }
    }
}
