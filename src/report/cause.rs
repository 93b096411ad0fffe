//! Explains a result in a few words for a title.

use super::model::{FaultReport, Report, RuntimeReport};
use super::text::format_headline;
use crate::verdict::{FaultCode, FindingSubject, Verdict};

/// Formats the headline with the cause of the first result that is not good.
pub(super) fn format_title(report: &Report) -> String {
    let headline = format_headline(report);
    find_cause(report).map_or(headline.clone(), |cause| format!("{headline}: {}", cause.text))
}

/// Why a result is not good.
pub(super) struct Cause<'a> {
    /// The cause, in one sentence without a period.
    pub(super) text: String,
    /// The names in it that come from the image.
    pub(super) names: &'a [String],
}

/// Returns the first cause; `None` for images that start or are not checked.
pub(super) fn find_cause(report: &Report) -> Option<Cause<'_>> {
    let has_verdict = |runtime: &&RuntimeReport| runtime.verdict == report.verdict;
    let counts = |runtime: &&RuntimeReport| runtime.unwaived_verdict() == report.verdict;
    let runtime = report.runtimes().find(counts).or_else(|| report.runtimes().find(has_verdict))?;
    let is_open = |fault: &&FaultReport| fault.waived.is_none();
    match (report.verdict, runtime.faults.iter().find(is_open).or(runtime.faults.first())) {
        (Verdict::Fails | Verdict::Unknown, Some(fault)) => {
            Some(Cause { text: describe_fault(fault, runtime), names: &fault.names })
        }
        (Verdict::Unknown, None) => runtime.unknown.first().map(|reason| Cause { text: reason.clone(), names: &[] }),
        _ => None,
    }
}

fn describe_fault(fault: &FaultReport, runtime: &RuntimeReport) -> String {
    let (FaultCode::WrongArchitecture, FindingSubject::Runtime(runtime), Some(platform)) =
        (fault.code, &runtime.subject, &fault.platform)
    else {
        return fault.evidence.clone();
    };
    let (found, profile) = (platform.architecture(), runtime.profile());
    // Most titles name the architecture already.
    if profile.title.contains(profile.architecture) {
        format!("the image is {found}, not {}", profile.architecture)
    } else {
        format!("the image is {found}, {} is {}", profile.title, profile.architecture)
    }
}
