//! The answer of execve(2): what the kernel says when a process of this view asks it to start a path.
//!
//! Does not run anything, and does not look at a program's arguments.

use super::binfmt_elf::{check_loader, check_program};
use super::host::Host;
use super::shebang::{BINPRM_BUF_SIZE, parse_shebang};
use crate::errno::Errno;
use crate::rootfs::FileContents;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;
use crate::rootfs::{ExecError, UnknownReason};

/// A path takes no more bytes than this, with its final NUL: `include/uapi/linux/limits.h`.
const PATH_MAX: usize = 4096;
/// So many scripts may name one another as interpreters: `exec_binprm` in `fs/exec.c`.
const MAX_SCRIPT_DEPTH: usize = 5;

/// What the kernel says. A chain lists the paths that were opened on the way, as they were written: the program, the
/// interpreters of scripts, the loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutcome {
    /// A program starts. It may still die at once.
    Starts {
        /// All that was opened.
        chain: Vec<Vec<u8>>,
    },
    /// Nothing starts.
    Fails {
        /// What the kernel says.
        errno: Errno,
        /// The path that it says it of.
        path: Vec<u8>,
        /// What was opened before that path.
        chain: Vec<Vec<u8>>,
    },
    /// It cannot be told from the image.
    Unknown {
        /// Why.
        reason: UnknownReason,
        /// What was opened before.
        chain: Vec<Vec<u8>>,
    },
}

/// What the kernel says when this path is to be started.
#[must_use]
pub fn predict_execve(view: &FilesystemView<'_>, host: Host, path: &[u8]) -> ExecOutcome {
    let mut chain = Vec::new();
    let mut path = path.to_vec();
    match open_chain(view, host, &mut path, &mut chain) {
        Ok(()) => ExecOutcome::Starts { chain },
        Err(ExecError::Errno(errno)) => ExecOutcome::Fails { errno, path, chain },
        Err(ExecError::Unknown(reason)) => ExecOutcome::Unknown { reason, chain },
    }
}

/// `do_execveat_common` and `exec_binprm`. When it ends, `path` is the one that was looked at last.
fn open_chain(
    view: &FilesystemView<'_>,
    host: Host,
    path: &mut Vec<u8>,
    chain: &mut Vec<Vec<u8>>,
) -> Result<(), ExecError> {
    // `getname` refuses what a process asks for; what a file asks for goes another way.
    if path.is_empty() {
        return Err(Errno::NoEntry.into());
    }
    let mut next = |path: &mut Vec<u8>, next: Vec<u8>| chain.push(std::mem::replace(path, next));
    let mut file = open_executable(view, path)?;
    for depth in 0.. {
        if depth > MAX_SCRIPT_DEPTH {
            return Err(Errno::Loop.into());
        }
        if !file.head().starts_with(b"#!") {
            break;
        }
        if (file.head().len() as u64) < file.size.min(BINPRM_BUF_SIZE as u64) {
            return Err(UnknownReason::ContentsNotKept(path.clone()).into());
        }
        let script = parse_shebang(file.head()).ok_or(Errno::ExecFormat)?;
        next(path, script.interpreter);
        file = open_executable(view, path)?;
    }
    if let Some(name) = check_program(host, path, file)? {
        next(path, name);
        check_loader(host, file, path, open_executable(view, path)?)?;
    }
    next(path, Vec::new());
    Ok(())
}

/// `open_exec`: a regular file that the user may execute.
fn open_executable<'a>(view: &FilesystemView<'a>, path: &[u8]) -> Result<&'a FileContents, ExecError> {
    if path.len() >= PATH_MAX {
        return Err(Errno::NameTooLong.into());
    }
    let found = view.resolve(path)?;
    match found.node {
        Node::File(owner, contents) if view.may_execute(&found.path, *owner)? => Ok(contents),
        _ => Err(Errno::Access.into()),
    }
}
