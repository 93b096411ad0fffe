//! The Lambda function is built without the command-line tool's dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Runs cargo, offline and with the lock file as it is, and returns what it prints.
fn run_cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).args(["--offline", "--locked"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// This package's manifest, as `cargo metadata` prints it.
fn manifest() -> Value {
    let metadata: Value =
        serde_json::from_str(&run_cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    metadata["packages"][0].clone()
}

/// The strings of a JSON array.
fn strings(array: &Value) -> Vec<String> {
    array.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The direct dependencies of a build with these options, each with its features. An optional dependency is one of them, or
/// it is not built for this package.
fn linked_crates(options: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let tree = ["tree", "--depth", "1", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"];
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in run_cargo(&[&tree, options].concat()).lines() {
        let (package, features) = line.split_once('|').unwrap();
        let name = package.split(' ').next().unwrap().to_owned();
        let features = features.trim_end_matches(" (*)").split(',').filter(|feature| !feature.is_empty());
        crates.entry(name).or_default().extend(features.map(str::to_owned));
    }
    crates
}

/// Whether a build has what an entry of a feature in `Cargo.toml` enables: `dep:CRATE` or `CRATE/FEATURE`.
fn has(crates: &BTreeMap<String, BTreeSet<String>>, entry: &str) -> bool {
    match (entry.strip_prefix("dep:"), entry.split_once('/')) {
        (Some(name), _) => crates.contains_key(name),
        (None, Some((name, feature))) => crates.get(name).is_some_and(|features| features.contains(feature)),
        (None, None) => panic!("`{entry}` is neither `dep:CRATE` nor `CRATE/FEATURE`"),
    }
}

#[test]
fn function_has_no_dependency_of_the_command_line_tool() {
    let manifest = manifest();
    // `sam build` passes no flags to cargo-lambda, which takes them from here.
    let build = &manifest["metadata"]["lambda"]["build"];
    assert_eq!(build["no_default_features"], true);
    assert_eq!(build["locked"], true);
    let features = strings(&build["features"]);
    // Those of both functions.
    assert_eq!(features, ["lambda", "consumers"]);

    let function = linked_crates(&["--no-default-features", "--features", "lambda"]);
    assert!(function.contains_key("lambda_runtime") && function.contains_key("aws-sdk-ecr"), "{function:?}");
    let tool = linked_crates(&[]);
    let (cli, consumers) = (strings(&manifest["features"]["cli"]), strings(&manifest["features"]["consumers"]));
    assert_eq!(cli[0], "consumers");
    for entry in cli[1..].iter().chain(&consumers) {
        assert!(has(&tool, entry), "the command-line tool has no {entry}");
        assert!(!has(&function, entry), "the function has {entry}");
    }
    let other = linked_crates(&["--no-default-features", "--features", &features.join(",")]);
    for entry in &cli[1..] {
        assert!(!has(&other, entry), "the function that knows what runs images has {entry}");
    }
}
