//! A repository of Amazon ECR, read through its API.
//!
//! Does not know what the answers mean for a verdict. Never logs a URL's query: a presigned URL is a bearer secret.

mod blob;
mod transfer;
mod reply;
#[cfg(feature = "cli")]
pub mod listing;
#[cfg(feature = "cli")]
pub mod images;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{Image, ImageIdentifier};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use super::{Answer, MANIFEST_TYPES, Manifest, Registry, RegistryError, Stream};
use crate::aws::service_error::cause;
use crate::aws::{Aws, TransferTimeouts};
use crate::name::{Digest, Repository, Selector};

/// The call that reads images, as errors name it.
pub const BATCH_GET_IMAGE: &str = "ecr:BatchGetImage";

/// The clients that reading needs; built once, shared by all repositories.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: Client,
    http: SharedHttpConnector,
    patience: TransferTimeouts,
}

impl Ecr {
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
        Self { client: aws.ecr_client(endpoint), http: aws.http(), patience: aws.transfer_timeouts() }
    }

    /// The images of one repository.
    #[must_use]
    pub fn open(&self, repository: &Repository) -> EcrRepository {
        EcrRepository { ecr: self.clone(), repository: repository.clone() }
    }
}

/// One repository of Amazon ECR.
#[derive(Debug)]
pub struct EcrRepository {
    ecr: Ecr,
    repository: Repository,
}

impl Registry for EcrRepository {
    /// One `BatchGetImage` for all; digest and tag together have the registry confirm that they still belong together.
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        const ACTION: &str = BATCH_GET_IMAGE;
        let mut request = self.ecr.client.batch_get_image();
        request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        for media_type in MANIFEST_TYPES {
            request = request.accepted_media_types(media_type);
        }
        // An index may list one child for two platforms.
        for (at, selector) in which.iter().enumerate() {
            if !which[..at].contains(selector) {
                request = request.image_ids(identifier(selector));
            }
        }
        let reply = request.send().await.map_err(|error| self.failed(ACTION, error))?;
        let answer = |selector: &Selector| {
            let fits = |image: &&Image| image.image_id().is_some_and(|id| reply::is_for(id, selector));
            if let Some(image) = reply.images().iter().find(fits) {
                return reply::manifest(image, selector).map(Answer::Found);
            }
            let fits = |id: Option<&ImageIdentifier>| id.is_some_and(|id| reply::is_for(id, selector));
            let failure = reply.failures().iter().find(|failure| fits(failure.image_id()) || which.len() == 1);
            failure.map_or_else(|| Err(reply::Fault::Silence), reply::failure)
        };
        let answers = which.iter().map(answer).collect::<Result<_, reply::Fault>>();
        answers.map_err(|fault| self.broken(ACTION, fault))
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        match self.address(digest).await? {
            Answer::Found(url) => blob::fetch(&self.ecr.http, &url, digest, limit, self.ecr.patience.whole).await,
            other => Ok(other.map(|_| Vec::new())),
        }
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        match self.address(digest).await? {
            Answer::Found(url) => {
                let begun = transfer::begin(&self.ecr.http, &url, digest, self.ecr.patience.piece).await;
                begun.map(Answer::Found)
            }
            other => Ok(other.map(|_| -> Stream { Box::new(std::io::empty()) })),
        }
    }

    async fn resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        const ACTION: &str = "ecr:ListTagsForResource";
        let request = self.ecr.client.list_tags_for_resource().resource_arn(self.repository.arn());
        let reply = request.send().await.map_err(|error| self.failed(ACTION, error))?;
        Ok(reply.tags().iter().find(|tag| tag.key() == key).map(|tag| tag.value().to_owned()))
    }
}

impl EcrRepository {
    /// The presigned address of a blob.
    async fn address(&self, digest: &Digest) -> Result<Answer<String>, RegistryError> {
        const ACTION: &str = "ecr:GetDownloadUrlForLayer";
        let request = self.ecr.client.get_download_url_for_layer();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        match request.layer_digest(digest.as_str()).send().await {
            Ok(reply) => match reply.download_url() {
                Some(url) => Ok(Answer::Found(url.to_owned())),
                None => Err(self.broken(ACTION, reply::Fault::NoAddress)),
            },
            Err(error) => reply::refused_layer(&error).map_or_else(|| Err(self.failed(ACTION, error)), Ok),
        }
    }

    fn failed<E>(&self, action: &'static str, error: SdkError<E>) -> RegistryError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        failed(action, self.repository.arn(), error)
    }

    fn broken(&self, action: &'static str, fault: reply::Fault) -> RegistryError {
        RegistryError::Unclear { action, resource: self.repository.arn(), source: fault.into() }
    }
}

/// What an error of the API means for an action on a resource.
pub(crate) fn failed<E>(action: &'static str, resource: String, error: SdkError<E>) -> RegistryError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let source = cause(error);
    match code.as_deref() {
        Some("AccessDeniedException") => RegistryError::Denied { action, resource, source },
        Some("RepositoryNotFoundException") => RegistryError::NoRepository { action, resource, source },
        _ => RegistryError::Failed { action, resource, source },
    }
}

fn identifier(selector: &Selector) -> ImageIdentifier {
    let digest = selector.digest().map(ToString::to_string);
    let tag = selector.tag().map(ToString::to_string);
    ImageIdentifier::builder().set_image_digest(digest).set_image_tag(tag).build()
}
