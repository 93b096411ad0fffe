//! One line of the results: a report of the schema `ecr-preflight/1`, as far as tables need it.
//!
//! Does not check that names are names: a file may have been written by anybody, and is shown with care.

use serde::Deserialize;

use crate::report::SCHEMA;
use crate::verdict::Verdict;

/// One image, and the answer for one declaration of its.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredReport {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) repository: String,
    pub(super) digest: String,
    pub(super) tag: String,
    /// The other tags that share the answer.
    pub(super) also_tagged: Vec<String>,
    /// An RFC 3339 date in UTC.
    pub(super) pushed_at: Option<String>,
    pub(super) verdict: Verdict,
    /// Why it was not judged, where it was not.
    pub(super) ignored: Option<String>,
    /// What the image claims to be for.
    pub(super) platforms: Vec<String>,
    /// The runtimes that it was held against.
    pub(super) intended: Vec<String>,
    pub(super) runtimes: Vec<StoredRuntime>,
    /// The settings that are not at their defaults, as words.
    pub(super) settings: String,
}

/// The answer for one runtime.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredRuntime {
    pub(super) runtime: String,
    pub(super) verdict: Verdict,
    /// Why it could not be told.
    #[serde(default)]
    pub(super) unknown: Vec<String>,
    #[serde(default)]
    pub(super) faults: Vec<StoredFault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StoredFault {
    pub(super) code: String,
    pub(super) platform: Option<String>,
    pub(super) evidence: String,
    pub(super) symptom: Option<String>,
    /// What to do: a command each, or advice where there is none.
    #[serde(default)]
    pub(super) remedy: Vec<String>,
}

/// The text is no line of an audit.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum StoredReportError {
    #[error("it is no report")]
    Json(#[from] serde_json::Error),
    #[error("its schema is not {SCHEMA}")]
    Schema,
}

/// What the first line begins with: what other commands print is no line of an audit.
pub(super) const FIRST_LINE_PREFIX: &[u8] = b"{\"schema\":\"ecr-preflight/1\",\"arrival\":";

/// What every line begins with.
pub(super) const LINE_PREFIX: &[u8] = b"{\"schema\":\"ecr-preflight/1\",";

#[derive(Debug, Deserialize)]
struct StoredLine {
    schema: String,
    arrival: StoredArrival,
    image: Option<StoredImage>,
    verdict: Verdict,
    ignored: Option<String>,
    #[serde(default)]
    intended: Vec<StoredIntent>,
    #[serde(default)]
    runtimes: Vec<StoredRuntime>,
    #[serde(default)]
    settings: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredArrival {
    account: String,
    region: String,
    repository: String,
    digest: String,
    tag: String,
    #[serde(default)]
    also_tagged: Vec<String>,
    pushed_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct StoredImage {
    platforms: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct StoredIntent {
    runtime: String,
}

impl StoredReport {
    /// Reads one line.
    ///
    /// # Errors
    /// Where it is no report of an audit.
    pub(super) fn parse(line: &[u8]) -> Result<Self, StoredReportError> {
        let line: StoredLine = serde_json::from_slice(line)?;
        if line.schema != SCHEMA {
            return Err(StoredReportError::Schema);
        }
        let StoredArrival { account, region, repository, digest, tag, also_tagged, pushed_at } = line.arrival;
        Ok(Self {
            account,
            region,
            repository,
            digest,
            tag,
            also_tagged,
            pushed_at,
            verdict: line.verdict,
            ignored: line.ignored,
            platforms: line.image.map(|image| image.platforms).unwrap_or_default(),
            intended: line.intended.into_iter().map(|intended| intended.runtime).collect(),
            runtimes: line.runtimes,
            settings: line.settings,
        })
    }

    /// How the image is called in a sentence.
    pub(super) fn subject(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// The fault codes, each once, in their order.
    pub(super) fn fault_codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for fault in self.runtimes.iter().flat_map(|answer| &answer.faults) {
            if !codes.contains(&fault.code.as_str()) {
                codes.push(&fault.code);
            }
        }
        codes
    }
}
