//! What a stored report says about each runtime and each start.

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Deserializer, Serialize};

use crate::date::Date;
use crate::verdict::Verdict;
use crate::waiver::Waiver;

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
    /// Whether an unknown result is in the baseline. Not in the file.
    #[serde(skip)]
    pub(super) is_unknown_known: bool,
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
    /// The waiver that accepts it.
    pub(super) waived: Option<StoredWaiver>,
    /// Whether it is in the baseline. Not in the file.
    #[serde(skip)]
    pub(super) is_known: bool,
}

/// A waiver, as a report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredWaiver {
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

impl StoredWaiver {
    pub(super) fn new(waiver: &Waiver) -> Self {
        Self { reason: waiver.reason.clone(), expires: waiver.expires.map(|expires| expires.to_string()) }
    }

    /// Whether it has not expired. One whose date is of a later version does not apply.
    pub(super) fn applies_on(&self, today: Date) -> bool {
        self.expires.as_ref().is_none_or(|expires| expires.parse().is_ok_and(|last: Date| today <= last))
    }

    /// The waiver in a sentence: its last day, and the reason.
    pub(super) fn describe(&self) -> String {
        let until = self.expires.as_ref().map(|expires| format!(" until {expires}")).unwrap_or_default();
        format!("waived{until}: {}", self.reason)
    }
}

impl StoredFault {
    /// Whether it counts: it is neither waived nor known.
    pub(super) fn counts(&self) -> bool {
        self.waived.is_none() && !self.is_known
    }
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

    /// The verdict without findings that do not count.
    pub(super) fn counting_verdict(&self) -> Verdict {
        let is_unknown = !self.unknown.is_empty() && !self.is_unknown_known;
        match self.verdict() {
            Verdict::Fails if self.faults.is_empty() || self.faults.iter().any(StoredFault::counts) => Verdict::Fails,
            Verdict::Fails if is_unknown => Verdict::Unknown,
            Verdict::Fails => Verdict::Runs,
            // An invalid declaration is a fault, and what is unknown is the declaration itself.
            Verdict::Unknown if !self.faults.is_empty() && !self.faults.iter().any(StoredFault::counts) => {
                Verdict::Runs
            }
            Verdict::Unknown if self.faults.is_empty() && self.is_unknown_known => Verdict::Runs,
            verdict => verdict,
        }
    }

    /// How many findings count, and how many are known and not waived.
    pub(super) fn count_findings(&self) -> (u64, u64) {
        let (mut new, mut known) = (0, 0);
        for fault in self.faults.iter().filter(|fault| fault.waived.is_none()) {
            *(if fault.is_known { &mut known } else { &mut new }) += 1;
        }
        if self.faults.is_empty() && !self.unknown.is_empty() {
            *(if self.is_unknown_known { &mut known } else { &mut new }) += 1;
        }
        (new, known)
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
