//! Who asks: the `Authorization` that a registry wants, as it says itself when it first refuses.
//!
//! Does not send a password anywhere but over TLS or on this very machine. The rules are those of the distribution
//! project's "Token Authentication Specification" and "`OAuth2` Token Authentication", and of RFC 7617 for `Basic`.

use std::fmt;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use docker_credential::DockerCredential;
use http_auth::{ChallengeRef, parse_challenges};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::super::url_policy::{is_https_or_loopback, is_loopback};
use super::super::{Lookup, body};
use super::client::retry_after_seconds;
use super::credentials;
use super::error::{DistributionError, RequestContext};
use super::http::send_with_retries;
use super::redirect::is_redirect_allowed;
use crate::name::RemoteRepository;

/// The largest answer of a token service, in bytes; tokens have some kilobytes.
const MAX_TOKEN_RESPONSE: usize = 256 * 1024;

/// The value of `Authorization`, and whether it stands for somebody.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct AuthorizationHeader {
    pub(super) header_value: String,
    pub(super) has_credentials: bool,
}

/// The one that holds now, for all requests to one repository.
#[derive(Default)]
pub(super) struct Authenticator(Mutex<Option<AuthorizationHeader>>);

/// What a token service answers; some name the token both ways: "Token Response Fields".
#[derive(Deserialize)]
struct WireTokenResponse {
    token: Option<String>,
    access_token: Option<String>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Authenticator {
    pub(super) async fn current(&self) -> Option<AuthorizationHeader> {
        self.0.lock().await.clone()
    }

    /// Another one than `used`, which was refused with these challenges; `None` where there is none.
    pub(super) async fn renew(
        &self,
        http: &SharedHttpConnector,
        repository: &RemoteRepository,
        used: Option<&AuthorizationHeader>,
        challenges: &[String],
    ) -> Result<Option<AuthorizationHeader>, DistributionError> {
        let mut held = self.0.lock().await;
        // One that was refused beside this one may have found it.
        if held.as_ref() != used {
            return Ok(held.clone());
        }
        let credential = credentials::find_credential(repository).await?;
        let is_known = credential.is_some();
        let challenges: Vec<_> = challenges.iter().filter_map(|text| parse_challenges(text).ok()).flatten().collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let value = if let Some(challenge) = of("Bearer") {
            Some(format!("Bearer {}", fetch_token(http, repository, challenge, credential.as_ref()).await?))
        } else if of("Basic").is_some() {
            credential.as_ref().and_then(basic_authorization)
        } else {
            None
        };
        *held = value.map(|value| AuthorizationHeader { header_value: value, has_credentials: is_known });
        Ok(held.clone())
    }
}

fn basic_authorization(credential: &DockerCredential) -> Option<String> {
    match credential {
        DockerCredential::UsernamePassword(user, password) => {
            Some(format!("Basic {}", base64::encode(format!("{user}:{password}"))))
        }
        DockerCredential::IdentityToken(_) => None,
    }
}

/// Asks the service that the challenge names for a token to pull from the repository.
async fn fetch_token(
    http: &SharedHttpConnector,
    repository: &RemoteRepository,
    challenge: &ChallengeRef<'_>,
    credential: Option<&DockerCredential>,
) -> Result<String, DistributionError> {
    let named = |name: &str| {
        let found = challenge.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = named("realm").unwrap_or_default();
    // Another machine's registry must not have this one's services asked.
    if !is_https_or_loopback(&realm) || !realm.starts_with("https://") && !is_loopback(repository.host()) {
        return Err(DistributionError::failure("the registry names a token service whose address is not an https one"));
    }
    if !is_redirect_allowed(repository.host(), &realm) {
        return Err(DistributionError::failure("the registry names a token service inside a network"));
    }
    let scope = named("scope").unwrap_or_else(|| format!("repository:{}:pull", repository.path()));
    let mut fields = vec![("scope", scope)];
    fields.extend(named("service").map(|service| ("service", service)));
    let request = || -> Option<Request> {
        if let Some(DockerCredential::IdentityToken(identity)) = credential {
            let more = [("grant_type", "refresh_token"), ("client_id", "ecr-preflight"), ("refresh_token", identity)];
            let fields = fields.iter().map(|(name, value)| (*name, value.as_str())).chain(more);
            let mut request = Request::new(SdkBody::from(encode_form(fields)));
            request.set_method("POST").ok()?;
            request.set_uri(realm.as_str()).ok()?;
            request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
            return Some(request);
        }
        let joint = if realm.contains('?') { '&' } else { '?' };
        let query = encode_form(fields.iter().map(|(name, value)| (*name, value.as_str())));
        let mut request = Request::get(format!("{realm}{joint}{query}")).ok()?;
        if let Some(basic) = credential.and_then(basic_authorization) {
            request.headers_mut().try_insert("authorization", basic).ok()?;
        }
        Some(request)
    };
    let response = send_with_retries(http, "the token service", request).await?;
    let (status, pause) = (response.status().as_u16(), retry_after_seconds(&response));
    let body = ByteStream::new(response.into_body());
    let Ok(Lookup::Found(body)) = body::read_body(body, MAX_TOKEN_RESPONSE).await else {
        return Err(DistributionError::failure("the answer of the token service broke off, or is too long"));
    };
    if status != 200 {
        let asked = RequestContext { repository, peer: "the token service", has_credentials: credential.is_some() };
        // Its words are its own; what it was sent stands nowhere else.
        return Err(DistributionError::from_response(asked, status, &[], pause));
    }
    let token = serde_json::from_slice::<WireTokenResponse>(&body).ok();
    let token = token.and_then(|reply| reply.token.or(reply.access_token));
    token.ok_or_else(|| DistributionError::failure("the answer of the token service holds no token"))
}

/// `application/x-www-form-urlencoded`, with all but RFC 3986's unreserved characters escaped.
fn encode_form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let escaped = |value: &str| -> String {
        let escape = |c: u8| match c {
            b'-' | b'.' | b'_' | b'~' => char::from(c).to_string(),
            c if c.is_ascii_alphanumeric() => char::from(c).to_string(),
            c => format!("%{c:02X}"),
        };
        value.bytes().map(escape).collect()
    };
    fields.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}
