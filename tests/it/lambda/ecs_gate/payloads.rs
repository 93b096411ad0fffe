//! Payloads that are malformed or large.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::function::{Function, invoke};
use super::{Images, definition, image, on_fargate, payload};
use crate::support::random::Random;

/// Any JSON value.
fn junk(random: &mut Random) -> Value {
    match random.below(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1e300),
        4 => json!("arn:aws:ecs:::service-revision/\u{0}\u{202e}"),
        5 => json!(["PRE_SCALE_UP"]),
        6 => json!({"lifecycleStage": {"x": []}}),
        7 => json!("x".repeat(100_000)),
        _ => json!(""),
    }
}

/// Replaces or removes one field somewhere in a payload, but never the one by which it is recognized.
fn mutate(value: &mut Value, random: &mut Random) {
    let Some(fields) = value.as_object_mut().filter(|fields| !fields.is_empty()) else {
        *value = junk(random);
        return;
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    let name = random.pick(&names).clone();
    match random.below(3) {
        0 if name != "lifecycleStage" => drop(fields.remove(&name)),
        1 => drop(fields.insert(name, junk(random))),
        _ => mutate(fields.get_mut(&name).unwrap(), random),
    }
}

#[test]
fn malformed_payloads_let_the_deployment_pass() {
    let mut random = Random(20_261_128);
    let mut statuses = BTreeMap::new();
    // The log of a function is not read meanwhile, so it must fit into a pipe.
    for _ in 0..10 {
        let images = Images::push();
        images.deploy(&on_fargate(), &definition("arm64"));
        let _function = Function::start_consumers(&images.aws, &[("PREFLIGHT_GATES", "fail")]);
        for _ in 0..30 {
            let mut payload = payload();
            for _ in 0..=random.below(3) {
                mutate(&mut payload, &mut random);
            }
            let (outcome, answer) = invoke(&images.aws, &payload.to_string());
            assert_eq!(outcome, "response", "{payload}");
            let is_intact = payload["lifecycleStage"] == "PRE_SCALE_UP"
                && payload["executionDetails"]["targetServiceRevisionArn"] == super::REVISION;
            let expected = if is_intact { "FAILED" } else { "SUCCEEDED" };
            assert_eq!(answer, json!({"hookStatus": expected}), "{payload}");
            *statuses.entry(expected).or_insert(0) += 1;
        }
    }
    assert!(statuses.values().all(|count| *count > 50), "{statuses:?}");
}

#[test]
fn large_payloads_and_definitions_are_answered() {
    let images = Images::push();
    let _function = Function::start_consumers(&images.aws, &[("PREFLIGHT_GATES", "fail")]);
    images.deploy(&on_fargate(), &definition("arm64"));
    let mut large = payload();
    large["hookDetails"] = json!({"padding": "x".repeat(5_000_000)});
    assert_eq!(invoke(&images.aws, &large.to_string()).1, json!({"hookStatus": "FAILED"}));
    // More containers than Amazon ECS allows: 10,000, each of another image. Those that are judged are sound.
    let container = |number: usize| {
        let tag = if number < 16 { "amd64".to_owned() } else { "arm64".to_owned() };
        json!({"name": format!("c{number}"), "image": image(&tag), "command": [number.to_string()]})
    };
    let containers: Vec<Value> = (0..10_000).map(container).collect();
    images.deploy(&on_fargate(), &json!({"containerDefinitions": containers}));
    let began = Instant::now();
    assert_eq!(invoke(&images.aws, &payload().to_string()).1, json!({"hookStatus": "SUCCEEDED"}));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
