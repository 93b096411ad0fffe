//! Containers that may not have started, as consumers: with what their task definition starts.

use std::collections::BTreeSet;

use super::cache::CensusCache;
use super::cache_store::{CacheSession, CacheStore};
use super::ecs_consumers::{DEFINITION_NOT_READ, service_name};
use super::ecs_definitions::{TaskDefinition, read_definitions};
use super::findings::{Census, Findings};
use crate::aws::Aws;
use crate::consumer::ConsumerService::Ecs;
use crate::consumer::{Consumer, ConsumerPlatform, ObservedPlacement, StartOverride, StoppedContainer};

/// Reads the task definitions of containers that stopped. The result has a consumer for each of them, also if its task
/// definition could not be read: its `container` has the name, and its `arn` is that of the task.
///
/// `endpoint`, `cache` and `store` are those of [`read_consumers`](super::read_consumers).
pub async fn read_stopped(
    aws: &Aws,
    stopped: &[StoppedContainer],
    endpoint: impl Fn(&str) -> Option<String>,
    cache: &CensusCache,
    store: &impl CacheStore,
) -> Census {
    let findings = Findings::new(&|_| {});
    let cache = CacheSession::new(cache, store);
    let arns: BTreeSet<String> = stopped.iter().map(|container| container.task_definition.clone()).collect();
    let client = aws.ecs_client(endpoint("ECS"));
    let definitions = Box::pin(read_definitions(&client, arns, &cache, &findings)).await;
    for container in stopped {
        findings.add(into_consumer(container, definitions.get(&container.task_definition)));
    }
    let not_stored = cache.finish().await;
    findings.finish(not_stored)
}

/// Returns what a container ran: the command is that with which its task was started, and the architecture is that of its
/// host.
fn into_consumer(stopped: &StoppedContainer, definition: Option<&TaskDefinition>) -> Consumer {
    let definition_name = stopped.task_definition.rsplit('/').next().unwrap_or_default();
    let family = definition_name.rsplit_once(':').map_or(definition_name, |(family, _)| family);
    let name = match &stopped.service {
        Some(service) => service_name(&stopped.cluster, service),
        None => service_name(&stopped.cluster, &format!("family:{family}")),
    };
    // Also in Express Mode: what ran is what matters, not what would run next.
    let observed =
        ObservedPlacement { task_architecture: stopped.architecture.clone(), ..ObservedPlacement::default() };
    let platform = match definition {
        Some(definition) => definition.platform(stopped.is_fargate),
        None => ConsumerPlatform::unknown(DEFINITION_NOT_READ),
    };
    Consumer {
        service: Ecs,
        name,
        arn: stopped.task.clone(),
        definition: definition_name.to_owned(),
        container: stopped.container.clone(),
        image: stopped.image.clone(),
        digest: stopped.digest.clone(),
        platform: platform.or_observed(&observed),
        start: determine_start(stopped, definition),
    }
}

fn determine_start(stopped: &StoppedContainer, definition: Option<&TaskDefinition>) -> StartOverride {
    let unknown = |reason: &str| StartOverride { unknown: Some(reason.to_owned()), ..StartOverride::default() };
    let Some(definition) = definition else { return unknown(DEFINITION_NOT_READ) };
    let Some(container) = definition.containers.iter().find(|one| one.name == stopped.container) else {
        return unknown("its task definition does not have the container");
    };
    let mut start = container.start.clone();
    if !stopped.override_command.is_empty() {
        start.command.clone_from(&stopped.override_command);
    }
    if stopped.has_override_environment && start.unknown.is_none() {
        start.unknown = Some("its task was started with another environment".to_owned());
    }
    start
}
