//! Predicts the kernel's answer to execve(2).

use super::binfmt_elf::ElfFile;
use super::host::Host;
use super::shebang::parse_shebang;
use crate::errno::Errno;
use crate::path::PATH_MAX;
use crate::rootfs::{BINPRM_BUF_SIZE, ExecError, FileContents, FilesystemView, Node, UnknownReason};

/// The maximum depth of scripts that are interpreters of scripts: `exec_binprm` in `fs/exec.c`.
const MAX_SCRIPT_DEPTH: usize = 5;

/// The kernel's answer. A chain lists the opened paths, as written: program, interpreters of scripts, loader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum ExecOutcome {
    /// A program starts. It may exit immediately.
    Starts { chain: Vec<Vec<u8>> },
    /// Nothing starts: the kernel returns this error for this path, which is not in the chain.
    Fails { errno: Errno, path: Vec<u8>, chain: Vec<Vec<u8>> },
    /// The image does not determine what follows after this chain.
    Unknown { reason: UnknownReason, chain: Vec<Vec<u8>> },
}

/// Predicts the kernel's answer to starting a path.
pub fn predict_execve(view: &FilesystemView<'_>, host: Host, path: &[u8]) -> ExecOutcome {
    let mut chain = Vec::new();
    let mut path = path.to_vec();
    match open_chain(view, host, &mut path, &mut chain) {
        Ok(()) => ExecOutcome::Starts { chain },
        Err(ExecError::Errno(errno)) => ExecOutcome::Fails { errno, path, chain },
        Err(ExecError::Unknown(reason)) => ExecOutcome::Unknown { reason, chain },
    }
}

/// Follows `do_execveat_common` and `exec_binprm`. Afterwards, `path` is the last path that was opened.
fn open_chain(
    view: &FilesystemView<'_>,
    host: Host,
    path: &mut Vec<u8>,
    chain: &mut Vec<Vec<u8>>,
) -> Result<(), ExecError> {
    // `getname` refuses an empty path from a process, but not from a script or program.
    if path.is_empty() {
        return Err(Errno::NoEntry.into());
    }
    let mut advance = |path: &mut Vec<u8>, next: Vec<u8>| chain.push(std::mem::replace(path, next));
    let mut file = open_executable(view, path)?;
    for depth in 0.. {
        if depth > MAX_SCRIPT_DEPTH {
            return Err(Errno::Loop.into());
        }
        if !file.is_script() {
            break;
        }
        if (file.head().len() as u64) < file.size.min(BINPRM_BUF_SIZE as u64) {
            return Err(UnknownReason::ContentsNotKept(path.clone()).into());
        }
        let script = parse_shebang(file.head()).ok_or(Errno::ExecFormat)?;
        advance(path, script.interpreter);
        file = open_executable(view, path)?;
    }
    let loader = ElfFile { path, contents: file }.check_program(host)?;
    if let Some(loader) = loader {
        advance(path, loader);
        ElfFile { path, contents: open_executable(view, path)? }.check_loader(host, file)?;
    }
    advance(path, Vec::new());
    Ok(())
}

/// Opens a regular file that the user may execute: `open_exec`.
fn open_executable<'a>(view: &FilesystemView<'a>, path: &[u8]) -> Result<&'a FileContents, ExecError> {
    if path.len() >= PATH_MAX {
        return Err(Errno::NameTooLong.into());
    }
    let found = view.resolve(path)?;
    match found.node {
        Node::File(permissions, contents) if view.may_execute(&found.path, *permissions)? => Ok(contents),
        _ => Err(Errno::Access.into()),
    }
}
