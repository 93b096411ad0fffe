//! Waivers in the repository's resource tags: what the function sends, writes and logs.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::aws::default_connector;
use ecr_preflight::date::Date;
use ecr_preflight::lambda::handler::DeliveryContext;
use ecr_preflight::lambda::log::{EventRecord, metrics_line};
use ecr_preflight::name::Digest;
use ecr_preflight::report::{Report, format_text};
use ecr_preflight::verdict::Verdict;
use ecr_preflight::waiver::WAIVER_KEY;
use serde_json::{Value, json};

use super::{REPOSITORY, build_handler, push_event, settings, verdict_tag};
use crate::support::aws::FakeAws;
use crate::support::layout::Builder;

const WAIVER: &str = "wrong-architecture apprunner until 2027-01-31 moves to ECS in January";

/// Handles the push of an arm64 image on a day, with all verdict tags. The repository declares these runtimes and has this
/// waiver; none if it is empty.
fn push(runtimes: &str, waiver: &str, today: fn() -> Date) -> (FakeAws, Digest, Report) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", runtimes);
    if !waiver.is_empty() {
        aws.tag_resource(REPOSITORY, WAIVER_KEY, waiver);
    }
    let event: EventBridgeEvent<Value> = serde_json::from_value(push_event(&digest, "v1")).unwrap();
    let mut handler = build_handler(default_connector(), &aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "all")]), |_| {});
    handler.today = today;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(handler.handle(&event, DeliveryContext::default())).unwrap();
    drop(handler);
    (aws, digest, report)
}

fn last_day() -> Date {
    "2027-01-31".parse().unwrap()
}

fn day_after() -> Date {
    "2027-02-01".parse().unwrap()
}

#[test]
fn waived_push_sends_no_message_and_sets_no_tag() {
    let (aws, _, report) = push("apprunner", WAIVER, last_day);
    assert_eq!((report.verdict, report.is_waived()), (Verdict::Fails, true));
    assert_eq!(aws.calls_of("Publish").len(), 0);
    assert_eq!(aws.tags(REPOSITORY), ["v1"]);
    let body = serde_json::to_value(&report).unwrap();
    let expected = json!({"reason": "moves to ECS in January", "expires": "2027-01-31"});
    assert_eq!(body["runtimes"][0]["faults"][0]["waived"], expected);
    let line = metrics_line(&report, EventRecord::default());
    let of = |name: &str| line[name].clone();
    assert_eq!([of("verdict"), of("waived"), of("faults")], [json!("fails"), json!(true), json!("wrong-architecture")]);
    assert_eq!([of("Faults"), of("fault"), of("notified")], [json!(0), Value::Null, json!(false)]);
    assert_eq!(line["message"], "team/app:v1 will not start on App Runner (waived)");
}

#[test]
fn waiver_needs_no_additional_call() {
    let actions = |waiver: &str| {
        let (aws, ..) = push("ecs/arm64", waiver, last_day);
        let mut actions: Vec<String> = aws.calls().iter().map(|call| call.action.clone()).collect();
        actions.sort();
        actions
    };
    assert_eq!(actions(WAIVER), actions(""));
}

#[test]
fn expired_waiver_is_named_in_the_message() {
    let (aws, digest, report) = push("apprunner", WAIVER, day_after);
    assert!(!report.is_waived());
    let sent = aws.calls_of("Publish")[0].body["Message"].clone();
    let text = "the waiver expired on 2027-01-31: moves to ECS in January";
    assert!(sent.as_str().unwrap().contains(text), "{sent}");
    assert!(aws.tags(REPOSITORY).contains(&verdict_tag("fail-apprunner", &digest)));
}

#[test]
fn other_faults_are_reported() {
    let (aws, digest, report) = push("apprunner ecs/amd64", WAIVER, last_day);
    assert!(!report.is_waived());
    assert_eq!(aws.calls_of("Publish").len(), 1);
    let tags = aws.tags(REPOSITORY);
    assert!(!tags.contains(&verdict_tag("fail-apprunner", &digest)), "{tags:?}");
    assert!(tags.iter().any(|tag| tag.starts_with("preflight-fail-ecs-amd64-")), "{tags:?}");
    let text = format_text(&report);
    assert!(text.contains("waived until 2027-01-31: moves to ECS in January\n"), "{text}");
}

#[test]
fn passing_runtime_of_a_waived_image_is_tagged() {
    let (aws, digest, _) = push("apprunner ecs/arm64", WAIVER, last_day);
    let tags = aws.tags(REPOSITORY);
    assert_eq!(tags.len(), 2, "{tags:?}");
    assert!(tags.iter().any(|tag| tag.starts_with("preflight-pass-ecs-arm64-")), "{digest} {tags:?}");
}

#[test]
fn malformed_waiver_is_a_remark_and_waives_nothing() {
    for (waiver, problem) in [
        ("wrong-architecture", "the reason is missing; expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`"),
        ("wrong-arch legacy", "unknown fault `wrong-arch`; did you mean `wrong-architecture`?"),
        ("wrong-architecture 2027-01-31 legacy", "`until` is missing before the date 2027-01-31"),
    ] {
        let (aws, _, report) = push("apprunner", waiver, last_day);
        assert_eq!(aws.calls_of("Publish").len(), 1, "{waiver}");
        let text = format_text(&report);
        assert!(
            text.ends_with(&format!("\nthe repository's tag `{WAIVER_KEY}` waives nothing: {problem}\n")),
            "{text}"
        );
    }
}

#[test]
fn documented_waiver_is_valid() {
    let page = std::fs::read_to_string("docs/declaring-runtimes.md").unwrap();
    let value = page.split("Key=ecr-preflight:waive,Value=").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(value, "wrong-architecture apprunner until 2027-01-31 moves to ECS in January");
    assert_eq!(value, WAIVER);
}
