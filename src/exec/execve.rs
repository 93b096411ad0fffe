//! The answer of execve(2): what the kernel says when a process of this view asks it to start a path.
//!
//! Does not run anything, and does not look at a program's arguments.

use super::binary::{check_loader, loader};
use super::host::Host;
use super::shebang::{BUFFER, shebang};
use crate::errno::Errno;
use crate::rootfs::Contents;
use crate::rootfs::Node;
use crate::rootfs::View;
use crate::rootfs::{Stop, Unknown};

/// A path takes no more bytes than this, with its final NUL: `include/uapi/linux/limits.h`.
const PATH_MAX: usize = 4096;
/// So many scripts may name one another as interpreters: `exec_binprm` in `fs/exec.c`.
const MOST_SCRIPTS: usize = 5;

/// What the kernel says. A chain lists the paths that were opened on the way, as they were written: the program, the
/// interpreters of scripts, the loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
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
        reason: Unknown,
        /// What was opened before.
        chain: Vec<Vec<u8>>,
    },
}

/// What the kernel says when this path is to be started.
#[must_use]
pub fn execve(view: &View<'_>, host: Host, path: &[u8]) -> Answer {
    let mut chain = Vec::new();
    let mut path = path.to_vec();
    match follow(view, host, &mut path, &mut chain) {
        Ok(()) => Answer::Starts { chain },
        Err(Stop::Errno(errno)) => Answer::Fails { errno, path, chain },
        Err(Stop::Unknown(reason)) => Answer::Unknown { reason, chain },
    }
}

/// `do_execveat_common` and `exec_binprm`. When it ends, `path` is the one that was looked at last.
fn follow(view: &View<'_>, host: Host, path: &mut Vec<u8>, chain: &mut Vec<Vec<u8>>) -> Result<(), Stop> {
    // `getname` refuses what a process asks for; what a file asks for goes another way.
    if path.is_empty() {
        return Err(Errno::NoEntry.into());
    }
    let mut next = |path: &mut Vec<u8>, next: Vec<u8>| chain.push(std::mem::replace(path, next));
    let mut file = open(view, path)?;
    for depth in 0.. {
        if depth > MOST_SCRIPTS {
            return Err(Errno::Loop.into());
        }
        if !file.head().starts_with(b"#!") {
            break;
        }
        if (file.head().len() as u64) < file.size.min(BUFFER as u64) {
            return Err(Unknown::NotKept(path.clone()).into());
        }
        let script = shebang(file.head()).ok_or(Errno::ExecFormat)?;
        next(path, script.interpreter);
        file = open(view, path)?;
    }
    if let Some(name) = loader(host, path, file)? {
        next(path, name);
        check_loader(host, file, path, open(view, path)?)?;
    }
    next(path, Vec::new());
    Ok(())
}

/// `open_exec`: a regular file that the user may execute.
fn open<'a>(view: &View<'a>, path: &[u8]) -> Result<&'a Contents, Stop> {
    if path.len() >= PATH_MAX {
        return Err(Errno::NameTooLong.into());
    }
    let found = view.find(path)?;
    match found.node {
        Node::File(owner, contents) if view.may_execute(&found.place, *owner)? => Ok(contents),
        _ => Err(Errno::Access.into()),
    }
}
