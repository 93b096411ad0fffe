//! Reads again what an event announces as changed.

use super::app_runner;
use super::cache::CensusCache;
use super::cache_store::{CacheSession, CacheStore};
use super::ecs;
use super::findings::{Census, Findings};
use super::lambda;
use crate::aws::Aws;
use crate::consumer::{ChangedConsumer, ChangedResource};

/// Reads one service or function. The result is what [`read_consumers`](super::read_consumers) would find for it: nothing,
/// and nothing that was not read, if it is deleted or does not run an image of Amazon ECR.
///
/// `endpoint`, `cache` and `store` are those of [`read_consumers`](super::read_consumers).
pub async fn read_one(
    aws: &Aws,
    changed: &ChangedConsumer,
    endpoint: impl Fn(&str) -> Option<String>,
    cache: &CensusCache,
    store: &impl CacheStore,
) -> Census {
    let findings = Findings::new(&|_| {});
    let cache = CacheSession::new(cache, store);
    match changed.resource() {
        ChangedResource::EcsService { cluster } => {
            let client = aws.ecs_client(endpoint("ECS"));
            Box::pin(ecs::read_service(&client, cluster.as_deref(), changed.arn(), &cache, &findings)).await;
        }
        ChangedResource::Function => {
            let client = aws.lambda_client(endpoint("LAMBDA"));
            Box::pin(lambda::read_function(&client, changed.arn(), &cache, &findings)).await;
        }
        ChangedResource::AppRunnerService => {
            let client = aws.app_runner_client(endpoint("APPRUNNER"));
            Box::pin(app_runner::read_service(&client, changed.arn(), &findings)).await;
        }
    }
    let not_stored = cache.finish().await;
    findings.finish(not_stored)
}
