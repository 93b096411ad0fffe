//! Why a registry did not hand out what it was asked for, in words, and what may help.
//!
//! Does not hold an address, a token or a password.

use serde::Deserialize;

use crate::name::RemoteRepository;
use crate::text::sanitize_quoted;

/// What a fault is to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DistributionErrorKind {
    /// It is not for this caller.
    Denied,
    /// The repository is not there.
    RepositoryNotFound,
    /// The registry, or the way to it, failed.
    Failed,
    /// A fresh request may well succeed.
    Transfer,
}

/// Why a registry did not hand out what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DistributionError {
    kind: DistributionErrorKind,
    message: String,
    hint: Option<String>,
}

/// Who is asked, and as whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) repository: &'a RemoteRepository,
    /// Such as "the registry".
    pub(super) peer: &'static str,
    /// Whether credentials were at hand.
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
    #[serde(default)]
    message: Option<String>,
}

impl DistributionError {
    pub(super) fn failure(words: impl Into<String>) -> Self {
        Self { kind: DistributionErrorKind::Failed, message: words.into(), hint: None }
    }

    pub(super) fn transfer(words: impl Into<String>) -> Self {
        Self { kind: DistributionErrorKind::Transfer, message: words.into(), hint: None }
    }

    /// What an answer means that is neither success nor "not found"; 404 itself, where it is the repository that is
    /// not there. `pause` is how many seconds the other side asks to wait.
    pub(super) fn from_response(asked: RequestContext<'_>, status: u16, body: &[u8], pause: Option<u64>) -> Self {
        let RequestContext { repository, peer: who, has_credentials: is_known } = asked;
        let said = serde_json::from_slice::<WireErrorResponse>(body)
            .ok()
            .and_then(|envelope| envelope.errors.into_iter().next());
        let said = said.map_or_else(String::new, |WireErrorEntry { code, message }| {
            let message = message.filter(|message| !message.is_empty());
            let message = message.map_or_else(String::new, |message| format!(": {}", sanitize_quoted(&message)));
            format!(" ({}{message})", sanitize_quoted(&code))
        });
        let login = if repository.is_docker_hub() { String::new() } else { format!(" {}", repository.host()) };
        let (kind, hint) = match status {
            401 | 403 if is_known => (
                DistributionErrorKind::Denied,
                Some(format!("docker's credentials do not allow it: `docker login{login}` takes others")),
            ),
            401 | 403 => (
                DistributionErrorKind::Denied,
                Some(format!("log in with `docker login{login}`, if the repository exists")),
            ),
            404 => (DistributionErrorKind::RepositoryNotFound, Some("check the repository's name".to_owned())),
            429 if is_known => (DistributionErrorKind::Failed, Some(wait_hint("wait", pause))),
            429 => {
                let login = format!("log in with `docker login{login}`, which raises the limit, or wait");
                (DistributionErrorKind::Failed, Some(wait_hint(&login, pause)))
            }
            _ => (DistributionErrorKind::Failed, None),
        };
        let words = match status {
            429 => format!("{who} allows no more requests for now, status 429{said}"),
            _ => format!("{who} answered with status {status}{said}"),
        };
        Self { kind, message: words, hint }
    }

    /// Whether an error's body says that the whole repository is unknown.
    pub(super) fn is_unknown_repository(body: &[u8]) -> bool {
        let envelope = serde_json::from_slice::<WireErrorResponse>(body).ok();
        envelope.is_some_and(|envelope| envelope.errors.iter().any(|said| said.code == "NAME_UNKNOWN"))
    }

    pub(super) fn kind(&self) -> DistributionErrorKind {
        self.kind
    }

    /// What may help.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// How long to wait, where the registry says it.
fn wait_hint(words: &str, pause: Option<u64>) -> String {
    match pause {
        Some(1) => format!("{words} a second"),
        Some(seconds) if seconds < 120 => format!("{words} {seconds} seconds"),
        Some(seconds) => format!("{words} {} minutes", seconds.div_ceil(60)),
        None => format!("{words} until the limit allows more"),
    }
}
