//! What a stored report says about each runtime and each start.

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Deserializer};

use crate::verdict::Verdict;

/// The result for one runtime.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredRuntime {
    pub(super) runtime: String,
    #[serde(deserialize_with = "parse_verdict")]
    verdict: Option<Verdict>,
    /// Whether the start was verified.
    #[serde(default)]
    verified: bool,
    /// Why the start is not verified, if the image has a suitable platform.
    pub(super) not_verified: Option<String>,
    /// Why the verdict is unknown.
    #[serde(default)]
    pub(super) unknown: Vec<String>,
    #[serde(default)]
    pub(super) faults: Vec<StoredFault>,
    #[serde(default)]
    pub(super) warnings: Vec<StoredWarning>,
}

/// What is wrong but does not stop the image.
#[derive(Debug, Deserialize)]
pub(super) struct StoredWarning {
    pub(super) code: String,
    pub(super) evidence: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoredFault {
    pub(super) code: String,
    pub(super) evidence: String,
    pub(super) symptom: Option<String>,
    /// The steps that fix it: a command each, or the advice if there is no command.
    #[serde(default)]
    pub(super) remedy: Vec<String>,
    /// A sentence for each step.
    #[serde(default)]
    pub(super) advice: Vec<String>,
}

/// What happens when the image is started on one platform.
#[derive(Debug, Deserialize)]
pub(super) struct StoredStart {
    pub(super) platform: String,
    pub(super) host: String,
    #[serde(default)]
    pub(super) argv: Vec<String>,
    pub(super) outcome: String,
    pub(super) errno: Option<String>,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) chain: Vec<String>,
    pub(super) reason: Option<String>,
}

impl StoredRuntime {
    /// Whether the verdict is one of this version.
    pub(super) fn has_known_verdict(&self) -> bool {
        self.verdict.is_some()
    }

    /// Whether the image runs there, but its start was not verified.
    pub(super) fn is_unverified_pass(&self) -> bool {
        self.verdict() == Verdict::Runs && !self.verified
    }

    /// The verdict; one of a later version is unknown.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Unknown)
    }
}

/// Reads a verdict; `None` is a spelling of a later version.
pub(super) fn parse_verdict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Verdict>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known: Result<Verdict, ValueError> = Verdict::deserialize(name.into_deserializer());
    Ok(known.ok())
}
