//! Task definitions of Amazon ECS, reduced to what affects the start of their containers.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use futures_util::{StreamExt, future, stream};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::cache::EntryKind;
use super::cache_store::{CacheSession, CacheStore};
use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Ecs;
use crate::consumer::{
    ConsumerPlatform, ContainerDefinition, MountPoint, PlacementFields, ResourceRequirement, StartOverride, Variable,
};

/// The most task definitions that are read, at 15 a second in more than ten minutes. Only those that run are.
const MAX_DEFINITIONS: usize = 10_000;

/// A task definition. It does not change, so it is cached: another format needs another [`EntryKind`].
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TaskDefinition {
    /// Family and revision: `web:42`.
    pub(super) name: String,
    pub(super) containers: Vec<Container>,
    cpu_architecture: Option<String>,
    operating_system_family: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    compatibilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    constraints: Vec<String>,
}

/// A container of a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) start: StartOverride,
}

fn is_default(start: &StartOverride) -> bool {
    *start == StartOverride::default()
}

impl TaskDefinition {
    /// Returns where its tasks run, as far as the definition says. `is_fargate` is whether their service runs them only on
    /// AWS Fargate; `None` without a service. A task definition for Fargate may also run on instances.
    pub(super) fn platform(&self, is_fargate: Option<bool>) -> ConsumerPlatform {
        let (fargate, instances) = ([String::from("FARGATE")], [String::from("EC2")]);
        ConsumerPlatform::of_task_definition(PlacementFields {
            cpu_architecture: self.cpu_architecture.as_deref(),
            operating_system_family: self.operating_system_family.as_deref(),
            compatibilities: match is_fargate {
                Some(true) => &fargate,
                Some(false) => &instances,
                None => &self.compatibilities,
            },
            constraints: &self.constraints,
        })
    }
}

/// Reads these task definitions, each once, unless they are cached. Those that cannot be read are recorded and missing in
/// the result.
pub(super) async fn read_definitions(
    client: &Client,
    arns: BTreeSet<String>,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) -> BTreeMap<String, TaskDefinition> {
    if arns.len() > MAX_DEFINITIONS {
        let limit = format!("{MAX_DEFINITIONS} task definitions");
        findings.record_limit(Ecs, "ecs:DescribeTaskDefinition", &limit);
    }
    let calls = arns.into_iter().take(MAX_DEFINITIONS).map(async |arn| {
        let definition = read_definition(client, &arn, cache, findings).await?;
        Some((arn, definition))
    });
    let answers = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS);
    answers.filter_map(future::ready).collect().await
}

/// Reads a task definition, unless it is cached; `None` if that fails, which is recorded.
async fn read_definition(
    client: &Client,
    arn: &str,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) -> Option<TaskDefinition> {
    if let Some(known) = cache.find(EntryKind::TaskDefinition, arn) {
        return Some(known);
    }
    match client.describe_task_definition().task_definition(arn).send().await {
        Ok(answer) => {
            let definition = reduce(answer.task_definition?);
            cache.add(EntryKind::TaskDefinition, arn, &definition).await;
            Some(definition)
        }
        Err(error) => {
            findings.record(NotRead::new(Ecs, "ecs:DescribeTaskDefinition", arn, error));
            None
        }
    }
}

fn reduce(definition: aws_sdk_ecs::types::TaskDefinition) -> TaskDefinition {
    let platform = definition.runtime_platform;
    let compatibilities = definition.requires_compatibilities.into_iter().flatten();
    let constraints = definition.placement_constraints.into_iter().flatten();
    TaskDefinition {
        name: format!("{}:{}", definition.family.unwrap_or_default(), definition.revision),
        containers: definition.container_definitions.into_iter().flatten().filter_map(reduce_container).collect(),
        cpu_architecture: platform.as_ref().and_then(|platform| Some(platform.cpu_architecture()?.as_str().to_owned())),
        operating_system_family: platform
            .and_then(|platform| Some(platform.operating_system_family?.as_str().to_owned())),
        compatibilities: compatibilities.map(|one| one.as_str().to_owned()).collect(),
        constraints: constraints.filter_map(|constraint| constraint.expression).collect(),
    }
}

/// Returns what affects the start of a container, without the values of its variables.
fn reduce_container(container: aws_sdk_ecs::types::ContainerDefinition) -> Option<Container> {
    let variables = |pair: &aws_sdk_ecs::types::KeyValuePair| Variable::new(pair.name(), pair.value());
    let requirements = container.resource_requirements().iter();
    let requirement = |one: &aws_sdk_ecs::types::ResourceRequirement| ResourceRequirement {
        r#type: Some(one.r#type().as_str().to_owned()),
    };
    let definition = ContainerDefinition {
        resource_requirements: Some(requirements.map(requirement).collect()),
        environment: Some(container.environment().iter().map(variables).collect()),
        secrets: Some(container.secrets().iter().map(|secret| Variable::new(Some(secret.name()), None)).collect()),
        environment_files: Some(vec![IgnoredAny; container.environment_files().len()]),
        volumes_from: Some(vec![IgnoredAny; container.volumes_from().len()]),
        mount_points: Some(
            container
                .mount_points
                .into_iter()
                .flatten()
                .map(|mount| MountPoint { container_path: mount.container_path })
                .collect(),
        ),
        entry_point: container.entry_point,
        command: container.command,
        working_directory: container.working_directory,
        user: container.user,
        ..ContainerDefinition::default()
    };
    let start = definition.into_start();
    Some(Container { name: container.name.unwrap_or_default(), image: container.image?, start })
}
