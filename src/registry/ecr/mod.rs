//! A repository of Amazon ECR, read through its API.
//!
//! Does not know what the answers mean for a verdict. Never logs a URL's query: a presigned URL is a bearer secret.

mod blob;
mod transfer;
mod response;
#[cfg(feature = "cli")]
pub mod listing;
#[cfg(feature = "cli")]
pub mod images;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{Image, ImageIdentifier};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use super::{BlobReader, Lookup, Manifest, Registry, RegistryError};
use crate::aws::service_error::convert_sdk_error;
use crate::aws::{Aws, TransferTimeouts};
use crate::name::{Digest, Repository, Selector};
use crate::registry::media_types::MANIFEST_TYPES;

/// The call that reads images, as errors name it.
pub const BATCH_GET_IMAGE: &str = "ecr:BatchGetImage";

/// The clients that reading needs; built once, shared by all repositories.
#[derive(Debug, Clone)]
pub struct EcrRegistry {
    client: Client,
    http: SharedHttpConnector,
    timeouts: TransferTimeouts,
}

impl EcrRegistry {
    /// The API itself.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Reads with these clients; `endpoint` takes the place of the region's own. Blobs come from the presigned addresses
    /// that the API hands out, over the API's own HTTP stack.
    #[must_use]
    pub fn new(aws: &Aws, endpoint: Option<String>) -> Self {
        Self { client: aws.ecr_client(endpoint), http: aws.http(), timeouts: aws.transfer_timeouts() }
    }

    /// The images of one repository.
    #[must_use]
    pub fn repository(&self, repository: &Repository) -> EcrRepository {
        EcrRepository { registry: self.clone(), repository: repository.clone() }
    }
}

/// One repository of Amazon ECR.
#[derive(Debug)]
pub struct EcrRepository {
    registry: EcrRegistry,
    repository: Repository,
}

impl Registry for EcrRepository {
    /// One `BatchGetImage` for all; digest and tag together have the registry confirm that they still belong together.
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        const ACTION: &str = BATCH_GET_IMAGE;
        let mut request = self.registry.client.batch_get_image();
        request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        for media_type in MANIFEST_TYPES {
            request = request.accepted_media_types(media_type);
        }
        // An index may list one child for two platforms.
        for (at, selector) in which.iter().enumerate() {
            if !which[..at].contains(selector) {
                request = request.image_ids(image_identifier(selector));
            }
        }
        let reply = request.send().await.map_err(|error| self.call_error(ACTION, error))?;
        let answer = |selector: &Selector| {
            let fits = |image: &&Image| image.image_id().is_some_and(|id| response::matches_selector(id, selector));
            if let Some(image) = reply.images().iter().find(fits) {
                return response::parse_manifest(image, selector).map(Lookup::Found);
            }
            let fits = |id: Option<&ImageIdentifier>| id.is_some_and(|id| response::matches_selector(id, selector));
            let failure = reply.failures().iter().find(|failure| fits(failure.image_id()) || which.len() == 1);
            failure.map_or_else(|| Err(response::EcrResponseError::NoResult), response::interpret_failure)
        };
        let answers = which.iter().map(answer).collect::<Result<_, response::EcrResponseError>>();
        answers.map_err(|fault| self.response_error(ACTION, fault))
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        match self.fetch_download_url(digest).await? {
            Lookup::Found(url) => {
                blob::fetch_blob(&self.registry.http, &url, digest, limit, self.registry.timeouts.whole).await
            }
            other => Ok(other.map(|_| Vec::new())),
        }
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        match self.fetch_download_url(digest).await? {
            Lookup::Found(url) => {
                let begun =
                    transfer::open_blob_reader(&self.registry.http, &url, digest, self.registry.timeouts.piece).await;
                begun.map(Lookup::Found)
            }
            other => Ok(other.map(|_| -> BlobReader { Box::new(std::io::empty()) })),
        }
    }

    async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        const ACTION: &str = "ecr:ListTagsForResource";
        let request = self.registry.client.list_tags_for_resource().resource_arn(self.repository.arn());
        let reply = request.send().await.map_err(|error| self.call_error(ACTION, error))?;
        Ok(reply.tags().iter().find(|tag| tag.key() == key).map(|tag| tag.value().to_owned()))
    }
}

impl EcrRepository {
    /// The presigned address of a blob.
    async fn fetch_download_url(&self, digest: &Digest) -> Result<Lookup<String>, RegistryError> {
        const ACTION: &str = "ecr:GetDownloadUrlForLayer";
        let request = self.registry.client.get_download_url_for_layer();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        match request.layer_digest(digest.as_str()).send().await {
            Ok(reply) => match reply.download_url() {
                Some(url) => Ok(Lookup::Found(url.to_owned())),
                None => Err(self.response_error(ACTION, response::EcrResponseError::MissingUrl)),
            },
            Err(error) => {
                response::interpret_layer_error(&error).map_or_else(|| Err(self.call_error(ACTION, error)), Ok)
            }
        }
    }

    fn call_error<E>(&self, action: &'static str, error: SdkError<E>) -> RegistryError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        to_registry_error(action, self.repository.arn(), error)
    }

    fn response_error(&self, action: &'static str, fault: response::EcrResponseError) -> RegistryError {
        RegistryError::UnexpectedReply { action, resource: self.repository.arn(), source: fault.into() }
    }
}

/// What an error of the API means for an action on a resource.
pub(crate) fn to_registry_error<E>(action: &'static str, resource: String, error: SdkError<E>) -> RegistryError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let source = convert_sdk_error(error);
    match code.as_deref() {
        Some("AccessDeniedException") => RegistryError::Denied { action, resource, source },
        Some("RepositoryNotFoundException") => RegistryError::RepositoryNotFound { action, resource, source },
        _ => RegistryError::Failed { action, resource, source },
    }
}

fn image_identifier(selector: &Selector) -> ImageIdentifier {
    let digest = selector.digest().map(ToString::to_string);
    let tag = selector.tag().map(ToString::to_string);
    ImageIdentifier::builder().set_image_digest(digest).set_image_tag(tag).build()
}
