//! Hooks: their payloads, and what every answer must be.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::aws::FakeAws;

/// A sample payload.
pub fn sample(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("events/gates/hook-{name}.json")).unwrap()).unwrap()
}

/// The payload of a hook for a task definition with these properties.
pub fn task_definition(properties: &Value) -> Value {
    let mut payload = sample("task-definition");
    payload["requestData"]["targetModel"]["resourceProperties"] = properties.clone();
    payload
}

/// The same payload, as the next invocation for the same resource.
pub fn again(payload: &Value, invocation: u64) -> Value {
    let mut payload = payload.clone();
    payload["requestContext"] = json!({"invocation": invocation, "callbackContext": {"anything": [1, null]}});
    payload
}

/// How long `CloudFormation` waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to a hook, which must be valid.
pub fn ask(aws: &FakeAws, payload: &Value) -> Value {
    let began = Instant::now();
    let invocation = aws.invoke(&payload.to_string());
    assert!(began.elapsed() < PATIENCE, "the answer took {:?}", began.elapsed());
    assert_eq!(invocation.outcome, "response", "{}", invocation.body);
    let answer: Value = serde_json::from_str(&invocation.body).unwrap();
    let is_cloud_control = payload["stackId"].as_str().is_none_or(str::is_empty);
    assert_valid(&answer, is_cloud_control);
    let token = payload["clientRequestToken"].as_str();
    assert_eq!(answer["clientRequestToken"].as_str(), token);
    answer
}

/// Checks an answer against the documented members and limits.
pub fn assert_valid(answer: &Value, is_cloud_control: bool) {
    let characters = |value: &Value| value.as_str().unwrap().chars().count();
    let names = ["hookStatus", "errorCode", "message", "clientRequestToken", "callbackDelaySeconds", "annotations"];
    assert!(answer.as_object().unwrap().keys().all(|name| names.contains(&name.as_str())), "{answer}");
    let status = answer["hookStatus"].as_str().unwrap();
    assert!(["SUCCESS", "FAILED", "IN_PROGRESS"].contains(&status), "{answer}");
    assert_eq!(answer["errorCode"].as_str(), (status == "FAILED").then_some("NonCompliant"));
    assert_eq!(answer["callbackDelaySeconds"].is_u64(), status == "IN_PROGRESS");
    assert!((1..=if is_cloud_control { 1024 } else { 4096 }).contains(&characters(&answer["message"])), "{answer}");
    assert!(!answer["message"].as_str().unwrap().contains(char::is_control));
    for annotation in answer["annotations"].as_array().into_iter().flatten() {
        assert!((1..=1024).contains(&characters(&annotation["annotationName"])));
        assert_eq!((&annotation["status"], &annotation["severityLevel"]), (&json!("FAILED"), &json!("HIGH")));
        assert!((1..=16_384).contains(&characters(&annotation["statusMessage"])));
        if let Some(message) = annotation.get("remediationMessage") {
            assert!((1..=16_384).contains(&characters(message)));
        }
        if let Some(link) = annotation.get("remediationLink") {
            assert!(link.as_str().unwrap().starts_with("https://") && characters(link) <= 5120);
        }
    }
}
