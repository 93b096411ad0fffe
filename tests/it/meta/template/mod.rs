//! The SAM template against the code: environment variables, queues, parameters and names.

mod events;
mod permissions;

use std::collections::BTreeSet;
use std::fs;

use ecr_preflight::lambda::log::NAMESPACE;
use ecr_preflight::name::VERDICT_TAG_PREFIX;
use ecr_preflight::settings::VARIABLES;
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

#[test]
fn template_sets_exactly_the_settings() {
    let names = |function: &Yaml| -> BTreeSet<String> {
        let variables = function["Environment"]["Variables"].as_mapping().unwrap();
        variables.keys().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let own = names(&function());
    let gate = names(&template()["Resources"]["GateFunction"]["Properties"]);
    let census = names(&template()["Resources"]["CensusFunction"]["Properties"]);
    assert_eq!(&own | &gate, VARIABLES.iter().map(|variable| variable.name.to_owned()).collect());
    // A gate sends no message, writes no tag, and judges by what runs the image instead of a default or the table.
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| (one - other).into_iter().collect::<Vec<_>>();
    assert_eq!(only(&gate, &own), ["PREFLIGHT_GATES"]);
    assert_eq!(
        only(&own, &gate),
        [
            "PREFLIGHT_CONSUMERS", "PREFLIGHT_DEFAULT_RUNTIME", "PREFLIGHT_TABLE", "PREFLIGHT_TOPIC_ARN",
            "PREFLIGHT_VERDICT_TAGS",
        ]
    );
    assert!(census.is_subset(&own) && census.contains("PREFLIGHT_TABLE"), "{census:?}");
    assert_eq!(names(&template()["Resources"]["EcsGateFunction"]["Properties"]), gate);
}

#[test]
fn programs_of_functions_are_those_with_the_features_they_need() {
    let resources = template()["Resources"].clone();
    let program = |name: &str| resources[name]["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned();
    let programs = ["Function", "GateFunction", "EcsGateFunction", "CensusFunction"].map(program);
    assert_eq!(programs, ["bootstrap", "consumers", "consumers", "consumers"]);
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
