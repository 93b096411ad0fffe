//! The census: what it writes to the table, as the function's process.

use serde_json::{Value, json};

use super::super::function::{Function, invoke};
use super::{REGISTRY, TABLE};
use crate::support::aws::account::Account;
use crate::support::aws::{FakeAws, Fault};

const EVENT: &str = r#"{"source": "ecr-preflight", "detail-type": "ECR Preflight Census", "detail": {}}"#;

/// An account with a service, a function and a job definition.
fn account(architecture: &str) -> Account {
    let mut account = Account::default();
    let members = json!({"requiresCompatibilities": ["FARGATE"], "runtimePlatform": {"cpuArchitecture": architecture}});
    let container =
        json!({"environment": [{"name": "TOKEN", "value": "0SECRETVALUE0"}, {"name": "PATH", "value": "/bin"}]});
    let definition = account.add_definition("web:1", &format!("{REGISTRY}/team/app:v1"), &container, &members);
    account.add_service("prod", "web", &definition, &json!({}));
    account.add_function("resize", &format!("{REGISTRY}/functions:resize"), &format!("sha256:{:064x}", 1), &json!({}));
    account.add_job_definition("import", "busybox:latest", &json!({}), &json!({}));
    account
}

fn take(aws: &FakeAws) -> Value {
    let (outcome, line) = invoke(aws, EVENT);
    assert_eq!(outcome, "response", "{line}");
    line
}

/// The names of the stored consumers.
fn stored(aws: &FakeAws) -> Vec<String> {
    let mut names: Vec<String> = aws.table(|table| {
        let consumers = table.items.iter().filter(|((pk, _), _)| pk == "consumers");
        let name = |item: &serde_json::Map<String, Value>| {
            let consumer: Value = serde_json::from_str(item["consumer"]["S"].as_str().unwrap()).unwrap();
            format!(
                "{} {} {}",
                consumer["name"].as_str().unwrap(),
                consumer["image"].as_str().unwrap(),
                consumer["platform"]
            )
        };
        consumers.map(|(_, item)| name(item)).collect()
    });
    names.sort();
    names
}

#[test]
fn census_writes_differences_and_forgets_what_is_gone() {
    let aws = FakeAws::start();
    aws.set_account(account("X86_64"));
    let function = Function::start_consumers(&aws, &[TABLE]);
    let line = take(&aws);
    assert_eq!((&line["Consumers"], &line["message"]), (&json!(3), &json!("consumers: 3 found, 2 changed, 0 gone")));
    assert_eq!(
        stored(&aws),
        [
            format!(r#"prod/web {REGISTRY}/team/app:v1 {{"known":["ecs/amd64","runtime-platform"]}}"#),
            format!(r#"resize {REGISTRY}/functions:resize {{"known":["lambda/amd64","lambda-default"]}}"#),
        ]
    );
    // Nothing changed: only the record of the census is written.
    let writes = aws.calls_of("BatchWriteItem").len();
    assert_eq!(take(&aws)["message"], "consumers: 3 found, 0 changed, 0 gone");
    assert_eq!(aws.calls_of("BatchWriteItem").len(), writes);
    let described = aws.calls_of("DescribeTaskDefinition").len() + aws.calls_of("GetFunction").len();
    assert_eq!(described, 2, "the second census has them in its cache");
    let mut changed = Account::default();
    let members = json!({"requiresCompatibilities": ["FARGATE"], "runtimePlatform": {"cpuArchitecture": "ARM64"}});
    let definition = changed.add_definition("web:2", &format!("{REGISTRY}/team/app:v1"), &json!({}), &members);
    changed.add_service("prod", "web", &definition, &json!({}));
    aws.set_account(changed);
    assert_eq!(take(&aws)["message"], "consumers: 1 found, 1 changed, 2 gone");
    assert_eq!(
        stored(&aws),
        [format!(r#"prod/web {REGISTRY}/team/app:v1 {{"known":["ecs/arm64","runtime-platform"]}}"#)]
    );
    let everything = aws.table(|table| serde_json::to_string(&table.items.values().collect::<Vec<_>>()).unwrap());
    for secret in ["SECRET", "TOKEN", "PRESIGNED"] {
        assert!(!everything.contains(secret), "{everything}");
    }
    assert!(everything.contains(r"/bin"));
    drop(function);
}

#[test]
fn service_that_refuses_keeps_its_consumers_and_is_named() {
    let aws = FakeAws::start();
    aws.set_account(account("X86_64"));
    let _function = Function::start_consumers(&aws, &[TABLE]);
    take(&aws);
    aws.fail("ListFunctions", 2.., Fault::Error(400, "AccessDeniedException"));
    let line = take(&aws);
    assert_eq!(
        (&line["message"], &line["ServicesNotRead"]),
        (&json!("consumers: 2 found, 0 changed, 0 gone"), &json!(1))
    );
    assert!(line["not_read"][0].as_str().unwrap().starts_with("AWS Lambda: lambda:ListFunctions failed"), "{line}");
    assert_eq!(stored(&aws).len(), 2);
}

#[test]
fn census_that_reads_nothing_is_an_error() {
    let aws = FakeAws::start();
    aws.set_account(account("X86_64"));
    let _function = Function::start_consumers(&aws, &[TABLE]);
    for action in
        ["ListClusters", "ListFunctions", "AppRunner.ListServices", "DescribeJobDefinitions", "ListAgentRuntimes"]
    {
        aws.fail(action, 1.., Fault::Error(400, "AccessDeniedException"));
    }
    let (outcome, body) = invoke(&aws, EVENT);
    assert_eq!(outcome, "error");
    assert!(body["errorMessage"].as_str().unwrap().starts_with("no service could be read completely: "), "{body}");
    assert!(stored(&aws).is_empty());
}

#[test]
fn items_that_the_table_does_not_take_are_sent_again() {
    let aws = FakeAws::start();
    aws.set_account(account("X86_64"));
    aws.table(|table| table.unprocessed = 1);
    let _function = Function::start_consumers(&aws, &[TABLE]);
    take(&aws);
    assert_eq!(stored(&aws).len(), 2);
}

#[test]
fn service_whose_endpoint_has_no_address_does_not_exist_in_the_region() {
    let aws = FakeAws::start();
    aws.set_account(account("X86_64"));
    let nowhere = ("AWS_ENDPOINT_URL_APPRUNNER", "http://apprunner.invalid");
    let _function = Function::start_consumers(&aws, &[TABLE, nowhere]);
    let line = take(&aws);
    assert_eq!((&line["Consumers"], &line["not_read"]), (&json!(3), &json!([])), "{line}");
}
