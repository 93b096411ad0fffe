//! Amazon ECS: services, and tasks without one. Tasks come first, because twenty calls list the images and architectures
//! of a thousand tasks; a task definition costs a call each.

use std::collections::BTreeSet;

use aws_sdk_ecs::Client;
use futures_util::{StreamExt, future, stream};

use super::cache_store::{CacheSession, CacheStore};
use super::ecs_definitions::{Container, TaskDefinition, read_definitions};
use super::ecs_services::{Service, read_revisions, read_services};
use super::ecs_tasks::{RunningContainer, RunningTasks, TaskGroup, read_tasks};
use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Ecs;
use crate::consumer::{Consumer, ConsumerPlatform, ObservedPlacement, StartOverride};

/// Why the start of a container is unknown whose task definition could not be read.
const DEFINITION_NOT_READ: &str = "its task definition could not be read";

/// Reads all services, and all tasks that run.
pub(super) async fn read(client: &Client, cache: &CacheSession<'_, impl CacheStore>, findings: &Findings<'_>) {
    let mut clusters = Vec::new();
    let mut listed = client.list_clusters().max_results(100).into_paginator().items().send();
    while let Some(arn) = listed.next().await {
        match arn {
            Ok(arn) => clusters.push(arn),
            Err(error) => {
                findings.record(NotRead::new(Ecs, "ecs:ListClusters", "", error));
                break;
            }
        }
    }
    let (mut running, mut services) = (RunningTasks::new(), Vec::new());
    let read_cluster = async |cluster: &String| {
        future::join(read_tasks(client, cluster, findings), read_services(client, cluster, findings)).await
    };
    let mut read = stream::iter(&clusters).map(read_cluster).buffer_unordered(MAX_CONCURRENT_CALLS);
    while let Some((tasks, of_cluster)) = read.next().await {
        running.extend(tasks);
        services.extend(of_cluster);
    }
    drop(read);

    // The tasks of a service already have what a revision would add.
    let has_task = |service: &Service| running.keys().any(|group| is_of(group, service));
    let without_tasks: Vec<&Service> = services.iter().filter(|service| !has_task(service)).collect();
    let revisions = read_revisions(client, &without_tasks, findings).await;
    let of_tasks = running.keys().map(|group| group.definition.clone());
    let arns: BTreeSet<String> =
        services.iter().flat_map(|service| service.definitions.iter().cloned()).chain(of_tasks).collect();
    let definitions = read_definitions(client, arns, cache, findings).await;

    for (group, containers) in &running {
        let service = services.iter().find(|service| is_of(group, service));
        let observed = ObservedPlacement {
            task_architecture: group.architecture.clone(),
            is_express: service.is_some_and(|service| service.is_express),
            ..ObservedPlacement::default()
        };
        match definitions.get(&group.definition) {
            Some(definition) => {
                let owner = Owner::of_group(group, service, &definition.name);
                let platform = definition.platform(service.and_then(|service| service.is_fargate));
                let platform = platform.or_observed(&observed);
                for container in &definition.containers {
                    let running = containers.get(&container.name);
                    owner.add(definition, container, &platform, &Found::of_tasks(running), findings);
                }
            }
            None => add_without_definition(group, service, containers, &observed, findings),
        }
    }
    for service in &services {
        for arn in &service.definitions {
            let is_running = running.keys().any(|group| is_of(group, service) && group.definition == *arn);
            let Some(definition) = definitions.get(arn).filter(|_| !is_running) else { continue };
            let revision = revisions.get(&(service.arn.clone(), arn.clone()));
            let observed = ObservedPlacement {
                override_architecture: revision.and_then(|revision| revision.override_architecture.clone()),
                is_express: service.is_express,
                ..ObservedPlacement::default()
            };
            let platform = definition.platform(service.is_fargate).or_observed(&observed);
            let owner = Owner { name: service_name(&service.cluster, &service.name), arn: service.arn.clone() };
            for container in &definition.containers {
                let digest = revision.and_then(|revision| revision.digests.get(&container.name)).cloned();
                let found = Found { digests: digest.into_iter().collect(), is_overridden: false };
                owner.add(definition, container, &platform, &found, findings);
            }
        }
    }
}

/// Whether tasks are those of a service.
fn is_of(group: &TaskGroup, service: &Service) -> bool {
    group.service.as_deref() == Some(&service.name) && group.cluster == service.cluster
}

/// Names a service or a family: `prod/web`.
fn service_name(cluster: &str, name: &str) -> String {
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    format!("{cluster}/{name}")
}

/// The service, or the task definition of tasks without one.
struct Owner {
    name: String,
    arn: String,
}

/// What is known about a container from running tasks or from a revision.
struct Found {
    digests: Vec<String>,
    is_overridden: bool,
}

impl Found {
    fn of_tasks(running: Option<&RunningContainer>) -> Self {
        Self {
            digests: running.map(|running| running.digests.iter().cloned().collect()).unwrap_or_default(),
            is_overridden: running.is_some_and(|running| running.is_overridden),
        }
    }
}

impl Owner {
    fn of_group(group: &TaskGroup, service: Option<&Service>, definition: &str) -> Self {
        let family = definition.rsplit_once(':').map_or(definition, |(family, _)| family);
        match &group.service {
            Some(name) => Self {
                name: service_name(&group.cluster, name),
                arn: service.map(|service| service.arn.clone()).unwrap_or_default(),
            },
            None => {
                Self { name: service_name(&group.cluster, &format!("family:{family}")), arn: group.definition.clone() }
            }
        }
    }

    /// Adds a consumer for each image that a container resolved, or one if none is known.
    fn add(
        &self,
        definition: &TaskDefinition,
        container: &Container,
        platform: &ConsumerPlatform,
        found: &Found,
        findings: &Findings<'_>,
    ) {
        let mut start = container.start.clone();
        if found.is_overridden {
            start.unknown = Some("its tasks were started with another command or environment".to_owned());
        }
        let consumer = Consumer {
            service: Ecs,
            name: self.name.clone(),
            arn: self.arn.clone(),
            definition: definition.name.clone(),
            container: container.name.clone(),
            image: container.image.clone(),
            digest: None,
            platform: platform.clone(),
            start,
        };
        add_for_digests(consumer, &found.digests, findings);
    }
}

/// Adds the containers of tasks whose definition could not be read. Their images and architecture are known.
fn add_without_definition(
    group: &TaskGroup,
    service: Option<&Service>,
    containers: &std::collections::BTreeMap<String, RunningContainer>,
    observed: &ObservedPlacement,
    findings: &Findings<'_>,
) {
    let definition = group.definition.rsplit('/').next().unwrap_or_default();
    let owner = Owner::of_group(group, service, definition);
    let platform = ConsumerPlatform::unknown(DEFINITION_NOT_READ).or_observed(observed);
    for (name, running) in containers {
        let consumer = Consumer {
            service: Ecs,
            name: owner.name.clone(),
            arn: owner.arn.clone(),
            definition: definition.to_owned(),
            container: name.clone(),
            image: running.image.clone(),
            digest: None,
            platform: platform.clone(),
            start: StartOverride { unknown: Some(DEFINITION_NOT_READ.to_owned()), ..StartOverride::default() },
        };
        add_for_digests(consumer, &Found::of_tasks(Some(running)).digests, findings);
    }
}

fn add_for_digests(consumer: Consumer, digests: &[String], findings: &Findings<'_>) {
    let digests: Vec<_> = digests.iter().filter_map(|digest| digest.parse().ok()).collect();
    if digests.is_empty() {
        findings.add(consumer);
        return;
    }
    for digest in digests {
        findings.add(Consumer { digest: Some(digest), ..consumer.clone() });
    }
}
