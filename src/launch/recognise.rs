//! Which programs are known to start another one, by all the names that lead to them.
//!
//! Does not look into them: what only bears such a name, but leads to a file of another name, is not known.

use crate::path::split;

/// What is known of how a program starts another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) enum Family {
    Coreutils,
    Bash,
    Dash,
    Busybox,
    Unknown,
}

/// The release pages of krallin/tini name its files so; docker-init is tini under the name that Docker gives it.
const NAMES: [(Kind, &[&[u8]]); 7] = [
    (Kind::Tini, &[b"tini", b"tini-static", b"tini-amd64", b"tini-arm64", b"tini-static-amd64", b"tini-static-arm64"]),
    (Kind::Tini, &[b"docker-init"]),
    (Kind::DumbInit, &[b"dumb-init"]),
    (Kind::Catatonit, &[b"catatonit"]),
    (Kind::Gosu, &[b"gosu", b"gosu-amd64", b"gosu-arm64"]),
    (Kind::SuExec, &[b"su-exec"]),
    (Kind::Shell, &[b"sh", b"bash", b"dash", b"ash"]),
];

/// No busybox that has a shell is smaller; env of GNU coreutils takes a quarter of it. A hard link does not tell them
/// apart.
const BUSYBOX: u64 = 200 * 1024;

/// What a program is that was started as `argv[0]`, was opened at `path`, and stands at `place`.
pub(super) fn recognised(argv0: &[u8], path: &[u8], place: &[u8], size: u64) -> Option<(Kind, Family)> {
    let [called, opened, file] = [argv0, path, place].map(|path| split(path).1);
    let kind = kind(called)?;
    let same = |name: &[u8]| self::kind(name) == Some(kind);
    let family = match (kind, file) {
        (Kind::Env | Kind::Shell, b"busybox") => Family::Busybox,
        (Kind::Env, b"env") if size < BUSYBOX => Family::Coreutils,
        (Kind::Shell, b"bash") => Family::Bash,
        (Kind::Shell, b"dash") => Family::Dash,
        (Kind::Env, b"coreutils") => Family::Unknown,
        _ if same(file) => Family::Unknown,
        _ => return None,
    };
    same(opened).then_some((kind, family))
}

fn kind(name: &[u8]) -> Option<Kind> {
    if name == b"env" {
        return Some(Kind::Env);
    }
    NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| *kind)
}

/// Names that no busybox has an applet for, or none without a link of that name: `include/applets.src.h`.
const NEVER_APPLETS: [&[u8]; 13] = [
    b"bash", b"python", b"python2", b"python3", b"node", b"nodejs", b"ruby", b"perl", b"php", b"java", b"deno", b"bun",
    b"pwsh",
];

impl Family {
    /// Whether a name without a slash surely stands for a file: busybox may run a part of itself for it.
    pub(super) fn runs_files_for(self, name: &[u8]) -> bool {
        !matches!(self, Self::Busybox | Self::Unknown) || NEVER_APPLETS.contains(&name) || name.contains(&b'\r')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_way_must_be_one_of_the_program() {
        for (argv0, path, place, size, expected) in [
            ("tini", "/sbin/tini", "sbin/tini-static", 9, Some((Kind::Tini, Family::Unknown))),
            ("/sbin/docker-init", "/sbin/docker-init", "usr/bin/tini", 9, Some((Kind::Tini, Family::Unknown))),
            ("docker-init", "/sbin/docker-init", "usr/bin/catatonit", 9, None),
            ("tini", "/sbin/tini", "opt/other", 9, None),
            ("tini", "/sbin/other", "sbin/tini", 9, None),
            ("other", "/sbin/tini", "sbin/tini", 9, None),
            ("sh", "/bin/sh", "bin/busybox", 9, Some((Kind::Shell, Family::Busybox))),
            ("sh", "/bin/sh", "usr/bin/dash", 9, Some((Kind::Shell, Family::Dash))),
            ("sh", "/bin/sh", "bin/sh", 9, Some((Kind::Shell, Family::Unknown))),
            ("sh", "/bin/sh", "bin/toybox", 9, None),
            ("env", "/usr/bin/env", "usr/bin/env", 48_536, Some((Kind::Env, Family::Coreutils))),
            ("env", "/usr/bin/env", "bin/env", 900_000, Some((Kind::Env, Family::Unknown))),
            ("env", "/usr/bin/env", "bin/busybox", 900_000, Some((Kind::Env, Family::Busybox))),
            ("busybox", "/bin/busybox", "bin/busybox", 900_000, None),
        ] {
            let found = recognised(argv0.as_bytes(), path.as_bytes(), place.as_bytes(), size);
            assert_eq!(found, expected, "{argv0} {path} {place}");
        }
    }

    #[test]
    fn what_busybox_may_have_within_itself_is_no_file_for_certain() {
        assert!(Family::Busybox.runs_files_for(b"python3") && Family::Unknown.runs_files_for(b"sh\r"));
        assert!(!Family::Busybox.runs_files_for(b"true") && !Family::Unknown.runs_files_for(b"app"));
        assert!(Family::Dash.runs_files_for(b"app") && Family::Coreutils.runs_files_for(b"true"));
    }
}
