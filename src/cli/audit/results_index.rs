//! What is kept of each line of the results: where it stands and how it sorts; and what is counted of all.
//!
//! Does not keep the lines themselves: memory stays a few dozen bytes for each, however many there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::row::StoredReport;
use crate::event::Arrival;
use crate::name::{Digest, Tag};
use crate::verdict::Verdict;

/// All lines so far.
#[derive(Debug, Default)]
pub(super) struct ResultsIndex {
    entries: Vec<ResultsIndexEntry>,
    repositories: Vec<String>,
    repository_numbers: HashMap<String, u32>,
    known_keys: HashSet<u128>,
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
    /// Counts a line that stands at this place in the file; not a second time where it tells of the same image and tag.
    pub(super) fn add(&mut self, row: &StoredReport, at: u64) {
        if !self.known_keys.insert(row_key(row)) {
            return;
        }
        let name = format!("{}/{}/{}", row.account, row.region, row.repository);
        let next = u32::try_from(self.repositories.len()).unwrap_or(u32::MAX);
        let repository = *self.repository_numbers.entry(name.clone()).or_insert(next);
        if repository == next {
            self.repositories.push(name);
        }
        let date = row.pushed_at.as_deref().and_then(|date| DateTime::from_str(date, Format::DateTime).ok());
        let pushed = date.map_or(i64::MIN, |date| date.secs());
        self.entries.push(ResultsIndexEntry { offset: at, pushed_seconds: pushed, repository, verdict: row.verdict });
        *self.verdict_counts.entry(row.verdict).or_default() += 1;
        for code in row.fault_codes() {
            match self.fault_counts.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.fault_counts.insert(code.to_owned(), 1)),
            }
        }
    }

    /// Whether there is a line of the image and tag that this one tells of.
    pub(super) fn contains_row(&self, row: &StoredReport) -> bool {
        self.known_keys.contains(&row_key(row))
    }

    /// The region and account of all lines, where they have one in common.
    pub(super) fn single_registry(&self) -> Option<(&str, &str)> {
        let mut places = self.repositories.iter().map(|name| {
            let mut parts = name.splitn(3, '/');
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        });
        let (account, region) = places.next()?;
        places.all(|place| place == (account, region)).then_some((region, account))
    }

    /// Whether there is a line of this image and tag.
    pub(super) fn contains(&self, arrival: &Arrival) -> bool {
        let (repository, selector) = (&arrival.repository, &arrival.selector);
        let digest = selector.digest().map(Digest::as_str).unwrap_or_default();
        let tag = selector.tag().map(Tag::as_str).unwrap_or_default();
        self.known_keys.contains(&hash_key(&[
            repository.account(),
            repository.region(),
            repository.name(),
            digest,
            tag,
        ]))
    }

    /// Where lines stand, the worst first, then by repository, then those pushed last first.
    pub(super) fn offsets_worst_first(&mut self, is_shown: impl Fn(Verdict) -> bool) -> Vec<u64> {
        let names = &self.repositories;
        let rank = |entry: &ResultsIndexEntry| {
            (
                Reverse(severity(entry.verdict)),
                &names[entry.repository as usize],
                Reverse(entry.pushed_seconds),
                entry.offset,
            )
        };
        self.entries.sort_unstable_by(|one, other| rank(one).cmp(&rank(other)));
        self.entries.iter().filter(|entry| is_shown(entry.verdict)).map(|entry| entry.offset).collect()
    }

    pub(super) fn line_count(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn repository_count(&self) -> u64 {
        self.repositories.len() as u64
    }

    pub(super) fn verdict_count(&self, verdict: Verdict) -> u64 {
        self.verdict_counts.get(&verdict).copied().unwrap_or_default()
    }

    /// How many lines have each fault, most of them first.
    pub(super) fn faults_by_count(&self) -> Vec<(&str, u64)> {
        let mut faults: Vec<(&str, u64)> =
            self.fault_counts.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        faults.sort_by_key(|(code, count)| (Reverse(*count), *code));
        faults
    }
}

/// How much it matters. What nobody declared anything for may be where something is amiss; what runs is fine.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fails => 4,
        Verdict::Unknown => 3,
        Verdict::Undeclared => 2,
        Verdict::Runs => 1,
        Verdict::Ignored => 0,
    }
}

fn row_key(row: &StoredReport) -> u128 {
    hash_key(&[&row.account, &row.region, &row.repository, &row.digest, &row.tag])
}

/// What a line is known by: the first 16 bytes of a digest, so that no two are taken for one.
fn hash_key(parts: &[&str]) -> u128 {
    let digest = Digest::of(parts.join("\n").as_bytes());
    u128::from_str_radix(&digest.hex()[..32], 16).expect("a digest is made of hexadecimal digits")
}
