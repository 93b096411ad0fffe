//! The template against the code: the variables that it sets, the actions that it allows, the events that its rules let
//! through.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ecr_preflight::event::Event;
use ecr_preflight::lambda::log::NAMESPACE;
use ecr_preflight::name::VERDICT_TAG_PREFIX;
use ecr_preflight::settings::VARIABLES;
use serde_json::Value;
use serde_yaml_ng::Value as Yaml;

fn template() -> Yaml {
    serde_yaml_ng::from_str(&fs::read_to_string("template.yaml").unwrap()).unwrap()
}

fn function() -> Yaml {
    template()["Resources"]["Function"]["Properties"].clone()
}

/// A value with the intrinsic functions resolved for a stack whose parameters are at their defaults.
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

/// Whether an event pattern matches, as EventBridge has it for the operators that the template uses.
fn matches(pattern: &Value, event: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => {
            fields.iter().all(|(name, inner)| matches(inner, event.and_then(|event| event.get(name))))
        }
        Value::Array(choices) => choices.iter().any(|choice| match choice {
            Value::Object(operator) => operator.iter().all(|(name, operand)| operates(name, operand, event)),
            value => event == Some(value),
        }),
        _ => panic!("a pattern is made of objects and lists"),
    }
}

fn operates(name: &str, operand: &Value, field: Option<&Value>) -> bool {
    let begins = |prefix: &Value| field.and_then(Value::as_str).map(|text| text.starts_with(prefix.as_str().unwrap()));
    match name {
        "exists" => field.is_some() == (*operand == true),
        "prefix" => begins(operand) == Some(true),
        // Never of a field that is not there.
        "anything-but" => begins(&operand["prefix"]) == Some(false),
        other => panic!("the operator {other} is not known here"),
    }
}

#[test]
fn the_template_sets_every_setting_and_no_other() {
    let variables = function()["Environment"]["Variables"].clone();
    let set: BTreeSet<String> =
        variables.as_mapping().unwrap().keys().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(set, VARIABLES.iter().map(|variable| variable.name.to_owned()).collect());
}

/// Every action that a text names: a service, a colon, a name that begins with a capital.
fn actions(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let words = text.split(|c: char| !is_word(c));
    let is_action = |word: &&str| {
        word.split_once(':').is_some_and(|(service, name)| {
            (service == "ecr" || service == "sns") && name.starts_with(|c: char| c.is_ascii_uppercase())
        })
    };
    words.filter(is_action).map(str::to_owned).collect()
}

/// The modules of a directory that only the command-line tool has: those whose line follows the feature's.
fn of_the_tool(directory: &Path) -> Vec<String> {
    let door = ["lib.rs", "mod.rs"].iter().find_map(|name| fs::read_to_string(directory.join(name)).ok());
    let door = door.unwrap_or_default();
    let after = door.lines().skip(1).zip(door.lines()).filter(|(_, before)| *before == "#[cfg(feature = \"cli\")]");
    let name = |line: &str| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ").map(str::to_owned);
    after.filter_map(|(line, _)| Some(name(line)?.trim_end_matches(';').to_owned())).collect()
}

/// What the function is made of.
fn sources(directory: &Path) -> String {
    let not_these = of_the_tool(directory);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_own = |path: &PathBuf| !not_these.iter().any(|name| path.file_stem().unwrap() == name.as_str());
    entries
        .filter(is_own)
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn the_template_allows_every_action_that_the_code_takes_and_no_other() {
    let role = template()["Resources"]["FunctionRole"]["Properties"]["Policies"].clone();
    let policies = serde_yaml_ng::to_string(&role).unwrap();
    assert_eq!(of_the_tool(Path::new("src")).last().map(String::as_str), Some("cli"));
    let taken = actions(&sources(Path::new("src")));
    assert_eq!(actions(&policies), taken);
    assert!(!taken.contains("ecr:DescribeImages"), "the command line lists, the function does not");
}

#[test]
fn the_rules_let_through_arrivals_and_hold_back_what_is_none() {
    let events = function()["Events"].clone();
    let patterns: Vec<Value> =
        events.as_mapping().unwrap().values().map(|event| resolved(&event["Properties"]["Pattern"])).collect();
    assert_eq!(patterns.len(), 4);
    let mut held_back = Vec::new();
    for file in fs::read_dir("events").unwrap().map(|entry| entry.unwrap().path()) {
        let Some("json") = file.extension().and_then(|extension| extension.to_str()) else { continue };
        let text = fs::read(&file).unwrap();
        let event: Value = serde_json::from_slice(&text).unwrap();
        let passes = patterns.iter().filter(|pattern| matches(pattern, Some(&event))).count();
        let read = Event::parse(&serde_json::from_slice(&text).unwrap()).unwrap();
        match read {
            Event::Arrival(_) => assert_eq!(passes, 1, "{}", file.display()),
            Event::Ignored(..) if passes == 0 => held_back.push(file.file_stem().unwrap().to_str().unwrap().to_owned()),
            // The code looks closer than a pattern can.
            Event::Ignored(..) => assert_eq!(passes, 1, "{}", file.display()),
        }
    }
    held_back.sort();
    assert_eq!(held_back, ["delete", "push-verdict-tag", "referrer"]);
}

#[test]
fn marks_and_metrics_are_called_alike_in_the_template_and_in_the_code() {
    let text = fs::read_to_string("template.yaml").unwrap();
    assert_eq!(text.matches("anything-but: { prefix:").count(), 2);
    assert_eq!(text.matches(&format!("anything-but: {{ prefix: {VERDICT_TAG_PREFIX} }}")).count(), 2);
    assert!(text.contains(&format!("[[\"{NAMESPACE}\", \"Arrivals\", \"verdict\"")));
    assert!(text.contains(&format!("[[\"{NAMESPACE}\", \"Duration\"")));
}
