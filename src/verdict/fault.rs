//! What can be wrong with an image.
//!
//! Does not find it.

use serde::Serialize;

use crate::exec::StartFailure;
use crate::oci::BuildHint;
use crate::platform::Platform;

/// What is wrong. The codes are stable: they stand in metrics, filters and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// A single image for another architecture.
    WrongArchitecture,
    /// An index without the platform.
    PlatformMissing,
    /// An image for another operating system.
    WrongOs,
    /// An index where the service takes none.
    IndexRefused,
    /// A kind of layer that the service does not take.
    LayerFormatRefused,
    /// A label that contradicts the program which is started.
    PlatformMismatch,
    /// An index entry that contradicts the config of its child.
    DescriptorMismatch,
    /// Two platforms of an index with the same files.
    IdenticalLayers,
    /// A tag that points at an attestation.
    AttestationTagged,
    /// A file that is nothing which the kernel starts.
    ExecFormat,
    /// A command that is not in the image.
    ExecNotFound,
    /// A script whose first line names what is not in the image.
    ExecInterpreterMissing,
    /// A file that its user may not execute.
    ExecPermission,
    /// A program whose loader is missing or not one for it.
    ExecLoader,
    /// A declaration of the intended runtime that names none.
    InvalidDeclaration,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub code: FaultCode,
    /// The platform that the image claims where the fault lies, if one is concerned.
    pub platform: Option<Platform>,
    /// What was seen, in one sentence without a full stop.
    pub evidence: String,
    /// What was seen of the program, where one was looked at.
    pub failed_program: Option<Box<FailedProgram>>,
}

/// A program that does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedProgram {
    /// The path that the kernel, or whoever looks a command up, says it of.
    pub path: String,
    /// The file that named it as its interpreter or loader, if one did.
    pub referrer: Option<String>,
    /// Whether the container runtime itself was to start it, and not a program that it started.
    pub is_entrypoint: bool,
    /// The words that are printed, where they are known.
    pub message: Option<String>,
    /// Why.
    pub cause: StartFailure,
    /// What the image's history tells of its build.
    pub traces: Vec<BuildHint>,
}
