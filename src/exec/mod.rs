//! Predicts the kernel's answer to execve(2), and what a container runtime does before it.

mod host;
mod shebang;
mod setup_refusal;
mod execve;
mod process_user;
mod working_directory;
mod start;
mod file_format;
mod missing_file;
mod similar_file;
mod cause;

pub use cause::{Defect, FileRole, StartFailure, diagnose_failure};
pub use execve::{ExecOutcome, ExitReason, predict_execve};
pub use file_format::FileFormat;
pub use host::{Host, Processor};
pub(crate) use process_user::has_passwd_entry;
pub use process_user::resolve_user;
pub use setup_refusal::{AccountFile, AccountKind, SetupError, SetupRefusal};
pub(crate) use shebang::parse_shebang;
pub(crate) use start::DEFAULT_PATH;
pub use start::{StartPrediction, predict_start};
pub use working_directory::{enter_working_directory, resolve_working_directory};

use crate::elf::{ElfIdent, ElfMachine};
use crate::rootfs::{FilesystemView, Node};

/// A program, and the scripts through which it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedProgram {
    /// The opened paths, as written: scripts, then the program.
    pub chain: Vec<Vec<u8>>,
    /// The processor in the program's header.
    pub machine: ElfMachine,
}

/// Returns the program of an outcome (for a script, its interpreter), or `None` if none was found.
pub(crate) fn detect_program(view: &FilesystemView<'_>, outcome: &ExecOutcome) -> Option<DetectedProgram> {
    let (chain, last) = match outcome {
        ExecOutcome::Starts { chain } | ExecOutcome::Unknown { chain, .. } => (chain, None),
        ExecOutcome::Exits { reason: ExitReason::Truncated, path, chain } => (chain, Some(path)),
        ExecOutcome::Exits { .. } => return None,
        // A name that was not found in `PATH` may exist in the working directory, which is not searched.
        ExecOutcome::Fails { path, chain, .. } if chain.is_empty() && !path.contains(&b'/') => return None,
        ExecOutcome::Fails { path, chain, .. } => (chain, Some(path)),
    };
    let mut opened = Vec::new();
    for path in chain.iter().chain(last) {
        let Node::File(_, contents) = view.resolve(path).ok()?.node else { return None };
        opened.push(path.clone());
        if !contents.is_script() {
            let ident = ElfIdent::parse(contents.head()).filter(|ident| ident.is_program())?;
            return Some(DetectedProgram { chain: opened, machine: ident.machine });
        }
    }
    None
}
