//! Reads images through the API of Amazon ECR, and blobs from presigned URLs, which are secrets: no error contains one.
//! Redirects are not followed.

mod response;
#[cfg(feature = "cli")]
pub mod listing;

use std::time::Duration;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::get_download_url_for_layer::GetDownloadUrlForLayerError;
use aws_sdk_ecr::types::{Image, ImageIdentifier};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;

pub(crate) use self::response::to_registry_error;

use self::response::{EcrResponseError, interpret_failure, matches_selector, parse_manifest};
use super::media_types::MANIFEST_TYPES;
use super::transfer::{describe_connector_error, read_body, stream_body};
use super::url_policy::is_https_or_loopback;
use super::{BlobReader, Lookup, Manifest, Registry, RegistryError};
use crate::aws::{Aws, ClientTimeouts};
use crate::name::{Digest, Repository, Selector};

/// The IAM action that reads images.
pub const BATCH_GET_IMAGE: &str = "ecr:BatchGetImage";

/// The clients that read images, shared by all repositories.
#[derive(Debug, Clone)]
pub struct EcrRegistry {
    client: Client,
    http: SharedHttpConnector,
    timeouts: ClientTimeouts,
}

impl EcrRegistry {
    /// Creates the clients; `endpoint` replaces the endpoint of the region.
    pub fn new(aws: &Aws, endpoint: Option<String>) -> Self {
        Self { client: aws.ecr_client(endpoint), http: aws.http.clone(), timeouts: aws.timeouts }
    }

    /// Returns the API client.
    #[cfg(feature = "cli")]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a repository.
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
    /// Sends one `BatchGetImage` for all. ECR checks that a tag points at the digest, if a selector has both.
    async fn fetch_manifests(&self, selectors: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let mut request = self.registry.client.batch_get_image();
        request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        for media_type in MANIFEST_TYPES {
            request = request.accepted_media_types(media_type);
        }
        // An index may list a child twice, for two platforms.
        for (at, selector) in selectors.iter().enumerate() {
            if !selectors[..at].contains(selector) {
                let id = ImageIdentifier::builder().set_image_digest(selector.digest().map(ToString::to_string));
                request = request.image_ids(id.set_image_tag(selector.tag().map(ToString::to_string)).build());
            }
        }
        let reply =
            request.send().await.map_err(|error| to_registry_error(BATCH_GET_IMAGE, self.repository.arn(), error))?;
        let result = |selector: &Selector| {
            let matches = |id: Option<&ImageIdentifier>| id.is_some_and(|id| matches_selector(id, selector));
            if let Some(image) = reply.images().iter().find(|image: &&Image| matches(image.image_id())) {
                return parse_manifest(image, selector).map(Lookup::Found);
            }
            let mut failures = reply.failures().iter();
            let failure = failures.find(|failure| matches(failure.image_id()) || selectors.len() == 1);
            failure.map_or_else(|| Err(EcrResponseError::NoResult), interpret_failure)
        };
        let results = selectors.iter().map(result).collect::<Result<_, _>>();
        results.map_err(|error: EcrResponseError| error.into_registry_error(BATCH_GET_IMAGE, self.repository.arn()))
    }

    /// The time limit includes the last byte. If the download fails, a new URL is tried: an expired URL returns 403.
    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let EcrRegistry { http, timeouts, .. } = &self.registry;
        match self.fetch_download_url(digest).await?.found() {
            Ok(url) => {
                let download = async { read_body(request_blob(http, &url).await?, limit).await };
                with_timeout(download, digest, timeouts.blob).await
            }
            Err(missing) => Ok(missing),
        }
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let EcrRegistry { http, timeouts, .. } = &self.registry;
        match self.fetch_download_url(digest).await?.found() {
            Ok(url) => {
                let body = with_timeout(request_blob(http, &url), digest, timeouts.chunk).await?;
                Ok(Lookup::Found(stream_body(body, timeouts.chunk)))
            }
            Err(missing) => Ok(missing),
        }
    }

    async fn fetch_resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, RegistryError> {
        self.list_resource_tags().await
    }
}

impl EcrRepository {
    /// Fetches the value of the resource tag with this key, if there is one.
    #[cfg(feature = "cli")]
    pub(crate) async fn fetch_resource_tag(&self, key: &str) -> Result<Option<String>, RegistryError> {
        let tags = self.list_resource_tags().await?;
        Ok(tags.into_iter().find(|(known, _)| known == key).map(|(_, value)| value))
    }

    /// Fetches all resource tags of the repository, as keys and values. ECR allows 50, which fit into one reply.
    pub(crate) async fn list_resource_tags(&self) -> Result<Vec<(String, String)>, RegistryError> {
        let request = self.registry.client.list_tags_for_resource().resource_arn(self.repository.arn());
        let reply = request.send().await;
        let reply =
            reply.map_err(|error| to_registry_error("ecr:ListTagsForResource", self.repository.arn(), error))?;
        Ok(reply.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }

    /// Fetches the presigned URL of a blob.
    async fn fetch_download_url(&self, digest: &Digest) -> Result<Lookup<String>, RegistryError> {
        const ACTION: &str = "ecr:GetDownloadUrlForLayer";
        let request = self.registry.client.get_download_url_for_layer();
        let request = request.registry_id(self.repository.account()).repository_name(self.repository.name());
        match request.layer_digest(digest.as_str()).send().await {
            Ok(reply) => match reply.download_url() {
                Some(url) => Ok(Lookup::Found(url.to_owned())),
                None => Err(EcrResponseError::MissingUrl.into_registry_error(ACTION, self.repository.arn())),
            },
            Err(error) => match error.as_service_error() {
                Some(GetDownloadUrlForLayerError::LayersNotFoundException(_)) => Ok(Lookup::NotFound),
                Some(GetDownloadUrlForLayerError::LayerInaccessibleException(_)) => {
                    Ok(Lookup::Unavailable("ECR refused the blob (LayerInaccessibleException)".to_owned()))
                }
                _ => Err(to_registry_error(ACTION, self.repository.arn(), error)),
            },
        }
    }
}

async fn with_timeout<T>(
    work: impl Future<Output = Result<T, String>>,
    digest: &Digest,
    timeout: Duration,
) -> Result<T, RegistryError> {
    let late = |_| Err(format!("it took more than {} s", timeout.as_secs()));
    let result = tokio::time::timeout(timeout, work).await.unwrap_or_else(late);
    result.map_err(|reason| RegistryError::Transfer { digest: digest.clone(), reason })
}

/// Requests the blob and returns the body of the response.
async fn request_blob(http: &SharedHttpConnector, url: &str) -> Result<SdkBody, String> {
    if !is_https_or_loopback(url) {
        return Err("its URL is not HTTPS".to_owned());
    }
    let request = Request::get(url).map_err(|_| "its URL is not valid".to_owned())?;
    let response = http.call(request).await;
    let response = response.map_err(|error| describe_connector_error("the storage service", &error))?;
    match response.status().as_u16() {
        200 => Ok(response.into_body()),
        status => Err(format!("the storage service returned status {status}")),
    }
}
