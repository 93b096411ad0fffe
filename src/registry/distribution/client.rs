//! Sends a request to a registry, with authentication and redirects. `Authorization` is never sent to another host.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Request;

use super::auth::{Authenticator, AuthorizationHeader};
use super::error::{DistributionError, RequestContext};
use super::http::{REGISTRY, STORAGE_SERVICE, drain_body, retry_after_seconds, send_with_retries};
use super::redirect::{is_redirect_allowed, resolve_location, url_origin};
use crate::name::RemoteRepository;
use crate::registry::url_policy::{is_https_or_loopback, is_loopback};

/// How many redirects are followed. Registries redirect to their storage, which may redirect once or twice.
const MAX_REDIRECTS: usize = 5;

/// The host of Docker Hub's API.
const HUB_API_HOST: &str = "registry-1.docker.io";

/// A client for one repository.
#[derive(Debug)]
pub(super) struct DistributionClient {
    http: SharedHttpConnector,
    pub(super) repository: RemoteRepository,
    /// The scheme and authority of the registry.
    origin: String,
    authenticator: Authenticator,
}

impl DistributionClient {
    pub(super) fn new(repository: RemoteRepository, http: SharedHttpConnector) -> Self {
        let host = if repository.is_docker_hub() { HUB_API_HOST } else { repository.host() };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let origin = format!("{scheme}://{host}");
        Self { http, repository, origin, authenticator: Authenticator::default() }
    }

    /// Gets `manifests/REFERENCE`, `blobs/DIGEST` or `tags/list`: a response with status 200, or `None` if it does not
    /// exist.
    pub(super) async fn get(&self, path: &str, accept: &str) -> Result<Option<HttpResponse>, DistributionError> {
        let url = format!("{}/v2/{}/{path}", self.origin, self.repository.path());
        let mut authorization = self.authenticator.current().await;
        let mut response = self.send_request(&url, accept, authorization.as_ref()).await?;
        if response.status().as_u16() == 401 {
            let challenges: Vec<String> = response.headers().get_all("www-authenticate").map(str::to_owned).collect();
            let used = authorization.as_ref();
            if let Some(renewed) = self.authenticator.renew(&self.http, &self.repository, used, &challenges).await? {
                drain_body(response).await;
                response = self.send_request(&url, accept, Some(&renewed)).await?;
                authorization = Some(renewed);
            }
        }
        self.follow_redirects(url, response, accept, authorization.as_ref()).await
    }

    /// Follows redirects, which OCI distribution specification 1.1, "Pulling blobs", allows.
    async fn follow_redirects(
        &self,
        mut url: String,
        mut response: HttpResponse,
        accept: &str,
        authorization: Option<&AuthorizationHeader>,
    ) -> Result<Option<HttpResponse>, DistributionError> {
        for count in 0.. {
            let is_own = url_origin(&url) == self.origin;
            match response.status().as_u16() {
                300..400 => {}
                _ if is_own => return self.interpret_response(response, authorization).await,
                200 => return Ok(Some(response)),
                // An expired URL returns 403; a new request gets a new URL.
                status => {
                    return Err(DistributionError::transfer(format!("{STORAGE_SERVICE} returned status {status}")));
                }
            }
            if count == MAX_REDIRECTS {
                break;
            }
            let location = response.headers().get("location").unwrap_or_default();
            let Some(next) = resolve_location(&url, location) else {
                return Err(DistributionError::failure("the registry redirects without a valid `Location`"));
            };
            let refuse = |target| format!("refusing to follow the registry's redirect to a {target}");
            if !is_https_or_loopback(&next) {
                return Err(DistributionError::failure(refuse("non-HTTPS URL")));
            }
            if !is_redirect_allowed(&self.origin, &next) {
                return Err(DistributionError::failure(refuse("private address")));
            }
            drain_body(response).await;
            let is_own = url_origin(&next) == self.origin;
            response = self.send_request(&next, accept, authorization.filter(|_| is_own)).await?;
            url = next;
        }
        Err(DistributionError::failure(format!("the registry redirects more than {MAX_REDIRECTS} times")))
    }

    async fn send_request(
        &self,
        url: &str,
        accept: &str,
        authorization: Option<&AuthorizationHeader>,
    ) -> Result<HttpResponse, DistributionError> {
        let peer = if url_origin(url) == self.origin { REGISTRY } else { STORAGE_SERVICE };
        let build = || -> Option<Request> {
            let mut request = Request::get(url).ok()?;
            request.headers_mut().try_insert("accept", accept.to_owned()).ok()?;
            if let Some(authorization) = authorization {
                request.headers_mut().try_insert("authorization", authorization.value.clone()).ok()?;
            }
            Some(request)
        };
        send_with_retries(&self.http, peer, build).await
    }

    /// Interprets a response of the registry itself.
    async fn interpret_response(
        &self,
        response: HttpResponse,
        authorization: Option<&AuthorizationHeader>,
    ) -> Result<Option<HttpResponse>, DistributionError> {
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Some(response));
        }
        let retry_after = retry_after_seconds(&response);
        let body = drain_body(response).await;
        if status == 404 && !DistributionError::is_unknown_repository(&body) {
            return Ok(None);
        }
        let has_credentials = authorization.is_some_and(|authorization| authorization.has_credentials);
        let context = RequestContext { repository: &self.repository, peer: REGISTRY, has_credentials };
        Err(DistributionError::from_response(context, status, &body, retry_after))
    }
}
