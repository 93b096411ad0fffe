//! How a program is looked up by another program: by execvp(3) of glibc and musl, or by a shell.
//!
//! Does not tell these apart: where they would come to different ends, it is not certain. Go has a way of its own, which
//! [`super::start`] knows.

use super::contents::Contents;
use super::errno::Errno;
use super::execve::{Answer, execve};
use super::host::Host;
use super::resolve::View;
use super::rootfs::Node;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) answer: Answer,
    /// Whether every place that was passed over just did not have it, so that all would say the same.
    pub(super) is_plain: bool,
}

/// What comes of starting a name; nothing, where that is not certain. Without a `PATH`, each libc has its own.
///
/// glibc's `__execvpe_common` in `posix/execvpe.c` and musl's `src/process/execvp.c` pass over what answers ENOENT,
/// ENOTDIR or EACCES; `shellexec` of dash passes over everything; bash and busybox take the first file that may be
/// executed.
pub(super) fn look(view: &View<'_>, host: Host, name: &[u8], search: Option<&[u8]>) -> Option<Looked> {
    if name.is_empty() {
        return None;
    }
    if name.contains(&b'/') {
        let answer = execve(view, host, name);
        return is_final(view, &answer).then_some(Looked { answer, is_plain: true });
    }
    let directories: Vec<&[u8]> = search?.split(|byte| *byte == b':').collect();
    // An empty one stands for the working directory, in most programs.
    if directories.iter().any(|directory| !directory.starts_with(b"/")) {
        return None;
    }
    let (mut failed, mut passed) = (None, Vec::new());
    for directory in directories {
        let answer = execve(view, host, &[directory, b"/", name].concat());
        match &answer {
            Answer::Fails { errno: errno @ (Errno::NoEntry | Errno::NotDirectory | Errno::Access), chain, .. }
                if chain.is_empty() =>
            {
                passed.push(*errno);
            }
            Answer::Fails { .. } if is_final(view, &answer) => drop(failed.get_or_insert(answer)),
            Answer::Fails { .. } => return None,
            // Some would have stopped at the one that fails, others come as far as this one.
            Answer::Starts { .. } if failed.is_some() => return None,
            Answer::Starts { .. } | Answer::Unknown { .. } => return Some(Looked { answer, is_plain: true }),
        }
    }
    let is_plain = passed.iter().all(|errno| *errno == Errno::NoEntry);
    let errno = if passed.contains(&Errno::Access) { Errno::Access } else { Errno::NoEntry };
    let answer = failed.unwrap_or_else(|| Answer::Fails { errno, path: name.to_vec(), chain: Vec::new() });
    Some(Looked { answer, is_plain })
}

/// Shells, and glibc's execvp, hand what the kernel does not know to a shell. That can read anything but a program: one
/// for another machine is the one thing that stays a failure.
fn is_final(view: &View<'_>, answer: &Answer) -> bool {
    let Answer::Fails { errno: Errno::ExecFormat, path, chain } = answer else { return true };
    let is_program = |contents: &Contents| contents.head.starts_with(b"\x7fELF");
    chain.is_empty()
        && view.find(path).is_ok_and(|found| matches!(found.node, Node::File(_, contents) if is_program(contents)))
}
