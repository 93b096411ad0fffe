//! The error that a user sees on the runtime. Only documented or observed messages are quoted.

use super::model::FaultCase;
use crate::oci::ImageContent;
use crate::runtime::Service;
use crate::verdict::{FailedProgram, FaultCode, FindingSubject};

impl FaultCase<'_> {
    /// Returns the message that the runtime shows for the fault, or `None` if it is unknown.
    pub(super) fn expected_symptom(&self) -> Option<String> {
        let FindingSubject::Runtime(runtime) = self.case.finding.subject else { return None };
        let (code, service) = (self.fault.code, runtime.profile().service);
        if (code, service) == (FaultCode::WrongArchitecture, Service::AgentCore) {
            // Shown when an agent runtime is created or updated: aws/bedrock-agentcore-starter-toolkit issue 20 and others.
            let uri = self.case.context.image_uri();
            return Some(format!("Architecture incompatible for uri '{uri}'. Supported architectures: [arm64]"));
        }
        if let Some(program) = &self.fault.failed_program {
            return failed_program_symptom(program, service);
        }
        if let Some(message) = &self.fault.message {
            return Some(message.clone()).filter(|_| !matches!(service, Service::Lambda | Service::AgentCore));
        }
        // Only the message about the program is shown.
        if code == FaultCode::WrongArchitecture
            && self.case.finding.faults.iter().any(|other| other.failed_program.is_some())
        {
            return None;
        }
        Some(match (code, service) {
            // AWS Lambda developer guide, "Troubleshoot image issues in Lambda", InvalidEntrypoint.
            (FaultCode::WrongArchitecture, Service::Lambda) => {
                format!("{}exec format error (Runtime.InvalidEntrypoint)", self.program_prefix("fork/exec"))
            }
            // runc's message for ENOEXEC, which ECS and App Runner write to the container's log.
            (FaultCode::WrongArchitecture, _) => format!("{}exec format error", self.program_prefix("exec")),
            (FaultCode::PlatformMissing, Service::Ecs) => format!(
                "CannotPullContainerError: … image Manifest does not contain descriptor matching platform '{}'",
                runtime.platform()
            ),
            (FaultCode::PlatformMissing, Service::Linux) => "no match for platform in manifest".to_owned(),
            (FaultCode::IndexRefused, _) => format!(
                "The image manifest, config or layer media type for the source image {} is not supported.",
                self.case.context.image_uri()
            ),
            (FaultCode::LayerFormatRefused, Service::Lambda) => "UnsupportedImageLayerDetected".to_owned(),
            _ => return None,
        })
    }

    /// Returns the start of the message, which names the program. It is empty for a bare name, because the message
    /// names the path at which it is found.
    fn program_prefix(&self, verb: &str) -> String {
        let Some(ImageContent::Single(single)) = self.case.image.map(|image| &image.content) else {
            return String::new();
        };
        let program = single.shown_command.first().filter(|word| word.starts_with('/'));
        program.map(|path| format!("{verb} {path}: ")).unwrap_or_default()
    }
}

/// Returns the message about a program that does not start. Lambda has its own messages for the entrypoint, but
/// documents only that for ENOEXEC.
fn failed_program_symptom(program: &FailedProgram, service: Service) -> Option<String> {
    // AgentCore's messages about programs are not documented.
    let message = program.message.clone().filter(|_| service != Service::AgentCore)?;
    if service != Service::Lambda || !program.is_entrypoint {
        return Some(message);
    }
    let rest = message.strip_prefix("exec ").filter(|rest| rest.ends_with(": exec format error"))?;
    Some(format!("fork/exec {rest} (Runtime.InvalidEntrypoint)"))
}
