//! One service or function is read again after an event.

use std::sync::Arc;

use ecr_preflight::census::{Census, CensusCache, read_one};
use ecr_preflight::consumer::{ChangedConsumer, Consumer, ConsumerPlatform};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::reader::{Clients, MemoryStore};
use super::{large_account, unusual_account};
use crate::support::aws::account::{Account, CODE_URL, REGISTRY, SECRET_VALUE, arn};

const IMAGE: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1";

/// Reads what has this ARN.
async fn read(clients: &Clients, arn: &str, cache: &CensusCache, store: &MemoryStore) -> Census {
    let changed = ChangedConsumer::parse(arn).unwrap();
    read_one(&clients.aws, &changed, |_| None, cache, store).await
}

/// The calls, what was found, and what was not.
async fn describe(account: Account, arn: &str) -> String {
    let (clients, store) = (Clients::new(&Arc::new(account)), MemoryStore::default());
    let census = read(&clients, arn, &CensusCache::default(), &store).await;
    let calls = clients.calls().into_iter().map(|call| format!("{} {}\n", call.action, call.request));
    let found = census.consumers.iter().map(|one| {
        let platform = match &one.platform {
            ConsumerPlatform::Known(runtime, source) => format!("{runtime} by {source:?}"),
            other => format!("{other:?}"),
        };
        let digest = one.digest.as_ref().map_or("", |digest| &digest.as_str()[70..]);
        format!("found {} {} @{digest} {platform}\n", one.name, one.definition)
    });
    let not_read =
        census.not_read.iter().map(|one| format!("not read: {} {}: {}\n", one.action, one.resource, one.source));
    calls.chain(found).chain(not_read).collect()
}

#[tokio::test]
async fn one_consumer_is_what_the_census_finds_for_it() {
    for account in [unusual_account(), large_account()] {
        let account = Arc::new(account);
        let census = Clients::new(&account).read(&CensusCache::default(), &MemoryStore::default()).await;
        let arns = |items: &[Value], key: &str| -> Vec<String> {
            items.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
        };
        let services = account.clusters.values().flat_map(|cluster| arns(&cluster.services, "serviceArn"));
        let functions: Vec<Value> = account.functions.iter().map(|(function, _)| function.clone()).collect();
        let others = [arns(&functions, "FunctionArn"), arns(&account.app_runner_services, "ServiceArn")].concat();
        let all: Vec<String> = services.chain(others).filter(|arn| arn != "arn:public").collect();
        assert!(all.len() > 10);
        for arn in all.iter().step_by(if all.len() > 100 { 31 } else { 1 }) {
            let clients = Clients::new(&account);
            let found = read(&clients, arn, &CensusCache::default(), &MemoryStore::default()).await;
            let expected: Vec<&Consumer> = census.consumers.iter().filter(|one| one.arn == *arn).collect();
            assert_eq!(found.consumers.iter().collect::<Vec<_>>(), expected, "{arn}");
            assert!(found.not_read.is_empty() && clients.calls().len() <= 6, "{arn}: {:?}", found.not_read);
        }
    }
}

#[tokio::test]
async fn calls_are_about_one_consumer() {
    let check = async |arn: String, expected: Expect| {
        let account = unusual_account();
        expected.assert_eq(&describe(account, &arn).await);
    };
    // A new deployment, while the tasks of the old one run.
    check(arn("ecs", "service/prod/deploying"), expect![[r#"
        DescribeServices {"cluster":"arn:aws:ecs:us-west-2:123456789012:cluster/prod","services":["arn:aws:ecs:us-west-2:123456789012:service/prod/deploying"]}
        ListTasks {"cluster":"arn:aws:ecs:us-west-2:123456789012:cluster/prod","maxResults":100,"serviceName":"deploying"}
        DescribeTasks {"cluster":"arn:aws:ecs:us-west-2:123456789012:cluster/prod","tasks":["arn:aws:ecs:us-west-2:123456789012:task/prod/00000000000000000000000000000000"]}
        DescribeTaskDefinition {"taskDefinition":"arn:aws:ecs:us-west-2:123456789012:task-definition/web:1"}
        DescribeTaskDefinition {"taskDefinition":"arn:aws:ecs:us-west-2:123456789012:task-definition/web:2"}
        found prod/deploying web:2 @ ecs/amd64 by FargateDefault
    "#]]).await;
    // No task: the revision has the architecture.
    check(arn("ecs", "service/prod/moved"), expect![[r#"
        DescribeServices {"cluster":"arn:aws:ecs:us-west-2:123456789012:cluster/prod","services":["arn:aws:ecs:us-west-2:123456789012:service/prod/moved"]}
        ListTasks {"cluster":"arn:aws:ecs:us-west-2:123456789012:cluster/prod","maxResults":100,"serviceName":"moved"}
        DescribeServiceRevisions {"serviceRevisionArns":["arn:aws:ecs:us-west-2:123456789012:service-revision/prod/moved/1"]}
        DescribeTaskDefinition {"taskDefinition":"arn:aws:ecs:us-west-2:123456789012:task-definition/web:1"}
        found prod/moved web:1 @ ecs/arm64 by Override
    "#]]).await;
    check(
        arn("lambda", "function:command:7"),
        expect![[r#"
        GetFunction /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A123456789012%3Afunction%3Acommand
        found command command @5 lambda/amd64 by LambdaDefault
    "#]],
    )
    .await;
    let site = arn("apprunner", "service/start-command/1");
    check(
        site,
        expect![[r#"
        AppRunner.DescribeService {"ServiceArn":"arn:aws:apprunner:us-west-2:123456789012:service/start-command/1"}
        found start-command start-command @ apprunner by Service
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_deleted_or_no_image_has_no_consumers() {
    let mut account = Account::default();
    let definition = account.add_definition("web:1", IMAGE, &json!({}), &json!({}));
    account.add_service("prod", "inactive", &definition, &json!({"status": "INACTIVE"}));
    account.add_service("prod", "draining", &definition, &json!({"status": "DRAINING"}));
    account.add_zip_function("zip");
    account.add_app_runner_service("deleted", IMAGE, &json!({}));
    account.app_runner_services[0]["Status"] = json!("DELETED");
    let account = Arc::new(account);
    for arn in [
        arn("ecs", "service/prod/inactive"),
        arn("ecs", "service/prod/draining"),
        arn("ecs", "service/prod/missing"),
        arn("ecs", "service/other/missing"),
        arn("lambda", "function:missing"),
        arn("lambda", "function:zip"),
        arn("apprunner", "service/missing/1"),
        arn("apprunner", "service/deleted/1"),
    ] {
        let clients = Clients::new(&account);
        let found = read(&clients, &arn, &CensusCache::default(), &MemoryStore::default()).await;
        assert!(found.consumers.is_empty() && found.not_read.is_empty(), "{arn}: {found:?}");
        assert_eq!(clients.calls().len(), 1, "{arn}");
    }
}

#[tokio::test]
async fn what_is_unknown_is_not_read() {
    let mut account = Account::default();
    account.add_service("prod", "web", &arn("ecs", "task-definition/web:1"), &json!({}));
    let definition =
        account.add_definition("busy:1", IMAGE, &json!({}), &json!({"requiresCompatibilities": ["FARGATE"]}));
    account.add_service("prod", "busy", &definition, &json!({}));
    for number in 0..101 {
        let digest = format!("sha256:{:064x}", number % 2);
        account.add_task("prod", "service:busy", &definition, (IMAGE, &digest), &json!({}));
    }
    let account = Arc::new(account);
    let mut lines = String::new();
    for arn in [arn("ecs", "service/web"), arn("ecs", "service/prod/web"), arn("ecs", "service/prod/busy")] {
        let clients = Clients::new(&account);
        let found = read(&clients, &arn, &CensusCache::default(), &MemoryStore::default()).await;
        for one in &found.not_read {
            lines += &format!("{} consumers: {} {}: {}\n", found.consumers.len(), one.action, one.resource, one.source);
        }
    }
    expect![[r#"
        0 consumers: ecs:DescribeServices arn:aws:ecs:us-west-2:123456789012:service/web: its ARN has the old format, which does not name the cluster
        0 consumers: ecs:DescribeTaskDefinition arn:aws:ecs:us-west-2:123456789012:task-definition/web:1: ClientException
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn cache_is_used_and_filled() {
    let mut account = Account::default();
    let definition = account.add_definition("web:1", IMAGE, &json!({}), &json!({}));
    account.add_service("prod", "web", &definition, &json!({}));
    account.add_function("resize", &format!("{REGISTRY}/functions:v1"), &format!("sha256:{:064x}", 1), &json!({}));
    let (account, store) = (Arc::new(account), MemoryStore::default());
    let arns = [arn("ecs", "service/prod/web"), arn("lambda", "function:resize")];
    for arn in &arns {
        read(&Clients::new(&account), arn, &CensusCache::default(), &store).await;
    }
    let kept = format!("{:?}", store.list());
    assert!(store.list().len() == 2 && !kept.contains(SECRET_VALUE) && !kept.contains(CODE_URL), "{kept}");
    let clients = Clients::new(&account);
    for arn in &arns {
        assert_eq!(read(&clients, arn, &store.cache(), &store).await.consumers.len(), 1);
    }
    // The census takes the image of the function from the cache; an event always reads the function.
    assert_eq!(clients.count_calls().keys().collect::<Vec<_>>(), ["DescribeServices", "GetFunction", "ListTasks"]);
    let census = Clients::new(&account);
    census.read(&store.cache(), &store).await;
    assert!(!census.count_calls().contains_key("GetFunction"), "{:?}", census.count_calls());
}
