//! Amazon ECS: services, and tasks without one. Tasks come first, because twenty calls list the images and architectures
//! of a thousand tasks; a task definition costs a call each.

use std::collections::BTreeSet;

use aws_sdk_ecs::Client;
use futures_util::{StreamExt, future, stream};

use super::cache_store::{CacheSession, CacheStore};
use super::ecs_consumers::{EcsReading, is_of};
use super::ecs_definitions::read_definitions;
use super::ecs_services::{Service, describe_service, read_revisions, read_services};
use super::ecs_tasks::{RunningTasks, read_tasks};
use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Ecs;

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
        future::join(read_tasks(client, cluster, None, findings), read_services(client, cluster, findings)).await
    };
    let mut read = stream::iter(&clusters).map(read_cluster).buffer_unordered(MAX_CONCURRENT_CALLS);
    while let Some((tasks, of_cluster)) = read.next().await {
        running.extend(tasks);
        services.extend(of_cluster);
    }
    drop(read);

    add_consumers(client, &services, &running, cache, findings).await;
}

/// Reads one service and its tasks. Nothing is found if it is deleted. `cluster` is the ARN of its cluster,
/// if that is known.
pub(super) async fn read_service(
    client: &Client,
    cluster: Option<&str>,
    arn: &str,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) {
    let Some(cluster) = cluster else {
        let reason = "its ARN has the old format, which does not name the cluster";
        findings.record(NotRead::unknown(Ecs, "ecs:DescribeServices", arn, reason));
        return;
    };
    let Some(service) = describe_service(client, cluster, arn, findings).await else { return };
    let running = read_tasks(client, cluster, Some(&service.name), findings).await;
    add_consumers(client, &[service], &running, cache, findings).await;
}

/// Adds the consumers of services and tasks, after reading their task definitions and what only revisions have.
async fn add_consumers(
    client: &Client,
    services: &[Service],
    running: &RunningTasks,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) {
    let has_task = |service: &Service| running.keys().any(|group| is_of(group, service));
    let without_tasks: Vec<&Service> = services.iter().filter(|service| !has_task(service)).collect();
    let revisions = read_revisions(client, &without_tasks, findings).await;
    let of_tasks = running.keys().map(|group| group.definition.clone());
    let arns: BTreeSet<String> =
        services.iter().flat_map(|service| service.definitions.iter().cloned()).chain(of_tasks).collect();
    let definitions = read_definitions(client, arns, cache, findings).await;
    let reading = EcsReading { services, running, revisions: &revisions, definitions: &definitions };
    reading.for_each_consumer(&|consumer| findings.add(consumer));
}
