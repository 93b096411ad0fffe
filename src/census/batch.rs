//! AWS Batch: the active job definitions. A job may replace the command of its definition.

use std::collections::BTreeMap;

use aws_sdk_batch::Client;
use aws_sdk_batch::types::{
    ContainerProperties, EcsProperties, EksProperties, JobDefinition, KeyValuePair, MountPoint as BatchMountPoint,
    PlatformCapability, RuntimePlatform, Secret,
};

use super::findings::Findings;
use super::not_read::NotRead;
use crate::consumer::ConsumerService::Batch;
use crate::consumer::{
    Consumer, ConsumerPlatform, ContainerDefinition, MountPoint, PlacementFields, StartOverride, Variable,
};

/// How a word of a command begins that a job's parameter replaces ("Parameters" in the AWS Batch user guide).
const PARAMETER: &str = "Ref::";

/// Reads the job definitions: everything is in the list. Every revision stays active until it is deregistered, so only the
/// last of each name counts: a job that names no revision runs it ("`SubmitJob`" in the AWS Batch API reference).
pub(super) async fn read(client: &Client, findings: &Findings<'_>) {
    let mut latest: BTreeMap<String, JobDefinition> = BTreeMap::new();
    let mut pages = client.describe_job_definitions().status("ACTIVE").max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                for definition in page.job_definitions.into_iter().flatten() {
                    let name = definition.job_definition_name.clone().unwrap_or_default();
                    let known = latest.get(&name).and_then(|known| known.revision);
                    if known.is_none_or(|known| definition.revision > Some(known)) {
                        latest.insert(name, definition);
                    }
                }
            }
            Err(error) => {
                // Without the rest, it is unknown which revisions are the last ones.
                findings.record(NotRead::new(Batch, "batch:DescribeJobDefinitions", "", error));
                return;
            }
        }
    }
    latest.into_values().for_each(|definition| add_definition(definition, findings));
}

/// A container of a job definition.
struct Container {
    name: String,
    image: Option<String>,
    platform: ConsumerPlatform,
    start: StartOverride,
}

fn add_definition(definition: JobDefinition, findings: &Findings<'_>) {
    let compatibilities: Vec<String> = match definition.platform_capabilities.as_deref() {
        // "If no value is specified, it defaults to EC2" ("RegisterJobDefinition" in the AWS Batch API reference).
        None | Some([]) => vec![PlatformCapability::Ec2.as_str().to_owned()],
        Some(some) => some.iter().map(|capability| capability.as_str().to_owned()).collect(),
    };
    let mut containers = Vec::new();
    containers.extend(definition.container_properties.map(|one| of_container(one, &compatibilities)));
    containers.extend(of_ecs(definition.ecs_properties, &compatibilities));
    containers.extend(of_eks(definition.eks_properties));
    let nodes = definition.node_properties.and_then(|nodes| nodes.node_range_properties);
    for range in nodes.into_iter().flatten() {
        containers.extend(range.container.map(|one| of_container(one, &compatibilities)));
        containers.extend(of_ecs(range.ecs_properties, &compatibilities));
        containers.extend(of_eks(range.eks_properties));
    }
    let name = definition.job_definition_name.unwrap_or_default();
    let revision = definition.revision.unwrap_or_default();
    for Container { name: container, image, platform, start } in containers {
        let Some(image) = image else { continue };
        findings.add(Consumer {
            service: Batch,
            name: name.clone(),
            arn: definition.job_definition_arn.clone().unwrap_or_default(),
            definition: format!("{name}:{revision}"),
            container,
            image,
            digest: None,
            platform,
            start,
        });
    }
}

fn of_container(container: ContainerProperties, compatibilities: &[String]) -> Container {
    let platform = determine_platform(container.runtime_platform.as_ref(), compatibilities);
    let start = ContainerDefinition {
        environment: container.environment.map(|all| reduce_variables(&all)),
        secrets: container.secrets.map(|all| reduce_secrets(&all)),
        mount_points: container.mount_points.map(reduce_mounts),
        command: container.command,
        user: container.user,
        ..ContainerDefinition::default()
    };
    Container { name: String::new(), image: container.image, platform, start: into_start(start) }
}

fn of_ecs(properties: Option<EcsProperties>, compatibilities: &[String]) -> Vec<Container> {
    let mut found = Vec::new();
    for task in properties.and_then(|properties| properties.task_properties).into_iter().flatten() {
        let platform = determine_platform(task.runtime_platform.as_ref(), compatibilities);
        for container in task.containers.into_iter().flatten() {
            let start = ContainerDefinition {
                environment: container.environment.map(|all| reduce_variables(&all)),
                secrets: container.secrets.map(|all| reduce_secrets(&all)),
                mount_points: container.mount_points.map(reduce_mounts),
                command: container.command,
                user: container.user,
                ..ContainerDefinition::default()
            };
            let (name, platform) = (container.name.unwrap_or_default(), platform.clone());
            found.push(Container { name, image: container.image, platform, start: into_start(start) });
        }
    }
    found
}

fn of_eks(properties: Option<EksProperties>) -> Vec<Container> {
    let pod = properties.and_then(|properties| properties.pod_properties);
    let containers = pod.map(|pod| pod.containers.into_iter().chain(pod.init_containers).flatten().collect::<Vec<_>>());
    let of_pod = |container: aws_sdk_batch::types::EksContainer| Container {
        name: container.name.unwrap_or_default(),
        image: container.image,
        platform: ConsumerPlatform::unknown("nodes of Amazon EKS may have either architecture"),
        start: StartOverride { unknown: Some("it runs in a pod of Kubernetes".to_owned()), ..StartOverride::default() },
    };
    containers.into_iter().flatten().map(of_pod).collect()
}

fn determine_platform(platform: Option<&RuntimePlatform>, compatibilities: &[String]) -> ConsumerPlatform {
    ConsumerPlatform::of_task_definition(PlacementFields {
        cpu_architecture: platform.and_then(RuntimePlatform::cpu_architecture),
        operating_system_family: platform.and_then(RuntimePlatform::operating_system_family),
        compatibilities,
        constraints: &[],
    })
}

/// Returns what a job starts, unless its parameters are part of the command.
fn into_start(definition: ContainerDefinition) -> StartOverride {
    let has_parameters = definition.command.iter().flatten().any(|word| word.contains(PARAMETER));
    let mut start = definition.into_start();
    if has_parameters && start.unknown.is_none() {
        start.unknown = Some("its command contains parameters of the job".to_owned());
    }
    start
}

fn reduce_variables(variables: &[KeyValuePair]) -> Vec<Variable> {
    variables.iter().map(|pair| Variable::new(pair.name(), pair.value())).collect()
}

fn reduce_secrets(secrets: &[Secret]) -> Vec<Variable> {
    secrets.iter().map(|secret| Variable::new(secret.name(), None)).collect()
}

fn reduce_mounts(mounts: Vec<BatchMountPoint>) -> Vec<MountPoint> {
    mounts.into_iter().map(|mount| MountPoint { container_path: mount.container_path }).collect()
}
