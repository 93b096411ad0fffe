//! Why a registry did not hand out what it was asked for, in words, and what may help.
//!
//! Does not hold an address, a token or a password.

use serde::Deserialize;

use crate::name::Remote;
use crate::text::quoted;

/// What a fault is to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is not for this caller.
    Denied,
    /// The repository is not there.
    Missing,
    /// The registry, or the way to it, failed.
    Failed,
    /// A fresh request may well succeed.
    Transfer,
}

/// Why a registry did not hand out what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Fault {
    kind: Kind,
    words: String,
    hint: Option<String>,
}

/// Who is asked, and as whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) repository: &'a Remote,
    /// Such as "the registry".
    pub(super) who: &'static str,
    /// Whether credentials were at hand.
    pub(super) is_known: bool,
}

/// The body of an error: OCI distribution specification 1.1, "Error Codes".
#[derive(Debug, Deserialize)]
struct Envelope {
    errors: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    code: String,
    #[serde(default)]
    message: Option<String>,
}

impl Fault {
    pub(super) fn failed(words: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, words: words.into(), hint: None }
    }

    pub(super) fn transfer(words: impl Into<String>) -> Self {
        Self { kind: Kind::Transfer, words: words.into(), hint: None }
    }

    /// What an answer means that is neither success nor "not found"; 404 itself, where it is the repository that is
    /// not there. `pause` is how many seconds the other side asks to wait.
    pub(super) fn answered(asked: Asked<'_>, status: u16, body: &[u8], pause: Option<u64>) -> Self {
        let Asked { repository, who, is_known } = asked;
        let said =
            serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.errors.into_iter().next());
        let said = said.map_or_else(String::new, |Said { code, message }| {
            let message = message.filter(|message| !message.is_empty());
            let message = message.map_or_else(String::new, |message| format!(": {}", quoted(&message)));
            format!(" ({}{message})", quoted(&code))
        });
        let login = if repository.is_of_hub() { String::new() } else { format!(" {}", repository.host()) };
        let (kind, hint) = match status {
            401 | 403 if is_known => (
                Kind::Denied,
                Some(format!("docker's credentials do not allow it: `docker login{login}` takes others")),
            ),
            401 | 403 => (Kind::Denied, Some(format!("log in with `docker login{login}`, if the repository exists"))),
            404 => (Kind::Missing, Some("check the repository's name".to_owned())),
            429 if is_known => (Kind::Failed, Some(waiting("wait", pause))),
            429 => {
                let login = format!("log in with `docker login{login}`, which raises the limit, or wait");
                (Kind::Failed, Some(waiting(&login, pause)))
            }
            _ => (Kind::Failed, None),
        };
        let words = match status {
            429 => format!("{who} allows no more requests for now, status 429{said}"),
            _ => format!("{who} answered with status {status}{said}"),
        };
        Self { kind, words, hint }
    }

    /// Whether an error's body says that the whole repository is unknown.
    pub(super) fn is_of_repository(body: &[u8]) -> bool {
        let envelope = serde_json::from_slice::<Envelope>(body).ok();
        envelope.is_some_and(|envelope| envelope.errors.iter().any(|said| said.code == "NAME_UNKNOWN"))
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What may help.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// How long to wait, where the registry says it.
fn waiting(words: &str, pause: Option<u64>) -> String {
    match pause {
        Some(1) => format!("{words} a second"),
        Some(seconds) if seconds < 120 => format!("{words} {seconds} seconds"),
        Some(seconds) => format!("{words} {} minutes", seconds.div_ceil(60)),
        None => format!("{words} until the limit allows more"),
    }
}
