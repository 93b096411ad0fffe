//! The words that a user would have met, runtime by runtime.
//!
//! Does not guess: where a service's words are not known, there are none.

use super::Place;
use crate::oci::{Content, Image};
use crate::runtime::Service;
use crate::verdict::{Code, Fault, Finding, Subject, Trouble};

/// The words that the runtime of a finding shows for a fault.
pub(super) fn symptom(fault: &Fault, finding: &Finding, image: Option<&Image>, place: Place<'_>) -> Option<String> {
    let Subject::Runtime(runtime) = finding.subject else { return None };
    let service = runtime.profile().service;
    let platform = runtime.platform();
    if let Some(trouble) = &fault.trouble {
        return said(trouble, service);
    }
    // What was seen to go wrong before is what shows.
    if fault.code == Code::WrongArchitecture && finding.faults.iter().any(|other| other.trouble.is_some()) {
        return None;
    }
    match (fault.code, service) {
        // "Troubleshoot image issues in Lambda", InvalidEntrypoint.
        (Code::WrongArchitecture, Service::Lambda) => {
            Some(format!("{}exec format error (Runtime.InvalidEntrypoint)", program("fork/exec", image)))
        }
        // runc's words for ENOEXEC, which ECS and App Runner put into the container's log.
        (Code::WrongArchitecture, _) => Some(format!("{}exec format error", program("exec", image))),
        (Code::PlatformMissing, Service::Ecs) => Some(format!(
            "CannotPullContainerError: … image Manifest does not contain descriptor matching platform '{platform}'"
        )),
        (Code::PlatformMissing, Service::Linux) => Some("no match for platform in manifest".to_owned()),
        (Code::IndexRefused, _) => Some(format!(
            "The image manifest, config or layer media type for the source image {} is not supported.",
            place.address()
        )),
        (Code::LayerFormatRefused, Service::Lambda) => Some("UnsupportedImageLayerDetected".to_owned()),
        _ => None,
    }
}

/// What is printed of a program that does not start. Lambda has words of its own for what it starts itself, of which only
/// those for ENOEXEC are documented.
fn said(trouble: &Trouble, service: Service) -> Option<String> {
    let words = trouble.words.clone()?;
    match service {
        Service::Lambda if trouble.is_first => {
            let rest = words.strip_prefix("exec ").filter(|rest| rest.ends_with(": exec format error"))?;
            Some(format!("fork/exec {rest} (Runtime.InvalidEntrypoint)"))
        }
        _ => Some(words),
    }
}

/// What stands before the error: the program that would be started. Nothing where its path is not known: a bare name is
/// looked up first, and the error names what was found.
fn program(verb: &str, image: Option<&Image>) -> String {
    match image.map(|image| &image.content) {
        Some(Content::Single(single)) => {
            let first = single.command.first().filter(|word| word.starts_with('/'));
            first.map(|word| format!("{verb} {word}: ")).unwrap_or_default()
        }
        _ => String::new(),
    }
}
