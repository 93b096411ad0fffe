//! The error that a user sees on the runtime. Only documented or observed messages are quoted.

use super::model::ReportContext;
use crate::oci::{Image, ImageContent};
use crate::runtime::Service;
use crate::verdict::{FailedProgram, Fault, FaultCode, Finding, FindingSubject};

/// Returns the message that the runtime of a finding shows for a fault, or `None` if it is unknown.
pub(super) fn expected_symptom(
    fault: &Fault,
    finding: &Finding,
    image: Option<&Image>,
    context: ReportContext<'_>,
) -> Option<String> {
    let FindingSubject::Runtime(runtime) = finding.subject else { return None };
    let service = runtime.profile().service;
    if let Some(program) = &fault.failed_program {
        return failed_program_symptom(program, service);
    }
    // Only the message about the program is shown.
    if fault.code == FaultCode::WrongArchitecture && finding.faults.iter().any(|other| other.failed_program.is_some()) {
        return None;
    }
    match (fault.code, service) {
        // AWS Lambda developer guide, "Troubleshoot image issues in Lambda", InvalidEntrypoint.
        (FaultCode::WrongArchitecture, Service::Lambda) => {
            Some(format!("{}exec format error (Runtime.InvalidEntrypoint)", program_prefix("fork/exec", image)))
        }
        // runc's message for ENOEXEC, which ECS and App Runner write to the container's log.
        (FaultCode::WrongArchitecture, _) => Some(format!("{}exec format error", program_prefix("exec", image))),
        (FaultCode::PlatformMissing, Service::Ecs) => Some(format!(
            "CannotPullContainerError: … image Manifest does not contain descriptor matching platform '{}'",
            runtime.platform()
        )),
        (FaultCode::PlatformMissing, Service::Linux) => Some("no match for platform in manifest".to_owned()),
        (FaultCode::IndexRefused, _) => Some(format!(
            "The image manifest, config or layer media type for the source image {} is not supported.",
            context.image_uri()
        )),
        (FaultCode::LayerFormatRefused, Service::Lambda) => Some("UnsupportedImageLayerDetected".to_owned()),
        _ => None,
    }
}

/// Returns the message about a program that does not start. Lambda has its own messages for the entrypoint, but
/// documents only that for ENOEXEC.
fn failed_program_symptom(program: &FailedProgram, service: Service) -> Option<String> {
    let message = program.message.clone()?;
    match service {
        Service::Lambda if program.is_entrypoint => {
            let rest = message.strip_prefix("exec ").filter(|rest| rest.ends_with(": exec format error"))?;
            Some(format!("fork/exec {rest} (Runtime.InvalidEntrypoint)"))
        }
        _ => Some(message),
    }
}

/// Returns the start of the message, which names the program. It is empty for a bare name, because the message names
/// the path at which it is found.
fn program_prefix(verb: &str, image: Option<&Image>) -> String {
    match image.map(|image| &image.content) {
        Some(ImageContent::Single(single)) => {
            let program = single.shown_command.first().filter(|word| word.starts_with('/'));
            program.map(|path| format!("{verb} {path}: ")).unwrap_or_default()
        }
        _ => String::new(),
    }
}
