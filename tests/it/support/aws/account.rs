//! What runs images in an account: answers of Amazon ECS, AWS Lambda, AWS App Runner, AWS Batch and Bedrock AgentCore.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ACCOUNT;

/// The prefix of the URIs of images.
pub const REGISTRY: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

/// A variable that must not be shown or kept.
pub const SECRET_VALUE: &str = "0VARIABLE0";

/// A presigned URL of code, which must not be shown or kept.
pub const CODE_URL: &str = "https://code.example/?X-Amz-Signature=0PRESIGNED0";

#[derive(Debug, Default)]
pub struct Account {
    /// By the ARNs of the clusters.
    pub clusters: BTreeMap<String, Cluster>,
    /// By ARN.
    pub task_definitions: BTreeMap<String, Value>,
    pub service_revisions: Vec<Value>,
    /// The configuration and the code of each function.
    pub functions: Vec<(Value, Value)>,
    pub app_runner_services: Vec<Value>,
    pub job_definitions: Vec<Value>,
    pub agent_runtimes: Vec<Value>,
}

#[derive(Debug, Default)]
pub struct Cluster {
    pub tasks: Vec<Value>,
    pub services: Vec<Value>,
}

/// An ARN in the account.
pub fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:us-west-2:{ACCOUNT}:{resource}")
}

/// A variable whose value is confidential, and `PATH` if it is given.
fn environment(path: Option<&str>) -> Vec<Value> {
    let secret = json!({"name": "TOKEN", "value": SECRET_VALUE});
    std::iter::once(secret).chain(path.map(|path| json!({"name": "PATH", "value": path}))).collect()
}

impl Account {
    /// Adds a task definition with one container and these other members; returns its ARN.
    pub fn add_definition(&mut self, name: &str, image: &str, container: &Value, members: &Value) -> String {
        let arn = arn("ecs", &format!("task-definition/{name}"));
        let (family, revision) = name.split_once(':').unwrap();
        let mut definition = json!({"taskDefinitionArn": arn, "family": family, "revision": revision.parse::<u32>().unwrap(),
            "containerDefinitions": [{"name": "app", "image": image, "environment": environment(None)}]});
        merge(&mut definition["containerDefinitions"][0], container);
        merge(&mut definition, members);
        self.task_definitions.insert(arn.clone(), definition);
        arn
    }

    pub fn cluster(&mut self, name: &str) -> (String, &mut Cluster) {
        let arn = arn("ecs", &format!("cluster/{name}"));
        (arn.clone(), self.clusters.entry(arn).or_default())
    }

    /// Adds a service of a cluster.
    pub fn add_service(&mut self, cluster: &str, name: &str, definition: &str, members: &Value) {
        let (cluster_arn, found) = self.cluster(cluster);
        let mut service = json!({"serviceName": name, "serviceArn": arn("ecs", &format!("service/{cluster}/{name}")),
            "clusterArn": cluster_arn, "status": "ACTIVE", "taskDefinition": definition,
            "deployments": [{"status": "PRIMARY", "taskDefinition": definition}]});
        merge(&mut service, members);
        found.services.push(service);
    }

    /// Adds a running task of a cluster.
    pub fn add_task(&mut self, cluster: &str, group: &str, definition: &str, image: (&str, &str), members: &Value) {
        let (cluster_arn, found) = self.cluster(cluster);
        let id = format!("{:032x}", found.tasks.len());
        let mut task = json!({"taskArn": arn("ecs", &format!("task/{cluster}/{id}")), "clusterArn": cluster_arn,
            "group": group, "taskDefinitionArn": definition, "lastStatus": "RUNNING",
            "containers": [{"name": "app", "image": image.0, "imageDigest": image.1}]});
        merge(&mut task, members);
        found.tasks.push(task);
    }

    /// Adds a function that is an image.
    pub fn add_function(&mut self, name: &str, image: &str, digest: &str, members: &Value) {
        let mut function = json!({"FunctionName": name, "FunctionArn": arn("lambda", &format!("function:{name}")),
            "PackageType": "Image", "CodeSha256": digest.trim_start_matches("sha256:"), "RevisionId": "1",
            "Environment": {"Variables": {"TOKEN": SECRET_VALUE}}});
        merge(&mut function, members);
        let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
        let code = json!({"RepositoryType": "ECR", "Location": CODE_URL, "ImageUri": image,
            "ResolvedImageUri": format!("{repository}@{digest}")});
        self.functions.push((function, code));
    }

    /// Adds a function that is not an image.
    pub fn add_zip_function(&mut self, name: &str) {
        let function = json!({"FunctionName": name, "FunctionArn": arn("lambda", &format!("function:{name}")),
            "PackageType": "Zip", "Environment": {"Variables": {"TOKEN": SECRET_VALUE}}});
        self.functions.push((function, json!({"Location": CODE_URL})));
    }

    pub fn add_app_runner_service(&mut self, name: &str, image: &str, configuration: &Value) {
        let mut configuration = configuration.clone();
        configuration["RuntimeEnvironmentVariables"] = json!({"TOKEN": SECRET_VALUE});
        self.app_runner_services.push(json!({"ServiceName": name, "ServiceId": name,
            "ServiceArn": arn("apprunner", &format!("service/{name}/1")), "Status": "RUNNING",
            "SourceConfiguration": {"ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR",
                "ImageConfiguration": configuration}}}));
    }

    pub fn add_job_definition(&mut self, name: &str, image: &str, container: &Value, members: &Value) {
        let mut definition = json!({"jobDefinitionName": name, "revision": 1, "status": "ACTIVE", "type": "container",
            "jobDefinitionArn": arn("batch", &format!("job-definition/{name}:1")),
            "containerProperties": {"image": image, "environment": environment(None)}});
        merge(&mut definition["containerProperties"], container);
        merge(&mut definition, members);
        self.job_definitions.push(definition);
    }

    pub fn add_agent_runtime(&mut self, name: &str, image: &str, members: &Value) {
        let mut runtime = json!({"agentRuntimeName": name, "agentRuntimeId": format!("{name}-id"), "status": "READY",
            "agentRuntimeArn": arn("bedrock-agentcore", &format!("runtime/{name}-id")), "agentRuntimeVersion": "1",
            "environmentVariables": {"TOKEN": SECRET_VALUE},
            "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": image}}});
        merge(&mut runtime, members);
        self.agent_runtimes.push(runtime);
    }

    /// Answers a call; `None` if the action is not one of these services.
    ///
    /// # Errors
    /// The code of the service's error.
    pub fn answer(&self, action: &str, body: &Value, target: &str) -> Option<Result<Value, &'static str>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parameter = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value)
        };
        let last = super::server::decoded(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        let cluster = || self.clusters.get(body["cluster"].as_str()?);
        if ["ListTasks", "DescribeTasks", "ListServices", "DescribeServices"].contains(&action) && cluster().is_none() {
            return Some(Err("ClusterNotFoundException"));
        }
        Some(Ok(match action {
            "ListClusters" => {
                let arns = self.clusters.keys().map(|arn| json!(arn)).collect();
                page(arns, "clusterArns", body, "maxResults", 100)
            }
            "ListTasks" => {
                let group = body["serviceName"].as_str().map(|name| format!("service:{name}"));
                let is_wanted = |task: &&Value| group.as_ref().is_none_or(|group| task["group"] == *group);
                let tasks: Vec<Value> = cluster()?.tasks.iter().filter(is_wanted).cloned().collect();
                page(arns(&tasks, "taskArn"), "taskArns", body, "maxResults", 100)
            }
            "DescribeTasks" => select(&cluster()?.tasks, "taskArn", &body["tasks"], "tasks", 100),
            "ListServices" => page(arns(&cluster()?.services, "serviceArn"), "serviceArns", body, "maxResults", 100),
            "DescribeServices" => select(&cluster()?.services, "serviceArn", &body["services"], "services", 10),
            "DescribeServiceRevisions" => {
                let wanted = &body["serviceRevisionArns"];
                select(&self.service_revisions, "serviceRevisionArn", wanted, "serviceRevisions", 20)
            }
            "DescribeTaskDefinition" => match self.task_definitions.get(body["taskDefinition"].as_str()?) {
                Some(definition) => json!({"taskDefinition": definition, "tags": []}),
                None => return Some(Err("ClientException")),
            },
            "ListFunctions" => {
                let functions = self.functions.iter().map(|(function, _)| function.clone()).collect();
                let asked = json!({"max": parameter("MaxItems").unwrap().parse::<usize>().unwrap(),
                    "nextToken": parameter("Marker")});
                let mut answer = page(functions, "Functions", &asked, "max", 50);
                answer["NextMarker"] = answer["nextToken"].take();
                answer
            }
            "GetFunction" => match self.functions.iter().find(|(one, _)| one["FunctionArn"] == last) {
                Some((function, code)) => json!({"Configuration": function, "Code": code}),
                None => return Some(Err("ResourceNotFoundException")),
            },
            "AppRunner.ListServices" => {
                let asked = json!({"max": body["MaxResults"], "nextToken": body["NextToken"]});
                let mut answer = page(self.app_runner_services.clone(), "ServiceSummaryList", &asked, "max", 20);
                answer["NextToken"] = answer["nextToken"].take();
                answer
            }
            "AppRunner.DescribeService" => {
                match self.app_runner_services.iter().find(|one| one["ServiceArn"] == body["ServiceArn"]) {
                    Some(service) => json!({"Service": service}),
                    None => return Some(Err("ResourceNotFoundException")),
                }
            }
            "DescribeJobDefinitions" => {
                assert_eq!(body["status"], "ACTIVE");
                page(self.job_definitions.clone(), "jobDefinitions", body, "maxResults", 100)
            }
            "ListAgentRuntimes" => {
                let asked = json!({"max": parameter("maxResults").unwrap().parse::<usize>().unwrap(),
                    "nextToken": parameter("nextToken")});
                page(self.agent_runtimes.clone(), "agentRuntimes", &asked, "max", 100)
            }
            "GetAgentRuntime" => {
                let found = self.agent_runtimes.iter().find(|one| one["agentRuntimeId"] == last);
                found.expect("an agent runtime that was listed").clone()
            }
            _ => return None,
        }))
    }
}

fn merge(value: &mut Value, members: &Value) {
    for (name, member) in members.as_object().into_iter().flatten() {
        value[name] = member.clone();
    }
}

fn arns(items: &[Value], key: &str) -> Vec<Value> {
    items.iter().map(|item| item[key].clone()).collect()
}

/// A page of a list, of as many items as the request asks for, which must be the most that the service allows.
fn page(items: Vec<Value>, name: &str, request: &Value, size: &str, most: usize) -> Value {
    assert_eq!(request[size], most, "{name}");
    let start: usize = request["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let end = items.len().min(start + most);
    let next = (end < items.len()).then(|| end.to_string());
    json!({name: items[start..end], "nextToken": next})
}

/// The items with these ARNs, which must not be more than the service allows.
fn select(items: &[Value], key: &str, wanted: &Value, name: &str, most: usize) -> Value {
    let wanted = wanted.as_array().unwrap();
    assert!((1..=most).contains(&wanted.len()), "{} {name} in a call", wanted.len());
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in wanted {
        match items.iter().find(|item| item[key] == *arn) {
            Some(item) => found.push(item.clone()),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    json!({name: found, "failures": failures})
}
