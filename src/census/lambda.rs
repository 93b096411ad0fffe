//! AWS Lambda: the unpublished versions (`$LATEST`) of functions that are images.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function::GetFunctionError;
use aws_sdk_lambda::types::{FunctionConfiguration, PackageType};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::cache::EntryKind;
use super::cache_store::{CacheSession, CacheStore};
use super::findings::Findings;
use super::not_read::NotRead;
use super::pace::MAX_CONCURRENT_CALLS;
use crate::consumer::ConsumerService::Lambda;
use crate::consumer::{Consumer, ConsumerPlatform, ContainerDefinition, MountPoint, PlatformSource, Variable};
use crate::name::{Digest, EcrImage};
use crate::runtime::{Runtime, Service, normalize_architecture};

/// The image of a function. It is cached: another format needs another [`EntryKind`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FunctionImage {
    /// It is cached only if this is known.
    version: Option<FunctionVersion>,
    image: String,
    digest: Option<Digest>,
}

/// What changes with the image of a function. Another tag for the same image has the same `CodeSha256`, which is the digest of
/// the image, but another `RevisionId`: every update of a function changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FunctionVersion {
    code_sha256: String,
    revision: String,
}

impl FunctionVersion {
    /// Returns `None` if the image may have changed unnoticed.
    fn find(function: &FunctionConfiguration) -> Option<Self> {
        let (code_sha256, revision) = (function.code_sha256()?.to_owned(), function.revision_id()?.to_owned());
        Some(Self { code_sha256, revision })
    }
}

/// Reads the functions. The list has everything but the image, which takes a call for each function that is an image,
/// unless it is cached.
pub(super) async fn read(client: &Client, cache: &CacheSession<'_, impl CacheStore>, findings: &Findings<'_>) {
    let mut pages = client.list_functions().max_items(50).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                findings.record(NotRead::new(Lambda, "lambda:ListFunctions", "", error));
                return;
            }
        };
        let images = page.functions.into_iter().flatten().filter(|one| one.package_type == Some(PackageType::Image));
        // Reduced at once: a page has up to 200 KB of variables.
        let functions: Vec<_> = images.filter_map(|one| Some((FunctionVersion::find(&one), reduce(one)?))).collect();
        let with_images = functions.into_iter().map(async |(version, consumer)| {
            let known = version.and_then(|version| find_image(&consumer.arn, &version, cache));
            match known {
                Some(known) => Some(add_image(consumer, known)),
                None => read_image(client, consumer, cache, findings).await,
            }
        });
        let mut with_images = stream::iter(with_images).buffer_unordered(MAX_CONCURRENT_CALLS);
        while let Some(consumer) = with_images.next().await {
            if let Some(consumer) = consumer {
                findings.add(consumer);
            }
        }
    }
}

/// Returns the image of a function if it is cached and has not changed.
fn find_image(
    arn: &str,
    version: &FunctionVersion,
    cache: &CacheSession<'_, impl CacheStore>,
) -> Option<FunctionImage> {
    cache.find(EntryKind::FunctionImage, arn).filter(|known: &FunctionImage| known.version.as_ref() == Some(version))
}

fn add_image(consumer: Consumer, image: FunctionImage) -> Consumer {
    Consumer { image: image.image, digest: image.digest, ..consumer }
}

/// Reads the image of a function that was listed.
async fn read_image(
    client: &Client,
    consumer: Consumer,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) -> Option<Consumer> {
    let (_, image) = get_function(client, &consumer.arn, cache, findings).await?;
    Some(add_image(consumer, image?))
}

/// Reads a function by its ARN. Nothing is found if it is deleted or is not an image.
pub(super) async fn read_function(
    client: &Client,
    arn: &str,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) {
    if let Some((Some(function), Some(image))) = get_function(client, arn, cache, findings).await
        && function.package_type == Some(PackageType::Image)
        && let Some(consumer) = reduce(function)
    {
        findings.add(add_image(consumer, image));
    }
}

/// Reads the configuration and the image of a function; `None` if it is deleted, or if that fails, which is recorded. The
/// answer of `GetFunction` has a presigned URL of the code, which does not leave this function.
async fn get_function(
    client: &Client,
    arn: &str,
    cache: &CacheSession<'_, impl CacheStore>,
    findings: &Findings<'_>,
) -> Option<(Option<FunctionConfiguration>, Option<FunctionImage>)> {
    match client.get_function().function_name(arn).send().await {
        Ok(answer) => {
            let version = answer.configuration().and_then(FunctionVersion::find);
            let image = answer.code.and_then(|code| {
                let digest = code.resolved_image_uri().and_then(|uri| EcrImage::parse(uri)?.digest);
                Some(FunctionImage { version, image: code.image_uri?, digest })
            });
            if let Some(image) = image.as_ref().filter(|image| image.version.is_some()) {
                cache.add(EntryKind::FunctionImage, arn, image).await;
            }
            Some((answer.configuration, image))
        }
        Err(error) if error.as_service_error().is_some_and(GetFunctionError::is_resource_not_found_exception) => None,
        Err(error) => {
            let name = arn.rsplit(':').next().unwrap_or(arn);
            findings.record(NotRead::new(Lambda, "lambda:GetFunction", name, error));
            None
        }
    }
}

/// Returns what affects the start of a function, without the values of its variables.
fn reduce(function: FunctionConfiguration) -> Option<Consumer> {
    let config = function.image_config_response.and_then(|response| response.image_config);
    let (entry_point, command, working_directory) =
        config.map(|config| (config.entry_point, config.command, config.working_directory)).unwrap_or_default();
    // `ImageConfig` in the AWS Lambda API reference leaves open which command then counts.
    let replaces_only_entry_point =
        entry_point.as_ref().is_some_and(|words| !words.is_empty()) && command.as_ref().is_none_or(Vec::is_empty);
    let variables = function.environment.and_then(|environment| environment.variables).unwrap_or_default();
    let mounts = function.file_system_configs.into_iter().flatten();
    let definition = ContainerDefinition {
        entry_point,
        command,
        working_directory,
        environment: Some(reduce_variables(&variables)),
        mount_points: Some(mounts.map(|mount| MountPoint { container_path: Some(mount.local_mount_path) }).collect()),
        ..ContainerDefinition::default()
    };
    let mut start = definition.into_start();
    if replaces_only_entry_point && start.unknown.is_none() {
        start.unknown = Some("its function replaces the entry point, but not the command".to_owned());
    }
    let platform = match function.architectures.as_deref() {
        None | Some([]) => ConsumerPlatform::Known(Runtime::LambdaAmd64, PlatformSource::LambdaDefault),
        Some([architecture]) => normalize_architecture(architecture.as_str())
            .and_then(|architecture| Runtime::for_service(Service::Lambda, architecture))
            .map_or(ConsumerPlatform::unknown("its architecture is neither x86_64 nor arm64"), |runtime| {
                ConsumerPlatform::Known(runtime, PlatformSource::Architectures)
            }),
        Some(_) => ConsumerPlatform::unknown("it has several architectures"),
    };
    let name = function.function_name?;
    Some(Consumer {
        service: Lambda,
        definition: name.clone(),
        name,
        arn: function.function_arn?,
        container: String::new(),
        image: String::new(),
        digest: None,
        platform,
        start,
    })
}

/// Reduces variables to their names and the value of `PATH`.
pub(super) fn reduce_variables(variables: &HashMap<String, String>) -> Vec<Variable> {
    variables.iter().map(|(name, value)| Variable::new(Some(name), Some(value))).collect()
}
