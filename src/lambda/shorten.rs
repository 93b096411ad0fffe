//! Shortens a report whose message would be larger than SNS accepts. The verdict, the runtimes and the codes of their
//! faults stay, and with them the headline.

use crate::report::{FaultReport, Report};
use crate::text::sanitize;

/// The maximum length of an evidence, a symptom, a reason or a remark in a shortened report, in characters. Most are
/// shorter anyway.
const MAX_TEXT: usize = 200;

/// The maximum number of reasons, remarks and platforms in a shortened report.
const MAX_LISTED: usize = 8;

/// A step of shortening.
pub(super) struct Shortening {
    /// What the step leaves out, by its name in the JSON report.
    pub(super) leaves_out: &'static str,
    pub(super) apply: fn(&mut Report),
}

/// The steps in their order: first what helps least to fix the image.
pub(super) const SHORTENINGS: [Shortening; 5] = [
    Shortening { leaves_out: "exec", apply: |report| report.exec.clear() },
    Shortening {
        leaves_out: "platforms",
        apply: |report| {
            if let Some(image) = &mut report.image {
                image.platforms.truncate(MAX_LISTED);
            }
        },
    },
    Shortening { leaves_out: "texts", apply: shorten_texts },
    Shortening {
        leaves_out: "remedy",
        apply: |report| {
            for_each_fault(report, |fault| {
                fault.remedy.clear();
                fault.advice.clear();
            });
            report.runtimes.iter_mut().flatten().for_each(|runtime| runtime.next_steps.clear());
        },
    },
    Shortening {
        leaves_out: "evidence",
        apply: |report| {
            for_each_fault(report, |fault| {
                fault.evidence.clear();
                fault.symptom = None;
            });
            for runtime in report.runtimes.iter_mut().flatten() {
                runtime.unknown.clear();
                runtime.warnings.clear();
            }
            report.remarks.clear();
        },
    },
];

fn shorten_texts(report: &mut Report) {
    let shorten = |text: &mut String| *text = sanitize(text, MAX_TEXT);
    for_each_fault(report, |fault| {
        shorten(&mut fault.evidence);
        fault.symptom.iter_mut().for_each(shorten);
    });
    let warnings = report.runtimes.iter_mut().flatten().flat_map(|runtime| &mut runtime.warnings);
    warnings.for_each(|warning| shorten(&mut warning.evidence));
    let reasons = report.runtimes.iter_mut().flatten().map(|runtime| &mut runtime.unknown);
    for texts in reasons.chain([&mut report.remarks]) {
        texts.truncate(MAX_LISTED);
        texts.iter_mut().for_each(shorten);
    }
}

fn for_each_fault(report: &mut Report, change: impl FnMut(&mut FaultReport)) {
    report.runtimes.iter_mut().flatten().flat_map(|runtime| &mut runtime.faults).for_each(change);
}
