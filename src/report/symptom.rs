//! The words that a user would have met, runtime by runtime.
//!
//! Does not guess: where a service's words are not known, there are none.

use super::ReportContext;
use crate::oci::{Image, ImageContent};
use crate::runtime::Service;
use crate::verdict::{FailedProgram, Fault, FaultCode, Finding, FindingSubject};

/// The words that the runtime of a finding shows for a fault.
pub(super) fn expected_symptom(
    fault: &Fault,
    finding: &Finding,
    image: Option<&Image>,
    place: ReportContext<'_>,
) -> Option<String> {
    let FindingSubject::Runtime(runtime) = finding.subject else { return None };
    let service = runtime.profile().service;
    let platform = runtime.platform();
    if let Some(trouble) = &fault.failed_program {
        return failed_program_symptom(trouble, service);
    }
    // What was seen to go wrong before is what shows.
    if fault.code == FaultCode::WrongArchitecture && finding.faults.iter().any(|other| other.failed_program.is_some()) {
        return None;
    }
    match (fault.code, service) {
        // "Troubleshoot image issues in Lambda", InvalidEntrypoint.
        (FaultCode::WrongArchitecture, Service::Lambda) => {
            Some(format!("{}exec format error (Runtime.InvalidEntrypoint)", program_prefix("fork/exec", image)))
        }
        // runc's words for ENOEXEC, which ECS and App Runner put into the container's log.
        (FaultCode::WrongArchitecture, _) => Some(format!("{}exec format error", program_prefix("exec", image))),
        (FaultCode::PlatformMissing, Service::Ecs) => Some(format!(
            "CannotPullContainerError: … image Manifest does not contain descriptor matching platform '{platform}'"
        )),
        (FaultCode::PlatformMissing, Service::Linux) => Some("no match for platform in manifest".to_owned()),
        (FaultCode::IndexRefused, _) => Some(format!(
            "The image manifest, config or layer media type for the source image {} is not supported.",
            place.image_uri()
        )),
        (FaultCode::LayerFormatRefused, Service::Lambda) => Some("UnsupportedImageLayerDetected".to_owned()),
        _ => None,
    }
}

/// What is printed of a program that does not start. Lambda has words of its own for what it starts itself, of which only
/// those for ENOEXEC are documented.
fn failed_program_symptom(trouble: &FailedProgram, service: Service) -> Option<String> {
    let words = trouble.message.clone()?;
    match service {
        Service::Lambda if trouble.is_entrypoint => {
            let rest = words.strip_prefix("exec ").filter(|rest| rest.ends_with(": exec format error"))?;
            Some(format!("fork/exec {rest} (Runtime.InvalidEntrypoint)"))
        }
        _ => Some(words),
    }
}

/// What stands before the error: the program that would be started. Nothing where its path is not known: a bare name is
/// looked up first, and the error names what was found.
fn program_prefix(verb: &str, image: Option<&Image>) -> String {
    match image.map(|image| &image.content) {
        Some(ImageContent::Single(single)) => {
            let first = single.shown_command.first().filter(|word| word.starts_with('/'));
            first.map(|word| format!("{verb} {word}: ")).unwrap_or_default()
        }
        _ => String::new(),
    }
}
