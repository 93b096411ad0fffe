//! Reports that are read back from a file of JSON lines, for `audit` and `page`.
//!
//! Members are read if `audit` or `page` shows them; unknown members are ignored. Texts are not validated: anybody may
//! have written the file, so they are sanitized when they are shown.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::image_outcome::ImageOutcome;
use super::image_use::ImageUse;
use super::stored_runtime::{StoredFault, StoredRuntime, StoredStart, parse_verdict};
use crate::name::Repository;
use crate::report::SCHEMA;
use crate::verdict::Verdict;

/// The longest line, in bytes. A report of an index with hundreds of faults takes some hundred kilobytes.
pub(super) const MAX_LINE_BYTES: usize = 8 << 20;

/// Why a line is not a report.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredReportError {
    #[error("it is longer than {} MiB", MAX_LINE_BYTES >> 20)]
    TooLong,
    #[error("it is not a report")]
    Json(#[from] serde_json::Error),
    #[error("its schema is not {SCHEMA}")]
    Schema,
    #[error("it is not a report of an audit: {0} is missing or unknown")]
    NotAudited(&'static str),
}

/// The report of one image and tag.
#[derive(Debug, Deserialize)]
pub(super) struct StoredReport {
    schema: String,
    /// Empty in a report of `check`.
    #[serde(default)]
    pub(super) arrival: StoredArrival,
    /// Who is responsible for the repository; empty if it is unknown.
    #[serde(default)]
    pub(super) owner: String,
    /// Empty if the image was not read.
    #[serde(default)]
    pub(super) image: StoredImage,
    #[serde(default)]
    pub(super) intended: Vec<StoredIntent>,
    #[serde(deserialize_with = "parse_verdict")]
    verdict: Option<Verdict>,
    /// Why the image was not judged.
    pub(super) ignored: Option<String>,
    #[serde(default)]
    pub(super) runtimes: Vec<StoredRuntime>,
    #[serde(default)]
    pub(super) exec: Vec<StoredStart>,
    /// The settings that differ from their defaults, as words.
    #[serde(default)]
    pub(super) settings: String,
    /// Who runs the image; `None` if nobody asked.
    #[serde(default, rename = "inUse")]
    pub(super) in_use: Option<ImageUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredArrival {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) repository: String,
    #[serde(default)]
    pub(super) digest: String,
    #[serde(default)]
    pub(super) tag: String,
    /// The other tags that share the result.
    #[serde(default)]
    pub(super) also_tagged: Vec<String>,
    /// An RFC 3339 date in UTC; empty if it is unknown.
    #[serde(default)]
    pub(super) pushed_at: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct StoredImage {
    pub(super) reference: String,
    pub(super) digest: String,
    /// The platforms that the image declares.
    pub(super) platforms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredIntent {
    pub(super) runtime: String,
    pub(super) declared_by: String,
}

impl StoredReport {
    /// Parses one line.
    ///
    /// # Errors
    /// The line is too long, is not JSON, or has another schema.
    pub(super) fn parse(line: &[u8]) -> Result<Self, StoredReportError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(StoredReportError::TooLong);
        }
        let report: Self = serde_json::from_slice(line)?;
        if report.schema == SCHEMA { Ok(report) } else { Err(StoredReportError::Schema) }
    }

    /// Parses one line of the results of an audit, which names its image completely and has only known verdicts.
    ///
    /// # Errors
    /// Those of [`StoredReport::parse`], or a member is missing.
    pub(super) fn parse_audited(line: &[u8]) -> Result<Self, StoredReportError> {
        let report = Self::parse(line)?;
        let missing = [
            (!report.arrival.digest.is_empty(), "the digest"),
            (!report.arrival.tag.is_empty(), "the tag"),
            (report.verdict.is_some() && report.runtimes.iter().all(StoredRuntime::has_known_verdict), "a verdict"),
        ];
        match missing.iter().find(|(is_known, _)| !is_known) {
            Some((_, member)) => Err(StoredReportError::NotAudited(member)),
            None => Ok(report),
        }
    }

    /// The verdict; one of a later version is unknown.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Unknown)
    }

    /// What the image counts as.
    pub(super) fn outcome(&self) -> ImageOutcome {
        if self.verdict() < Verdict::Unknown || self.runtimes.is_empty() {
            return ImageOutcome::of_verdict(self.verdict());
        }
        match self.runtimes.iter().map(StoredRuntime::counting_verdict).max() {
            Some(verdict) if verdict >= Verdict::Unknown => ImageOutcome::of_verdict(verdict),
            _ if self.runtimes.iter().any(|runtime| runtime.count_findings().1 > 0) => ImageOutcome::Known,
            _ => ImageOutcome::Waived,
        }
    }

    /// The fault codes that count, each once, in their order.
    pub(super) fn counting_codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for fault in self.faults().filter(|fault| fault.counts()) {
            if !codes.contains(&fault.code.as_str()) {
                codes.push(&fault.code);
            }
        }
        codes
    }

    /// Account, region, repository, digest and tag of the image; empty if the report does not name them.
    pub(super) fn identity(&self) -> [&str; 5] {
        let arrival = &self.arrival;
        [&arrival.account, &arrival.region, &arrival.repository, &arrival.digest, &arrival.tag]
    }

    /// Identifies reports of the same image, tag and settings; `None` if the report does not name its image completely.
    pub(super) fn identity_key(&self) -> Option<[u8; 16]> {
        let [account, region, repository, digest, tag] = self.identity();
        let parts = [account, region, repository, digest, tag, &self.settings];
        (!digest.is_empty() && !tag.is_empty()).then(|| hash_key(&parts))
    }

    /// The repository; `None` if the report does not name it validly.
    pub(super) fn repository(&self) -> Option<Repository> {
        let StoredArrival { account, region, repository, .. } = &self.arrival;
        Repository::new(account, region, repository).ok()
    }

    /// The image's name in a sentence.
    pub(super) fn subject(&self) -> String {
        format!("{}:{}", self.arrival.repository, self.arrival.tag)
    }

    /// Whether the image runs, but its start was not verified on every runtime.
    pub(super) fn is_unverified_pass(&self) -> bool {
        self.verdict() == Verdict::Runs && self.runtimes.iter().any(StoredRuntime::is_unverified_pass)
    }

    pub(super) fn faults(&self) -> impl Iterator<Item = &StoredFault> {
        self.runtimes.iter().flat_map(|runtime| &runtime.faults)
    }

    /// The fault codes, each once, in their order.
    pub(super) fn fault_codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for fault in self.faults() {
            if !codes.contains(&fault.code.as_str()) {
                codes.push(&fault.code);
            }
        }
        codes
    }
}

/// The first 16 bytes of the SHA-256 of names, which contain no line break: enough that no two are taken for one.
pub(super) fn hash_key(parts: &[&str]) -> [u8; 16] {
    *Sha256::digest(parts.join("\n")).first_chunk().expect("SHA-256 has 32 bytes")
}

/// Reads the next line with its line break; empty at the end of the file. Of a line that is too long only the beginning is
/// read, which is still too long for [`StoredReport::parse`].
///
/// # Errors
/// The file cannot be read.
pub(super) fn read_line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn audited_reports_name_their_image_and_known_verdicts() {
        let report = |member: &str, value: Value| {
            let mut report = json!({"schema": SCHEMA, "verdict": "runs", "runtimes": [{"runtime": "ecs/arm64", "verdict": "runs"}],
                "arrival": {"account": "123456789012", "region": "us-west-2", "repository": "app", "digest": "sha256:0", "tag": "v1"}});
            *report.pointer_mut(member).unwrap() = value;
            report.to_string().into_bytes()
        };
        assert!(StoredReport::parse_audited(&report("/verdict", "fails".into())).is_ok());
        for (member, value) in
            [("/arrival/tag", ""), ("/arrival/digest", ""), ("/verdict", "later"), ("/runtimes/0/verdict", "later")]
        {
            let line = report(member, value.into());
            assert!(matches!(StoredReport::parse_audited(&line), Err(StoredReportError::NotAudited(_))), "{member}");
            assert!(StoredReport::parse(&line).is_ok(), "{member}");
        }
        assert_eq!(StoredReport::parse(&report("/verdict", "later".into())).unwrap().verdict(), Verdict::Unknown);
    }
}
