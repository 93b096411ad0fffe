//! The SAM template against the code: environment variables, allowed actions, and the events that its rules match.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ecr_preflight::consumer::resource_types;
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

/// The properties of all resources of a type.
fn resources_of(kind: &str) -> Vec<Yaml> {
    let resources = template()["Resources"].clone();
    let resources = resources.as_mapping().unwrap().values();
    resources.filter(|resource| resource["Type"] == kind).map(|resource| resource["Properties"].clone()).collect()
}

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
    match pattern {
        Value::Object(fields) => {
            fields.iter().all(|(name, inner)| matches(inner, event.and_then(|event| event.get(name))))
        }
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
        "anything-but" => begins(&operand["prefix"]) == Some(false),
        other => panic!("unknown operator {other}"),
    }
}

#[test]
fn template_sets_exactly_the_settings() {
    let names = |function: &Yaml| -> BTreeSet<String> {
        let variables = function["Environment"]["Variables"].as_mapping().unwrap();
        variables.keys().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let own = names(&function());
    let gate = names(&template()["Resources"]["GateFunction"]["Properties"]);
    assert_eq!(&own | &gate, VARIABLES.iter().map(|variable| variable.name.to_owned()).collect());
    // A gate sends no message, writes no tag, and judges by what runs the image instead of a default.
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| (one - other).into_iter().collect::<Vec<_>>();
    assert_eq!(only(&gate, &own), ["PREFLIGHT_GATES"]);
    assert_eq!(only(&own, &gate), ["PREFLIGHT_DEFAULT_RUNTIME", "PREFLIGHT_TOPIC_ARN", "PREFLIGHT_VERDICT_TAGS"]);
    assert_eq!(names(&template()["Resources"]["EcsGateFunction"]["Properties"]), gate);
}

#[test]
fn gate_may_only_read_images_and_is_asked_about_what_runs_them() {
    let resources = template()["Resources"].clone();
    let policies = serde_yaml_ng::to_string(&resources["GateRole"]["Properties"]["Policies"]).unwrap();
    let reading = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListTagsForResource"];
    assert_eq!(actions(&policies), reading.map(str::to_owned).into());
    let hook = resources["GateHook"]["Properties"].clone();
    assert_eq!(serde_yaml_ng::to_string(&hook["TargetFilters"]["TargetNames"]).unwrap().trim(), "!Ref HookTargets");
    let targets = template()["Parameters"]["HookTargets"]["Default"].as_str().unwrap().to_owned();
    assert_eq!(targets.split(',').collect::<Vec<_>>(), resource_types().collect::<Vec<_>>());
    // CloudFormation waits 30 seconds.
    assert!(resources["GateFunction"]["Properties"]["Timeout"].as_u64().unwrap() < 30);
    assert_eq!(template()["Parameters"]["Hook"]["Default"], "off");
    for (name, resource) in resources.as_mapping().unwrap() {
        let is_gate =
            ["GateFunction", "GateRole", "GateHook", "HookRole", "GateAlarm"].contains(&name.as_str().unwrap());
        assert_eq!(resource["Condition"] == "HasHook", is_gate, "{name:?}");
    }
}

#[test]
fn gate_of_ecs_may_only_read_images_and_deployments() {
    let resources = template()["Resources"].clone();
    let policies = |role: &str| serde_yaml_ng::to_string(&resources[role]["Properties"]["Policies"]).unwrap();
    let reading = [
        "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListTagsForResource", "ecs:DescribeServiceRevisions",
        "ecs:DescribeTaskDefinition",
    ];
    assert_eq!(actions(&policies("EcsGateRole")), reading.map(str::to_owned).into());
    assert!(policies("EcsHookRole").contains("Action: lambda:InvokeFunction"));
    let principal = &resources["EcsHookRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"];
    assert_eq!(principal["Service"], "ecs.amazonaws.com");
    assert_eq!(template()["Parameters"]["EcsHook"]["Default"], "off");
    for (name, resource) in resources.as_mapping().unwrap() {
        let is_gate =
            ["EcsGateFunction", "EcsGateRole", "EcsHookRole", "EcsGateAlarm"].contains(&name.as_str().unwrap());
        assert_eq!(resource["Condition"] == "HasEcsHook", is_gate, "{name:?}");
    }
}

/// Every action named in a text: a service, a colon, and a name with a capital first letter.
fn actions(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let words = text.split(|c: char| !is_word(c));
    let is_action = |word: &&str| {
        word.split_once(':').is_some_and(|(service, name)| {
            ["ecr", "ecs", "sns"].contains(&service) && name.starts_with(|c: char| c.is_ascii_uppercase())
        })
    };
    words.filter(is_action).map(str::to_owned).collect()
}

/// The modules of a directory that belong only to the command-line tool: those behind `#[cfg(feature = "cli")]`.
fn tool_modules(directory: &Path) -> Vec<String> {
    let root = ["lib.rs", "mod.rs"].iter().find_map(|name| fs::read_to_string(directory.join(name)).ok());
    let root = root.unwrap_or_default();
    let after = root.lines().skip(1).zip(root.lines()).filter(|(_, before)| *before == "#[cfg(feature = \"cli\")]");
    let name = |line: &str| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ").map(str::to_owned);
    after.filter_map(|(line, _)| Some(name(line)?.trim_end_matches(';').to_owned())).collect()
}

/// The source text of the function.
fn sources(directory: &Path) -> String {
    let not_these = tool_modules(directory);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_own = |path: &PathBuf| !not_these.iter().any(|name| path.file_stem().unwrap() == name.as_str());
    entries
        .filter(is_own)
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn template_allows_exactly_the_actions_used() {
    let allowed = |role: &str| {
        let policies = template()["Resources"][role]["Properties"]["Policies"].clone();
        actions(&serde_yaml_ng::to_string(&policies).unwrap())
    };
    assert_eq!(tool_modules(Path::new("src")).last().map(String::as_str), Some("cli"));
    let taken = actions(&sources(Path::new("src")));
    assert_eq!(&allowed("FunctionRole") | &allowed("EcsGateRole"), taken);
    assert!(allowed("FunctionRole").iter().all(|action| !action.starts_with("ecs:")), "only a gate reads deployments");
    assert!(!taken.contains("ecr:DescribeImages"), "only the command-line tool lists images");
}

#[test]
fn event_rules_match_arrivals_only() {
    // Pushes go to the queue, audits directly to the function.
    let rules = resources_of("AWS::Events::Rule").into_iter().map(|rule| resolved(&rule["EventPattern"]));
    let audit = resolved(&function()["Events"]["Audit"]["Properties"]["Pattern"]);
    let patterns: Vec<Value> = rules.chain([audit]).collect();
    assert_eq!(patterns.len(), 4);
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
}

#[test]
fn queue_bounds_and_keeps_pushes() {
    let queue = template()["Resources"]["Arrivals"]["Properties"].clone();
    let timeout = function()["Timeout"].as_u64().unwrap();
    assert_eq!(queue["VisibilityTimeout"].as_u64(), Some(6 * timeout), "as AWS recommends");
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"].as_u64(), Some(3));
    let source = function()["Events"]["Arrivals"]["Properties"].clone();
    assert_eq!(source["FunctionResponseTypes"][0], "ReportBatchItemFailures");
    assert!(!source["ScalingConfig"]["MaximumConcurrency"].is_null());
    for rule in resources_of("AWS::Events::Rule") {
        let target = serde_yaml_ng::to_string(&rule["Targets"][0]).unwrap();
        assert!(
            target.contains("Arn: !GetAtt Arrivals.Arn") && target.contains("Arn: !GetAtt Undelivered.Arn"),
            "{target}"
        );
    }
}

#[test]
fn template_uses_the_tag_prefix_and_metric_names() {
    let text = fs::read_to_string("template.yaml").unwrap();
    assert_eq!(text.matches("anything-but: { prefix:").count(), 2);
    assert_eq!(text.matches(&format!("anything-but: {{ prefix: {VERDICT_TAG_PREFIX} }}")).count(), 2);
    assert!(
        text.contains(&format!("[[\"{NAMESPACE}\", \"Arrivals\", \"stack\", \"${{AWS::StackName}}\", \"verdict\""))
    );
    assert!(text.contains(&format!("[[\"{NAMESPACE}\", \"Duration\", \"stack\"")));
    assert!(text.contains(&format!(
        "Namespace: {NAMESPACE}\n      MetricName: FailedEvents\n      Dimensions: [{{ Name: stack,"
    )));
}

/// The parameters in the example of a configuration, whether they are set or commented out, with their values.
fn example_parameters() -> Vec<(String, String)> {
    let text = fs::read_to_string("samconfig.example.toml").unwrap();
    let quoted = |line: &str| {
        Some(line.trim_start().trim_start_matches("# ").strip_prefix('"')?.strip_suffix("\",")?.to_owned())
    };
    let pairs = text.lines().filter_map(quoted);
    pairs.map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

#[test]
fn example_sets_every_parameter_in_the_order_of_the_template() {
    let template = template();
    let parameters = template["Parameters"].as_mapping().unwrap();
    let names: Vec<&str> = parameters.keys().map(|name| name.as_str().unwrap()).collect();
    let examples = example_parameters();
    assert_eq!(examples.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    for (name, value) in &examples {
        let parameter = &parameters[name.as_str()];
        if let Some(allowed) = parameter["AllowedValues"].as_sequence() {
            let allowed: Vec<String> = allowed
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.as_i64().unwrap().to_string(), str::to_owned))
                .collect();
            assert!(allowed.contains(value), "{name}={value}");
        }
    }
    assert_eq!(names[0], "SlackWorkspaceId", "`sam deploy --guided` asks in this order");
    // Every parameter is in a group and has a label, which the console shows.
    let interface = &template["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = interface["ParameterGroups"].as_sequence().unwrap();
    let grouped: Vec<&str> = groups
        .iter()
        .flat_map(|group| group["Parameters"].as_sequence().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(grouped, names);
    assert!(names.iter().all(|name| interface["ParameterLabels"][*name]["default"].is_string()));
}

#[test]
fn template_and_tool_have_one_version() {
    let application = template()["Metadata"]["AWS::ServerlessRepo::Application"].clone();
    assert_eq!(application["SemanticVersion"].as_str(), Some(env!("CARGO_PKG_VERSION")));
}
