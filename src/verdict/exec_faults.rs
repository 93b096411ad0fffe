//! What an inspection saw of a program that does not start, as a fault: which one, and the evidence in a sentence.
//!
//! Does not decide whether the label or the runtime is at fault for metadata's sake; that is the rules' to do.

use super::{FailedProgram, Fault, FaultCode};
use crate::exec::{Defect, ExecOutcome, FileFormat, FileRole, StartFailure};
use crate::inspect::{Inspection, InspectionOutcome, InspectionTarget};
use crate::launch::{Launch, Launcher};
use crate::oci::{BuildHint, PlatformImage};
use crate::platform::Platform;
use crate::text::sanitize_quoted;

/// The inspection of an image on a site, where one was made.
pub(super) fn find_inspection<'a>(
    inspections: &'a [Inspection],
    single: &PlatformImage,
    site: Option<InspectionTarget>,
) -> Option<&'a Inspection> {
    inspections.iter().find(|seen| seen.digest == single.digest && Some(seen.target) == site)
}

/// The fault that an inspection saw, if it saw one; `platform` is what the image claims to be.
#[must_use]
pub fn detect_exec_fault(inspection: &Inspection, platform: &Platform, traces: &[BuildHint]) -> Option<Fault> {
    let InspectionOutcome::Launches(launches, cause) = &inspection.outcome else { return None };
    let last = launches.last()?;
    let ExecOutcome::Fails { chain, .. } = &last.start.outcome else { return None };
    let script = find_env_script(launches);
    let cause = reclassify_as_interpreter(cause.clone()?, script);
    let opener = chain.last().or(script).map(|path| quote_path(path));
    let is_lambda = inspection.target.is_lambda;
    let file = FailedFile {
        path: quote_path(&cause.path),
        referrer: opener,
        role: cause.role,
        started_by: &last.launcher,
        is_lambda,
    };
    let host = inspection.target.processor.architecture();
    let code = classify_cause(&cause, platform.architecture() == host);
    let evidence = match code {
        FaultCode::PlatformMismatch => {
            format!("its label says {platform}, but {}", file.describe_defect(&cause.defect))
        }
        FaultCode::WrongArchitecture => format!("{}, and the runtime has {host}", file.describe_defect(&cause.defect)),
        _ => file.describe_defect(&cause.defect),
    };
    let trouble = FailedProgram {
        path: file.path,
        referrer: file.referrer,
        is_entrypoint: launches.len() == 1,
        message: last.start.message.as_deref().map(sanitize_quoted),
        cause,
        traces: traces.to_vec(),
    };
    Some(Fault { code, platform: Some(platform.clone()), evidence, failed_program: Some(Box::new(trouble)) })
}

/// Whether an image that nobody means to start may well have this fault: such images have a command because they must
/// have one, and it names nothing, or something that is no program.
pub(super) fn may_be_data_image(fault: &Fault) -> bool {
    let Some(cause) = fault.failed_program.as_ref().map(|trouble| &trouble.cause) else { return false };
    let is_data = matches!(cause.defect, Defect::Format(FileFormat::NoShebang | FileFormat::Wasm | FileFormat::Other));
    let is_data = is_data || matches!(fault.code, FaultCode::ExecNotFound | FaultCode::ExecPermission);
    cause.role == FileRole::Program && is_data
}

/// The script whose first line asks `env` for what was to start last, as `#!/usr/bin/env python3` does.
fn find_env_script(launches: &[Launch]) -> Option<&Vec<u8>> {
    let [.., before, last] = launches else { return None };
    let ExecOutcome::Starts { chain } = &before.start.outcome else { return None };
    let first = chain.first().filter(|path| !path.ends_with(b"/env") && path.as_slice() != b"env")?;
    (last.launcher == Launcher::Wrapper("env")).then_some(first)
}

/// What a script asks `env` for is its interpreter, and may end as the script's lines do.
fn reclassify_as_interpreter(cause: StartFailure, script: Option<&Vec<u8>>) -> StartFailure {
    match (script, cause.role) {
        (Some(_), FileRole::Program) if cause.defect == Defect::Missing && cause.path.ends_with(b"\r") => {
            StartFailure { role: FileRole::Interpreter, defect: Defect::CarriageReturn, ..cause }
        }
        (Some(_), FileRole::Program) => StartFailure { role: FileRole::Interpreter, ..cause },
        _ => cause,
    }
}

/// The file that is not started, as sentences name it.
struct FailedFile<'a> {
    path: String,
    /// What named it: a script its interpreter, a program its loader.
    referrer: Option<String>,
    role: FileRole,
    started_by: &'a Launcher,
    is_lambda: bool,
}

fn quote_path(path: &[u8]) -> String {
    sanitize_quoted(&String::from_utf8_lossy(path))
}

/// The code of a fault. `is_promised` says whether the label claims the very architecture that it was to start on.
fn classify_cause(cause: &StartFailure, is_promised: bool) -> FaultCode {
    let is_foreign =
        matches!(cause.defect, Defect::Format(FileFormat::OtherArchitecture(_) | FileFormat::UnknownMachine(_)));
    match (&cause.defect, cause.role) {
        (_, FileRole::Loader) => FaultCode::ExecLoader,
        _ if is_foreign && is_promised => FaultCode::PlatformMismatch,
        _ if is_foreign => FaultCode::WrongArchitecture,
        (Defect::Format(_) | Defect::TooManyInterpreters, _) => FaultCode::ExecFormat,
        (Defect::NotExecutable { .. } | Defect::Directory | Defect::SpecialFile | Defect::NotSearchable, _) => {
            FaultCode::ExecPermission
        }
        (_, FileRole::Interpreter) => FaultCode::ExecInterpreterMissing,
        (_, FileRole::Program) => FaultCode::ExecNotFound,
    }
}

impl FailedFile<'_> {
    /// What is wrong with it.
    fn describe_defect(&self, defect: &Defect) -> String {
        let (path, file) = (&self.path, self.describe_path());
        let what = match defect {
            Defect::Format(format) => format!("{file} is {}", self.describe_format(*format)),
            Defect::Missing if self.role != FileRole::Loader && !path.contains('/') => {
                format!("{file} is in no directory of PATH as something executable")
            }
            Defect::Missing => format!("{file} is not in the image"),
            Defect::DanglingLink { link, target } => {
                format!("{file} is not in the image: {} is a link to {}", quote_path(link), quote_path(target))
            }
            Defect::CarriageReturn => {
                let script = self.referrer.as_deref().unwrap_or(path);
                format!(
                    "the first line of {script} ends as on Windows, so that its interpreter is one with a carriage return"
                )
            }
            Defect::OtherLibc => format!("{file} is not in the image, which has that of another C library"),
            Defect::NotADirectory => format!("the way to {file} leads through what is no directory"),
            Defect::TooManyLinks => format!("the way to {file} leads through links without an end"),
            Defect::NameTooLong => format!("the name of {file} is too long"),
            Defect::NotExecutable { mode } => {
                let user = if self.is_lambda { "the user that Lambda starts images as" } else { "its user" };
                format!("{file} may not be executed by {user} (mode {:o})", mode & 0o7777)
            }
            Defect::Directory => format!("{file} is a directory"),
            Defect::SpecialFile => format!("{file} is no regular file"),
            Defect::NotSearchable => format!("the user may not enter a directory on the way to {file}"),
            Defect::TooManyInterpreters => {
                format!("{file} is a script, and one too many of those that name each other")
            }
        };
        match self.started_by {
            Launcher::Wrapper("env") if self.role == FileRole::Interpreter => what,
            Launcher::ContainerRuntime => what,
            Launcher::Wrapper(name) => format!("{what} ({name} is to start it)"),
            Launcher::Shell => format!("{what} (a shell is to start it)"),
            Launcher::Script(path) => format!("{what} ({} is to start it)", quote_path(path)),
        }
    }

    /// Its path, and what named it.
    fn describe_path(&self) -> String {
        match (&self.referrer, self.role) {
            (Some(opener), FileRole::Loader) => format!("{}, the loader of {opener},", self.path),
            (Some(opener), FileRole::Interpreter) => format!("{}, which the first line of {opener} names,", self.path),
            _ => self.path.clone(),
        }
    }

    /// What a file is that cannot be started or loaded.
    fn describe_format(&self, format: FileFormat) -> String {
        let thing = if self.role == FileRole::Loader { "a loader" } else { "a program" };
        match format {
            FileFormat::OtherArchitecture(architecture) => format!("{thing} for {architecture}"),
            FileFormat::UnknownMachine(machine) => format!("{thing} for another processor (ELF machine {machine})"),
            FileFormat::NonExecutableElf => "an ELF file that is no program".to_owned(),
            FileFormat::DamagedElf => "an ELF file that is damaged or cut off".to_owned(),
            FileFormat::Empty => "an empty file".to_owned(),
            FileFormat::NoShebang => "a text without a first line `#!…`".to_owned(),
            FileFormat::InvalidShebang => {
                "a script whose first line names no interpreter, or one beyond the 256 bytes that the kernel reads"
                    .to_owned()
            }
            FileFormat::MisplacedShebang => "a script whose `#!` is not at the very beginning".to_owned(),
            FileFormat::Utf16 => "a text in UTF-16, which no kernel reads".to_owned(),
            FileFormat::MachO => "a program for macOS (Mach-O)".to_owned(),
            FileFormat::Pe => "a program for Windows (PE)".to_owned(),
            FileFormat::Wasm => "a WebAssembly module".to_owned(),
            FileFormat::Other => "neither a program nor a script".to_owned(),
        }
    }
}
