//! Events that announce a change, and what is read after them. The detail type and detail of `events/lambda-state.json` are
//! not documented: only its source and resources count.

use std::fs;
use std::sync::Arc;

use ecr_preflight::census::{CensusCache, read_one, read_stopped};
use ecr_preflight::consumer::{ConsumerEvent, ConsumerPlatform, StoppedContainer};
use expect_test::expect;
use serde_json::{Value, json};

use super::reader::{Clients, MemoryStore};
use crate::support::aws::account::{Account, REGISTRY, arn};

const IMAGE: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.2";

fn load(name: &str) -> Value {
    serde_json::from_slice(&fs::read(format!("events/{name}.json")).unwrap()).unwrap()
}

fn parse(event: Value) -> ConsumerEvent {
    ConsumerEvent::parse(&serde_json::from_value(event).unwrap()).unwrap()
}

/// The containers of the sample, with these changes to the task.
fn stopped(changes: &Value) -> Vec<StoppedContainer> {
    let mut event = load("ecs-task-stopped");
    for (name, value) in changes.as_object().unwrap() {
        event["detail"][name] = value.clone();
    }
    let ConsumerEvent::Stopped(containers) = parse(event) else { panic!("the task stopped") };
    containers
}

#[tokio::test]
async fn samples_of_changes_lead_to_their_consumers() {
    let mut account = Account::default();
    let arm64 = json!({"runtimePlatform": {"cpuArchitecture": "ARM64"}});
    let definition = account.add_definition("web:42", IMAGE, &json!({}), &arm64);
    account.add_service("prod", "web", &definition, &json!({}));
    account.add_function("resize", &format!("{REGISTRY}/resize:v1"), &format!("sha256:{:064x}", 1), &json!({}));
    account.add_app_runner_service("site", IMAGE, &json!({}));
    account.app_runner_services[0]["ServiceArn"] =
        json!(arn("apprunner", "service/site/8fe1e10304f84fd2b0df550fe98a71fa"));
    let account = Arc::new(account);
    let mut lines = String::new();
    for name in ["ecs-deployment", "app-runner-operation", "lambda-state"] {
        let ConsumerEvent::Changed(changed) = parse(load(name)) else { panic!("{name} announces a change") };
        let clients = Clients::new(&account);
        let store = MemoryStore::default();
        let census = read_one(&clients.aws, &changed, |_| None, &CensusCache::default(), &store).await;
        assert!(census.not_read.is_empty(), "{:?}", census.not_read);
        for one in census.consumers {
            lines += &format!("{name}: {} runs {} on {}\n", one.title(), one.image, one.runtime().unwrap());
        }
    }
    expect![[r#"
        ecs-deployment: prod/web (container app of task definition web:42) runs 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.2 on ecs/arm64
        app-runner-operation: service site runs 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.2 on apprunner
        lambda-state: function resize runs 123456789012.dkr.ecr.us-west-2.amazonaws.com/resize:v1 on lambda/amd64
    "#]].assert_eq(&lines);
}

#[test]
fn sample_of_a_stopped_task_has_what_is_known() {
    let containers = stopped(&json!({}));
    expect![[r#"
        [
            StoppedContainer {
                task: "arn:aws:ecs:us-west-2:123456789012:task/prod/cdd887a8d1c84c5b9d2a0e8f5b7c3a11",
                cluster: "arn:aws:ecs:us-west-2:123456789012:cluster/prod",
                service: Some(
                    "web",
                ),
                task_definition: "arn:aws:ecs:us-west-2:123456789012:task-definition/web:42",
                container: "app",
                image: "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.2",
                digest: Some(
                    Digest(
                        "sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8",
                    ),
                ),
                architecture: Some(
                    "x86_64",
                ),
                is_fargate: Some(
                    true,
                ),
                exit_code: Some(
                    1,
                ),
                reason: None,
                stopped_reason: Some(
                    "Essential container in task exited",
                ),
                stopped_at: Some(
                    "2026-11-24T12:33:11.000Z",
                ),
                override_command: [],
                has_override_environment: false,
            },
        ]
    "#]]
    .assert_debug_eq(&containers);
}

#[tokio::test]
async fn stopped_container_is_a_consumer() {
    let mut account = Account::default();
    let container = json!({"entryPoint": ["/entry"], "command": ["serve"],
        "environment": [{"name": "PATH", "value": "/opt/bin"}]});
    let fargate = json!({"requiresCompatibilities": ["FARGATE"]});
    account.add_definition("web:42", IMAGE, &container, &fargate);
    let windows = json!({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}});
    account.add_definition("windows:1", IMAGE, &json!({}), &windows);
    account.add_definition("other:1", IMAGE, &json!({"name": "other"}), &json!({}));
    let account = Arc::new(account);
    let overridden = |container: Value| json!({"overrides": {"containerOverrides": [container]}});
    let definition = |name: &str| json!({"taskDefinitionArn": arn("ecs", &format!("task-definition/{name}"))});
    let cases = [
        ("as defined", json!({})),
        ("another command", overridden(json!({"name": "app", "command": ["migrate", "--now"]}))),
        ("another environment", overridden(json!({"name": "app", "environment": [{"name": "A", "value": "b"}]}))),
        ("another container's", overridden(json!({"name": "log-router", "command": ["x"]}))),
        ("arm64 host", json!({"attributes": [{"name": "ecs.cpu-architecture", "value": "arm64"}]})),
        ("no attributes", json!({"attributes": null})),
        ("no attributes on EC2", json!({"attributes": [], "launchType": "EC2"})),
        ("no service", json!({"group": "family:web"})),
        ("Windows", definition("windows:1")),
        ("unknown container", definition("other:1")),
        ("deleted definition", definition("deleted:7")),
        ("deleted definition, no attributes", {
            let mut changes = definition("deleted:7");
            changes["attributes"] = json!([]);
            changes
        }),
    ];
    let mut lines = String::new();
    for (case, changes) in cases {
        let (clients, store) = (Clients::new(&account), MemoryStore::default());
        let census = read_stopped(&clients.aws, &stopped(&changes), |_| None, &CensusCache::default(), &store).await;
        assert_eq!(clients.count_calls().into_iter().collect::<Vec<_>>(), [("DescribeTaskDefinition".to_owned(), 1)]);
        let [one] = &census.consumers[..] else { panic!("{case}: one consumer") };
        assert_eq!((one.image.as_str(), one.digest.is_some()), (IMAGE, true), "{case}");
        assert!(one.arn.contains(":task/prod/"), "{}", one.arn);
        let platform = match &one.platform {
            ConsumerPlatform::Known(runtime, source) => format!("{runtime} by {source:?}"),
            other => format!("{other:?}"),
        };
        let start = &one.start;
        let path = start.path.as_deref().unwrap_or("-");
        lines += &format!("{case}: {}, {platform}, {:?} {:?} {path}", one.title(), start.entrypoint, start.command);
        lines += &start.unknown.as_ref().map_or(String::new(), |reason| format!(", unknown: {reason}"));
        lines += &census.not_read.iter().map(|one| format!(", not read: {}", one.action)).collect::<String>();
        lines += "\n";
    }
    expect![[r#"
        as defined: prod/web (container app of task definition web:42), ecs/amd64 by Task, ["/entry"] ["serve"] /opt/bin
        another command: prod/web (container app of task definition web:42), ecs/amd64 by Task, ["/entry"] ["migrate", "--now"] /opt/bin
        another environment: prod/web (container app of task definition web:42), ecs/amd64 by Task, ["/entry"] ["serve"] /opt/bin, unknown: its task was started with another environment
        another container's: prod/web (container app of task definition web:42), ecs/amd64 by Task, ["/entry"] ["serve"] /opt/bin
        arm64 host: prod/web (container app of task definition web:42), ecs/arm64 by Task, ["/entry"] ["serve"] /opt/bin
        no attributes: prod/web (container app of task definition web:42), ecs/amd64 by FargateDefault, ["/entry"] ["serve"] /opt/bin
        no attributes on EC2: prod/web (container app of task definition web:42), Unknown("it has no runtimePlatform, and instances may have either architecture"), ["/entry"] ["serve"] /opt/bin
        no service: prod/family:web (container app of task definition web:42), ecs/amd64 by Task, ["/entry"] ["serve"] /opt/bin
        Windows: prod/web (container app of task definition windows:1), Windows, [] [] -
        unknown container: prod/web (container app of task definition other:1), ecs/amd64 by Task, [] [] -, unknown: its task definition does not have the container
        deleted definition: prod/web (container app of task definition deleted:7), ecs/amd64 by Task, [] [] -, unknown: its task definition could not be read, not read: ecs:DescribeTaskDefinition
        deleted definition, no attributes: prod/web (container app of task definition deleted:7), Unknown("its task definition could not be read"), [] [] -, unknown: its task definition could not be read, not read: ecs:DescribeTaskDefinition
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn task_definition_of_stopped_containers_is_cached() {
    let mut account = Account::default();
    account.add_definition("web:42", IMAGE, &json!({}), &json!({}));
    let (account, store) = (Arc::new(account), MemoryStore::default());
    for calls in [1, 0] {
        let clients = Clients::new(&account);
        read_stopped(&clients.aws, &stopped(&json!({})), |_| None, &store.cache(), &store).await;
        assert_eq!(clients.calls().len(), calls);
    }
}
