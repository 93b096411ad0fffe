//! Counts of stored reports: for the summary of an audit, and for the header of its page.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::image_outcome::ImageOutcome;
use super::image_use::UnreadServices;
use super::stored_report::{StoredReport, hash_key};
use super::stored_runtime::StoredRuntime;
use crate::runtime::RUNTIMES;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// How many registries are named. An audit is of one.
const MAX_REGISTRIES: usize = 20;

/// The longest fault code, account and region, in characters: none is longer.
const MAX_CODE_CHARS: usize = 40;

/// The counts. Of each repository a hash is kept.
#[derive(Debug, Default)]
pub(super) struct ReportCounts {
    pub(super) images: u64,
    repositories: HashSet<[u8; 16]>,
    verdicts: BTreeMap<Verdict, u64>,
    outcomes: BTreeMap<ImageOutcome, u64>,
    /// The number of findings that count, and of those that are in the baseline.
    pub(super) findings: (u64, u64),
    /// The number of images that run, but whose start is not verified.
    pub(super) unverified: u64,
    faults: BTreeMap<String, u64>,
    counting_faults: BTreeMap<String, u64>,
    /// In the order of [`RUNTIMES`].
    runtimes: [u64; RUNTIMES.len()],
    /// Accounts and regions.
    pub(super) registries: BTreeSet<(String, String)>,
    /// The number of images in use, if consumers were read.
    pub(super) in_use: Option<u64>,
    pub(super) unread_services: UnreadServices,
}

impl ReportCounts {
    pub(super) fn add(&mut self, report: &StoredReport) {
        self.images += 1;
        *self.verdicts.entry(report.verdict()).or_default() += 1;
        *self.outcomes.entry(report.outcome()).or_default() += 1;
        for (new, known) in report.runtimes.iter().map(StoredRuntime::count_findings) {
            self.findings = (self.findings.0 + new, self.findings.1 + known);
        }
        self.unverified += u64::from(report.is_unverified_pass());
        if !report.arrival.repository.is_empty() {
            let [account, region, repository, ..] = report.identity();
            self.repositories.insert(hash_key(&[account, region, repository]));
            if self.registries.len() < MAX_REGISTRIES {
                self.registries.insert((sanitize_code(account), sanitize_code(region)));
            }
        }
        for code in report.fault_codes() {
            *self.faults.entry(sanitize_code(code)).or_default() += 1;
        }
        for code in report.counting_codes() {
            *self.counting_faults.entry(sanitize_code(code)).or_default() += 1;
        }
        if let Some(in_use) = &report.in_use {
            *self.in_use.get_or_insert_default() += u64::from(!in_use.by.is_empty());
            self.unread_services.add(&report.arrival.region, in_use);
        }
        for (profile, count) in RUNTIMES.iter().zip(&mut self.runtimes) {
            *count += u64::from(report.intended.iter().any(|intent| intent.runtime == profile.name));
        }
    }

    /// The number of repositories; zero if the reports do not name them.
    pub(super) fn repositories(&self) -> u64 {
        self.repositories.len() as u64
    }

    /// The number of images with this verdict.
    pub(super) fn of_verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// The number of images with this outcome.
    pub(super) fn of_outcome(&self, outcome: ImageOutcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }

    /// The number of images with each fault, the most frequent fault first.
    pub(super) fn faults(&self) -> Vec<(&str, u64)> {
        sort_by_count(&self.faults)
    }

    /// Same as [`Self::faults`], without faults that are waived or known.
    pub(super) fn counting_faults(&self) -> Vec<(&str, u64)> {
        sort_by_count(&self.counting_faults)
    }

    /// The names and titles of the runtimes that images are intended for.
    pub(super) fn used_runtimes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let used = RUNTIMES.iter().zip(self.runtimes).filter(|(_, count)| *count > 0);
        used.map(|(profile, _)| (profile.name, profile.title))
    }
}

fn sort_by_count(counts: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut sorted: Vec<(&str, u64)> = counts.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    sorted.sort_by_key(|(_, count)| Reverse(*count));
    sorted
}

/// A fault code, as it is counted and shown.
pub(super) fn sanitize_code(code: &str) -> String {
    sanitize(code, MAX_CODE_CHARS)
}
