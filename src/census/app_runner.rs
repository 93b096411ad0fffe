//! AWS App Runner: services that run an image of Amazon ECR.

use aws_sdk_apprunner::Client;
use aws_sdk_apprunner::operation::describe_service::DescribeServiceError;
use aws_sdk_apprunner::types::{ImageRepositoryType, ServiceStatus};
use futures_util::{StreamExt, stream};

use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::AppRunner;
use crate::consumer::{Consumer, ConsumerPlatform, ContainerDefinition, PlatformSource, Variable};
use crate::runtime::Runtime;

/// Reads the services that are not deleted.
pub(super) async fn read(client: &Client, findings: &Findings<'_>) {
    let mut arns = Vec::new();
    let mut pages = client.list_services().max_results(20).into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                let standing =
                    page.service_summary_list.into_iter().filter(|one| one.status != Some(ServiceStatus::Deleted));
                arns.extend(standing.filter_map(|service| service.service_arn));
            }
            Err(error) => {
                findings.record(NotRead::new(AppRunner, "apprunner:ListServices", "", error));
                break;
            }
        }
    }
    let calls = arns.iter().map(async |arn| read_service(client, arn, findings).await);
    stream::iter(calls).buffer_unordered(MAX_CONCURRENT_CALLS).collect::<()>().await;
}

/// Reads a service by its ARN. Nothing is found if it is deleted.
pub(super) async fn read_service(client: &Client, arn: &str, findings: &Findings<'_>) {
    match client.describe_service().service_arn(arn).send().await {
        Ok(answer) => answer.service.and_then(reduce).map_or((), |consumer| findings.add(consumer)),
        Err(error) if error.as_service_error().is_some_and(DescribeServiceError::is_resource_not_found_exception) => {}
        Err(error) => findings.record(NotRead::new(AppRunner, "apprunner:DescribeService", arn, error)),
    }
}

/// Returns what affects the start of a service; `None` if it runs source code or a public image, or is deleted.
fn reduce(service: aws_sdk_apprunner::types::Service) -> Option<Consumer> {
    if service.status == ServiceStatus::Deleted {
        return None;
    }
    let repository = service.source_configuration?.image_repository?;
    if repository.image_repository_type != ImageRepositoryType::Ecr {
        return None;
    }
    let config = repository.image_configuration;
    let variables = config.as_ref().and_then(|config| config.runtime_environment_variables());
    let secrets = config.as_ref().and_then(|config| config.runtime_environment_secrets());
    let definition = ContainerDefinition {
        environment: variables
            .map(|all| all.iter().map(|(name, value)| Variable::new(Some(name), Some(value))).collect()),
        secrets: secrets.map(|all| all.keys().map(|name| Variable::new(Some(name), None)).collect()),
        ..ContainerDefinition::default()
    };
    let mut start = definition.into_start();
    if start.unknown.is_none() && config.is_some_and(|config| config.start_command.is_some_and(|one| !one.is_empty())) {
        // `StartCommand` is one string, and how it is split is not documented.
        start.unknown = Some("its service has a start command of its own".to_owned());
    }
    Some(Consumer {
        service: AppRunner,
        definition: service.service_name.clone(),
        name: service.service_name,
        arn: service.service_arn,
        container: String::new(),
        image: repository.image_identifier,
        digest: None,
        platform: ConsumerPlatform::Known(Runtime::AppRunner, PlatformSource::Service),
        start,
    })
}
