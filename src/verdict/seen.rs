//! What an inspection saw of a program that does not start, as a fault: which one, and the evidence in a sentence.
//!
//! Does not decide whether the label or the runtime is at fault for metadata's sake; that is the rules' to do.

use super::{Code, Fault, Trouble};
use crate::exec::{Answer, Cause, Defect, Format, Role};
use crate::inspect::{Inspection, Seen, Site};
use crate::launch::{By, Launch};
use crate::oci::{Single, Trace};
use crate::platform::Platform;
use crate::text::quoted;

/// The inspection of an image on a site, where one was made.
pub(super) fn of<'a>(inspections: &'a [Inspection], single: &Single, site: Option<Site>) -> Option<&'a Inspection> {
    inspections.iter().find(|seen| seen.digest == single.digest && Some(seen.site) == site)
}

/// The fault that an inspection saw, if it saw one; `platform` is what the image claims to be.
#[must_use]
pub fn fault(inspection: &Inspection, platform: &Platform, traces: &[Trace]) -> Option<Fault> {
    let Seen::Launches(launches, cause) = &inspection.seen else { return None };
    let last = launches.last()?;
    let Answer::Fails { chain, .. } = &last.start.answer else { return None };
    let script = asking_env(launches);
    let cause = interpreter(cause.clone()?, script);
    let opener = chain.last().or(script).map(|path| shown(path));
    let is_lambda = inspection.site.is_lambda;
    let file = File { path: shown(&cause.path), opener, role: cause.role, by: &last.by, is_lambda };
    let host = inspection.site.processor.architecture();
    let code = code(&cause, platform.architecture() == host);
    let evidence = match code {
        Code::LabelLies => format!("its label says {platform}, but {}", file.evidence(&cause.defect)),
        Code::WrongArchitecture => format!("{}, and the runtime has {host}", file.evidence(&cause.defect)),
        _ => file.evidence(&cause.defect),
    };
    let trouble = Trouble {
        path: file.path,
        opener: file.opener,
        is_first: launches.len() == 1,
        words: last.start.words.as_deref().map(quoted),
        cause,
        traces: traces.to_vec(),
    };
    Some(Fault { code, platform: Some(platform.clone()), evidence, trouble: Some(Box::new(trouble)) })
}

/// Whether an image that nobody means to start may well have this fault: such images have a command because they must
/// have one, and it names nothing, or something that is no program.
pub(super) fn may_be_data(fault: &Fault) -> bool {
    let Some(cause) = fault.trouble.as_ref().map(|trouble| &trouble.cause) else { return false };
    let is_data = matches!(cause.defect, Defect::Format(Format::NoShebang | Format::Wasm | Format::Other));
    let is_data = is_data || matches!(fault.code, Code::ExecNotFound | Code::ExecPermission);
    cause.role == Role::Program && is_data
}

/// The script whose first line asks `env` for what was to start last, as `#!/usr/bin/env python3` does.
fn asking_env(launches: &[Launch]) -> Option<&Vec<u8>> {
    let [.., before, last] = launches else { return None };
    let Answer::Starts { chain } = &before.start.answer else { return None };
    let first = chain.first().filter(|path| !path.ends_with(b"/env") && path.as_slice() != b"env")?;
    (last.by == By::Wrapper("env")).then_some(first)
}

/// What a script asks `env` for is its interpreter, and may end as the script's lines do.
fn interpreter(cause: Cause, script: Option<&Vec<u8>>) -> Cause {
    match (script, cause.role) {
        (Some(_), Role::Program) if cause.defect == Defect::Missing && cause.path.ends_with(b"\r") => {
            Cause { role: Role::Interpreter, defect: Defect::CarriageReturn, ..cause }
        }
        (Some(_), Role::Program) => Cause { role: Role::Interpreter, ..cause },
        _ => cause,
    }
}

/// The file that is not started, as sentences name it.
struct File<'a> {
    path: String,
    /// What named it: a script its interpreter, a program its loader.
    opener: Option<String>,
    role: Role,
    by: &'a By,
    is_lambda: bool,
}

fn shown(path: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(path))
}

/// The code of a fault. `is_promised` says whether the label claims the very architecture that it was to start on.
fn code(cause: &Cause, is_promised: bool) -> Code {
    let is_foreign = matches!(cause.defect, Defect::Format(Format::Foreign(_) | Format::OtherMachine(_)));
    match (&cause.defect, cause.role) {
        (_, Role::Loader) => Code::ExecLoader,
        _ if is_foreign && is_promised => Code::LabelLies,
        _ if is_foreign => Code::WrongArchitecture,
        (Defect::Format(_) | Defect::Nested, _) => Code::ExecFormat,
        (Defect::NotExecutable { .. } | Defect::Directory | Defect::Special | Defect::NotSearchable, _) => {
            Code::ExecPermission
        }
        (_, Role::Interpreter) => Code::ExecInterpreterMissing,
        (_, Role::Program) => Code::ExecNotFound,
    }
}

impl File<'_> {
    /// What is wrong with it.
    fn evidence(&self, defect: &Defect) -> String {
        let (path, file) = (&self.path, self.named());
        let what = match defect {
            Defect::Format(format) => format!("{file} is {}", self.format(*format)),
            Defect::Missing if self.role != Role::Loader && !path.contains('/') => {
                format!("{file} is in no directory of PATH as something executable")
            }
            Defect::Missing => format!("{file} is not in the image"),
            Defect::Dangling { link, target } => {
                format!("{file} is not in the image: {} is a link to {}", shown(link), shown(target))
            }
            Defect::CarriageReturn => {
                let script = self.opener.as_deref().unwrap_or(path);
                format!(
                    "the first line of {script} ends as on Windows, so that its interpreter is one with a carriage return"
                )
            }
            Defect::OtherLibrary => format!("{file} is not in the image, which has that of another C library"),
            Defect::NoDirectory => format!("the way to {file} leads through what is no directory"),
            Defect::Links => format!("the way to {file} leads through links without an end"),
            Defect::NameTooLong => format!("the name of {file} is too long"),
            Defect::NotExecutable { mode } => {
                let user = if self.is_lambda { "the user that Lambda starts images as" } else { "its user" };
                format!("{file} may not be executed by {user} (mode {:o})", mode & 0o7777)
            }
            Defect::Directory => format!("{file} is a directory"),
            Defect::Special => format!("{file} is no regular file"),
            Defect::NotSearchable => format!("the user may not enter a directory on the way to {file}"),
            Defect::Nested => format!("{file} is a script, and one too many of those that name each other"),
        };
        match self.by {
            By::Wrapper("env") if self.role == Role::Interpreter => what,
            By::Runtime => what,
            By::Wrapper(name) => format!("{what} ({name} is to start it)"),
            By::Shell => format!("{what} (a shell is to start it)"),
            By::Script(path) => format!("{what} ({} is to start it)", shown(path)),
        }
    }

    /// Its path, and what named it.
    fn named(&self) -> String {
        match (&self.opener, self.role) {
            (Some(opener), Role::Loader) => format!("{}, the loader of {opener},", self.path),
            (Some(opener), Role::Interpreter) => format!("{}, which the first line of {opener} names,", self.path),
            _ => self.path.clone(),
        }
    }

    /// What a file is that cannot be started or loaded.
    fn format(&self, format: Format) -> String {
        let thing = if self.role == Role::Loader { "a loader" } else { "a program" };
        match format {
            Format::Foreign(architecture) => format!("{thing} for {architecture}"),
            Format::OtherMachine(machine) => format!("{thing} for another processor (ELF machine {machine})"),
            Format::NoProgram => "an ELF file that is no program".to_owned(),
            Format::DamagedElf => "an ELF file that is damaged or cut off".to_owned(),
            Format::Empty => "an empty file".to_owned(),
            Format::NoShebang => "a text without a first line `#!…`".to_owned(),
            Format::NoInterpreter => {
                "a script whose first line names no interpreter, or one beyond the 256 bytes that the kernel reads"
                    .to_owned()
            }
            Format::MisplacedShebang => "a script whose `#!` is not at the very beginning".to_owned(),
            Format::Utf16 => "a text in UTF-16, which no kernel reads".to_owned(),
            Format::MachO => "a program for macOS (Mach-O)".to_owned(),
            Format::Pe => "a program for Windows (PE)".to_owned(),
            Format::Wasm => "a WebAssembly module".to_owned(),
            Format::Other => "neither a program nor a script".to_owned(),
        }
    }
}
