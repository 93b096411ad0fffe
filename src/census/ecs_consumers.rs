//! Combines what was read from Amazon ECS: which images its services and tasks run, and on which platform.

use std::collections::BTreeMap;

use super::ecs_definitions::{Container, TaskDefinition};
use super::ecs_services::{Revisions, Service};
use super::ecs_tasks::{RunningContainer, RunningTasks, TaskGroup};
use crate::consumer::ConsumerService::Ecs;
use crate::consumer::{Consumer, ConsumerPlatform, ObservedPlacement, StartOverride};

/// Why the start of a container is unknown whose task definition could not be read.
pub(super) const DEFINITION_NOT_READ: &str = "its task definition could not be read";

/// What was read from Amazon ECS.
pub(super) struct EcsReading<'a> {
    pub(super) services: &'a [Service],
    pub(super) running: &'a RunningTasks,
    /// Those of services without tasks. The tasks of a service already have what a revision would add.
    pub(super) revisions: &'a Revisions,
    /// The task definitions that could be read, by ARN.
    pub(super) definitions: &'a BTreeMap<String, TaskDefinition>,
}

impl EcsReading<'_> {
    /// Calls `add` with each container of the tasks, and of the services that have no task of a definition.
    pub(super) fn for_each_consumer(&self, add: &dyn Fn(Consumer)) {
        for (group, containers) in self.running {
            let service = self.services.iter().find(|service| is_of(group, service));
            // A deployment replaces these tasks.
            if service.is_some_and(|service| !service.definitions.contains(&group.definition)) {
                continue;
            }
            let observed = ObservedPlacement {
                task_architecture: group.architecture.clone(),
                is_express: service.is_some_and(|service| service.is_express),
                ..ObservedPlacement::default()
            };
            match self.definitions.get(&group.definition) {
                Some(definition) => {
                    let owner = Owner::of_group(group, service, &definition.name);
                    let platform = definition.platform(service.and_then(|service| service.is_fargate));
                    let platform = platform.or_observed(&observed);
                    for container in &definition.containers {
                        let running = containers.get(&container.name);
                        owner.add(definition, container, &platform, &Found::of_tasks(running), add);
                    }
                }
                None => add_without_definition(group, service, containers, &observed, add),
            }
        }
        for service in self.services {
            for arn in &service.definitions {
                let is_running = self.running.keys().any(|group| is_of(group, service) && group.definition == *arn);
                let Some(definition) = self.definitions.get(arn).filter(|_| !is_running) else { continue };
                let revision = self.revisions.get(&(service.arn.clone(), arn.clone()));
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
                    owner.add(definition, container, &platform, &found, add);
                }
            }
        }
    }
}

/// Returns whether tasks are those of a service.
pub(super) fn is_of(group: &TaskGroup, service: &Service) -> bool {
    group.service.as_deref() == Some(&service.name) && group.cluster == service.cluster
}

/// Names a service or a family: `prod/web`.
pub(super) fn service_name(cluster: &str, name: &str) -> String {
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    format!("{cluster}/{name}")
}

/// Returns the ARN of a service, by that of its cluster.
fn service_arn(cluster: &str, name: &str) -> String {
    format!("{}/{name}", cluster.replacen(":cluster/", ":service/", 1))
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
                arn: service.map_or_else(|| service_arn(&group.cluster, name), |service| service.arn.clone()),
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
        add: &dyn Fn(Consumer),
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
        add_for_digests(consumer, &found.digests, add);
    }
}

/// Adds the containers of tasks whose definition could not be read. Their images and architecture are known.
fn add_without_definition(
    group: &TaskGroup,
    service: Option<&Service>,
    containers: &BTreeMap<String, RunningContainer>,
    observed: &ObservedPlacement,
    add: &dyn Fn(Consumer),
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
        add_for_digests(consumer, &Found::of_tasks(Some(running)).digests, add);
    }
}

fn add_for_digests(consumer: Consumer, digests: &[String], add: &dyn Fn(Consumer)) {
    let digests: Vec<_> = digests.iter().filter_map(|digest| digest.parse().ok()).collect();
    if digests.is_empty() {
        add(consumer);
        return;
    }
    for digest in digests {
        add(Consumer { digest: Some(digest), ..consumer.clone() });
    }
}
