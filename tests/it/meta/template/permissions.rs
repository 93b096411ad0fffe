//! The actions that the roles of the template allow, and those that the code takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ecr_preflight::consumer::resource_types;
use ecr_preflight::event::OWN_SOURCE;

use super::template;

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

/// The services of AWS that the functions call.
const CALLED: [&str; 9] =
    ["apprunner", "batch", "bedrock-agentcore", "dynamodb", "ecr", "ecs", "events", "lambda", "sns"];

/// Every action named in a text: a service, a colon, and a name with a capital first letter.
fn actions(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
    let words = text.split(|c: char| !is_word(c));
    let is_action = |word: &&str| {
        word.split_once(':').is_some_and(|(service, name)| {
            CALLED.contains(&service) && name.starts_with(|c: char| c.is_ascii_uppercase())
        })
    };
    words.filter(is_action).map(str::to_owned).collect()
}

/// The modules of a directory that are only built with a feature: those behind `#[cfg(feature = "…")]`.
fn modules_behind(feature: &str, directory: &Path) -> Vec<String> {
    let root = ["lib.rs", "mod.rs"].iter().find_map(|name| fs::read_to_string(directory.join(name)).ok());
    let root = root.unwrap_or_default();
    let condition = format!("#[cfg(feature = \"{feature}\")]");
    let after = root.lines().skip(1).zip(root.lines()).filter(|(_, before)| *before == condition);
    let name = |line: &str| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ").map(str::to_owned);
    after.filter_map(|(line, _)| Some(name(line)?.trim_end_matches(';').to_owned())).collect()
}

/// The source text of a directory, without the modules that are built only with one of these features.
fn sources(directory: &Path, without: &[&str]) -> String {
    let not_these: Vec<String> = without.iter().flat_map(|feature| modules_behind(feature, directory)).collect();
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_own = |path: &PathBuf| !not_these.iter().any(|name| path.file_stem().unwrap() == name.as_str());
    entries
        .filter(is_own)
        .map(|path| if path.is_dir() { sources(&path, without) } else { fs::read_to_string(path).unwrap() })
        .collect()
}

/// The actions that a role is allowed on what the functions call.
fn allowed(role: &str) -> BTreeSet<String> {
    let policies = template()["Resources"][role]["Properties"]["Policies"].clone();
    actions(&serde_yaml_ng::to_string(&policies).unwrap())
}

#[test]
fn template_allows_exactly_the_actions_used() {
    let src = Path::new("src");
    assert_eq!(modules_behind("cli", src).last().map(String::as_str), Some("cli"));
    assert_eq!(modules_behind("consumers", src), ["census"]);
    let function = actions(&sources(src, &["cli", "consumers"]));
    assert_eq!(allowed("FunctionRole"), function);
    assert!(!function.contains("ecr:DescribeImages"), "only the command-line tool lists images");
    let with_consumers = actions(&sources(src, &["cli"]));
    assert_eq!(&(&function | &allowed("CensusRole")) | &allowed("EcsGateRole"), with_consumers);
}

#[test]
fn census_may_read_what_runs_images_and_write_the_table() {
    let of = |directory: &str| actions(&sources(Path::new(directory), &["cli"]));
    let taken = &(&of("src/census") | &of("src/lambda/consumers")) | &of("src/table");
    let allowed = allowed("CensusRole");
    // The function of pushes records tags, and the census nothing else.
    assert_eq!(taken.difference(&allowed).collect::<Vec<_>>(), ["dynamodb:UpdateItem"]);
    assert!(allowed.is_subset(&taken), "{allowed:?}");
    // The page shows the same permissions for the command line, which has no table and sends no events.
    let page = fs::read_to_string("docs/consumers.md").unwrap();
    let (_, permissions) = page.split_once("## Permissions").unwrap();
    let (permissions, _) = permissions.split_once("actions of the first statement").unwrap();
    let is_reading = |action: &String| !action.starts_with("dynamodb:") && !action.starts_with("events:");
    assert_eq!(actions(permissions), allowed.into_iter().filter(is_reading).collect());
    let policies = serde_yaml_ng::to_string(&template()["Resources"]["CensusRole"]["Properties"]["Policies"]).unwrap();
    assert!(policies.contains(&format!("events:source: {OWN_SOURCE}")), "{policies}");
}
