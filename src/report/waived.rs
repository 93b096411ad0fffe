//! Waived faults in a report: which waivers apply, and which verdict counts without the faults that they accept.

use super::model::{FaultReport, Report, RuntimeReport};
use super::waiver_report::WaiverReport;
use crate::verdict::{FindingSubject, Verdict};
use crate::waiver::{FaultPlace, WaiverAnswer, WaiverList};

impl FaultReport {
    /// Describes the waiver, if there is one: a label, and the reason.
    pub(super) fn describe_waiver(&self) -> Option<(String, &str)> {
        if let Some(waiver) = &self.waived {
            return Some((waiver.title(), &waiver.reason));
        }
        let waiver = self.expired_waiver.as_ref()?;
        let expired = waiver.expires.map(|expires| format!(" on {expires}")).unwrap_or_default();
        Some((format!("the waiver expired{expired}"), &waiver.reason))
    }
}

impl RuntimeReport {
    /// Returns the verdict that counts: without waived faults.
    pub fn unwaived_verdict(&self) -> Verdict {
        if self.faults.is_empty() || self.faults.iter().any(|fault| fault.waived.is_none()) {
            return self.verdict;
        }
        // What is unknown about an invalid declaration is the declaration itself.
        let is_declaration = matches!(self.subject, FindingSubject::Declaration(_));
        if self.unknown.is_empty() || is_declaration { Verdict::Runs } else { Verdict::Unknown }
    }

    /// Returns what is waived, in a sentence without a period; `None` unless the verdict is better without waived faults.
    pub fn waived_reason(&self) -> Option<String> {
        if self.unwaived_verdict() == self.verdict {
            return None;
        }
        let waived = self.faults.iter().filter_map(FaultReport::describe_waiver);
        Some(waived.map(|(label, reason)| format!("{label}: {reason}")).collect::<Vec<_>>().join("; "))
    }
}

impl Report {
    /// Records which faults these waivers accept, or accepted until they expired. Returns the positions of the waivers that
    /// match a fault. An earlier call takes precedence, except for what has expired.
    pub fn apply_waivers(&mut self, waivers: &WaiverList, image_names: &[String]) -> Vec<usize> {
        let mut matched = Vec::new();
        for runtime in self.runtimes.iter_mut().flatten() {
            let name = runtime.subject.name();
            for fault in &mut runtime.faults {
                let place = FaultPlace { code: fault.code.as_str(), runtime: &name, image_names };
                matched.extend(waivers.matching(place));
                if fault.waived.is_some() {
                    continue;
                }
                match waivers.answer(place) {
                    Some(WaiverAnswer::Accepted(waiver)) => {
                        (fault.waived, fault.expired_waiver) = (Some(WaiverReport::new(waiver)), None);
                    }
                    Some(WaiverAnswer::Expired(waiver)) => fault.expired_waiver = Some(WaiverReport::new(waiver)),
                    None => {}
                }
            }
        }
        matched
    }

    /// Returns the verdict that counts: the worst of the runtimes, without waived faults.
    pub fn unwaived_verdict(&self) -> Verdict {
        if self.faults().all(|fault| fault.waived.is_none()) {
            return self.verdict;
        }
        let is_declared = self.runtimes().any(|runtime| matches!(runtime.subject, FindingSubject::Runtime(_)));
        match self.runtimes().map(RuntimeReport::unwaived_verdict).max() {
            Some(Verdict::Runs) if !is_declared => Verdict::Undeclared,
            worst => worst.unwrap_or(self.verdict),
        }
    }

    /// Returns whether the image fails or is unknown only because of waived faults.
    pub fn is_waived(&self) -> bool {
        self.verdict >= Verdict::Unknown && self.unwaived_verdict() < Verdict::Unknown
    }
}
