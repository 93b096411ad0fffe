//! The events that the rules of the template match, and what the code makes of them.

use std::fs;

use ecr_preflight::consumer::ConsumerEvent;
use ecr_preflight::event::{CENSUS_DETAIL_TYPE, CONSUMER_DETAIL_TYPE, Event, OWN_SOURCE, STOPPED_DETAIL_TYPE};
use ecr_preflight::table::CENSUS_PERIOD_SECONDS;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

use super::{function, resources_of, template};

/// Resolves the intrinsic functions of a value for a stack with default parameters.
fn resolved(value: &Yaml) -> Value {
    match value {
        Yaml::Tagged(tagged) if tagged.tag == "!If" => resolved(&tagged.value[2]),
        Yaml::Tagged(tagged) => Value::String(format!("{}", tagged.tag)),
        Yaml::Mapping(mapping) => {
            mapping.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), resolved(value))).collect()
        }
        Yaml::Sequence(elements) => elements.iter().map(resolved).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

/// Whether an event pattern matches, according to EventBridge's rules for the operators that the template uses.
fn matches(pattern: &Value, event: Option<&Value>) -> bool {
    // Of a list, one element is enough.
    if let Some(Value::Array(elements)) = event {
        return elements.iter().any(|element| matches(pattern, Some(element)));
    }
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, inner)| match inner {
            Value::Array(patterns) if name == "$or" => patterns.iter().any(|pattern| matches(pattern, event)),
            _ => matches(inner, event.and_then(|event| event.get(name))),
        }),
        Value::Array(choices) => choices.iter().any(|choice| match choice {
            Value::Object(operator) => operator.iter().all(|(name, operand)| operates(name, operand, event)),
            value => event == Some(value),
        }),
        _ => panic!("a pattern consists of objects and lists"),
    }
}

fn operates(name: &str, operand: &Value, field: Option<&Value>) -> bool {
    let begins = |prefix: &Value| field.and_then(Value::as_str).map(|text| text.starts_with(prefix.as_str().unwrap()));
    match name {
        "exists" => field.is_some() == (*operand == true),
        "prefix" => begins(operand) == Some(true),
        // Does not match a missing field.
        "anything-but" if operand.is_array() => field.is_some_and(|value| !operand.as_array().unwrap().contains(value)),
        "anything-but" => begins(&operand["prefix"]) == Some(false),
        other => panic!("unknown operator {other}"),
    }
}

#[test]
fn event_rules_match_arrivals_only() {
    // Pushes go to the queue, audits directly to the function.
    let rules = resources_of("AWS::Events::Rule").into_iter().map(|rule| resolved(&rule["EventPattern"]));
    let audit = resolved(&function()["Events"]["Audit"]["Properties"]["Pattern"]);
    let patterns: Vec<Value> = rules.chain([audit]).collect();
    assert_eq!(patterns.len(), 5);
    let mut unmatched = Vec::new();
    for file in fs::read_dir("events").unwrap().map(|entry| entry.unwrap().path()) {
        let Some("json") = file.extension().and_then(|extension| extension.to_str()) else { continue };
        let text = fs::read(&file).unwrap();
        let event: Value = serde_json::from_slice(&text).unwrap();
        let passes = patterns.iter().filter(|pattern| matches(pattern, Some(&event))).count();
        let read = Event::parse(&serde_json::from_slice(&text).unwrap()).unwrap();
        match read {
            Event::Arrival(_) => assert_eq!(passes, 1, "{}", file.display()),
            Event::Ignored(..) if passes == 0 => unmatched.push(file.file_stem().unwrap().to_str().unwrap().to_owned()),
            // The code is more precise than a pattern can be.
            Event::Ignored(..) => assert_eq!(passes, 1, "{}", file.display()),
        }
    }
    unmatched.sort();
    // Changes of consumers are not arrivals.
    let changes = ["app-runner-operation", "ecs-deployment", "ecs-task-stopped", "lambda-state"];
    assert_eq!(unmatched.extract_if(.., |name| changes.contains(&name.as_str())).count(), changes.len());
    assert_eq!(unmatched, ["delete", "push-verdict-tag", "referrer"]);
    // What the census sends.
    for detail_type in [CONSUMER_DETAIL_TYPE, STOPPED_DETAIL_TYPE] {
        let event =
            json!({"source": OWN_SOURCE, "detail-type": detail_type, "detail": {"repository-name": "team/app"}});
        assert_eq!(patterns.iter().filter(|pattern| matches(pattern, Some(&event))).count(), 1, "{detail_type}");
    }
}

#[test]
fn census_runs_every_period_and_when_something_changes() {
    let resources = template()["Resources"].clone();
    let schedule = resources["CensusSchedule"]["Properties"].clone();
    assert_eq!(schedule["ScheduleExpression"], "rate(1 hour)");
    assert_eq!(CENSUS_PERIOD_SECONDS, 3600);
    let input: Value = serde_json::from_str(schedule["Target"]["Input"].as_str().unwrap()).unwrap();
    assert_eq!((&input["source"], &input["detail-type"]), (&OWN_SOURCE.into(), &CENSUS_DETAIL_TYPE.into()));
    let pattern = resolved(&resources["CensusFunction"]["Properties"]["Events"]["Change"]["Properties"]["Pattern"]);
    let mut matched = Vec::new();
    for file in fs::read_dir("events").unwrap().map(|entry| entry.unwrap().path()) {
        let Some("json") = file.extension().and_then(|extension| extension.to_str()) else { continue };
        let text = fs::read(&file).unwrap();
        let read = ConsumerEvent::parse(&serde_json::from_slice(&text).unwrap()).unwrap();
        let is_change = !matches!(read, ConsumerEvent::Ignored(_));
        let event: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(matches(&pattern, Some(&event)), is_change, "{}", file.display());
        matched.extend(is_change.then(|| file.file_stem().unwrap().to_str().unwrap().to_owned()));
    }
    matched.sort();
    assert_eq!(matched, ["app-runner-operation", "ecs-deployment", "ecs-task-stopped", "lambda-state"]);
    let own = [
        "Table", "CensusFunction", "CensusRole", "CensusSchedule", "CensusScheduleRole", "CensusAlarm",
        "CensusMissingAlarm", "ConsumerRule",
    ];
    for (name, resource) in resources.as_mapping().unwrap() {
        assert_eq!(resource["Condition"] == "HasConsumers", own.contains(&name.as_str().unwrap()), "{name:?}");
    }
    assert_eq!(template()["Parameters"]["Consumers"]["Default"], "off");
}
