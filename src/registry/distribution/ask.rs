//! One question to a registry and what it takes: signing in, and going where it redirects.
//!
//! Does not read bodies but those of errors. What is sent to one host is not repeated to another: no `Authorization`
//! follows a redirect, and no address stands in an error.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::{Headers, Request};
use aws_smithy_types::byte_stream::ByteStream;

use super::super::trusted::{is_loopback, is_trusted};
use super::fault::{Asked, Fault};
use super::inward::may_lead;
use super::send::{drain, send};
use super::sign::{Signed, Signer};
use crate::name::{Digest, Remote};

/// How many redirects are followed: registries send to their storage, which may send on once or twice.
const REDIRECTS: usize = 5;

/// Where Docker Hub's API is.
const HUB: &str = "registry-1.docker.io";

/// Asks for what one repository holds.
#[derive(Debug)]
pub(super) struct Asker {
    http: SharedHttpConnector,
    repository: Remote,
    /// Scheme and authority.
    origin: String,
    signer: Signer,
}

/// An answer of status 200.
#[derive(Debug)]
pub(super) struct Reply {
    headers: Headers,
    pub(super) body: ByteStream,
}

impl Reply {
    /// `Docker-Content-Digest`, where it can be read: OCI distribution specification 1.1, "Pulling manifests".
    pub(super) fn digest(&self) -> Option<Digest> {
        self.headers.get("docker-content-digest")?.parse().ok()
    }

    /// Whether `Link` names a next page: OCI distribution specification 1.1, "Listing Tags".
    pub(super) fn has_more(&self) -> bool {
        self.headers.get("link").is_some_and(|link| link.contains("next"))
    }

    /// `Content-Type` without its parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.headers.get("content-type").map(|value| value.split(';').next().unwrap_or_default().trim())
    }
}

impl Asker {
    pub(super) fn new(repository: &Remote, http: SharedHttpConnector) -> Self {
        let host = if repository.is_of_hub() { HUB } else { repository.host() };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let origin = format!("{scheme}://{host}");
        Self { http, repository: repository.clone(), origin, signer: Signer::default() }
    }

    /// Gets `manifests/REFERENCE`, `blobs/DIGEST` or `tags/list`; `None` where it is not there.
    pub(super) async fn get(&self, what: &str, accept: &str) -> Result<Option<Reply>, Fault> {
        let url = format!("{}/v2/{}/{what}", self.origin, self.repository.path());
        let mut signed = self.signer.current().await;
        let mut response = self.ask(&url, accept, signed.as_ref()).await?;
        if response.status().as_u16() == 401 {
            let challenges: Vec<String> = response.headers().get_all("www-authenticate").map(str::to_owned).collect();
            let renewed = self.signer.renew(&self.http, &self.repository, signed.as_ref(), &challenges).await?;
            if renewed.is_some() {
                signed = renewed;
                drain(response).await;
                response = self.ask(&url, accept, signed.as_ref()).await?;
            }
        }
        let is_known = signed.as_ref().is_some_and(|signed| signed.is_known);
        let asked = Asked { repository: &self.repository, who: "the registry", is_known };
        if (300..400).contains(&response.status().as_u16()) {
            return self.follow(url, response, accept, signed.as_ref()).await;
        }
        reply(asked, response).await
    }

    /// Goes where a registry sends: "Pulling blobs" of the specification has it answer with a redirect, if it likes.
    async fn follow(
        &self,
        mut url: String,
        mut response: HttpResponse,
        accept: &str,
        signed: Option<&Signed>,
    ) -> Result<Option<Reply>, Fault> {
        for _ in 0..REDIRECTS {
            let location = response.headers().get("location").unwrap_or_default();
            url = target(&url, location).ok_or_else(|| Fault::failed("the registry redirects to nowhere"))?;
            if !is_trusted(&url) {
                return Err(Fault::failed("the registry redirects to an address that is not an https one"));
            }
            if !may_lead(&self.origin, &url) {
                return Err(Fault::failed("the registry redirects to an address inside a network"));
            }
            let is_own = origin(&url) == self.origin;
            drain(response).await;
            response = self.ask(&url, accept, signed.filter(|_| is_own)).await?;
            match response.status().as_u16() {
                300..400 => {}
                _ if is_own => {
                    let is_known = signed.is_some_and(|signed| signed.is_known);
                    return reply(Asked { repository: &self.repository, who: "the registry", is_known }, response)
                        .await;
                }
                200 => return Ok(Some(taken(response))),
                // An expired address answers 403; a fresh request gets a fresh one.
                status => return Err(Fault::transfer(format!("the storage service answered with status {status}"))),
            }
        }
        Err(Fault::failed(format!("the registry redirects more than {REDIRECTS} times")))
    }

    async fn ask(&self, url: &str, accept: &str, signed: Option<&Signed>) -> Result<HttpResponse, Fault> {
        let who = if origin(url) == self.origin { "the registry" } else { "the storage service" };
        let request = || -> Option<Request> {
            let mut request = Request::get(url).ok()?;
            request.headers_mut().try_insert("accept", accept.to_owned()).ok()?;
            if let Some(signed) = signed {
                request.headers_mut().try_insert("authorization", signed.value.clone()).ok()?;
            }
            Some(request)
        };
        send(&self.http, who, request).await
    }
}

/// What an answer of the registry itself means.
async fn reply(asked: Asked<'_>, response: HttpResponse) -> Result<Option<Reply>, Fault> {
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(Some(taken(response)));
    }
    let pause = pause(&response);
    let body = drain(response).await;
    if status == 404 && !Fault::is_of_repository(&body) {
        return Ok(None);
    }
    Err(Fault::answered(asked, status, &body, pause))
}

/// How many seconds the other side asks to wait: `Retry-After` of RFC 9110, as a number; registries do not send dates.
pub(super) fn pause(response: &HttpResponse) -> Option<u64> {
    response.headers().get("retry-after")?.trim().parse().ok()
}

fn taken(response: HttpResponse) -> Reply {
    let headers = response.headers().clone();
    Reply { headers, body: ByteStream::new(response.into_body()) }
}

/// Scheme and authority of an address.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// Where `Location` leads from an address: RFC 9110, "Location", as far as registries use it.
fn target(from: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    if location.contains("://") && !location.starts_with('/') {
        Some(location.to_owned())
    } else if let Some(rest) = location.strip_prefix("//") {
        from.split_once("://").map(|(scheme, _)| format!("{scheme}://{rest}"))
    } else {
        location.starts_with('/').then(|| format!("{}{location}", origin(from)))
    }
}
