//! One question to a registry and what it takes: signing in, and going where it redirects.
//!
//! Does not read bodies but those of errors. What is sent to one host is not repeated to another: no `Authorization`
//! follows a redirect, and no address stands in an error.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::{Headers, Request};
use aws_smithy_types::byte_stream::ByteStream;

use super::super::url_policy::{is_https_or_loopback, is_loopback};
use super::auth::{Authenticator, AuthorizationHeader};
use super::error::{DistributionError, RequestContext};
use super::http::{drain_body, send_with_retries};
use super::redirect::is_redirect_allowed;
use crate::name::{Digest, RemoteRepository};

/// How many redirects are followed: registries send to their storage, which may send on once or twice.
const MAX_REDIRECTS: usize = 5;

/// Where Docker Hub's API is.
const HUB_API_HOST: &str = "registry-1.docker.io";

/// Asks for what one repository holds.
#[derive(Debug)]
pub(super) struct DistributionClient {
    http: SharedHttpConnector,
    repository: RemoteRepository,
    /// Scheme and authority.
    origin: String,
    authenticator: Authenticator,
}

/// An answer of status 200.
#[derive(Debug)]
pub(super) struct DistributionResponse {
    headers: Headers,
    pub(super) body: ByteStream,
}

impl DistributionResponse {
    /// `Docker-Content-Digest`, where it can be read: OCI distribution specification 1.1, "Pulling manifests".
    pub(super) fn digest(&self) -> Option<Digest> {
        self.headers.get("docker-content-digest")?.parse().ok()
    }

    /// Whether `Link` names a next page: OCI distribution specification 1.1, "Listing Tags".
    pub(super) fn has_next_page(&self) -> bool {
        self.headers.get("link").is_some_and(|link| link.contains("next"))
    }

    /// `Content-Type` without its parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.headers.get("content-type").map(|value| value.split(';').next().unwrap_or_default().trim())
    }
}

impl DistributionClient {
    pub(super) fn new(repository: &RemoteRepository, http: SharedHttpConnector) -> Self {
        let host = if repository.is_docker_hub() { HUB_API_HOST } else { repository.host() };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let origin = format!("{scheme}://{host}");
        Self { http, repository: repository.clone(), origin, authenticator: Authenticator::default() }
    }

    /// Gets `manifests/REFERENCE`, `blobs/DIGEST` or `tags/list`; `None` where it is not there.
    pub(super) async fn get(
        &self,
        what: &str,
        accept: &str,
    ) -> Result<Option<DistributionResponse>, DistributionError> {
        let url = format!("{}/v2/{}/{what}", self.origin, self.repository.path());
        let mut signed = self.authenticator.current().await;
        let mut response = self.send_request(&url, accept, signed.as_ref()).await?;
        if response.status().as_u16() == 401 {
            let challenges: Vec<String> = response.headers().get_all("www-authenticate").map(str::to_owned).collect();
            let renewed = self.authenticator.renew(&self.http, &self.repository, signed.as_ref(), &challenges).await?;
            if renewed.is_some() {
                signed = renewed;
                drain_body(response).await;
                response = self.send_request(&url, accept, signed.as_ref()).await?;
            }
        }
        let is_known = signed.as_ref().is_some_and(|signed| signed.has_credentials);
        let asked = RequestContext { repository: &self.repository, peer: "the registry", has_credentials: is_known };
        if (300..400).contains(&response.status().as_u16()) {
            return self.follow_redirects(url, response, accept, signed.as_ref()).await;
        }
        interpret_response(asked, response).await
    }

    /// Goes where a registry sends: "Pulling blobs" of the specification has it answer with a redirect, if it likes.
    async fn follow_redirects(
        &self,
        mut url: String,
        mut response: HttpResponse,
        accept: &str,
        signed: Option<&AuthorizationHeader>,
    ) -> Result<Option<DistributionResponse>, DistributionError> {
        for _ in 0..MAX_REDIRECTS {
            let location = response.headers().get("location").unwrap_or_default();
            url = resolve_location(&url, location)
                .ok_or_else(|| DistributionError::failure("the registry redirects to nowhere"))?;
            if !is_https_or_loopback(&url) {
                return Err(DistributionError::failure(
                    "the registry redirects to an address that is not an https one",
                ));
            }
            if !is_redirect_allowed(&self.origin, &url) {
                return Err(DistributionError::failure("the registry redirects to an address inside a network"));
            }
            let is_own = url_origin(&url) == self.origin;
            drain_body(response).await;
            response = self.send_request(&url, accept, signed.filter(|_| is_own)).await?;
            match response.status().as_u16() {
                300..400 => {}
                _ if is_own => {
                    let is_known = signed.is_some_and(|signed| signed.has_credentials);
                    return interpret_response(
                        RequestContext {
                            repository: &self.repository,
                            peer: "the registry",
                            has_credentials: is_known,
                        },
                        response,
                    )
                    .await;
                }
                200 => return Ok(Some(to_distribution_response(response))),
                // An expired address answers 403; a fresh request gets a fresh one.
                status => {
                    return Err(DistributionError::transfer(format!(
                        "the storage service answered with status {status}"
                    )));
                }
            }
        }
        Err(DistributionError::failure(format!("the registry redirects more than {MAX_REDIRECTS} times")))
    }

    async fn send_request(
        &self,
        url: &str,
        accept: &str,
        signed: Option<&AuthorizationHeader>,
    ) -> Result<HttpResponse, DistributionError> {
        let who = if url_origin(url) == self.origin { "the registry" } else { "the storage service" };
        let request = || -> Option<Request> {
            let mut request = Request::get(url).ok()?;
            request.headers_mut().try_insert("accept", accept.to_owned()).ok()?;
            if let Some(signed) = signed {
                request.headers_mut().try_insert("authorization", signed.header_value.clone()).ok()?;
            }
            Some(request)
        };
        send_with_retries(&self.http, who, request).await
    }
}

/// What an answer of the registry itself means.
async fn interpret_response(
    asked: RequestContext<'_>,
    response: HttpResponse,
) -> Result<Option<DistributionResponse>, DistributionError> {
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(Some(to_distribution_response(response)));
    }
    let pause = retry_after_seconds(&response);
    let body = drain_body(response).await;
    if status == 404 && !DistributionError::is_unknown_repository(&body) {
        return Ok(None);
    }
    Err(DistributionError::from_response(asked, status, &body, pause))
}

/// How many seconds the other side asks to wait: `Retry-After` of RFC 9110, as a number; registries do not send dates.
pub(super) fn retry_after_seconds(response: &HttpResponse) -> Option<u64> {
    response.headers().get("retry-after")?.trim().parse().ok()
}

fn to_distribution_response(response: HttpResponse) -> DistributionResponse {
    let headers = response.headers().clone();
    DistributionResponse { headers, body: ByteStream::new(response.into_body()) }
}

/// Scheme and authority of an address.
fn url_origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Where `Location` leads from an address: RFC 9110, "Location", as far as registries use it.
fn resolve_location(from: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    if location.contains("://") && !location.starts_with('/') {
        Some(location.to_owned())
    } else if let Some(rest) = location.strip_prefix("//") {
        from.split_once("://").map(|(scheme, _)| format!("{scheme}://{rest}"))
    } else {
        location.starts_with('/').then(|| format!("{}{location}", url_origin(from)))
    }
}
