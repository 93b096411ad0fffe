//! Whether a report about an image proves that it does not start.

use crate::consumer::Consumer;
use crate::report::{FaultReport, Report, ReportedImageKind, RuntimeReport};
use crate::settings::InspectionDepth;
use crate::verdict::{FaultCode, Verdict};

/// Returns whether a fault is certain and not waived.
///
/// A report blames an image for the platform that it declares, also if its programs are unknown, for example because a layer
/// could not be read. But container runtimes start a program that suits the host whatever the image declares, and declarations
/// are sometimes wrong. So such a fault counts only if the programs were followed to an answer, or if the settings say that
/// declarations are trusted.
///
/// If the command may be replaced at each start, a fault of a program that the command names does not count either.
pub(super) fn is_certain(report: &Report, consumer: &Consumer, depth: InspectionDepth) -> bool {
    let may_be_replaced = consumer.start.is_command_replaceable;
    let is_index = report.image.as_ref().is_some_and(|image| image.kind == ReportedImageKind::Index);
    let is_proof = |runtime: &RuntimeReport, fault: &FaultReport| {
        let is_declared = match fault.code {
            FaultCode::WrongArchitecture | FaultCode::DescriptorMismatch => true,
            // Nothing in the index is for Linux, so nothing is pulled.
            FaultCode::WrongOs => !is_index,
            _ => false,
        };
        // A program for another architecture shows that of the image.
        let is_of_command = may_be_replaced && fault.depends_on_command && fault.code != FaultCode::WrongArchitecture;
        fault.waived.is_none()
            && !is_of_command
            && (!is_declared || runtime.verified || depth < InspectionDepth::Program)
    };
    let fails = |runtime: &RuntimeReport| {
        runtime.verdict == Verdict::Fails && runtime.faults.iter().any(|fault| is_proof(runtime, fault))
    };
    report.runtimes().any(fails)
}

/// Describes a fault that is not certain, and why.
#[cfg(feature = "consumers")]
pub(super) fn describe_doubt(report: &Report, consumer: &Consumer) -> String {
    let evidence: Vec<&str> = report.faults().map(|fault| fault.evidence.as_str()).collect();
    if consumer.start.is_command_replaceable && report.runtimes().all(|runtime| runtime.verified) {
        return format!("{}; each start may use another command", evidence.join("; "));
    }
    let reason = report.exec.iter().find_map(|exec| exec.reason.as_deref());
    format!(
        "{}; it is unknown what it starts: {}",
        evidence.join("; "),
        reason.unwrap_or("its programs were not inspected")
    )
}
