//! What programs print when they cannot start another: the part of it that is the same in every version.
//!
//! Does not have words for everything: where they depend on the version, the libc, or on what a shell makes of a foreign
//! program's bytes, there are none.

use super::program_kind::{LauncherKind, ProgramFamily};
use crate::errno::Errno;
use crate::exec::ExecOutcome;

/// Who cannot start it.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageSource {
    pub(super) kind: LauncherKind,
    pub(super) family: ProgramFamily,
    /// Whether its libc is known to be musl, which does not hand foreign programs to a shell as glibc does.
    pub(super) is_musl: bool,
    /// Whether a shell was to become the program.
    pub(super) is_exec: bool,
    /// Whether what it prints comes out where it is looked for.
    pub(super) is_visible: bool,
}

/// strerror(3), where glibc and musl agree: `sysdeps/gnu/errlist.h`, `src/errno/__strerror.h`.
fn strerror(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NoEntry => "No such file or directory",
        Errno::ExecFormat => "Exec format error",
        Errno::Access => "Permission denied",
        Errno::NotDirectory => "Not a directory",
        _ => return None,
    })
}

/// The words for an answer to this name.
pub(super) fn format_message(voice: MessageSource, name: &[u8], answer: &ExecOutcome) -> Option<String> {
    let ExecOutcome::Fails { errno, path, chain } = answer else { return None };
    if !voice.is_visible {
        return None;
    }
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains(['\'', '\\', '"', '\n']))?;
    if voice.kind == LauncherKind::Shell {
        let path = std::str::from_utf8(path).ok()?;
        return format_shell_message(voice, name, path, *errno, chain.is_empty());
    }
    let said = strerror(*errno).filter(|_| *errno != Errno::ExecFormat || voice.is_musl)?;
    Some(match (voice.kind, voice.family) {
        (LauncherKind::Tini, _) => format!("exec {name} failed: {said}"),
        (LauncherKind::DumbInit, _) => format!("[dumb-init] {name}: {said}"),
        (LauncherKind::Catatonit, _) => format!("failed to exec pid1: {said}"),
        (LauncherKind::SuExec, _) => format!("su-exec: {name}: {said}"),
        // These quotes are those of a locale without UTF-8.
        (LauncherKind::Env, ProgramFamily::Coreutils) => format!("env: '{}': {said}", name.replace('\r', "\\r")),
        (LauncherKind::Env, ProgramFamily::Busybox) => format!("env: can't execute '{name}': {said}"),
        _ => return None,
    })
}

/// `shell_execve` and `shell_exec` of bash, `shellexec` and `exerror` of dash and busybox.
fn format_shell_message(voice: MessageSource, name: &str, path: &str, errno: Errno, is_first: bool) -> Option<String> {
    let has_slash = name.contains('/');
    let exec = if voice.is_exec { "exec: " } else { "" };
    match (voice.family, errno) {
        (ProgramFamily::Bash, Errno::NoEntry) if is_first && has_slash => {
            Some(format!("{name}: No such file or directory"))
        }
        (ProgramFamily::Bash, Errno::NoEntry) if is_first && voice.is_exec => Some(format!("exec: {name}: not found")),
        (ProgramFamily::Bash, Errno::NoEntry) if is_first => Some(format!("{name}: command not found")),
        (ProgramFamily::Bash, Errno::ExecFormat) => {
            Some(format!("{path}: cannot execute binary file: Exec format error"))
        }
        (ProgramFamily::Dash, Errno::NoEntry | Errno::NotDirectory) => Some(format!("{exec}{name}: not found")),
        (ProgramFamily::Dash, Errno::Access) if has_slash => Some(format!("{exec}{name}: Permission denied")),
        (ProgramFamily::Busybox, Errno::NoEntry | Errno::NotDirectory) => Some(format!("{name}: not found")),
        (ProgramFamily::Busybox, Errno::Access) if has_slash => Some(format!("{name}: Permission denied")),
        _ => None,
    }
}
