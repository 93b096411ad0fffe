//! Identifies programs that start another one, by their names. Contents are not read, so a link with such a name to a
//! file with another name is not identified.

use crate::path::split_parent;

/// A kind of program that starts another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LauncherKind {
    Wrapper(Wrapper),
    Env,
    Shell,
}

/// A program that starts its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    Tini,
    DumbInit,
    Catatonit,
    Gosu,
    SuExec,
    Setpriv,
}

impl Wrapper {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tini => "tini",
            Self::DumbInit => "dumb-init",
            Self::Catatonit => "catatonit",
            Self::Gosu => "gosu",
            Self::SuExec => "su-exec",
            Self::Setpriv => "setpriv",
        }
    }
}

/// The project that a program comes from, if it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramFamily {
    Coreutils,
    Bash,
    Dash,
    Busybox,
    Unknown,
}

/// File names of programs, including those of tini's (krallin/tini) and gosu's releases. docker-init is Docker's name
/// for tini.
const PROGRAM_NAMES: [(LauncherKind, &[&[u8]]); 9] = [
    (
        LauncherKind::Wrapper(Wrapper::Tini),
        &[b"tini", b"tini-static", b"tini-amd64", b"tini-arm64", b"tini-static-amd64", b"tini-static-arm64"],
    ),
    (LauncherKind::Wrapper(Wrapper::Tini), &[b"docker-init"]),
    (LauncherKind::Wrapper(Wrapper::DumbInit), &[b"dumb-init"]),
    (LauncherKind::Wrapper(Wrapper::Catatonit), &[b"catatonit"]),
    (LauncherKind::Wrapper(Wrapper::Gosu), &[b"gosu", b"gosu-amd64", b"gosu-arm64"]),
    (LauncherKind::Wrapper(Wrapper::SuExec), &[b"su-exec"]),
    (LauncherKind::Wrapper(Wrapper::Setpriv), &[b"setpriv"]),
    (LauncherKind::Env, &[b"env"]),
    (LauncherKind::Shell, &[b"sh", b"bash", b"dash", b"ash"]),
];

/// The minimum size of a busybox with a shell in bytes. `env` of GNU coreutils has a quarter of it, so the size tells
/// them apart if `env` is a hard link.
const MIN_BUSYBOX_SIZE: u64 = 200 * 1024;

/// Identifies a program by `argv[0]`, the opened `path`, the path that it resolves to, and its size.
pub(super) fn identify_program(
    argv0: &[u8],
    path: &[u8],
    resolved: &[u8],
    size: u64,
) -> Option<(LauncherKind, ProgramFamily)> {
    let [called, opened, file] = [argv0, path, resolved].map(|path| split_parent(path).1);
    let kind = kind_by_name(called)?;
    let is_same = |name: &[u8]| kind_by_name(name) == Some(kind);
    let family = match (kind, file) {
        (LauncherKind::Env | LauncherKind::Shell, b"busybox") => ProgramFamily::Busybox,
        (LauncherKind::Env, b"env") if size < MIN_BUSYBOX_SIZE => ProgramFamily::Coreutils,
        (LauncherKind::Shell, b"bash") => ProgramFamily::Bash,
        (LauncherKind::Shell, b"dash") => ProgramFamily::Dash,
        (LauncherKind::Env, b"coreutils") => ProgramFamily::Unknown,
        _ if is_same(file) => ProgramFamily::Unknown,
        _ => return None,
    };
    is_same(opened).then_some((kind, family))
}

/// Returns the kind of the programs with a file name.
pub(super) fn kind_by_name(name: &[u8]) -> Option<LauncherKind> {
    PROGRAM_NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| *kind)
}

/// Names of other programs that start a command from their arguments or their configuration.
const COMMAND_STARTERS: [&[u8]; 60] = [
    b"bundle", b"chamber", b"dbus-run-session", b"ddtrace-run", b"doppler", b"execlineb", b"newrelic-admin", b"npm",
    b"npx", b"opentelemetry-instrument", b"pipenv", b"pnpm", b"poetry", b"uv", b"xvfb-run", b"busybox", b"capsh",
    b"chpst", b"chroot", b"chrt", b"circusd", b"concurrently", b"doas", b"flock", b"forego", b"foreman", b"goreman",
    b"honcho", b"ionice", b"linux32", b"linux64", b"nice", b"nohup", b"nsenter", b"numactl", b"overmind", b"pm2",
    b"pm2-docker", b"pm2-runtime", b"prlimit", b"runsvdir", b"runuser", b"s6-setuidgid", b"s6-svscan", b"setarch",
    b"setsid", b"setuidgid", b"start-stop-daemon", b"stdbuf", b"strace", b"su", b"sudo", b"supervisord", b"taskset",
    b"time", b"timeout", b"toybox", b"unshare", b"watch", b"xargs",
];

/// Returns whether programs with a file name start a command, but are not followed.
pub(super) fn is_command_starter(name: &[u8]) -> bool {
    COMMAND_STARTERS.contains(&name)
}

/// Names for which busybox has no applet, or only one that needs a link of that name: `include/applets.src.h`.
const NEVER_APPLETS: [&[u8]; 26] = [
    b"bash", b"python", b"python2", b"python3", b"node", b"nodejs", b"ruby", b"perl", b"php", b"java", b"deno", b"bun",
    b"pwsh", b"npm", b"npx", b"yarn", b"pnpm", b"gunicorn", b"uvicorn", b"celery", b"bundle", b"dotnet", b"nginx",
    b"php-fpm", b"caddy", b"supervisord",
];

impl ProgramFamily {
    /// Returns whether a name without a slash certainly runs a file. Busybox may run an applet instead.
    pub(super) fn always_runs_file(self, name: &[u8]) -> bool {
        // No applet has such a name.
        let is_list = name.starts_with(b"[") && name.len() > 2 && name.ends_with(b"]");
        !matches!(self, Self::Busybox | Self::Unknown)
            || NEVER_APPLETS.contains(&name)
            || is_list
            || name.iter().any(|byte| b"\r ,".contains(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_must_belong_to_the_program() {
        const TINI: LauncherKind = LauncherKind::Wrapper(Wrapper::Tini);
        for (argv0, path, place, size, expected) in [
            ("tini", "/sbin/tini", "sbin/tini-static", 9, Some((TINI, ProgramFamily::Unknown))),
            ("/sbin/docker-init", "/sbin/docker-init", "usr/bin/tini", 9, Some((TINI, ProgramFamily::Unknown))),
            ("docker-init", "/sbin/docker-init", "usr/bin/catatonit", 9, None),
            ("tini", "/sbin/tini", "opt/other", 9, None),
            ("tini", "/sbin/other", "sbin/tini", 9, None),
            ("other", "/sbin/tini", "sbin/tini", 9, None),
            ("sh", "/bin/sh", "bin/busybox", 9, Some((LauncherKind::Shell, ProgramFamily::Busybox))),
            ("sh", "/bin/sh", "usr/bin/dash", 9, Some((LauncherKind::Shell, ProgramFamily::Dash))),
            ("sh", "/bin/sh", "bin/sh", 9, Some((LauncherKind::Shell, ProgramFamily::Unknown))),
            ("sh", "/bin/sh", "bin/toybox", 9, None),
            ("env", "/usr/bin/env", "usr/bin/env", 48_536, Some((LauncherKind::Env, ProgramFamily::Coreutils))),
            ("env", "/usr/bin/env", "bin/env", 900_000, Some((LauncherKind::Env, ProgramFamily::Unknown))),
            ("env", "/usr/bin/env", "bin/busybox", 900_000, Some((LauncherKind::Env, ProgramFamily::Busybox))),
            ("busybox", "/bin/busybox", "bin/busybox", 900_000, None),
        ] {
            let found = identify_program(argv0.as_bytes(), path.as_bytes(), place.as_bytes(), size);
            assert_eq!(found, expected, "{argv0} {path} {place}");
        }
    }

    #[test]
    fn busybox_may_run_an_applet() {
        use ProgramFamily::{Busybox, Coreutils, Dash, Unknown};
        assert!(Busybox.always_runs_file(b"python3 -u") && Busybox.always_runs_file(b"[app]"));
        assert!(Busybox.always_runs_file(b"python3") && Unknown.always_runs_file(b"sh\r"));
        assert!(!Busybox.always_runs_file(b"true") && !Unknown.always_runs_file(b"app"));
        assert!(Dash.always_runs_file(b"app") && Coreutils.always_runs_file(b"true"));
    }
}
