//! A repository of any registry that speaks the OCI distribution API: Docker Hub, GHCR, ECR Public, one on loopback.
//!
//! Does not write, nor know resource tags: such registries have none. Plain HTTP is for loopback only. Addresses are
//! never part of an error: after a redirect they are bearer secrets.
//!
//! The protocol is written here, on the connector that all other requests go through. The crate oci-client (0.18) reads
//! manifests and errors without a bound, follows redirects to plain HTTP, refuses manifests of Docker's schema 1 and does
//! not tell a token service's refusal from none; none of it can be set.

mod client;
mod credentials;
mod error;
mod redirect;
mod http;
mod auth;
mod tags;

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::{StreamExt, TryStreamExt, stream};

pub use self::error::DistributionError;

use self::client::{DistributionClient, DistributionResponse};
use self::error::DistributionErrorKind;
use super::{BlobReader, Lookup, MAX_MANIFEST, Manifest, Registry, RegistryError, body};
use crate::name::{Digest, RemoteRepository, Selector};
use crate::registry::media_types::MANIFEST_TYPES;

/// How long one manifest or config may take with all that it needs: a token, redirects, attempts after failures.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// How many manifests are fetched beside each other.
const MAX_PARALLEL_MANIFESTS: usize = 4;

/// What is done: the action's name in the scopes of tokens (distribution, "Token Scope Documentation").
const PULL_ACTION: &str = "pull";

/// One repository, read as OCI distribution specification 1.1, "Pull", has it.
#[derive(Debug)]
pub struct DistributionRepository {
    client: DistributionClient,
    repository: RemoteRepository,
}

impl DistributionRepository {
    /// `http` sends every request; it must not follow redirects by itself. Credentials are docker's, where there are any.
    #[must_use]
    pub fn new(repository: RemoteRepository, http: SharedHttpConnector) -> Self {
        Self { client: DistributionClient::new(&repository, http), repository }
    }

    /// "Pulling manifests": by tag where one is named, so that a tag that points at another image by now is seen.
    async fn fetch_manifest(&self, selector: &Selector) -> Result<Lookup<Manifest>, RegistryError> {
        let reference = match selector {
            Selector::Tag(tag) | Selector::DigestAndTag(_, tag) => tag.as_str(),
            Selector::Digest(digest) => digest.as_str(),
        };
        let read = async {
            let accept = MANIFEST_TYPES.join(", ");
            let Some(reply) = self.client.get(&format!("manifests/{reference}"), &accept).await? else {
                return Ok(Lookup::NotFound);
            };
            let named = reply.digest();
            let media_type =
                reply.media_type().filter(|name| MANIFEST_TYPES.contains(name)).unwrap_or_default().to_owned();
            match body::read_body(reply.body, MAX_MANIFEST)
                .await
                .map_err(|_| DistributionError::failure("the manifest broke off"))?
            {
                Lookup::Found(bytes) => {
                    let digest = named.unwrap_or_else(|| Digest::of(&bytes));
                    Ok(Lookup::Found(Manifest { digest, media_type, bytes }))
                }
                _ => Ok(Lookup::Unavailable(format!("its manifest holds more than {MAX_MANIFEST} bytes"))),
            }
        };
        let answer = with_timeout(read).await.map_err(|fault| self.to_registry_error(fault, None))?;
        Ok(match (answer, selector) {
            (Lookup::Found(manifest), Selector::DigestAndTag(digest, _)) if manifest.digest != *digest => {
                Lookup::TagMoved
            }
            // What was asked for by digest is held against that digest, whatever the registry names.
            (Lookup::Found(manifest), Selector::Digest(digest)) => {
                Lookup::Found(Manifest { digest: digest.clone(), ..manifest })
            }
            (answer, _) => answer,
        })
    }

    /// "Pulling blobs": the reply, its body still to come.
    async fn request_blob(&self, digest: &Digest) -> Result<Option<DistributionResponse>, DistributionError> {
        self.client.get(&format!("blobs/{digest}"), "*/*").await
    }

    fn to_registry_error(&self, fault: DistributionError, blob: Option<&Digest>) -> RegistryError {
        let resource = self.repository.to_string();
        match (fault.kind(), blob) {
            (DistributionErrorKind::Transfer, Some(digest)) => {
                RegistryError::Transfer { digest: digest.clone(), reason: fault.to_string() }
            }
            (DistributionErrorKind::Denied, _) => {
                RegistryError::Denied { action: PULL_ACTION, resource, source: fault.into() }
            }
            (DistributionErrorKind::RepositoryNotFound, _) => {
                RegistryError::RepositoryNotFound { action: PULL_ACTION, resource, source: fault.into() }
            }
            (DistributionErrorKind::Failed | DistributionErrorKind::Transfer, _) => {
                RegistryError::Failed { action: PULL_ACTION, resource, source: fault.into() }
            }
        }
    }
}

impl Registry for DistributionRepository {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        stream::iter(which.iter().map(|selector| self.fetch_manifest(selector)))
            .buffered(MAX_PARALLEL_MANIFESTS)
            .try_collect()
            .await
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let read = async {
            match self.request_blob(digest).await? {
                Some(reply) => body::read_body(reply.body, limit).await.map_err(DistributionError::transfer),
                None => Ok(Lookup::NotFound),
            }
        };
        with_timeout(read).await.map_err(|fault| self.to_registry_error(fault, Some(digest)))
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let opened = with_timeout(self.request_blob(digest))
            .await
            .map_err(|fault| self.to_registry_error(fault, Some(digest)))?;
        Ok(opened.map_or(Lookup::NotFound, |reply| Lookup::Found(body::stream_body(reply.body, crate::aws::PIECE))))
    }

    async fn fetch_resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(None)
    }
}

async fn with_timeout<T>(work: impl Future<Output = Result<T, DistributionError>>) -> Result<T, DistributionError> {
    let late = |_| Err(DistributionError::transfer(format!("it took more than {} s", READ_TIMEOUT.as_secs())));
    tokio::time::timeout(READ_TIMEOUT, work).await.unwrap_or_else(late)
}
