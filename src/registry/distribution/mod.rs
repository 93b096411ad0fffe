//! Reads images through the OCI distribution API, for example from Docker Hub, GHCR or ECR Public. Plain HTTP is only
//! used on loopback. No error contains a URL, because a URL after a redirect is a secret.
//!
//! The crate oci-client (0.18) is not used: it reads manifests and errors without a limit, follows redirects to plain
//! HTTP, rejects Docker's schema 1, and does not distinguish a refusal of the token service from its absence.

mod client;
mod credentials;
mod error;
mod redirect;
mod http;
mod auth;

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

pub use self::error::DistributionError;

use self::client::DistributionClient;
use self::error::DistributionErrorKind;
use super::media_types::MANIFEST_TYPES;
use super::transfer::{read_body, stream_body};
use super::{BlobReader, Lookup, MAX_MANIFEST, Manifest, Registry, RegistryError};
use crate::name::{Digest, RemoteRepository, Selector, Tag};

/// How long a manifest, config or list of tags may take, including authentication, redirects and retries.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// How many manifests are fetched at the same time.
const MAX_PARALLEL_MANIFESTS: usize = 4;

/// How many tags are requested per page; registries may send fewer.
const TAGS_PER_PAGE: usize = 1000;

/// The name of the action in the scope of a token (distribution, "Token Scope Documentation").
const PULL_ACTION: &str = "pull";

/// A repository that is read according to OCI distribution specification 1.1, "Pull".
#[derive(Debug)]
pub struct DistributionRepository(DistributionClient);

/// A page of tags: OCI distribution specification 1.1, "Listing Tags".
#[derive(Deserialize)]
struct WireTagList {
    /// Some registries send `null` if there are none.
    tags: Option<Vec<String>>,
}

impl DistributionRepository {
    /// Creates a client, which uses Docker's credentials. `http` must not follow redirects.
    pub fn new(repository: RemoteRepository, http: SharedHttpConnector) -> Self {
        Self(DistributionClient::new(repository, http))
    }

    /// Returns the name of the repository.
    pub fn name(&self) -> &RemoteRepository {
        &self.0.repository
    }

    /// Lists the valid tags, at most `pages` pages, in the order of the registry.
    pub(crate) async fn list_tags(&self, pages: usize) -> Result<Vec<String>, RegistryError> {
        with_timeout(self.fetch_tag_pages(pages)).await.map_err(|error| self.to_registry_error(error, None))
    }

    async fn fetch_tag_pages(&self, pages: usize) -> Result<Vec<String>, DistributionError> {
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..pages {
            // The characters of a tag need no escaping.
            let after = tags.last().map_or_else(String::new, |last| format!("&last={last}"));
            let reply = self.0.get(&format!("tags/list?n={TAGS_PER_PAGE}{after}"), "application/json").await?;
            let Some(reply) = reply else { break };
            // A `Link` names the next page.
            let is_last = !reply.headers().get("link").is_some_and(|link| link.contains("next"));
            let Ok(Lookup::Found(body)) = read_body(reply.into_body(), MAX_MANIFEST).await else {
                return Err(DistributionError::failure("the list of tags was truncated or is too large"));
            };
            let page: WireTagList = serde_json::from_slice(&body)
                .map_err(|_| DistributionError::failure("the list of tags is not valid JSON"))?;
            let before = tags.len();
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(|tag| tag.parse::<Tag>().is_ok()));
            if is_last || tags.len() == before {
                break;
            }
        }
        Ok(tags)
    }

    /// Fetches a manifest by tag, if there is one, to detect that the tag has moved: "Pulling manifests".
    async fn fetch_manifest(&self, selector: &Selector) -> Result<Lookup<Manifest>, RegistryError> {
        let reference = match selector {
            Selector::Tag(tag) | Selector::DigestAndTag(_, tag) => tag.as_str(),
            Selector::Digest(digest) => digest.as_str(),
        };
        let read = async {
            let accept = MANIFEST_TYPES.join(", ");
            let Some(reply) = self.0.get(&format!("manifests/{reference}"), &accept).await? else {
                return Ok(Lookup::NotFound);
            };
            let header = |name| reply.headers().get(name).unwrap_or_default();
            // The requested digest is verified, not the digest that the registry names.
            let digest = match selector {
                Selector::Digest(digest) => Some(digest.clone()),
                _ => header("docker-content-digest").parse().ok(),
            };
            // Without its parameters.
            let media_type = header("content-type").split(';').next().unwrap_or_default().trim();
            let media_type = if MANIFEST_TYPES.contains(&media_type) { media_type.to_owned() } else { String::new() };
            let bytes = match read_body(reply.into_body(), MAX_MANIFEST).await {
                Ok(Lookup::Found(bytes)) => bytes,
                Ok(_) => return Ok(Lookup::Unavailable(format!("its manifest is larger than {MAX_MANIFEST} bytes"))),
                Err(_) => return Err(DistributionError::failure("the manifest was truncated")),
            };
            let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
            Ok(match selector {
                Selector::DigestAndTag(expected, _) if digest != *expected => Lookup::TagMoved,
                _ => Lookup::Found(Manifest { digest, media_type, bytes }),
            })
        };
        with_timeout(read).await.map_err(|error| self.to_registry_error(error, None))
    }

    /// Requests a blob: "Pulling blobs".
    async fn request_blob(&self, digest: &Digest) -> Result<Option<HttpResponse>, DistributionError> {
        self.0.get(&format!("blobs/{digest}"), "*/*").await
    }

    fn to_registry_error(&self, error: DistributionError, blob: Option<&Digest>) -> RegistryError {
        let (action, resource) = (PULL_ACTION, self.0.repository.to_string());
        let kind = error.kind;
        if let (DistributionErrorKind::Transfer, Some(digest)) = (kind, blob) {
            return RegistryError::Transfer { digest: digest.clone(), reason: error.to_string() };
        }
        let source = error.into();
        match kind {
            DistributionErrorKind::Denied => RegistryError::Denied { action, resource, source },
            DistributionErrorKind::RepositoryNotFound => RegistryError::RepositoryNotFound { action, resource, source },
            DistributionErrorKind::Failed | DistributionErrorKind::Transfer => {
                RegistryError::Failed { action, resource, source }
            }
        }
    }
}

impl Registry for DistributionRepository {
    async fn fetch_manifests(&self, selectors: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let replies = stream::iter(selectors.iter().map(|selector| self.fetch_manifest(selector)));
        replies.buffered(MAX_PARALLEL_MANIFESTS).try_collect().await
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let read = async {
            match self.request_blob(digest).await? {
                Some(reply) => read_body(reply.into_body(), limit).await.map_err(DistributionError::transfer),
                None => Ok(Lookup::NotFound),
            }
        };
        with_timeout(read).await.map_err(|error| self.to_registry_error(error, Some(digest)))
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let reply = with_timeout(self.request_blob(digest)).await;
        let reply = reply.map_err(|error| self.to_registry_error(error, Some(digest)))?;
        Ok(reply
            .map_or(Lookup::NotFound, |reply| Lookup::Found(stream_body(reply.into_body(), crate::aws::CHUNK_TIMEOUT))))
    }

    async fn fetch_resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, RegistryError> {
        Ok(Vec::new())
    }
}

async fn with_timeout<T>(work: impl Future<Output = Result<T, DistributionError>>) -> Result<T, DistributionError> {
    let late = |_| Err(DistributionError::transfer(format!("it took more than {} s", READ_TIMEOUT.as_secs())));
    tokio::time::timeout(READ_TIMEOUT, work).await.unwrap_or_else(late)
}
