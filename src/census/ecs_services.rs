//! The services of Amazon ECS: which task definitions they run, also if no task runs at the moment.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::types::{CapacityProviderStrategyItem, LaunchType, ResourceManagementType, TaskSet};
use futures_util::{StreamExt, stream};

use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Ecs;

/// How many services one call describes: the most that `DescribeServices` accepts.
const SERVICES_PER_CALL: usize = 10;

/// How many revisions one call describes: the most that `DescribeServiceRevisions` accepts.
const REVISIONS_PER_CALL: usize = 20;

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) arn: String,
    /// The ARN of the cluster.
    pub(super) cluster: String,
    /// Whether it runs on AWS Fargate only.
    pub(super) is_fargate: Option<bool>,
    /// Whether Amazon ECS manages it: Express Mode.
    pub(super) is_express: bool,
    /// The ARNs of its task definitions, without those that a deployment replaces: they start no task any more.
    pub(super) definitions: BTreeSet<String>,
    /// The ARNs of its current revisions.
    pub(super) revisions: Vec<String>,
}

/// What Amazon ECS resolved for a revision of a service.
#[derive(Debug, Default)]
pub(super) struct Revision {
    /// The digests of its images, by the names of the containers.
    pub(super) digests: BTreeMap<String, String>,
    /// The architecture, if it is not that of the task definition.
    pub(super) override_architecture: Option<String>,
}

/// The revisions of services, by the ARNs of the service and the task definition.
pub(super) type Revisions = BTreeMap<(String, String), Revision>;

/// Reads the active services of a cluster.
pub(super) async fn read_services(client: &Client, cluster: &str, findings: &Findings<'_>) -> Vec<Service> {
    let mut arns = Vec::new();
    let mut listed = client.list_services().cluster(cluster).max_results(100).into_paginator().items().send();
    while let Some(arn) = listed.next().await {
        match arn {
            Ok(arn) => arns.push(arn),
            Err(error) => {
                findings.record(NotRead::new(Ecs, "ecs:ListServices", cluster, error));
                break;
            }
        }
    }
    let calls = arns
        .chunks(SERVICES_PER_CALL)
        .map(|chunk| client.describe_services().cluster(cluster).set_services(Some(chunk.to_vec())).send());
    let mut answers = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS);
    let mut services = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            // The services that it reports as missing were deleted since they were listed.
            Ok(answer) => {
                services.extend(answer.services.into_iter().flatten().filter_map(|one| parse_service(one, cluster)));
            }
            Err(error) => findings.record(NotRead::new(Ecs, "ecs:DescribeServices", cluster, error)),
        }
    }
    services
}

/// Reads a service by its ARN; `None` if it is deleted, or if that fails, which is recorded.
pub(super) async fn describe_service(
    client: &Client,
    cluster: &str,
    arn: &str,
    findings: &Findings<'_>,
) -> Option<Service> {
    match client.describe_services().cluster(cluster).services(arn).send().await {
        Ok(answer) => {
            if let Some(service) = answer.services.into_iter().flatten().next() {
                return parse_service(service, cluster);
            }
            let reason = answer.failures.into_iter().flatten().find_map(|failure| failure.reason);
            if reason.as_deref() != Some("MISSING") {
                let reason = reason.unwrap_or_else(|| "the answer does not have the service".to_owned());
                findings.record(NotRead::unknown(Ecs, "ecs:DescribeServices", arn, &reason));
            }
            None
        }
        // The cluster is deleted.
        Err(error) if error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception) => {
            None
        }
        Err(error) => {
            findings.record(NotRead::new(Ecs, "ecs:DescribeServices", arn, error));
            None
        }
    }
}

/// Returns the service, unless it is deleted.
fn parse_service(service: aws_sdk_ecs::types::Service, cluster: &str) -> Option<Service> {
    if service.status.as_deref() != Some("ACTIVE") {
        return None;
    }
    let strategy = |items: &[CapacityProviderStrategyItem]| {
        !items.is_empty() && items.iter().all(|item| item.capacity_provider.starts_with("FARGATE"))
    };
    let is_known = service.launch_type.is_some() || !service.capacity_provider_strategy().is_empty();
    let is_fargate = is_known
        .then(|| service.launch_type == Some(LaunchType::Fargate) || strategy(service.capacity_provider_strategy()));
    // A service whose deployments Amazon ECS does not control itself has task sets instead.
    let is_primary = |set: &TaskSet| set.status.as_deref() == Some("PRIMARY");
    let of_task_sets = service.task_sets.into_iter().flatten().filter(is_primary).map(|set| set.task_definition);
    let definitions = of_task_sets.chain([service.task_definition]).flatten().collect();
    Some(Service {
        name: service.service_name?,
        arn: service.service_arn?,
        cluster: cluster.to_owned(),
        is_fargate,
        is_express: service.resource_management_type == Some(ResourceManagementType::Ecs),
        definitions,
        revisions: service.current_service_revisions.into_iter().flatten().filter_map(|one| one.arn).collect(),
    })
}

/// Reads the current revisions of these services.
pub(super) async fn read_revisions(client: &Client, services: &[&Service], findings: &Findings<'_>) -> Revisions {
    let arns: Vec<String> = services.iter().flat_map(|service| service.revisions.iter().cloned()).collect();
    let calls = arns
        .chunks(REVISIONS_PER_CALL)
        .map(|chunk| client.describe_service_revisions().set_service_revision_arns(Some(chunk.to_vec())).send());
    let mut answers = stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS);
    let mut revisions = Revisions::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => {
                for revision in answer.service_revisions.into_iter().flatten() {
                    let (Some(service), Some(definition)) = (revision.service_arn, revision.task_definition) else {
                        continue;
                    };
                    let known: &mut Revision = revisions.entry((service, definition)).or_default();
                    let architecture = revision.overrides.and_then(|overrides| overrides.runtime_platform);
                    known.override_architecture = architecture
                        .and_then(|platform| platform.cpu_architecture)
                        .map(|architecture| architecture.as_str().to_owned());
                    let images = revision.container_images.into_iter().flatten();
                    known.digests.extend(images.filter_map(|image| image.container_name.zip(image.image_digest)));
                }
            }
            Err(error) => findings.record(NotRead::new(Ecs, "ecs:DescribeServiceRevisions", "", error)),
        }
    }
    revisions
}
