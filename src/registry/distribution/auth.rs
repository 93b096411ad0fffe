//! Authenticates requests, according to the challenges in a registry's response with status 401. Passwords are only
//! sent over TLS or on loopback. Sources: "Token Authentication Specification" and "`OAuth2` Token Authentication" of
//! the distribution project, and RFC 7617 for `Basic`.

use std::fmt;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use docker_credential::DockerCredential;
use form_urlencoded::Serializer;
use http_auth::{ChallengeRef, parse_challenges};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::credentials;
use super::error::{DistributionError, RequestContext};
use super::http::{TOKEN_SERVICE, retry_after_seconds, send_with_retries};
use super::redirect::is_redirect_allowed;
use crate::name::RemoteRepository;
use crate::registry::Lookup;
use crate::registry::transfer::read_body;
use crate::registry::url_policy::{is_https_or_loopback, is_loopback};

/// The largest response of a token service, in bytes; tokens have a few kilobytes.
const MAX_TOKEN_RESPONSE: usize = 256 * 1024;

/// An `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct AuthorizationHeader {
    pub(super) value: String,
    /// Whether it was obtained with credentials, not anonymously.
    pub(super) has_credentials: bool,
}

/// The current authorization for all requests to a repository.
#[derive(Default)]
pub(super) struct Authenticator(Mutex<Option<AuthorizationHeader>>);

/// The response of a token service: "Token Response Fields". Some services send both.
#[derive(Deserialize)]
struct WireTokenResponse {
    token: Option<String>,
    access_token: Option<String>,
}

/// Shows no secrets.
impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    pub(super) async fn current(&self) -> Option<AuthorizationHeader> {
        self.0.lock().await.clone()
    }

    /// Obtains a new authorization after `used` was refused with these challenges; `None` if there is none.
    pub(super) async fn renew(
        &self,
        http: &SharedHttpConnector,
        repository: &RemoteRepository,
        used: Option<&AuthorizationHeader>,
        challenges: &[String],
    ) -> Result<Option<AuthorizationHeader>, DistributionError> {
        let mut current = self.0.lock().await;
        // A parallel request may have renewed it.
        if current.as_ref() != used {
            return Ok(current.clone());
        }
        let credential = credentials::find_credential(repository).await?;
        let challenges: Vec<_> = challenges.iter().filter_map(|text| parse_challenges(text).ok()).flatten().collect();
        let find = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let value = if let Some(challenge) = find("Bearer") {
            Some(format!("Bearer {}", fetch_token(http, repository, challenge, credential.as_ref()).await?))
        } else {
            find("Basic").and(credential.as_ref()).and_then(basic_authorization)
        };
        let has_credentials = credential.is_some();
        *current = value.map(|value| AuthorizationHeader { value, has_credentials });
        Ok(current.clone())
    }
}

fn basic_authorization(credential: &DockerCredential) -> Option<String> {
    let DockerCredential::UsernamePassword(user, password) = credential else { return None };
    Some(format!("Basic {}", base64::encode(format!("{user}:{password}"))))
}

/// Requests a token to pull from the repository, from the token service that the challenge names.
async fn fetch_token(
    http: &SharedHttpConnector,
    repository: &RemoteRepository,
    challenge: &ChallengeRef<'_>,
    credential: Option<&DockerCredential>,
) -> Result<String, DistributionError> {
    let parameter = |name: &str| {
        let found = challenge.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = parameter("realm").unwrap_or_default();
    // A remote registry must not make the client send requests to services on this machine.
    if !is_https_or_loopback(&realm) || !realm.starts_with("https://") && !is_loopback(repository.host()) {
        return Err(DistributionError::failure("refusing the registry's token service: its URL is not HTTPS"));
    }
    if !is_redirect_allowed(repository.host(), &realm) {
        return Err(DistributionError::failure("refusing the registry's token service: it has a private address"));
    }
    // Never the scope of the challenge, which may ask for more: Docker's client does not use it either
    // (`registry/client/auth/session.go` of the distribution project).
    let scope = format!("repository:{}:pull", repository.path());
    let mut fields = vec![("scope", scope)];
    fields.extend(parameter("service").map(|service| ("service", service)));
    // Not every token service reads `+` as a space.
    let finish = |form: &mut Serializer<'_, String>| form.finish().replace('+', "%20");
    let build = || -> Option<Request> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(&fields);
        if let Some(DockerCredential::IdentityToken(token)) = credential {
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", "ecr-preflight");
            form.append_pair("refresh_token", token);
            let mut request = Request::new(SdkBody::from(finish(&mut form)));
            request.set_method("POST").ok()?;
            request.set_uri(realm.as_str()).ok()?;
            request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
            return Some(request);
        }
        let separator = if realm.contains('?') { '&' } else { '?' };
        let mut request = Request::get(format!("{realm}{separator}{}", finish(&mut form))).ok()?;
        if let Some(basic) = credential.and_then(basic_authorization) {
            request.headers_mut().try_insert("authorization", basic).ok()?;
        }
        Some(request)
    };
    let response = send_with_retries(http, TOKEN_SERVICE, build).await?;
    let (status, retry_after) = (response.status().as_u16(), retry_after_seconds(&response));
    let Ok(Lookup::Found(body)) = read_body(response.into_body(), MAX_TOKEN_RESPONSE).await else {
        return Err(DistributionError::failure("the token service's response was truncated or is too large"));
    };
    if status != 200 {
        let context = RequestContext { repository, peer: TOKEN_SERVICE, has_credentials: credential.is_some() };
        // The body is not quoted, because it may repeat the credentials.
        return Err(DistributionError::from_response(context, status, &[], retry_after));
    }
    let token = serde_json::from_slice::<WireTokenResponse>(&body).ok();
    let token = token.and_then(|response| response.token.or(response.access_token));
    token.ok_or_else(|| DistributionError::failure("the token service's response contains no token"))
}
