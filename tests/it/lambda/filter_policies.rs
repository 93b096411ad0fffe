//! The owner of a repository, and the filter policies that docs/deploy.md suggests, with the attributes that are sent.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use super::{REPOSITORY, handle, push_event, settings};
use crate::support::aws::FakeAws;
use crate::support::layout::Builder;

const OWNER_KEY: &str = "ecr-preflight:owner";

/// Handles the push of an arm64 image for App Runner, to a repository with this owner.
async fn publish(owner: Option<&str>) -> FakeAws {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner lambda/amd64");
    if let Some(owner) = owner {
        aws.tag_resource(REPOSITORY, OWNER_KEY, owner);
    }
    handle(&aws, settings(&[]), push_event(&digest, "v1")).await.unwrap();
    assert_eq!(aws.calls_of("ListTagsForResource").len(), 1);
    aws
}

/// The attributes of the message that was published, each with its values.
fn attributes(aws: &FakeAws) -> BTreeMap<String, Vec<String>> {
    let form = aws.calls_of("Publish").remove(0).body;
    let field = |number: usize, name: &str| {
        form[format!("MessageAttributes.entry.{number}.{name}")].as_str().unwrap_or_default().to_owned()
    };
    let read = |number| {
        let value = field(number, "Value.StringValue");
        match field(number, "Value.DataType").as_str() {
            "String" => vec![value],
            "String.Array" => serde_json::from_str(&value).unwrap(),
            kind => panic!("unknown type {kind}"),
        }
    };
    let numbers = (1..).take_while(|number| !field(*number, "Name").is_empty());
    numbers.map(|number| (field(number, "Name"), read(number))).collect()
}

fn body(aws: &FakeAws, protocol: &str) -> String {
    let form = aws.calls_of("Publish").remove(0).body;
    let bodies: Value = serde_json::from_str(form["Message"].as_str().unwrap()).unwrap();
    bodies[protocol].as_str().unwrap().to_owned()
}

/// Whether a subscription with this policy receives a message: "Amazon SNS subscription filter policies" in the developer
/// guide, for the conditions that the documentation of this project uses.
fn passes(policy: &Value, attributes: &BTreeMap<String, Vec<String>>) -> bool {
    let of_condition = |condition: &Value, values: Option<&Vec<String>>| match condition {
        Value::String(expected) => values.is_some_and(|values| values.contains(expected)),
        Value::Object(operator) => match operator.iter().next().map(|(name, value)| (name.as_str(), value)) {
            Some(("prefix", Value::String(prefix))) => {
                values.is_some_and(|values| values.iter().any(|value| value.starts_with(prefix.as_str())))
            }
            Some(("exists", Value::Bool(exists))) => values.is_some() == *exists,
            Some(("anything-but", Value::Array(refused))) => {
                values.is_some_and(|values| values.iter().any(|value| !refused.contains(&json!(value))))
            }
            other => panic!("unknown operator {other:?}"),
        },
        other => panic!("unknown condition {other}"),
    };
    policy.as_object().unwrap().iter().all(|(name, conditions)| {
        conditions.as_array().unwrap().iter().any(|condition| of_condition(condition, attributes.get(name)))
    })
}

/// The policies of a page: JSON blocks of one line.
fn policies(page: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| block.trim().lines().count() == 1).map(|block| serde_json::from_str(block).unwrap()).collect()
}

#[tokio::test]
async fn documented_policies_route_messages() {
    let owned = attributes(&publish(Some("team-payments")).await);
    let other = attributes(&publish(Some("team-search")).await);
    let unowned = attributes(&publish(None).await);
    // An alarm of CloudWatch has no attributes.
    let alarm = BTreeMap::new();
    let routed: Vec<String> = policies("docs/deploy.md")
        .iter()
        .map(|policy| {
            let messages = [("owned", &owned), ("other", &other), ("unowned", &unowned), ("alarm", &alarm)];
            let passed: Vec<&str> =
                messages.iter().filter(|(_, sent)| passes(policy, sent)).map(|(name, _)| *name).collect();
            format!("{policy}: {}", passed.join(" "))
        })
        .collect();
    expect![[r#"
        {"owner":["team-payments"]}: owned
        {"repository":[{"prefix":"team/"},{"prefix":"payments/"}]}: owned other unowned
        {"owner":["team-payments"],"verdict":["fails"]}: owned
        {"owner":[{"exists":false}]}: unowned alarm
        {"verdict":[{"exists":false}]}: alarm
    "#]]
    .assert_eq(&(routed.join("\n") + "\n"));
}

#[tokio::test]
async fn owner_is_shown_in_every_format() {
    let aws = publish(Some("team-payments")).await;
    let (card, email) = (body(&aws, "https"), body(&aws, "email"));
    assert!(card.contains("Owner: `team-payments`"), "{card}");
    assert!(email.contains("\n  owner     team-payments\n"), "{email}");
    for protocol in ["sqs", "lambda"] {
        let report: Value = serde_json::from_str(&body(&aws, protocol)).unwrap();
        assert_eq!(report["owner"], "team-payments");
    }
    assert!(attributes(&aws)["owner"] == ["team-payments"]);
}

#[tokio::test]
async fn hostile_owner_is_bounded_and_escaped() {
    let owner = format!("  <!channel> `x`\r\n\u{1b}[2J\u{202e} http://evil.example {}", "y".repeat(1000));
    let aws = publish(Some(&owner)).await;
    let card: Value = serde_json::from_str(&body(&aws, "https")).unwrap();
    let description = card["content"]["description"].as_str().unwrap();
    let shown = description.lines().find(|line| line.starts_with("Owner: ")).unwrap();
    assert!(shown.starts_with("Owner: `&lt;!channel&gt; ") && shown.matches('`').count() == 2, "{shown}");
    let sent = attributes(&aws)["owner"].clone();
    assert!(sent[0].chars().count() == 256 && sent[0].starts_with('<'), "{sent:?}");
    for text in [&body(&aws, "email"), &body(&aws, "sqs"), description, &sent[0]] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
    }
    let email = body(&aws, "email");
    let line = email.lines().find(|line| line.starts_with("  owner ")).unwrap();
    assert!(!line.contains("http://"), "{line}");
    // A blank owner is none.
    let blank = publish(Some(" \u{a0} ")).await;
    assert!(!attributes(&blank).contains_key("owner"));
}
