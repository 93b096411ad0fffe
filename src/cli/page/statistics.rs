//! The counts at the top of the page, which are there without any script.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::texts::{MAX_NAME_CHARS, sanitize};
use crate::cli::stored_report::{StoredReport, hash_key};
use crate::runtime::RUNTIMES;
use crate::verdict::Verdict;

/// How many registries are named. An audit is of one.
const MAX_REGISTRIES: usize = 20;

/// The counts of all reports. Of each repository a hash is kept.
#[derive(Debug, Default)]
pub(super) struct PageStatistics {
    pub(super) images: u64,
    repositories: HashSet<[u8; 16]>,
    verdict_counts: BTreeMap<Verdict, u64>,
    /// The number of images with each fault.
    fault_counts: BTreeMap<String, u64>,
    /// The number of images for each runtime, in the order of [`RUNTIMES`].
    runtime_counts: [u64; RUNTIMES.len()],
    /// Accounts and regions.
    pub(super) registries: BTreeSet<(String, String)>,
}

impl PageStatistics {
    pub(super) fn add(&mut self, report: &StoredReport) {
        self.images += 1;
        *self.verdict_counts.entry(report.verdict()).or_default() += 1;
        if report.arrival.is_some() {
            let [account, region, repository, ..] = report.identity();
            self.repositories.insert(hash_key(&[account, region, repository]));
            if self.registries.len() < MAX_REGISTRIES {
                self.registries.insert((sanitize(account, MAX_NAME_CHARS), sanitize(region, MAX_NAME_CHARS)));
            }
        }
        for code in report.fault_codes() {
            *self.fault_counts.entry(sanitize(code, MAX_NAME_CHARS)).or_default() += 1;
        }
        for (profile, count) in RUNTIMES.iter().zip(&mut self.runtime_counts) {
            *count += u64::from(report.intended.iter().any(|intent| intent.runtime == profile.name));
        }
    }

    /// The number of images with this verdict.
    pub(super) fn verdict_count(&self, verdict: Verdict) -> u64 {
        self.verdict_counts.get(&verdict).copied().unwrap_or_default()
    }

    /// The number of repositories; zero if the reports do not name them.
    pub(super) fn repository_count(&self) -> usize {
        self.repositories.len()
    }

    /// The faults with the number of images, the most frequent first.
    pub(super) fn faults_by_count(&self) -> Vec<(&str, u64)> {
        let mut faults: Vec<(&str, u64)> =
            self.fault_counts.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        faults.sort_by_key(|(_, count)| Reverse(*count));
        faults
    }

    /// The names and titles of the runtimes that images are intended for.
    pub(super) fn used_runtimes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let used = RUNTIMES.iter().zip(self.runtime_counts).filter(|(_, count)| *count > 0);
        used.map(|(profile, _)| (profile.name, profile.title))
    }
}
