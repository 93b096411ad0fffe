//! What an inspection saw of a program that does not start, as a fault: which one, and the evidence in a sentence.
//!
//! Does not decide whether the label or the runtime is at fault for metadata's sake; that is the rules' to do.

use super::{Code, Fault, Trouble};
use crate::exec::{Answer, By, Cause, Launch};
use crate::image::{Single, Trace};
use crate::inspect::{Inspection, Seen};
use crate::platform::Platform;
use crate::reference::quoted;

/// The inspection of an image on a processor, where one was made.
pub(super) fn of<'a>(inspections: &'a [Inspection], single: &Single, architecture: &str) -> Option<&'a Inspection> {
    let fits = |seen: &&Inspection| seen.digest == single.digest && seen.processor.architecture() == architecture;
    inspections.iter().find(fits)
}

/// The fault that an inspection saw, if it saw one; `platform` is what the image claims to be.
pub(super) fn fault(inspection: &Inspection, platform: &Platform, traces: &[Trace]) -> Option<Fault> {
    let Seen::Launches(launches, cause) = &inspection.seen else { return None };
    let last = launches.last()?;
    let Answer::Fails { path, chain, .. } = &last.start.answer else { return None };
    let cause = cause.as_ref()?;
    let file = File { path: &shown(path), before: chain.last().map(|path| shown(path)), last };
    let host = inspection.processor.architecture();
    let code = code(cause, &file, platform.architecture() == host);
    let evidence = match (code, cause) {
        (Code::LabelLies, _) => format!("its label says {platform}, but {}", file.evidence(cause)),
        (Code::WrongArchitecture, _) => format!("{}, and the runtime has {host}", file.evidence(cause)),
        _ => file.evidence(cause),
    };
    let trouble = Trouble {
        path: file.path.to_owned(),
        is_first: launches.len() == 1,
        is_opened: launches.len() > 1 || !chain.is_empty(),
        words: last.start.words.clone(),
        cause: cause.clone(),
        traces: traces.to_vec(),
    };
    Some(Fault { code, platform: Some(platform.clone()), evidence, trouble: Some(Box::new(trouble)) })
}

/// The file that is not started, as sentences name it.
struct File<'a> {
    path: &'a str,
    /// What named it: a script its interpreter, a program its loader.
    before: Option<String>,
    last: &'a Launch,
}

fn shown(path: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(path))
}

/// The code of a fault. `is_promised` says whether the label claims the very architecture that it was to start on.
fn code(cause: &Cause, file: &File<'_>, is_promised: bool) -> Code {
    match cause {
        Cause::Foreign(_) | Cause::OtherMachine(_) if is_promised => Code::LabelLies,
        Cause::Foreign(_) | Cause::OtherMachine(_) => Code::WrongArchitecture,
        Cause::NotExecutable { .. } | Cause::Directory | Cause::Special => Code::ExecPermission,
        Cause::LoaderMissing { .. } | Cause::LoaderForeign(_) | Cause::LoaderDamaged => Code::ExecLoader,
        Cause::CarriageReturn | Cause::InterpreterMissing => Code::ExecInterpreterMissing,
        Cause::Missing | Cause::Dangling(_) | Cause::NotADirectory | Cause::Loop | Cause::NameTooLong => {
            if file.before.is_some() { Code::ExecInterpreterMissing } else { Code::ExecNotFound }
        }
        Cause::NoProgram
        | Cause::Empty
        | Cause::NoShebang
        | Cause::MisplacedShebang
        | Cause::MachO
        | Cause::Pe
        | Cause::Wasm
        | Cause::ScriptsNest => Code::ExecFormat,
    }
}

impl File<'_> {
    /// What is wrong with it.
    fn evidence(&self, cause: &Cause) -> String {
        let Self { path, .. } = self;
        let what = match cause {
            Cause::Foreign(architecture) => format!("{path} is a program for {architecture}"),
            Cause::OtherMachine(machine) => {
                format!("{path} is a program for another processor (ELF machine {machine})")
            }
            Cause::NoProgram => format!("{path} is an ELF file that is no whole program"),
            Cause::Empty => format!("{path} is an empty file"),
            Cause::NoShebang => format!("{path} is neither a program nor a script with a first line `#!…`"),
            Cause::MisplacedShebang => format!("{path} has its `#!` not at the very beginning"),
            Cause::MachO => format!("{path} is a program for macOS (Mach-O)"),
            Cause::Pe => format!("{path} is a program for Windows (PE)"),
            Cause::Wasm => format!("{path} is a WebAssembly module"),
            Cause::CarriageReturn => format!("the interpreter's name {path} ends with a carriage return"),
            Cause::LoaderMissing { loader, other_libc } => {
                let only = if *other_libc { "; the image has that of another C library" } else { "" };
                format!("the loader {} is not in the image{only}", shown(loader))
            }
            Cause::LoaderForeign(architecture) => format!("the loader {path} is one for {architecture}"),
            Cause::LoaderDamaged => format!("the loader {path} is none"),
            Cause::Missing | Cause::InterpreterMissing if !path.contains('/') => {
                format!("{path} is in no directory of the image's PATH as something executable")
            }
            Cause::Missing | Cause::InterpreterMissing => format!("{path} is not in the image"),
            Cause::Dangling(target) => format!("{path} is a link to {}, which is not in the image", shown(target)),
            Cause::NotADirectory => format!("the way to {path} leads through a file"),
            Cause::Loop => format!("the way to {path} leads through links in a circle"),
            Cause::NameTooLong => format!("the name {path} is too long"),
            Cause::NotExecutable { mode } => {
                format!("{path} is not executable for its user (mode {:o})", mode & 0o7777)
            }
            Cause::Directory => format!("{path} is a directory"),
            Cause::Special => format!("{path} is no regular file"),
            Cause::ScriptsNest => format!("{path} is the interpreter of a script that is one of a script, too deep"),
        };
        format!("{what}{}{}", self.named(cause), self.started())
    }

    /// What named it.
    fn named(&self, cause: &Cause) -> String {
        let is_loader = matches!(cause, Cause::LoaderMissing { .. } | Cause::LoaderForeign(_) | Cause::LoaderDamaged);
        match &self.before {
            Some(before) if is_loader => format!(", which {before} needs"),
            Some(before) => format!(", which the first line of {before} names"),
            None => String::new(),
        }
    }

    /// What started it, if that was not the container runtime.
    fn started(&self) -> String {
        match &self.last.by {
            By::Runtime => String::new(),
            By::Wrapper(name) => format!(" ({name} is to start it)"),
            By::Shell => " (a shell is to start it)".to_owned(),
            By::Script(path) => format!(" ({} is to start it)", shown(path)),
        }
    }
}
