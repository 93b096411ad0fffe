//! The words that a user would have met, runtime by runtime.
//!
//! Does not guess: where a service's words are not known, there are none.

use super::Place;
use crate::image::{Content, Image};
use crate::runtime::Service;
use crate::verdict::{Code, Fault, Finding, Subject};

/// The words that the runtime of a finding shows for a fault.
pub(super) fn symptom(fault: &Fault, finding: &Finding, image: Option<&Image>, place: Place<'_>) -> Option<String> {
    let Subject::Runtime(runtime) = finding.subject else { return None };
    let service = runtime.profile().service;
    let platform = runtime.platform();
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
