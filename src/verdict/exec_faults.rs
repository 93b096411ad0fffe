//! Faults of programs that do not start: the fault code for a cause, and the evidence as a sentence.

use super::fault::{FailedProgram, Fault, FaultCode};
use crate::exec::{Defect, ExecOutcome, FileFormat, FileRole, SetupRefusal, StartFailure};
use crate::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use crate::launch::{Launch, Launcher};
use crate::oci::{BuildHint, PlatformImage};
use crate::platform::Platform;
use crate::text::sanitize_quoted;

/// Returns the inspection of an image on a target, if there is one.
pub(super) fn find_inspection<'a>(
    inspections: &'a [Inspection],
    single: &PlatformImage,
    target: Option<InspectionTarget>,
) -> Option<&'a Inspection> {
    inspections.iter().find(|inspection| inspection.digest == single.digest && Some(inspection.target) == target)
}

/// Returns the fault that an inspection found, if any. `platform` is the image's declared platform.
pub fn detect_exec_fault(inspection: &Inspection, platform: &Platform, build_hints: &[BuildHint]) -> Option<Fault> {
    let (launches, cause) = match &inspection.outcome {
        InspectionOutcome::Launches(launches, cause) => (launches, cause),
        InspectionOutcome::Refused(refusal) => return Some(describe_refusal(refusal, platform)),
        _ => return None,
    };
    let last = launches.last()?;
    let (ExecOutcome::Fails { chain, .. } | ExecOutcome::Exits { chain, .. }) = &last.start.outcome else {
        return None;
    };
    let script = find_env_script(launches);
    let cause = reclassify_as_interpreter(cause.clone()?, script);
    let host = inspection.target.processor.architecture();
    let code = classify_cause(&cause, platform.architecture() == host);
    let program = FailedProgram {
        path: quote_path(&cause.path),
        referrer: chain.last().or(script).map(|path| quote_path(path)),
        is_entrypoint: launches.len() == 1 && last.launcher == Launcher::ContainerRuntime,
        launcher: last.launcher.clone(),
        message: last.start.message.as_deref().map(sanitize_quoted),
        cause,
        build_hints: build_hints.to_vec(),
    };
    let defect = program.describe_defect(&last.launcher, inspection.target.is_lambda);
    let evidence = match code {
        FaultCode::PlatformMismatch => format!("the declared platform is {platform}, but {defect}"),
        FaultCode::WrongArchitecture => format!("{defect}, but the runtime is {host}"),
        _ => defect,
    };
    let platform = Some(platform.clone());
    Some(Fault { code, platform, evidence, failed_program: Some(Box::new(program)), message: None })
}

/// Returns the fault of an image that the container runtime refuses.
fn describe_refusal(refusal: &SetupRefusal, platform: &Platform) -> Fault {
    let code = match refusal {
        SetupRefusal::UnknownAccount { .. } => FaultCode::UserNotFound,
        SetupRefusal::Environment { .. } => FaultCode::EnvironmentRefused,
        SetupRefusal::WorkingDirectory { .. } => FaultCode::WorkingDirectoryRefused,
        SetupRefusal::Mount(_) => FaultCode::MountRefused,
    };
    let (evidence, message) = (refusal.describe(), refusal.message().as_deref().map(sanitize_quoted));
    Fault { code, platform: Some(platform.clone()), evidence, failed_program: None, message }
}

/// Returns whether an image that only carries data may have this fault: such an image needs a command to be valid, but
/// the command names nothing, or a file that is not a program.
pub(super) fn may_be_data_image(fault: &Fault) -> bool {
    let Some(cause) = fault.failed_program.as_ref().map(|program| &program.cause) else { return false };
    let is_data = matches!(cause.defect, Defect::Format(FileFormat::NoShebang | FileFormat::Wasm | FileFormat::Other));
    let is_data = is_data || matches!(fault.code, FaultCode::ExecNotFound | FaultCode::ExecPermission);
    cause.role == FileRole::Program && is_data
}

/// Returns the script whose first line starts the last program through `env`, for example `#!/usr/bin/env python3`.
fn find_env_script(launches: &[Launch]) -> Option<&Vec<u8>> {
    let [.., before, last] = launches else { return None };
    let ExecOutcome::Starts { chain } = &before.start.outcome else { return None };
    let first = chain.first().filter(|path| !path.ends_with(b"/env") && path.as_slice() != b"env")?;
    (last.launcher == Launcher::Wrapper("env")).then_some(first)
}

/// Changes the role of a program that a script starts through `env` to interpreter. The name may end with a carriage
/// return.
fn reclassify_as_interpreter(cause: StartFailure, script: Option<&Vec<u8>>) -> StartFailure {
    match (script, cause.role) {
        (Some(_), FileRole::Program) if cause.defect == Defect::Missing && cause.path.ends_with(b"\r") => {
            StartFailure { role: FileRole::Interpreter, defect: Defect::CarriageReturn, ..cause }
        }
        (Some(_), FileRole::Program) => StartFailure { role: FileRole::Interpreter, ..cause },
        _ => cause,
    }
}

/// Returns the code of a fault. `is_declared_architecture` is whether the image declares the target's architecture.
fn classify_cause(cause: &StartFailure, is_declared_architecture: bool) -> FaultCode {
    let is_foreign =
        matches!(cause.defect, Defect::Format(FileFormat::OtherArchitecture(_) | FileFormat::UnknownMachine(_)));
    match (&cause.defect, cause.role) {
        (_, FileRole::Loader) => FaultCode::ExecLoader,
        _ if is_foreign && is_declared_architecture => FaultCode::PlatformMismatch,
        _ if is_foreign => FaultCode::WrongArchitecture,
        (Defect::UnknownAccount(_), _) => FaultCode::UserNotFound,
        (Defect::RefusedOption(_), _) => FaultCode::ExecOptionRefused,
        (Defect::BashSyntax | Defect::BashCommand(_), _) => FaultCode::ExecBashScript,
        (Defect::NotReadable { .. } | Defect::NotRoot, _) => FaultCode::ExecPermission,
        (Defect::Format(_) | Defect::TooManyInterpreters, _) => FaultCode::ExecFormat,
        (Defect::NotExecutable { .. } | Defect::Directory | Defect::SpecialFile | Defect::NotSearchable, _) => {
            FaultCode::ExecPermission
        }
        (Defect::CarriageReturn, _) | (_, FileRole::Interpreter) => FaultCode::ExecInterpreterMissing,
        (_, FileRole::Program | FileRole::Argument) => FaultCode::ExecNotFound,
    }
}

fn quote_path(path: &[u8]) -> String {
    sanitize_quoted(&String::from_utf8_lossy(path))
}

impl FailedProgram {
    fn describe_defect(&self, started_by: &Launcher, is_lambda: bool) -> String {
        let (path, file, role) = (&self.path, self.describe_path(), self.cause.role);
        let description = match &self.cause.defect {
            Defect::Format(format) => format!("{file} is {}", describe_format(*format, role)),
            Defect::Missing if matches!(role, FileRole::Program | FileRole::Interpreter) && !path.contains('/') => {
                let similar = self.cause.similar.as_ref();
                let similar = similar.map(|path| format!("; the image has {}", quote_path(path))).unwrap_or_default();
                format!("{file} was not found as an executable in PATH{similar}")
            }
            Defect::Missing => match &self.cause.similar {
                Some(similar) => format!("{file} is not in the image, which has {}", quote_path(similar)),
                None => format!("{file} is not in the image"),
            },
            Defect::DanglingLink { link, target } => {
                format!("{file} is not in the image: {} is a link to {}", quote_path(link), quote_path(target))
            }
            Defect::CarriageReturn => {
                let script = self.referrer.as_deref().unwrap_or(path);
                let part = if role == FileRole::Argument { "option" } else { "name" };
                format!(
                    "the first line of {script} ends with a carriage return (CRLF), which becomes part of the \
                         interpreter's {part}"
                )
            }
            Defect::OtherLibc => format!("{file} is not in the image, which has the loader of another C library"),
            Defect::NotADirectory => format!("a parent of {file} is not a directory"),
            Defect::TooManyLinks => format!("the path of {file} has a symbolic link loop or too many links"),
            Defect::NameTooLong => format!("the name of {file} is too long"),
            Defect::NotExecutable { mode } => {
                let user = if is_lambda { "the user that Lambda starts images as" } else { "the image's user" };
                format!("{file} may not be executed by {user} (mode {:o})", mode & 0o7777)
            }
            Defect::NotReadable { mode } => {
                format!("{file} may not be read by the image's user (mode {:o})", mode & 0o7777)
            }
            Defect::UnknownAccount(kind) => format!("{path} is not in the image's {}", kind.file()),
            Defect::RefusedOption(letter) => {
                format!("`{path}` is not a valid value of option -{}", char::from(*letter))
            }
            Defect::NotRoot => format!("only root may change the user to {path}, but the image's user is not root"),
            Defect::BashSyntax => {
                format!("{file} has an array or a function in the syntax of bash, but its shell is dash")
            }
            Defect::BashCommand(command) => {
                format!("{file} runs `{command}`, a command of bash, with `set -e`, but its shell is dash")
            }
            Defect::Directory => format!("{file} is a directory"),
            Defect::SpecialFile => format!("{file} is not a regular file"),
            Defect::NotSearchable => format!("a parent directory of {file} may not be entered by the user"),
            Defect::TooManyInterpreters => {
                format!("{file} is a script, and its interpreters are scripts that are nested too deep")
            }
        };
        if role == FileRole::Argument {
            return match (started_by, &self.cause.defect) {
                (_, Defect::CarriageReturn | Defect::BashSyntax | Defect::BashCommand(_)) => description,
                (Launcher::Wrapper(name), Defect::RefusedOption(_) | Defect::UnknownAccount(_) | Defect::NotRoot) => {
                    format!("{name}: {description}")
                }
                (Launcher::Wrapper(name), _) => format!("{description} (an argument of {name})"),
                _ => format!("{description} (an argument of a shell)"),
            };
        }
        match started_by {
            Launcher::Wrapper("env") if role == FileRole::Interpreter => description,
            Launcher::ContainerRuntime => description,
            Launcher::Wrapper(name) => format!("{description} (started by {name})"),
            Launcher::LambdaExtensions => format!("{description} (started as a Lambda extension)"),
            Launcher::Shell => format!("{description} (started by a shell)"),
            Launcher::Script(path) => format!("{description} (started by {})", quote_path(path)),
        }
    }

    /// Returns the path, and the file that names it.
    fn describe_path(&self) -> String {
        match (&self.referrer, self.cause.role) {
            (Some(referrer), FileRole::Loader) => format!("{}, the loader of {referrer},", self.path),
            (Some(referrer), FileRole::Interpreter) => format!("{}, the interpreter of {referrer},", self.path),
            _ => self.path.clone(),
        }
    }
}

fn describe_format(format: FileFormat, role: FileRole) -> String {
    let kind = if role == FileRole::Loader { "a loader" } else { "a program" };
    let text = match format {
        FileFormat::OtherArchitecture(architecture) => return format!("{kind} for {architecture}"),
        FileFormat::UnknownMachine(machine) => return format!("{kind} for another processor (ELF machine {machine})"),
        FileFormat::NonExecutableElf => "an ELF file that is not an executable",
        FileFormat::DamagedElf => "an ELF file that is damaged or truncated",
        FileFormat::TruncatedElf => {
            let part =
                "whose file ends before its first instruction, so that the kernel kills it (exit code 135 or 139)";
            return format!("{kind} {part}");
        }
        FileFormat::Empty => "an empty file",
        FileFormat::NoShebang => "a text file without a first line `#!…`",
        FileFormat::InvalidShebang => {
            "a script whose first line does not name an interpreter within the 256 bytes that the kernel reads"
        }
        FileFormat::MisplacedShebang => "a script whose `#!` is not at the very beginning",
        FileFormat::Utf16 => "a text file in UTF-16, which the kernel cannot execute",
        FileFormat::MachO => "a program for macOS (Mach-O)",
        FileFormat::Pe => "a program for Windows (PE)",
        FileFormat::Wasm => "a WebAssembly module",
        FileFormat::Other => "neither a program nor a script",
    };
    text.to_owned()
}
