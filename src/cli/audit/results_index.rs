//! The index of a results file: where each report is, how it sorts, and the counts of all of them. A report takes a few
//! dozen bytes of memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::cli::stored_report::{StoredReport, hash_key};
use crate::event::Arrival;
use crate::name::{Digest, Tag};
use crate::verdict::Verdict;

/// The reports so far.
#[derive(Debug, Default)]
pub(super) struct ResultsIndex {
    entries: Vec<ResultsIndexEntry>,
    repositories: Vec<String>,
    repository_numbers: HashMap<String, u32>,
    known_keys: HashSet<[u8; 16]>,
    verdict_counts: BTreeMap<Verdict, u64>,
    fault_counts: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy)]
struct ResultsIndexEntry {
    offset: u64,
    /// Seconds since 1970.
    pushed_seconds: i64,
    repository: u32,
    verdict: Verdict,
}

impl ResultsIndex {
    /// Adds the report at this offset of the file, unless there is one of the same image and tag.
    pub(super) fn add(&mut self, report: &StoredReport, offset: u64) {
        if !self.known_keys.insert(hash_key(&report.identity())) {
            return;
        }
        let [account, region, name, ..] = report.identity();
        let name = format!("{account}/{region}/{name}");
        let next = u32::try_from(self.repositories.len()).unwrap_or(u32::MAX);
        let repository = *self.repository_numbers.entry(name.clone()).or_insert(next);
        if repository == next {
            self.repositories.push(name);
        }
        let pushed = DateTime::from_str(report.pushed_at(), Format::DateTime);
        let pushed_seconds = pushed.map_or(i64::MIN, |date| date.secs());
        let verdict = report.verdict();
        self.entries.push(ResultsIndexEntry { offset, pushed_seconds, repository, verdict });
        *self.verdict_counts.entry(verdict).or_default() += 1;
        for code in report.fault_codes() {
            match self.fault_counts.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.fault_counts.insert(code.to_owned(), 1)),
            }
        }
    }

    /// Whether there is a report of the same image and tag.
    pub(super) fn contains_report(&self, report: &StoredReport) -> bool {
        self.known_keys.contains(&hash_key(&report.identity()))
    }

    /// Whether there is a report of this image and tag.
    pub(super) fn contains(&self, arrival: &Arrival) -> bool {
        self.known_keys.contains(&hash_key(&arrival_identity(arrival)))
    }

    /// The region and account of all reports, if they have one in common.
    pub(super) fn single_registry(&self) -> Option<(&str, &str)> {
        let mut registries = self.repositories.iter().map(|name| {
            let mut parts = name.splitn(3, '/');
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        });
        let (account, region) = registries.next()?;
        registries.all(|registry| registry == (account, region)).then_some((region, account))
    }

    /// Returns the offsets of the reports with these verdicts: the worst first, then by repository, then the last pushed
    /// first.
    pub(super) fn offsets_worst_first(&mut self, is_selected: impl Fn(Verdict) -> bool) -> Vec<u64> {
        let names = &self.repositories;
        let rank = |entry: &ResultsIndexEntry| {
            let name = &names[entry.repository as usize];
            (Reverse(severity(entry.verdict)), name, Reverse(entry.pushed_seconds), entry.offset)
        };
        self.entries.sort_unstable_by(|one, other| rank(one).cmp(&rank(other)));
        self.entries.iter().filter(|entry| is_selected(entry.verdict)).map(|entry| entry.offset).collect()
    }

    pub(super) fn report_count(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn repository_count(&self) -> u64 {
        self.repositories.len() as u64
    }

    pub(super) fn verdict_count(&self, verdict: Verdict) -> u64 {
        self.verdict_counts.get(&verdict).copied().unwrap_or_default()
    }

    /// The number of reports with each fault, the most frequent fault first.
    pub(super) fn faults_by_count(&self) -> Vec<(&str, u64)> {
        let mut faults: Vec<(&str, u64)> =
            self.fault_counts.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        faults.sort_by_key(|(code, count)| (Reverse(*count), *code));
        faults
    }
}

/// The account, region, repository, digest and tag that the report of an arrival has.
pub(super) fn arrival_identity(arrival: &Arrival) -> [&str; 5] {
    let (repository, selector) = (&arrival.repository, &arrival.selector);
    let digest = selector.digest().map(Digest::as_str).unwrap_or_default();
    let tag = selector.tag().map(Tag::as_str).unwrap_or_default();
    [repository.account(), repository.region(), repository.name(), digest, tag]
}

/// How urgent a verdict is: an undeclared image may hide a problem, one that runs does not.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fails => 4,
        Verdict::Unknown => 3,
        Verdict::Undeclared => 2,
        Verdict::Runs => 1,
        Verdict::Ignored => 0,
    }
}
