//! Decides which findings of an audit count: not those that a waiver accepts, and not those of the baseline.
//!
//! The results file keeps what was found. Waivers and the baseline are applied whenever it is read, so that a change of
//! either takes effect without checking an image again.

use std::collections::{BTreeSet, HashSet};
use std::io::Write;
use std::path::Path;

use crate::cli::error::CliError;
use crate::cli::page::for_each_report;
use crate::cli::stored_report::{StoredReport, hash_key};
use crate::cli::stored_runtime::{StoredRuntime, StoredWaiver};
use crate::cli::terminal::StyledOutput;
use crate::text::sanitize;
use crate::waiver::{FaultPlace, WaiverAnswer, WaiverList, image_names};

/// The code of an unknown result in a baseline.
const UNKNOWN_CODE: &str = "unknown";

/// The waivers of the configuration file, and the baseline.
#[derive(Debug)]
pub(super) struct FindingFilter {
    pub(super) waivers: WaiverList,
    /// The positions of the waivers that match a fault.
    pub(super) used_waivers: BTreeSet<usize>,
    /// The positions of the waivers that no longer accept a fault, because they have expired.
    expired_waivers: BTreeSet<usize>,
    /// Hashes of account, region, repository, runtime and code of each finding; `None` without a baseline.
    baseline: Option<HashSet<[u8; 16]>>,
}

impl FindingFilter {
    /// Reads the baseline, if there is one: the results file of an earlier audit.
    ///
    /// # Errors
    /// The file cannot be read, or is not a results file.
    pub(super) fn new<E: Write>(
        waivers: WaiverList,
        baseline: Option<&Path>,
        err: &mut StyledOutput<E>,
    ) -> Result<Self, CliError> {
        let mut filter =
            Self { waivers, used_waivers: BTreeSet::new(), expired_waivers: BTreeSet::new(), baseline: None };
        if let Some(path) = baseline {
            let mut known = HashSet::new();
            let notes = for_each_report(path, |report| {
                for runtime in &report.runtimes {
                    known.extend(finding_codes(runtime).map(|code| finding_key(&report, runtime, code)));
                }
                Ok(())
            })?;
            for note in notes {
                err.write_note(&format!("{}: {note}", path.display()))?;
            }
            filter.baseline = Some(known);
        }
        Ok(filter)
    }

    /// A sentence for each waiver of the configuration file that no longer accepts a fault.
    pub(super) fn describe_expired(&self) -> impl Iterator<Item = String> {
        self.expired_waivers.iter().map(|at| {
            let waiver = &self.waivers.waivers[*at];
            let expires = waiver.expires.map(|expires| format!(" on {expires}")).unwrap_or_default();
            format!("the waiver of {} expired{expires}", sanitize(&waiver.describe(), usize::MAX))
        })
    }

    /// Whether findings are compared with a baseline.
    pub(super) fn has_baseline(&self) -> bool {
        self.baseline.is_some()
    }

    /// Marks the findings of a report that do not count. A waiver of the results file is that of the repository.
    pub(super) fn mark(&mut self, report: &mut StoredReport) {
        let names = image_names(&report.image.reference, &report.arrival.repository, &report.arrival.tag);
        let mut runtimes = std::mem::take(&mut report.runtimes);
        for runtime in &mut runtimes {
            for fault in &mut runtime.faults {
                let place = FaultPlace { code: &fault.code, runtime: &runtime.runtime, image_names: &names };
                self.used_waivers.extend(self.waivers.matching(place));
                let today = self.waivers.today;
                let stored = fault.waived.take().filter(|waiver| waiver.applies_on(today));
                fault.waived = stored.or_else(|| match self.waivers.answer(place)? {
                    WaiverAnswer::Accepted(waiver) => Some(StoredWaiver::new(waiver)),
                    WaiverAnswer::Expired(expired) => {
                        let position = self.waivers.waivers.iter().position(|waiver| waiver == expired);
                        self.expired_waivers.extend(position);
                        None
                    }
                });
            }
            if let Some(baseline) = &self.baseline {
                let is_known = |code: &str| baseline.contains(&finding_key(report, runtime, code));
                let known: Vec<bool> = runtime.faults.iter().map(|fault| is_known(&fault.code)).collect();
                let is_unknown_known = is_known(UNKNOWN_CODE);
                runtime.faults.iter_mut().zip(known).for_each(|(fault, is_known)| fault.is_known = is_known);
                runtime.is_unknown_known = is_unknown_known;
            }
        }
        report.runtimes = runtimes;
    }
}

/// The codes of a runtime's findings: its faults, and one for an unknown result.
fn finding_codes(runtime: &StoredRuntime) -> impl Iterator<Item = &str> {
    let is_unknown = !runtime.unknown.is_empty();
    runtime.faults.iter().map(|fault| fault.code.as_str()).chain(is_unknown.then_some(UNKNOWN_CODE))
}

fn finding_key(report: &StoredReport, runtime: &StoredRuntime, code: &str) -> [u8; 16] {
    let [account, region, repository, ..] = report.identity();
    hash_key(&[account, region, repository, &runtime.runtime, code])
}
