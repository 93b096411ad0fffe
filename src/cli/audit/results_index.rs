//! The index of a results file: where each report is, how it sorts, and the counts of all of them. A report takes a few
//! dozen bytes of memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::cli::image_outcome::ImageOutcome;
use crate::cli::report_counts::ReportCounts;
use crate::cli::stored_report::{StoredReport, hash_key};
use crate::event::Arrival;
use crate::name::{Digest, Tag};

/// The reports so far.
#[derive(Debug, Default)]
pub(super) struct ResultsIndex {
    entries: Vec<ResultsIndexEntry>,
    repositories: HashSet<Rc<str>>,
    known_keys: HashSet<[u8; 16]>,
    pub(super) counts: ReportCounts,
}

#[derive(Debug)]
struct ResultsIndexEntry {
    offset: u64,
    /// Seconds since 1970.
    pushed_seconds: i64,
    repository: Rc<str>,
    outcome: ImageOutcome,
}

impl ResultsIndex {
    /// Adds the report at this offset of the file, unless there is one of the same image and tag.
    pub(super) fn add(&mut self, report: &StoredReport, offset: u64) {
        if !self.known_keys.insert(hash_key(&report.identity())) {
            return;
        }
        let [account, region, name, ..] = report.identity();
        let name = format!("{account}/{region}/{name}");
        let repository = self.repositories.get(name.as_str()).cloned().unwrap_or_else(|| name.into());
        self.repositories.insert(Rc::clone(&repository));
        let pushed = DateTime::from_str(&report.arrival.pushed_at, Format::DateTime);
        let pushed_seconds = pushed.map_or(i64::MIN, |date| date.secs());
        self.entries.push(ResultsIndexEntry { offset, pushed_seconds, repository, outcome: report.outcome() });
        self.counts.add(report);
    }

    /// Whether there is a report of this image and tag, see [`StoredReport::identity`].
    pub(super) fn contains(&self, identity: [&str; 5]) -> bool {
        self.known_keys.contains(&hash_key(&identity))
    }

    /// Returns the repositories that have images with these outcomes: those with the worst images first, then by name.
    pub(super) fn group_by_repository(&mut self, is_selected: impl Fn(ImageOutcome) -> bool) -> Vec<RepositoryGroup> {
        let mut by_name: BTreeMap<Rc<str>, [Vec<u64>; ImageOutcome::ALL.len()]> = BTreeMap::new();
        self.sort_worst_first();
        for entry in &self.entries {
            by_name.entry(Rc::clone(&entry.repository)).or_default()[entry.outcome as usize].push(entry.offset);
        }
        let mut groups: Vec<(Option<usize>, RepositoryGroup)> = Vec::new();
        for by_outcome in by_name.into_values() {
            let worst = by_outcome.iter().position(|offsets| !offsets.is_empty());
            let counts = ImageOutcome::ALL.into_iter().zip(by_outcome.iter().map(|offsets| offsets.len() as u64));
            let counts = counts.filter(|(_, count)| *count > 0).collect();
            let selected = ImageOutcome::ALL.into_iter().zip(by_outcome).filter(|(outcome, _)| is_selected(*outcome));
            let offsets: Vec<u64> = selected.flat_map(|(_, offsets)| offsets).collect();
            if !offsets.is_empty() {
                groups.push((worst, RepositoryGroup { counts, offsets }));
            }
        }
        // Stable, so that names stay in their order.
        groups.sort_by_key(|(worst, _)| *worst);
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Returns the offsets of the reports with these outcomes: the worst first, then by repository, then the last pushed
    /// first.
    pub(super) fn offsets_worst_first(&mut self, is_selected: impl Fn(ImageOutcome) -> bool) -> Vec<u64> {
        self.sort_worst_first();
        self.entries.iter().filter(|entry| is_selected(entry.outcome)).map(|entry| entry.offset).collect()
    }

    fn sort_worst_first(&mut self) {
        fn rank(entry: &ResultsIndexEntry) -> impl Ord {
            (entry.outcome, &entry.repository, Reverse(entry.pushed_seconds), entry.offset)
        }
        self.entries.sort_unstable_by(|one, other| rank(one).cmp(&rank(other)));
    }
}

/// Images of one repository.
#[derive(Debug, Default)]
pub(super) struct RepositoryGroup {
    /// How many images of the repository have each outcome, also those that are not selected; the most urgent first.
    pub(super) counts: Vec<(ImageOutcome, u64)>,
    /// Where the reports of the selected images are: the worst first, then the last pushed first.
    pub(super) offsets: Vec<u64>,
}

/// The account, region, repository, digest and tag that the report of an arrival has.
pub(super) fn arrival_identity(arrival: &Arrival) -> [&str; 5] {
    let (repository, selector) = (&arrival.repository, &arrival.selector);
    let digest = selector.digest().map(Digest::as_str).unwrap_or_default();
    let tag = selector.tag().map(Tag::as_str).unwrap_or_default();
    [repository.account(), repository.region(), repository.name(), digest, tag]
}
