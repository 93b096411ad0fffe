//! Reads from AWS what runs images: services and tasks of Amazon ECS, functions of AWS Lambda, services of AWS App Runner,
//! job definitions of AWS Batch, and agent runtimes of Amazon Bedrock AgentCore.
//!
//! Answers of AWS contain environment variables and presigned URLs. Each is reduced to a [`Consumer`] where it is read and
//! never logged. Of an environment, only `PATH` is kept, and whether a variable that affects the start is set.
//!
//! What could not be read is recorded with the reason ([`NotRead`]), because what runs there is unknown.
//!
//! Task definitions do not change, and the images of functions do so only with their versions. A [`CensusCache`] saves the
//! calls for those that an earlier census read.

mod not_read;
mod token_bucket;
mod pace;
mod cache;
mod cache_store;
mod findings;
mod ecs_tasks;
mod ecs_services;
mod ecs_definitions;
mod ecs_consumers;
mod ecs;
mod ecs_stopped;
mod lambda;
mod app_runner;
mod batch;
mod agent_core;
mod one_consumer;

use futures_util::future::join_all;

pub use self::cache::{CacheEntry, CensusCache};
use self::cache_store::CacheSession;
pub use self::cache_store::{CacheStore, NoStore, NotStored};
pub use self::ecs_stopped::read_stopped;
use self::findings::Findings;
pub use self::findings::{Census, ProgressReport};
pub use self::not_read::NotRead;
pub use self::one_consumer::read_one;
pub use self::pace::PacedConnector;
use crate::aws::Aws;
use crate::consumer::ConsumerService;

/// All services that are read.
pub const SERVICES: [ConsumerService; 5] = [
    ConsumerService::Ecs,
    ConsumerService::Lambda,
    ConsumerService::AppRunner,
    ConsumerService::Batch,
    ConsumerService::AgentCore,
];

/// Reads what runs images from these services, all at the same time. The clients of `aws` should use a
/// [`PacedConnector`]. `endpoint` returns the endpoint of a service, by its name in `AWS_ENDPOINT_URL_NAME`, if it is not
/// that of the region. What is in `cache` is not read again, and what is read is given to `store`. `progress` is called with
/// the number of consumers that were found so far.
pub async fn read_consumers(
    aws: &Aws,
    services: &[ConsumerService],
    endpoint: impl Fn(&str) -> Option<String>,
    cache: &CensusCache,
    store: &impl CacheStore,
    progress: ProgressReport<'_>,
) -> Census {
    let findings = Findings::new(progress);
    let cache = CacheSession::new(cache, store);
    join_all(services.iter().map(async |service| match service {
        ConsumerService::Ecs => Box::pin(ecs::read(&aws.ecs_client(endpoint("ECS")), &cache, &findings)).await,
        ConsumerService::Lambda => {
            Box::pin(lambda::read(&aws.lambda_client(endpoint("LAMBDA")), &cache, &findings)).await;
        }
        ConsumerService::AppRunner => {
            Box::pin(app_runner::read(&aws.app_runner_client(endpoint("APPRUNNER")), &findings)).await;
        }
        ConsumerService::Batch => Box::pin(batch::read(&aws.batch_client(endpoint("BATCH")), &findings)).await,
        ConsumerService::AgentCore => {
            let client = aws.agent_core_client(endpoint("BEDROCK_AGENTCORE_CONTROL"));
            Box::pin(agent_core::read(&client, &findings)).await;
        }
    }))
    .await;
    let not_stored = cache.finish().await;
    findings.finish(not_stored)
}
