//! Which programs are known to start another one, by all the names that lead to them.
//!
//! Does not look into them: what only bears such a name, but leads to a file of another name, is not known.

use crate::path::split_parent;

/// What is known of how a program starts another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LauncherKind {
    Tini,
    DumbInit,
    Catatonit,
    Gosu,
    SuExec,
    Env,
    Shell,
}

/// Who made it, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramFamily {
    Coreutils,
    Bash,
    Dash,
    Busybox,
    Unknown,
}

/// The release pages of krallin/tini name its files so; docker-init is tini under the name that Docker gives it.
const PROGRAM_NAMES: [(LauncherKind, &[&[u8]]); 7] = [
    (
        LauncherKind::Tini,
        &[b"tini", b"tini-static", b"tini-amd64", b"tini-arm64", b"tini-static-amd64", b"tini-static-arm64"],
    ),
    (LauncherKind::Tini, &[b"docker-init"]),
    (LauncherKind::DumbInit, &[b"dumb-init"]),
    (LauncherKind::Catatonit, &[b"catatonit"]),
    (LauncherKind::Gosu, &[b"gosu", b"gosu-amd64", b"gosu-arm64"]),
    (LauncherKind::SuExec, &[b"su-exec"]),
    (LauncherKind::Shell, &[b"sh", b"bash", b"dash", b"ash"]),
];

/// No busybox that has a shell is smaller; env of GNU coreutils takes a quarter of it. A hard link does not tell them
/// apart.
const MIN_BUSYBOX_SIZE: u64 = 200 * 1024;

/// What a program is that was started as `argv[0]`, was opened at `path`, and stands at `place`.
pub(super) fn identify_program(
    argv0: &[u8],
    path: &[u8],
    place: &[u8],
    size: u64,
) -> Option<(LauncherKind, ProgramFamily)> {
    let [called, opened, file] = [argv0, path, place].map(|path| split_parent(path).1);
    let kind = kind_by_name(called)?;
    let same = |name: &[u8]| self::kind_by_name(name) == Some(kind);
    let family = match (kind, file) {
        (LauncherKind::Env | LauncherKind::Shell, b"busybox") => ProgramFamily::Busybox,
        (LauncherKind::Env, b"env") if size < MIN_BUSYBOX_SIZE => ProgramFamily::Coreutils,
        (LauncherKind::Shell, b"bash") => ProgramFamily::Bash,
        (LauncherKind::Shell, b"dash") => ProgramFamily::Dash,
        (LauncherKind::Env, b"coreutils") => ProgramFamily::Unknown,
        _ if same(file) => ProgramFamily::Unknown,
        _ => return None,
    };
    same(opened).then_some((kind, family))
}

fn kind_by_name(name: &[u8]) -> Option<LauncherKind> {
    if name == b"env" {
        return Some(LauncherKind::Env);
    }
    PROGRAM_NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| *kind)
}

/// Names that no busybox has an applet for, or none without a link of that name: `include/applets.src.h`.
const NEVER_APPLETS: [&[u8]; 13] = [
    b"bash", b"python", b"python2", b"python3", b"node", b"nodejs", b"ruby", b"perl", b"php", b"java", b"deno", b"bun",
    b"pwsh",
];

impl ProgramFamily {
    /// Whether a name without a slash surely stands for a file: busybox may run a part of itself for it.
    pub(super) fn always_runs_file(self, name: &[u8]) -> bool {
        !matches!(self, Self::Busybox | Self::Unknown) || NEVER_APPLETS.contains(&name) || name.contains(&b'\r')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_way_must_be_one_of_the_program() {
        for (argv0, path, place, size, expected) in [
            ("tini", "/sbin/tini", "sbin/tini-static", 9, Some((LauncherKind::Tini, ProgramFamily::Unknown))),
            (
                "/sbin/docker-init",
                "/sbin/docker-init",
                "usr/bin/tini",
                9,
                Some((LauncherKind::Tini, ProgramFamily::Unknown)),
            ),
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
    fn what_busybox_may_have_within_itself_is_no_file_for_certain() {
        assert!(
            ProgramFamily::Busybox.always_runs_file(b"python3") && ProgramFamily::Unknown.always_runs_file(b"sh\r")
        );
        assert!(!ProgramFamily::Busybox.always_runs_file(b"true") && !ProgramFamily::Unknown.always_runs_file(b"app"));
        assert!(ProgramFamily::Dash.always_runs_file(b"app") && ProgramFamily::Coreutils.always_runs_file(b"true"));
    }
}
