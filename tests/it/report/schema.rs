//! The JSON Schemas in `schema`: every report in the snapshots and pages of this repository, and reports made here, are
//! valid; and a member that the code adds without the schema is found.

use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use ecr_preflight::runtime::RUNTIMES;
use ecr_preflight::verdict::FaultCode;
use serde_json::{Value, json};

/// Each schema's file.
const FILES: [(&str, &str); 4] = [
    ("ecr-preflight/1", "schema/ecr-preflight-1.schema.json"),
    ("ecr-preflight/error/1", "schema/ecr-preflight-error-1.schema.json"),
    ("ecr-preflight/platforms/1", "schema/ecr-preflight-platforms-1.schema.json"),
    ("ecr-preflight/consumers/1", "schema/ecr-preflight-consumers-1.schema.json"),
];

fn read_schema(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Forbids members that the schema does not list. The published schemas allow them, so that a reader accepts the reports
/// of a later version.
fn close(schema: &mut Value) {
    if schema["type"] == "object" {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(close),
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Compiles each schema as it is published, and closed.
fn compile() -> Vec<(&'static str, [(Schemas, SchemaIndex); 2])> {
    let compile_one = |file, is_closed| {
        let mut schema = read_schema(file);
        if is_closed {
            close(&mut schema);
        }
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        (schemas, index)
    };
    FILES.iter().map(|(name, file)| (*name, [false, true].map(|is_closed| compile_one(file, is_closed)))).collect()
}

/// The errors of a value; empty if it is valid. With `is_closed`, members that the schema does not list are errors.
fn errors(value: &Value, is_closed: bool) -> String {
    thread_local!(static COMPILED: Vec<(&'static str, [(Schemas, SchemaIndex); 2])> = compile());
    COMPILED.with(|compiled| {
        let Some((_, compiled)) = compiled.iter().find(|(name, _)| value["schema"] == *name) else {
            return format!("unknown schema {}", value["schema"]);
        };
        let (schemas, index) = &compiled[usize::from(is_closed)];
        schemas.validate(value, *index).err().map(|error| format!("{error:#}")).unwrap_or_default()
    })
}

/// Fails if a value does not have its schema, or has a member that the schema does not list.
#[track_caller]
pub fn assert_valid(value: &Value, origin: &str) {
    let errors = errors(value, true);
    assert!(errors.is_empty(), "{origin}: {errors}\n{value:#}");
}

/// The files under a directory.
fn list_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { list_files(&path) } else { vec![path] }).collect()
}

/// The values in a text that begin with the member `schema`, as all output does. In snapshots, digests may be masked.
/// Code that builds a value is not JSON, and therefore not in it.
fn find_values(text: &str) -> Vec<Value> {
    let text = text.replace("sha256:DIGEST", &format!("sha256:{}", "0".repeat(64)));
    let begins = text.match_indices("\"schema\"").filter_map(|(at, _)| text[..at].rfind('{').map(|brace| (brace, at)));
    let begins = begins.filter(|(brace, at)| text[brace + 1..*at].trim().is_empty());
    let values = begins.filter_map(|(brace, _)| {
        serde_json::Deserializer::from_str(&text[brace..]).into_iter::<Value>().next().and_then(Result::ok)
    });
    values.filter(|value| FILES.iter().any(|(name, _)| value["schema"] == *name)).collect()
}

#[test]
fn reports_in_snapshots_and_pages_are_valid() {
    let mut files = list_files(Path::new("docs"));
    files.extend(list_files(Path::new("tests/it")));
    files.push("README.md".into());
    let mut counts = [0; FILES.len()];
    for file in files {
        // This file has invalid ones, and the page's tests have reports of other versions and writers.
        if file.ends_with("report/schema.rs") || file.ends_with("cli/page.rs") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for value in find_values(&text) {
            assert_valid(&value, &file.display().to_string());
            counts[FILES.iter().position(|(name, _)| value["schema"] == *name).unwrap()] += 1;
        }
    }
    assert!(counts[0] >= 50 && counts[1] >= 1 && counts[2] >= 1, "{counts:?} values were found");
}

#[test]
fn reports_of_all_samples_are_valid() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ecr-preflight")).env_clear().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let mut count = 0;
    let mut check = |arguments: &[&str]| {
        for value in serde_json::Deserializer::from_str(&run(arguments)).into_iter::<Value>() {
            assert_valid(&value.unwrap(), &arguments.join(" "));
            count += 1;
        }
    };
    for event in list_files(Path::new("events")).iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
        let event = event.to_str().unwrap();
        if !event.contains("images") {
            for declared in ["apprunner", "ecs/amd64 lambda/arm64", "ecs/amd46", ""] {
                check(&["replay", event, "--layout", "events/images", "--declared", declared, "--format", "json"]);
            }
        }
    }
    let index = read_schema("events/images/index.json");
    let tags = index["manifests"].as_array().unwrap().iter();
    let tags = tags.filter_map(|manifest| manifest["annotations"]["org.opencontainers.image.ref.name"].as_str());
    let mut images: Vec<String> = tags.map(|tag| format!("oci:events/images:{tag}")).collect();
    images.push("oci:events/images:none".to_owned());
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    for options in [&["--platforms"][..], &["--no-exec"], &["--runtime", "ecs/amd64,lambda/arm64"], &[]] {
        check(&[&["check", "--format", "json"][..], options, &images].concat());
    }
    assert!(count > 100, "only {count} reports");
}

/// The report of a failing image.
fn sample() -> Value {
    let values = find_values(&std::fs::read_to_string("tests/it/report/matrix.txt").unwrap());
    values.into_iter().find(|value| value["verdict"] == "fails").unwrap()
}

#[test]
fn wrong_values_and_unknown_members_are_refused() {
    assert_eq!(errors(&sample(), true), "");
    let replace = |pointer: &str, value: Value| {
        let mut report = sample();
        *report.pointer_mut(pointer).unwrap() = value;
        report
    };
    let wrong = [
        replace("/verdict", json!("maybe")),
        replace("/image/digest", json!("sha256:123")),
        replace("/image/platforms", json!(["amd64"])),
        replace("/runtimes/0/verified", json!("yes")),
        replace("/runtimes/0/faults/0/code", json!("Wrong Architecture")),
        replace("/runtimes/0/faults/0/remedy", json!("docker build .")),
        replace("/exec", json!([])),
        replace("/intended/0/declaredBy", json!("nobody")),
        json!({"schema": "ecr-preflight/1"}),
        json!({"schema": "ecr-preflight/2", "verdict": "runs"}),
        json!({"schema": "ecr-preflight/error/1", "reference": "a", "verdict": "runs", "error": "b"}),
        json!({"schema": "ecr-preflight/platforms/1", "verdict": "runs", "platforms": []}),
    ];
    for report in wrong {
        assert_ne!(errors(&report, false), "", "{report}");
    }
    for pointer in ["", "/image", "/intended/0", "/runtimes/0", "/runtimes/0/faults/0", "/exec/0"] {
        let mut report = sample();
        report.pointer_mut(pointer).unwrap()["added"] = json!(1);
        // A reader with this schema accepts the report of a later version; this test suite does not.
        assert_eq!(errors(&report, false), "", "{pointer}");
        assert_ne!(errors(&report, true), "", "{pointer}");
    }
}

#[test]
fn schemas_list_what_the_code_knows() {
    let schema = read_schema(FILES[0].1);
    let codes: Vec<&str> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(schema["$defs"]["code"]["examples"], json!(codes));
    let runtimes = &schema["$defs"]["declaration"]["properties"]["runtime"]["examples"];
    assert_eq!(*runtimes, json!(RUNTIMES.map(|profile| profile.name)));
    let platforms = read_schema(FILES[2].1);
    for shared in ["image", "digest", "platform"] {
        assert_eq!(schema["$defs"][shared], platforms["$defs"][shared]);
    }
    for (name, file) in FILES {
        let schema = read_schema(file);
        assert_eq!(schema["properties"]["schema"]["const"], name);
        assert!(schema["$id"].as_str().unwrap().ends_with(&file.replace("schema/", "/")), "{file}");
    }
}
