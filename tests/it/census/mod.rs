//! Reading a large account: what is found, how many calls it takes, and how fast they are.

mod reader;
mod cache;
mod one_consumer;
mod events;

use std::collections::BTreeMap;
use std::sync::Arc;

use ecr_preflight::census::{Census, CensusCache};
use ecr_preflight::consumer::{ConsumerPlatform, ConsumerService};
use serde_json::json;

use self::reader::{Clients, MemoryStore};
use crate::support::aws::account::{Account, CODE_URL, REGISTRY, SECRET_VALUE, arn};

/// Reads an account without a cache.
async fn read(account: Account) -> Census {
    Clients::new(&Arc::new(account)).read(&CensusCache::default(), &MemoryStore::default()).await
}

/// 300 services in 5 clusters with 1000 tasks, 1000 functions of which 200 are images, 20 services of App Runner, 200 job
/// definitions and 20 agent runtimes.
fn large_account() -> Account {
    let mut account = Account::default();
    for number in 0..300 {
        let (cluster, name) = (format!("cluster-{}", number % 5), format!("service-{number}"));
        let image = format!("{REGISTRY}/team/{name}:v1");
        let members = json!({"requiresCompatibilities": ["FARGATE"], "runtimePlatform": {"cpuArchitecture": "ARM64"}});
        let definition = account.add_definition(&format!("{name}:1"), &image, &json!({}), &members);
        let revision = arn("ecs", &format!("service-revision/{cluster}/{name}/1"));
        account.add_service(&cluster, &name, &definition, &json!({"currentServiceRevisions": [{"arn": revision}]}));
        // A tenth of the services has no task.
        let tasks = if number % 10 == 9 { 0 } else { 4 - usize::from(number % 10 < 3) };
        for _ in 0..tasks {
            let digest = format!("sha256:{number:064x}");
            account.add_task(&cluster, &format!("service:{name}"), &definition, (&image, &digest), &json!({}));
        }
        account.service_revisions.push(json!({"serviceRevisionArn": revision, "taskDefinition": definition,
            "serviceArn": arn("ecs", &format!("service/{cluster}/{name}"))}));
    }
    for number in 0..1000 {
        let name = format!("function-{number}");
        if number % 5 == 0 {
            let image = format!("{REGISTRY}/functions:{name}");
            account.add_function(&name, &image, &format!("sha256:{number:064x}"), &json!({"Architectures": ["arm64"]}));
        } else {
            account.add_zip_function(&name);
        }
    }
    for number in 0..20 {
        account.add_app_runner_service(&format!("site-{number}"), &format!("{REGISTRY}/site:v1"), &json!({}));
        account.add_agent_runtime(&format!("agent-{number}"), &format!("{REGISTRY}/agent:v1"), &json!({}));
    }
    for number in 0..200 {
        let image = format!("{REGISTRY}/job:v{number}");
        account.add_job_definition(&format!("job-{number}"), &image, &json!({}), &json!({}));
    }
    account
}

#[tokio::test]
async fn large_account_is_read_within_the_rates() {
    let clients = Clients::new(&Arc::new(large_account()));
    let census = clients.read(&CensusCache::default(), &MemoryStore::default()).await;
    let calls = clients.calls();
    assert!(census.not_read.is_empty(), "{:?}", census.not_read);
    let mut found: BTreeMap<ConsumerService, usize> = BTreeMap::new();
    census.consumers.iter().for_each(|consumer| *found.entry(consumer.service).or_default() += 1);
    assert_eq!(found.values().copied().collect::<Vec<_>>(), [300, 200, 20, 200, 20]);
    expect_test::expect![[r#"{"AppRunner.DescribeService": 20, "AppRunner.ListServices": 1, "DescribeJobDefinitions": 2, "DescribeServiceRevisions": 2, "DescribeServices": 30, "DescribeTaskDefinition": 300, "DescribeTasks": 14, "GetAgentRuntime": 20, "GetFunction": 200, "ListAgentRuntimes": 1, "ListClusters": 1, "ListFunctions": 20, "ListServices": 5, "ListTasks": 14}"#]].assert_eq(&format!("{:?}", clients.count_calls()));
    assert!(calls.len() <= 640, "{} calls", calls.len());

    // The published bursts and rates: "Request throttling for the Amazon ECS API", "Lambda quotas".
    for (actions, burst, per_second) in [
        (&["DescribeTaskDefinition"][..], 50, 20.0),
        (&["ListClusters"], 50, 20.0),
        (&["ListServices", "DescribeServices"], 100, 20.0),
        (&["DescribeServiceRevisions"], 50, 20.0),
        (&["ListTasks", "DescribeTasks"], 100, 20.0),
        (&["ListFunctions"], 15, 15.0),
        (&["GetFunction"], 100, 100.0),
    ] {
        let times: Vec<f64> = calls
            .iter()
            .filter(|call| actions.contains(&call.action.as_str()))
            .map(|call| call.time.as_secs_f64())
            .collect();
        for (first, start) in times.iter().enumerate() {
            for (last, end) in times.iter().enumerate().skip(first) {
                let allowed = f64::from(burst) + per_second * (end - start);
                assert!((last - first + 1) as f64 <= allowed + 1e-6, "{actions:?}: {} calls", last - first + 1);
            }
        }
    }
}

#[tokio::test]
async fn confidential_answers_are_not_kept() {
    let mut account = large_account();
    let image = format!("{REGISTRY}/team/app:v1");
    let variables =
        json!({"Environment": {"Variables": {"TOKEN": SECRET_VALUE, "PATH": "/opt/bin", "LD_PRELOAD": "x"}}});
    account.add_function("preloaded", &image, &format!("sha256:{:064x}", 0), &variables);
    let census = read(account).await;
    let kept = format!("{census:?}");
    for secret in [SECRET_VALUE, CODE_URL, "PRESIGNED", "TOKEN"] {
        assert!(!kept.contains(secret), "{secret} is kept");
    }
    let preloaded = census.consumers.iter().find(|consumer| consumer.name == "preloaded").unwrap();
    assert_eq!(preloaded.start.path.as_deref(), Some("/opt/bin"));
    assert!(!preloaded.start.effects.is_none() && preloaded.digest.is_some());
    assert!(matches!(preloaded.platform, ConsumerPlatform::Known(..)));
}

/// An account with what is unusual in each service.
fn unusual_account() -> Account {
    let mut account = Account::default();
    let image = format!("{REGISTRY}/team/app:v1");
    let none = json!({});
    let (fargate, either) =
        (json!({"requiresCompatibilities": ["FARGATE"]}), json!({"requiresCompatibilities": ["EC2", "FARGATE"]}));
    let digest = |number: u32| format!("sha256:{number:064x}");
    let task_on = |name: &str| json!({"attributes": [{"name": "ecs.cpu-architecture", "value": name}]});

    let (old, new) = (
        account.add_definition("web:1", &image, &none, &fargate),
        account.add_definition("web:2", &image, &none, &fargate),
    );
    let deployments = json!({"deployments": [{"taskDefinition": new}, {"taskDefinition": old}]});
    account.add_service("prod", "deploying", &new, &deployments);
    account.add_task("prod", "service:deploying", &old, (&image, &digest(1)), &task_on("x86_64"));
    account.add_service("prod", "task-sets", &old, &json!({"taskSets": [{"taskDefinition": new}]}));
    let mixed = account.add_definition("mixed:1", &image, &none, &either);
    account.add_service("prod", "mixed", &mixed, &none);
    account.add_task("prod", "service:mixed", &mixed, (&image, &digest(2)), &task_on("x86_64"));
    account.add_task("prod", "service:mixed", &mixed, (&image, &digest(3)), &task_on("arm64"));
    account.add_service("prod", "on-fargate", &mixed, &json!({"launchType": "FARGATE"}));
    let spot = json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]});
    account.add_service("prod", "on-spot", &mixed, &spot);
    account.add_service("prod", "on-either", &mixed, &none);
    let windows = json!({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}});
    let windows = account.add_definition("windows:1", &image, &none, &windows);
    account.add_service("prod", "windows", &windows, &none);
    let revision = arn("ecs", "service-revision/prod/moved/1");
    let express = json!({"resourceManagementType": "ECS"});
    account.add_service("prod", "express", &old, &express);
    account.add_task("prod", "service:express", &old, (&image, &digest(6)), &task_on("arm64"));
    account.add_service("prod", "moved", &old, &json!({"currentServiceRevisions": [{"arn": revision}]}));
    account.service_revisions.push(json!({"serviceRevisionArn": revision, "taskDefinition": old,
        "serviceArn": arn("ecs", "service/prod/moved"), "overrides": {"runtimePlatform": {"cpuArchitecture": "ARM64"}}}));
    account.add_task(
        "prod",
        "family:gone",
        &arn("ecs", "task-definition/gone:1"),
        (&image, &digest(4)),
        &task_on("arm64"),
    );

    let replaced = json!({"ImageConfigResponse": {"ImageConfig": {"EntryPoint": ["/other"]}}});
    account.add_function("entry-point", &image, &digest(5), &replaced);
    let command = json!({"ImageConfigResponse": {"ImageConfig": {"Command": ["app.main"]}},
        "FileSystemConfigs": [{"Arn": "arn", "LocalMountPath": "/mnt/data"}]});
    account.add_function("command", &image, &digest(5), &command);
    account.add_app_runner_service("start-command", &image, &json!({"StartCommand": "run"}));
    let mut source =
        json!({"ImageRepository": {"ImageIdentifier": "public.ecr.aws/a/b:1", "ImageRepositoryType": "ECR_PUBLIC"}});
    account.app_runner_services.push(json!({"ServiceName": "public", "ServiceArn": "arn:public", "Status": "RUNNING",
        "SourceConfiguration": source.take()}));
    let on_arm64 = json!({"runtimePlatform": {"cpuArchitecture": "ARM64"}, "command": ["run", "Ref::mode"]});
    let on_fargate = json!({"platformCapabilities": ["FARGATE"]});
    account.add_job_definition("fargate-arm64", &image, &on_arm64, &on_fargate);
    account.add_job_definition("fargate", &image, &none, &on_fargate);
    let tasks = json!({"containerProperties": null, "platformCapabilities": ["FARGATE"],
        "ecsProperties": {"taskProperties": [{"containers": [{"name": "one", "image": image, "command": ["a"]}]}]}});
    account.add_job_definition("tasks", &image, &none, &tasks);
    let nodes = json!({"containerProperties": null,
        "nodeProperties": {"numNodes": 1, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:", "container": {"image": image}}]}});
    account.add_job_definition("nodes", &image, &none, &nodes);
    let pod = json!({"containerProperties": null,
        "eksProperties": {"podProperties": {"containers": [{"name": "main", "image": image}]}}});
    account.add_job_definition("pod", &image, &none, &pod);
    let provider = json!({"capacityProviderConfiguration": {"capacityProviderArn": "arn"}});
    account.add_agent_runtime("instances", &image, &provider);
    let code = json!({"agentRuntimeArtifact": {"codeConfiguration": {"code": {"s3": {"bucket": "b", "prefix": "p"}}, "runtime": "PYTHON_3_13", "entryPoint": ["main.py"]}}});
    account.add_agent_runtime("code", &image, &code);
    account
}

#[tokio::test]
async fn platform_and_start_are_those_of_the_definitions() {
    let census = read(unusual_account()).await;
    let mut lines = String::new();
    for consumer in &census.consumers {
        let ecr_preflight::consumer::Consumer { name, definition, container, digest, platform, start, .. } = consumer;
        let platform = match platform {
            ConsumerPlatform::Known(runtime, source) => format!("{runtime} by {source:?}"),
            ConsumerPlatform::Unknown(reason) => format!("? {reason}"),
            ConsumerPlatform::Windows => "Windows".to_owned(),
        };
        let digest = digest.as_ref().map_or(String::new(), |digest| format!(" @{}", &digest.as_str()[70..]));
        lines += &format!("{name} {definition} {container}{digest}: {platform}");
        if !start.command.is_empty() || !start.entrypoint.is_empty() || !start.mounts.is_empty() {
            lines += &format!(", starts {:?} {:?} {:?}", start.entrypoint, start.command, start.mounts);
        }
        lines += &start.unknown.as_ref().map_or(String::new(), |reason| format!(", start unknown: {reason}"));
        lines += "\n";
    }
    lines += &census.not_read.iter().map(|one| format!("not read: {} {}", one.action, one.source)).collect::<String>();
    expect_test::expect![[r#"
        prod/deploying web:2 app: ecs/amd64 by FargateDefault
        prod/express web:1 app @6: ? Amazon ECS Express Mode chooses the architecture by the image
        prod/family:gone gone:1 app @4: ecs/arm64 by Task, start unknown: its task definition could not be read
        prod/mixed mixed:1 app @3: ecs/arm64 by Task
        prod/mixed mixed:1 app @2: ecs/amd64 by Task
        prod/moved web:1 app: ecs/arm64 by Override
        prod/on-either mixed:1 app: ? it has no runtimePlatform, and instances may have either architecture
        prod/on-fargate mixed:1 app: ecs/amd64 by FargateDefault
        prod/on-spot mixed:1 app: ecs/amd64 by FargateDefault
        prod/task-sets web:1 app: ecs/amd64 by FargateDefault
        prod/windows windows:1 app: Windows
        command command  @5: lambda/amd64 by LambdaDefault, starts [] ["app.main"] ["/mnt/data"]
        entry-point entry-point  @5: lambda/amd64 by LambdaDefault, starts ["/other"] [] [], start unknown: its function replaces the entry point, but not the command
        start-command start-command : apprunner by Service, start unknown: its service has a start command of its own
        fargate fargate:1 : ecs/amd64 by FargateDefault
        fargate-arm64 fargate-arm64:1 : ecs/arm64 by RuntimePlatform, starts [] ["run", "Ref::mode"] [], start unknown: its command contains parameters of the job
        nodes nodes:1 : ? it has no runtimePlatform, and instances may have either architecture
        pod pod:1 main: ? nodes of Amazon EKS may have either architecture, start unknown: it runs in a pod of Kubernetes
        tasks tasks:1 one: ecs/amd64 by FargateDefault, starts [] ["a"] []
        instances instances : ? it runs on a capacity provider, which may have either architecture
        not read: ecs:DescribeTaskDefinition ClientException"#]].assert_eq(&lines);
}
