//! How many images there are of what: the head of the page, which stands there without any script.
//!
//! Does not keep images; of each repository it keeps a hash, to count it once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sha2::{Digest as _, Sha256};

use super::line::StoredReport;
use super::texts::{MAX_NAME_CHARS, VERDICTS, sanitize};
use crate::runtime::RUNTIMES;
use crate::verdict::Verdict;

/// How many registries are named; an audit is of one as a rule.
const MAX_REGISTRIES: usize = 20;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct PageStatistics {
    pub(super) images: u64,
    repositories: HashSet<[u8; 32]>,
    /// In the order of [`VERDICTS`].
    verdict_counts: [u64; VERDICTS.len()],
    /// Images with each fault, by its code.
    fault_counts: BTreeMap<String, u64>,
    /// Images meant for each runtime, in the order of [`RUNTIMES`].
    runtime_counts: [u64; RUNTIMES.len()],
    /// Accounts and regions.
    pub(super) registries: BTreeSet<(String, String)>,
}

impl PageStatistics {
    pub(super) fn add(&mut self, line: &StoredReport) {
        self.images += 1;
        let verdict = VERDICTS.iter().position(|words| words.verdict.as_str() == line.verdict);
        // What a later version may call by another name is not known here.
        let unknown = VERDICTS.iter().position(|words| words.verdict == Verdict::Unknown);
        verdict.or(unknown).into_iter().for_each(|at| self.verdict_counts[at] += 1);
        if let Some(arrival) = &line.arrival {
            let place = [&arrival.account, &arrival.region, &arrival.repository].map(String::as_str);
            self.repositories.insert(Sha256::digest(place.join("\0")).into());
            if self.registries.len() < MAX_REGISTRIES {
                self.registries
                    .insert((sanitize(&arrival.account, MAX_NAME_CHARS), sanitize(&arrival.region, MAX_NAME_CHARS)));
            }
        }
        let codes: BTreeSet<&str> =
            line.runtimes.iter().flat_map(|answer| &answer.faults).map(|fault| fault.code.as_str()).collect();
        codes.iter().for_each(|code| *self.fault_counts.entry(sanitize(code, MAX_NAME_CHARS)).or_default() += 1);
        for (at, profile) in RUNTIMES.iter().enumerate() {
            if line.intended.iter().any(|declared| declared.runtime == profile.name) {
                self.runtime_counts[at] += 1;
            }
        }
    }

    /// How many images have this verdict.
    pub(super) fn verdict_count(&self, verdict: Verdict) -> u64 {
        let counted = VERDICTS.iter().zip(self.verdict_counts).find(|(words, _)| words.verdict == verdict);
        counted.map_or(0, |(_, count)| count)
    }

    /// How many repositories they are in; none where the results do not say.
    pub(super) fn repository_count(&self) -> usize {
        self.repositories.len()
    }

    /// The faults that there are, the most frequent first.
    pub(super) fn faults_by_count(&self) -> Vec<(&str, u64)> {
        let mut faults: Vec<(&str, u64)> =
            self.fault_counts.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        faults.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        faults
    }

    /// The names and titles of the runtimes that some image is meant for.
    pub(super) fn used_runtimes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let used = RUNTIMES.iter().zip(self.runtime_counts).filter(|(_, count)| *count > 0);
        used.map(|(profile, _)| (profile.name, profile.title))
    }
}
