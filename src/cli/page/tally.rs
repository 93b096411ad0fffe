//! How many images there are of what: the head of the page, which stands there without any script.
//!
//! Does not keep images; of each repository it keeps a hash, to count it once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sha2::{Digest as _, Sha256};

use super::line::Line;
use super::words::{MAX_NAME, VERDICTS, clean};
use crate::runtime::RUNTIMES;
use crate::verdict::Verdict;

/// How many registries are named; an audit is of one as a rule.
const MAX_PLACES: usize = 20;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) images: u64,
    repositories: HashSet<[u8; 32]>,
    /// In the order of [`VERDICTS`].
    verdicts: [u64; VERDICTS.len()],
    /// Images with each fault, by its code.
    faults: BTreeMap<String, u64>,
    /// Images meant for each runtime, in the order of [`RUNTIMES`].
    runtimes: [u64; RUNTIMES.len()],
    /// Accounts and regions.
    pub(super) places: BTreeSet<(String, String)>,
}

impl Tally {
    pub(super) fn add(&mut self, line: &Line) {
        self.images += 1;
        let verdict = VERDICTS.iter().position(|words| words.verdict.as_str() == line.verdict);
        // What a later version may call by another name is not known here.
        let unknown = VERDICTS.iter().position(|words| words.verdict == Verdict::Unknown);
        verdict.or(unknown).into_iter().for_each(|at| self.verdicts[at] += 1);
        if let Some(arrival) = &line.arrival {
            let place = [&arrival.account, &arrival.region, &arrival.repository].map(String::as_str);
            self.repositories.insert(Sha256::digest(place.join("\0")).into());
            if self.places.len() < MAX_PLACES {
                self.places.insert((clean(&arrival.account, MAX_NAME), clean(&arrival.region, MAX_NAME)));
            }
        }
        let codes: BTreeSet<&str> =
            line.runtimes.iter().flat_map(|answer| &answer.faults).map(|fault| fault.code.as_str()).collect();
        codes.iter().for_each(|code| *self.faults.entry(clean(code, MAX_NAME)).or_default() += 1);
        for (at, profile) in RUNTIMES.iter().enumerate() {
            if line.intended.iter().any(|declared| declared.runtime == profile.name) {
                self.runtimes[at] += 1;
            }
        }
    }

    /// How many images have this verdict.
    pub(super) fn of(&self, verdict: Verdict) -> u64 {
        let counted = VERDICTS.iter().zip(self.verdicts).find(|(words, _)| words.verdict == verdict);
        counted.map_or(0, |(_, count)| count)
    }

    /// How many repositories they are in; none where the results do not say.
    pub(super) fn repositories(&self) -> usize {
        self.repositories.len()
    }

    /// The faults that there are, the most frequent first.
    pub(super) fn faults(&self) -> Vec<(&str, u64)> {
        let mut faults: Vec<(&str, u64)> = self.faults.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        faults.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        faults
    }

    /// The names and titles of the runtimes that some image is meant for.
    pub(super) fn runtimes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let used = RUNTIMES.iter().zip(self.runtimes).filter(|(_, count)| *count > 0);
        used.map(|(profile, _)| (profile.name, profile.title))
    }
}
