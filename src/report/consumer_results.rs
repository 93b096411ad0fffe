//! The results for the consumers of an image, as parts of its report.

use super::consumer_report::ConsumerReport;
use super::model::{FaultReport, Remedy, Report, RuntimeReport};
use crate::consumer::ConsumerGroup;
use crate::intent::{DeclarationSource, DeclaredRuntime};
use crate::runtime::Runtime;
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// The most consumers that a result names.
const MAX_NAMED: usize = 8;

/// The most consumers in a title.
const MAX_IN_TITLE: usize = 2;

impl Report {
    /// Adds the result for consumers. It replaces that of the same runtime and start without them, which says less.
    pub(crate) fn add_consumer_result(&mut self, result: Self, group: &ConsumerGroup, is_bound: bool) {
        let mut named: Vec<ConsumerReport> = group.consumers.iter().take(MAX_NAMED).map(ConsumerReport::new).collect();
        named.iter_mut().for_each(|consumer| consumer.bound = Some(is_bound));
        let subject = FindingSubject::Runtime(group.runtime);
        let runtimes = self.runtimes.get_or_insert_default();
        if group.start().is_none() {
            runtimes.retain(|known| known.subject != subject || !known.consumers.is_empty());
        }
        for mut runtime in result.runtimes.into_iter().flatten() {
            runtime.consumers.clone_from(&named);
            runtime.more_consumers = group.consumers.len() - named.len();
            runtimes.push(runtime);
        }
        for mut exec in result.exec {
            exec.consumer = Some(group.first().title()).filter(|_| !group.start().is_none());
            if !self.exec.contains(&exec) {
                self.exec.push(exec);
            }
        }
        let intended = self.intended.get_or_insert_default();
        if intended.iter().all(|declared| declared.runtime != group.runtime) {
            intended.push(DeclaredRuntime { runtime: group.runtime, declared_by: DeclarationSource::Consumer });
        }
        // Findings without a declared runtime are about the image alone.
        self.verdict = match self.verdict {
            Verdict::Undeclared | Verdict::Ignored => result.verdict,
            own => own.max(result.verdict),
        };
    }

    /// If no image suits all bound consumers, says so once, in place of the remedies that would only move the fault.
    pub(crate) fn find_consumer_conflict(&mut self) {
        let bound: Vec<Runtime> = self
            .runtimes()
            .filter(|runtime| runtime.consumers.iter().any(|consumer| consumer.bound == Some(true)))
            .filter_map(|runtime| match runtime.subject {
                FindingSubject::Runtime(runtime) => Some(runtime),
                _ => None,
            })
            .collect();
        let Some(single) = bound.iter().find(|runtime| !runtime.profile().service.accepts_index()) else { return };
        let Some(other) = bound.iter().find(|other| other.platform() != single.platform()) else { return };
        let evidence = format!(
            "no image suits all that runs it: {} does not accept an index, and {} needs another platform",
            single.profile().title,
            other.profile().title
        );
        let remedy = Remedy::advice_only("Push one image for each, under separate tags or to separate repositories");
        let mut conflict = Some(FaultReport {
            code: FaultCode::ConsumerConflict,
            platform: None,
            evidence,
            wrong: None,
            symptom: None,
            advice: vec![remedy.advice.clone()],
            remedy: vec![remedy],
            waived: None,
            expired_waiver: None,
            names: Vec::new(),
            depends_on_command: false,
        });
        let is_about_platform = |fault: &FaultReport| {
            use FaultCode::{IndexRefused, PlatformMissing, WrongArchitecture, WrongOs};
            matches!(fault.code, IndexRefused | PlatformMissing | WrongArchitecture | WrongOs)
        };
        for runtime in self.runtimes.iter_mut().flatten().filter(|runtime| !runtime.consumers.is_empty()) {
            let has_fault = runtime.faults.iter().any(is_about_platform);
            for fault in runtime.faults.iter_mut().filter(|fault| is_about_platform(fault)) {
                (fault.remedy, fault.advice) = (Vec::new(), Vec::new());
            }
            if has_fault {
                runtime.faults.extend(conflict.take());
            }
        }
    }
}

impl RuntimeReport {
    /// Returns the title of the runtime, with the names of some consumers.
    pub(super) fn title_with_consumers(&self) -> String {
        let names: Vec<&str> = self.consumers.iter().map(ConsumerReport::short_name).take(MAX_IN_TITLE).collect();
        let more = self.consumers.len() + self.more_consumers - names.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let title = self.subject.title();
        if names.is_empty() { title } else { format!("{title} ({}{more})", names.join(", ")) }
    }

    /// Names the consumers, as part of a sentence.
    pub(super) fn describe_consumers(&self) -> Option<String> {
        let names: Vec<&str> = self.consumers.iter().map(|consumer| consumer.title.as_str()).collect();
        let more = if self.more_consumers == 0 { String::new() } else { format!(" and {} more", self.more_consumers) };
        (!names.is_empty()).then(|| format!("{}{more}", names.join(", ")))
    }
}
