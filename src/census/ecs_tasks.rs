//! The running tasks of Amazon ECS: which images they resolved, and on which architecture they run.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Task, TaskField};
use futures_util::{StreamExt, stream};

use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Ecs;

/// How many tasks one call lists: the most that `ListTasks` accepts.
const TASKS_PER_PAGE: i32 = 100;

/// How many tasks one call describes: the most that `DescribeTasks` accepts.
const TASKS_PER_CALL: usize = 100;

/// The most digests of one container that are kept. Tasks of a definition have several while an image's tag moves.
const MAX_DIGESTS: usize = 8;

/// The attribute of a task that names its architecture.
const ARCHITECTURE: &str = "ecs.cpu-architecture";

/// Tasks of a service, or without one, that run alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskGroup {
    /// The ARN of the cluster.
    pub(super) cluster: String,
    /// The name of the service, if it is one's.
    pub(super) service: Option<String>,
    /// The ARN of the task definition.
    pub(super) definition: String,
    /// The architecture of the host, if it is known.
    pub(super) architecture: Option<String>,
}

/// A container of these tasks.
#[derive(Debug, Default)]
pub(super) struct RunningContainer {
    pub(super) image: String,
    /// What the image resolved to. Not every image has one.
    pub(super) digests: BTreeSet<String>,
    /// Whether a task was started with another command or environment than its definition has.
    pub(super) is_overridden: bool,
}

/// The containers of all tasks, by name.
pub(super) type RunningTasks = BTreeMap<TaskGroup, BTreeMap<String, RunningContainer>>;

/// Reads the running tasks of a cluster or of one of its services, and those that are about to run.
pub(super) async fn read_tasks(
    client: &Client,
    cluster: &str,
    service: Option<&str>,
    findings: &Findings<'_>,
) -> RunningTasks {
    let mut arns = Vec::new();
    let request = client.list_tasks().cluster(cluster).set_service_name(service.map(str::to_owned));
    let mut listed = request.max_results(TASKS_PER_PAGE).into_paginator().items().send();
    while let Some(arn) = listed.next().await {
        match arn {
            Ok(arn) => arns.push(arn),
            Err(error) => {
                findings.record(NotRead::new(Ecs, "ecs:ListTasks", service.unwrap_or(cluster), error));
                break;
            }
        }
    }
    describe_tasks(client, cluster, &arns, findings).await
}

async fn describe_tasks(client: &Client, cluster: &str, arns: &[String], findings: &Findings<'_>) -> RunningTasks {
    let calls = arns.chunks(TASKS_PER_CALL).map(|chunk| {
        // Tags may be confidential, and nothing needs them.
        client
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(chunk.to_vec()))
            .set_include(None::<Vec<TaskField>>)
            .send()
    });
    let mut answers = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS);
    let mut running = RunningTasks::new();
    while let Some(answer) = answers.next().await {
        match answer {
            // The tasks that it reports as missing have stopped since they were listed.
            Ok(answer) => answer.tasks.into_iter().flatten().for_each(|task| add_task(task, cluster, &mut running)),
            Err(error) => findings.record(NotRead::new(Ecs, "ecs:DescribeTasks", cluster, error)),
        }
    }
    running
}

fn add_task(task: Task, cluster: &str, running: &mut RunningTasks) {
    let Some(definition) = task.task_definition_arn else { return };
    let group = TaskGroup {
        cluster: cluster.to_owned(),
        service: task.group.as_deref().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
        definition,
        architecture: task
            .attributes
            .into_iter()
            .flatten()
            .find(|attribute| attribute.name == ARCHITECTURE)
            .and_then(|attribute| attribute.value),
    };
    let overridden: Vec<String> = task
        .overrides
        .and_then(|overrides| overrides.container_overrides)
        .into_iter()
        .flatten()
        .filter(|one| !one.command().is_empty() || !one.environment().is_empty() || !one.environment_files().is_empty())
        .filter_map(|one| one.name)
        .collect();
    let containers = running.entry(group).or_default();
    for container in task.containers.into_iter().flatten() {
        let (Some(name), Some(image)) = (container.name, container.image) else { continue };
        let is_overridden = overridden.contains(&name);
        let known = containers.entry(name).or_default();
        known.image = image;
        known.is_overridden |= is_overridden;
        if known.digests.len() < MAX_DIGESTS {
            known.digests.extend(container.image_digest);
        }
    }
}
