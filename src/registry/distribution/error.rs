//! Errors of registries, with hints. No error contains a URL, a token or a password.

use serde::Deserialize;

use self::DistributionErrorKind::{Denied, Failed, RepositoryNotFound, Transfer};
use crate::name::RemoteRepository;
use crate::text::sanitize_quoted;

/// What an error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DistributionErrorKind {
    Denied,
    RepositoryNotFound,
    /// The registry or the connection failed.
    Failed,
    /// The transfer failed; a new request may succeed.
    Transfer,
}

/// An error of a registry.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DistributionError {
    pub(super) kind: DistributionErrorKind,
    message: String,
    hint: Option<String>,
}

/// The context of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) repository: &'a RemoteRepository,
    /// The sender of the response, for example "the registry".
    pub(super) peer: &'static str,
    /// Whether the request was sent with credentials.
    pub(super) has_credentials: bool,
}

/// The body of an error: OCI distribution specification 1.1, "Error Codes".
#[derive(Debug, Deserialize)]
struct WireErrorResponse {
    errors: Vec<WireErrorEntry>,
}

#[derive(Debug, Deserialize)]
struct WireErrorEntry {
    code: String,
    message: Option<String>,
}

impl DistributionError {
    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self { kind: Failed, message: message.into(), hint: None }
    }

    pub(super) fn unreachable(message: String) -> Self {
        let hint = Some("check the host name, the network and its proxy".to_owned());
        Self { hint, ..Self::failure(message) }
    }

    pub(super) fn transfer(message: impl Into<String>) -> Self {
        Self { kind: Transfer, ..Self::failure(message) }
    }

    /// Interprets an error response. Status 404 means that the repository does not exist. `retry_after` is in seconds.
    pub(super) fn from_response(
        context: RequestContext<'_>,
        status: u16,
        body: &[u8],
        retry_after: Option<u64>,
    ) -> Self {
        let RequestContext { repository, peer, has_credentials } = context;
        let detail = parse_errors(body).into_iter().next().map_or_else(String::new, |entry| {
            let message = entry.message.filter(|message| !message.is_empty());
            let message = message.map_or_else(String::new, |message| format!(": {}", sanitize_quoted(&message)));
            format!(" ({}{message})", sanitize_quoted(&entry.code))
        });
        let host = if repository.is_docker_hub() { String::new() } else { format!(" {}", repository.host()) };
        let login = format!("`docker login{host}`");
        let (kind, hint) = match status {
            401 | 403 if has_credentials => {
                (Denied, format!("Docker's credentials do not allow it: log in to another account with {login}"))
            }
            401 | 403 => (Denied, format!("if the repository exists, log in with {login}")),
            404 => (RepositoryNotFound, "check the repository's name".to_owned()),
            429 if has_credentials => (Failed, wait_hint("wait", retry_after)),
            429 => (Failed, wait_hint(&format!("log in with {login}, which raises the limit, or wait"), retry_after)),
            _ => return Self::failure(format!("{peer} returned status {status}{detail}")),
        };
        let result = if status == 429 { "limits the request rate:" } else { "returned" };
        Self { kind, message: format!("{peer} {result} status {status}{detail}"), hint: Some(hint) }
    }

    /// Returns whether the body of an error reports an unknown repository.
    pub(super) fn is_unknown_repository(body: &[u8]) -> bool {
        parse_errors(body).iter().any(|entry| entry.code == "NAME_UNKNOWN")
    }

    /// Returns a hint for the user.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

fn parse_errors(body: &[u8]) -> Vec<WireErrorEntry> {
    serde_json::from_slice::<WireErrorResponse>(body).map(|response| response.errors).unwrap_or_default()
}

/// Adds the time to wait to the advice.
fn wait_hint(advice: &str, retry_after: Option<u64>) -> String {
    match retry_after {
        Some(1) => format!("{advice} a second"),
        Some(seconds) if seconds < 120 => format!("{advice} {seconds} seconds"),
        Some(seconds) => format!("{advice} {} minutes", seconds.div_ceil(60)),
        None => format!("{advice} until the limit allows more"),
    }
}
