//! Formats the error messages of wrappers and shells that cannot start a program. A message is left out if it depends
//! on the version, the libc, or how a shell interprets a program for another architecture.

use super::program_kind::{LauncherKind, ProgramFamily, Wrapper};
use crate::errno::Errno;
use crate::exec::{ExecOutcome, StartPrediction};

/// The program that prints a message, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageSource {
    pub(super) kind: LauncherKind,
    pub(super) family: ProgramFamily,
    /// Whether the libc is certainly musl, which does not pass a file to a shell after ENOEXEC as glibc does.
    pub(super) is_musl: bool,
    /// Whether a shell starts the program with `exec`.
    pub(super) is_exec: bool,
    /// Whether the message reaches the container's log.
    pub(super) is_visible: bool,
}

impl MessageSource {
    /// The source of a program without known messages.
    pub(super) const SILENT: Self = Self {
        kind: LauncherKind::Env,
        family: ProgramFamily::Unknown,
        is_musl: false,
        is_exec: false,
        is_visible: false,
    };
}

/// Returns the text of strerror(3) if glibc and musl agree: `sysdeps/gnu/errlist.h`, `src/errno/__strerror.h`.
fn strerror(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NoEntry => "No such file or directory",
        Errno::ExecFormat => "Exec format error",
        Errno::Access => "Permission denied",
        Errno::NotDirectory => "Not a directory",
        _ => return None,
    })
}

/// Formats the message for a program of this name that does not start.
pub(super) fn format_message(source: MessageSource, name: &[u8], outcome: &ExecOutcome) -> Option<String> {
    let ExecOutcome::Fails { errno, path, chain } = outcome else { return None };
    if !source.is_visible {
        return None;
    }
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains(['\'', '\\', '"', '\n']))?;
    if source.kind == LauncherKind::Shell {
        let path = std::str::from_utf8(path).ok()?;
        return format_shell_message(source, name, path, *errno, chain.is_empty());
    }
    let error = strerror(*errno).filter(|_| *errno != Errno::ExecFormat || source.is_musl)?;
    Some(match (source.kind, source.family) {
        (LauncherKind::Wrapper(Wrapper::Tini), _) => format!("exec {name} failed: {error}"),
        (LauncherKind::Wrapper(Wrapper::DumbInit), _) => format!("[dumb-init] {name}: {error}"),
        (LauncherKind::Wrapper(Wrapper::Catatonit), _) => format!("failed to exec pid1: {error}"),
        (LauncherKind::Wrapper(Wrapper::SuExec), _) => format!("su-exec: {name}: {error}"),
        (LauncherKind::Wrapper(Wrapper::Setpriv), _) => format!("setpriv: failed to execute {name}: {error}"),
        // With the quotes of a locale without UTF-8.
        (LauncherKind::Env, ProgramFamily::Coreutils) => format!("env: '{}': {error}", name.replace('\r', "\\r")),
        (LauncherKind::Env, ProgramFamily::Busybox) => format!("env: can't execute '{name}': {error}"),
        _ => return None,
    })
}

/// Formats the message of a shell: `shell_execve`, `shell_exec` (bash), `shellexec`, `exerror` (dash, busybox).
fn format_shell_message(source: MessageSource, name: &str, path: &str, errno: Errno, is_first: bool) -> Option<String> {
    let has_slash = name.contains('/');
    let exec = if source.is_exec { "exec: " } else { "" };
    Some(match (source.family, errno) {
        (ProgramFamily::Bash, Errno::NoEntry) if is_first && has_slash => format!("{name}: No such file or directory"),
        (ProgramFamily::Bash, Errno::NoEntry) if is_first && source.is_exec => format!("exec: {name}: not found"),
        (ProgramFamily::Bash, Errno::NoEntry) if is_first => format!("{name}: command not found"),
        (ProgramFamily::Bash, Errno::ExecFormat) => format!("{path}: cannot execute binary file: Exec format error"),
        (ProgramFamily::Dash, Errno::NoEntry | Errno::NotDirectory) => format!("{exec}{name}: not found"),
        (ProgramFamily::Dash, Errno::Access) if has_slash => format!("{exec}{name}: Permission denied"),
        (ProgramFamily::Busybox, Errno::NoEntry | Errno::NotDirectory) => format!("{name}: not found"),
        (ProgramFamily::Busybox, Errno::Access) if has_slash => format!("{name}: Permission denied"),
        _ => return None,
    })
}

/// Formats the message of an init that does not accept the value of an option.
pub(super) fn format_option_message(wrapper: Wrapper, letter: u8, value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    match wrapper {
        Wrapper::Tini => Some(format!("Not a valid option for -{}: {value}", char::from(letter))),
        Wrapper::DumbInit => {
            Some("Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.".to_owned())
        }
        _ => None,
    }
}

/// Formats the message of a shell that cannot read a script. dash abbreviates one of the errors.
pub(super) fn format_file_message(
    family: ProgramFamily,
    argv0: &[u8],
    path: &[u8],
    dash_error: &str,
    error: &str,
) -> Option<String> {
    let [shell, path] =
        [argv0, path].map(|text| std::str::from_utf8(text).ok().filter(|text| !text.contains(['\'', '\n'])));
    let (shell, path) = (shell?, path?);
    Some(match family {
        ProgramFamily::Dash => format!("{shell}: 0: cannot open {path}: {dash_error}"),
        ProgramFamily::Bash => format!("{shell}: {path}: {error}"),
        ProgramFamily::Busybox => format!("{shell}: can't open '{path}': {error}"),
        _ => return None,
    })
}

/// Converts the container runtime's message to that of gosu (`main.go`), which uses the same Go package.
pub(super) fn to_gosu_message(start: StartPrediction) -> StartPrediction {
    let (ExecOutcome::Fails { errno, .. }, Some(message)) = (&start.outcome, &start.message) else { return start };
    let is_lookup = message.starts_with("exec: \"");
    let message =
        if is_lookup { format!("error: {message}") } else { format!("error: exec failed: {}", errno.message()) };
    StartPrediction { message: Some(message), ..start }
}
