//! The largest messages fit SNS: details are left out in a fixed order, but never the headline.

use ecr_preflight::aws::default_connector;
use ecr_preflight::lambda::notify::{Notifier, SnsTopic, build_message};
use ecr_preflight::platform::Platform;
use ecr_preflight::report::{ExecReport, ExecReportOutcome, FaultReport, Report, format_headline};
use serde_json::Value;

use super::{TOPIC, clients};
use crate::report::messages::report;
use crate::report::schema::assert_valid;
use crate::support::aws::FakeAws;

/// The limit of SNS, in bytes: "Publish" in the Amazon SNS API reference.
const LIMIT: usize = 262_144;

/// A text of this many characters that are as long as possible in two layers of JSON: a backslash and a quote become
/// eight bytes, and a character beyond the basic plane has four.
fn hostile_text(chars: usize) -> String {
    "\\\"😀".chars().cycle().take(chars).collect()
}

/// As many programs as inspections of one image can report, with the longest arguments, chains and reasons.
fn add_programs(report: &mut Report) {
    let exec = ExecReport {
        platform: Platform::linux("arm64"),
        host: Platform::linux("amd64"),
        argv: vec![hostile_text(120); 16],
        outcome: ExecReportOutcome::Unknown,
        errno: None,
        path: Some(hostile_text(120)),
        chain: vec![hostile_text(120); 24],
        reason: Some(hostile_text(300)),
        consumer: None,
    };
    report.exec = vec![exec; 16];
}

/// Far more platforms than an index may have.
fn add_platforms(report: &mut Report) {
    report.image.as_mut().unwrap().platforms = vec![Platform::linux(&"a".repeat(32)); 5000];
}

fn change_faults(report: &mut Report, change: impl Fn(&mut FaultReport)) {
    report.runtimes.iter_mut().flatten().flat_map(|runtime| &mut runtime.faults).for_each(change);
}

fn lengthen_texts(report: &mut Report) {
    change_faults(report, |fault| fault.evidence = hostile_text(30_000));
    report.remarks = vec![hostile_text(1000); 100];
}

fn lengthen_remedies(report: &mut Report) {
    change_faults(report, |fault| {
        let all = fault.remedy.clone().into_iter().cycle().take(20);
        fault.remedy = all
            .map(|mut remedy| {
                remedy.command = Some(hostile_text(9000));
                remedy
            })
            .collect();
    });
}

/// More faults than there are codes.
fn repeat_faults(report: &mut Report) {
    for runtime in report.runtimes.iter_mut().flatten() {
        runtime.faults = runtime.faults.iter().cycle().take(60).cloned().collect();
    }
    change_faults(report, |fault| fault.evidence = hostile_text(200));
}

/// Far more runtimes than can be declared.
fn repeat_runtimes(report: &mut Report) {
    let all = report.runtimes.take().unwrap();
    report.runtimes = Some(all.iter().cycle().take(1500).cloned().collect());
}

type Change = fn(&mut Report);

#[tokio::test]
async fn largest_message_fits_sns_and_has_its_headline() {
    let everything: Change = |report| {
        add_programs(report);
        add_platforms(report);
        lengthen_texts(report);
        lengthen_remedies(report);
    };
    let cases: [(Change, &[&str]); 8] = [
        (|_| {}, &[]),
        (add_programs, &["exec"]),
        (add_platforms, &["exec", "platforms"]),
        (lengthen_texts, &["exec", "platforms", "texts"]),
        (lengthen_remedies, &["exec", "platforms", "texts", "remedy"]),
        (everything, &["exec", "platforms", "texts", "remedy"]),
        (repeat_faults, &["exec", "platforms", "texts", "remedy", "evidence"]),
        (repeat_runtimes, &[]),
    ];
    let aws = FakeAws::start();
    let topic = SnsTopic::new(clients(default_connector()).sns_client(Some(aws.url())), TOPIC.to_owned());
    let (repository, tag) = ("r".repeat(255), "t".repeat(128));
    let unreadable = "ecs/arm6 lambd/arm64 apprunr";
    for (number, (change, omitted)) in cases.into_iter().enumerate() {
        let mut report = report(&repository, &tag, &format!("ecs/amd64 apprunner {unreadable}"), "/app");
        change(&mut report);
        let (headline, message) = (format_headline(&report), build_message(&report));
        assert!(message.size() <= LIMIT, "{number}: {}", message.size());
        topic.send(&message).await.unwrap();
        let body = |name: &str| message.bodies.iter().find(|(known, _)| *known == name).map(|(_, body)| body.clone());
        assert!(body("default").unwrap().starts_with(&headline[..headline.len().min(1000)]), "{number}");
        assert!(headline.starts_with(&body("sms").unwrap()), "{number}");
        let subject = message.subject.strip_prefix("[ecr-preflight] ").unwrap().trim_end_matches('.');
        assert!(headline.starts_with(subject), "{number}: {subject}");
        let card: Value = serde_json::from_str(&body("https").unwrap()).unwrap();
        let title = card["content"]["title"].as_str().unwrap();
        assert!(title.contains(&headline[..80]) && title.contains(" start on "), "{number}: {title}");
        let Some(json) = body("sqs") else {
            assert_eq!(number, cases.len() - 1, "only the last case has no report");
            continue;
        };
        let json: Value = serde_json::from_str(&json).unwrap();
        let found: Vec<&str> = json["omitted"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(found, omitted, "{number}");
        assert_valid(&json, "the message");
        assert_eq!(json["runtimes"].as_array().unwrap().len(), report.runtimes().count(), "{number}");
        let codes: Vec<&str> = report.faults().map(|fault| fault.code.as_str()).collect();
        let runtimes = json["runtimes"].as_array().unwrap().iter();
        let sent = runtimes.flat_map(|runtime| runtime["faults"].as_array().unwrap());
        assert!(sent.map(|fault| fault["code"].as_str().unwrap()).eq(codes), "{number}");
        assert_eq!(body("default").unwrap().contains("Details are left out"), !omitted.is_empty(), "{number}");
    }
    assert_eq!(aws.calls_of("Publish").len(), cases.len());
}
