//! Follows programs that start their command as another user.

use super::message::MessageSource;
use super::next_launch::{LaunchedProcess, Launcher, NextLaunch};
use super::option_value::read_number;
use super::program_kind::Wrapper;
use super::setpriv::{GroupChange, parse_setpriv_arguments};
use super::wrapper::{TargetUser, parse_gosu_arguments};
use crate::exec::{AccountKind, ExitReason, SetupError, SetupRefusal, StartPrediction, has_passwd_entry, resolve_user};
use crate::path::display_path;
use crate::rootfs::{FilesystemView, UnknownReason, User, parse_id};

/// Follows gosu or su-exec, which look up the user as container runtimes do.
pub(super) fn follow_gosu<'a>(
    process: &LaunchedProcess<'a>,
    source: MessageSource,
    wrapper: Wrapper,
    argv: &[Vec<u8>],
    is_privileged: bool,
) -> Option<NextLaunch<'a>> {
    let (command, user) = parse_gosu_arguments(argv)?;
    let next_process = LaunchedProcess { argv: command.to_vec(), ..process.clone() };
    let mut next = NextLaunch::new(Launcher::Wrapper(wrapper.name()), source, next_process);
    let spec = argv.get(1)?;
    let is_gosu = wrapper == Wrapper::Gosu;
    let gosu_message =
        |text: String| is_gosu.then(|| format!("error: failed switching to \"{}\": {text}", display_path(spec)));
    if process.view.user.is_unprivileged() && !is_privileged {
        let message = gosu_message("operation not permitted".to_owned());
        return Some(next.exiting(ExitReason::NotRoot, spec.clone(), message));
    }
    if !process.view.user.is_root() {
        return None;
    }
    match resolve_user(process.view.files, &process.view.mounts, std::str::from_utf8(spec).ok()?) {
        Ok(user) => {
            next.process.view.user = user.after_execve();
            Some(next)
        }
        // su-exec accepts every number that strtol(3) reads.
        Err(SetupError::Refused(SetupRefusal::UnknownAccount { name, .. })) if !is_gosu && may_be_number(&name) => None,
        Err(SetupError::Refused(SetupRefusal::UnknownAccount { kind, name, .. })) => {
            let (noun, file) = kind.words();
            let text = format!("unable to find {noun} {}: no matching entries in {file} file", display_path(&name));
            Some(next.exiting(ExitReason::UnknownAccount(kind), name, gosu_message(text)))
        }
        Err(SetupError::Refused(_)) => None,
        Err(SetupError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
            Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next })
        }
        Err(SetupError::Unknown(_)) if user == TargetUser::Root => None,
        Err(SetupError::Unknown(_)) => Some(NextLaunch { is_other_user: true, ..next }),
    }
}

/// Files of users and groups that some images have in addition to those in `/etc`, for the modules `extrausers` and
/// `altfiles` of nsswitch.conf(5).
const OTHER_ACCOUNT_FILES: [&[u8]; 4] =
    [b"var/lib/extrausers/passwd", b"var/lib/extrausers/group", b"usr/lib/passwd", b"usr/lib/group"];

/// Names that the module `systemd` of nsswitch.conf(5) adds.
const SYNTHETIC_NAMES: [&[u8]; 4] = [b"root", b"nobody", b"nogroup", b"systemd-network"];

/// The IDs of the users among them.
const SYNTHETIC_IDS: [u32; 2] = [0, 65534];

/// Follows setpriv of util-linux, which looks up the user with getpwnam(3) and the group with getgrnam(3). It
/// keeps its capabilities until execve(2), as containerd does for the first process.
pub(super) fn follow_setpriv<'a>(
    process: &LaunchedProcess<'a>,
    source: MessageSource,
    argv: &[Vec<u8>],
    is_privileged: bool,
) -> Option<NextLaunch<'a>> {
    let arguments = parse_setpriv_arguments(argv)?;
    let next_process = LaunchedProcess { argv: arguments.command.to_vec(), ..process.clone() };
    let mut next = NextLaunch::new(Launcher::Wrapper(Wrapper::Setpriv.name()), source, next_process);
    if !process.view.user.is_root() || is_privileged {
        return None;
    }
    let view = &process.view;
    let text = |name: Option<&'_ [u8]>| std::str::from_utf8(name.unwrap_or_default()).ok().map(str::to_owned);
    let (user, group) = (text(arguments.user)?, text(arguments.group)?);
    let resolve = |text: &str| resolve_user(view.files, &view.mounts, text);
    // The user is looked up first.
    let found = resolve(&user).and_then(|account| Ok((account, resolve(&format!("{user}:{group}"))?)));
    if let (Some(GroupChange::Initialize), Some(uid)) = (arguments.groups, parse_id(user.as_bytes())) {
        // `main` in setpriv.c: "--init-groups requires an user that can be found on the system".
        match has_passwd_entry(view.files, &view.mounts, uid) {
            Ok(true) => {}
            Ok(false) if !SYNTHETIC_IDS.contains(&uid) && is_certainly_missing(view, b"") == Ok(true) => {
                return Some(next.exiting(ExitReason::UnknownAccount(AccountKind::User), user.into_bytes(), None));
            }
            Err(reason @ UnknownReason::LayerNotRead(_)) => {
                return Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next });
            }
            Ok(false) | Err(_) => return None,
        }
    }
    match found {
        Ok((User::Exact { uid: 0, .. } | User::Uid(0), _)) => {}
        Ok((User::Account { uid, gid, supplementary_gids }, account))
            if arguments.groups == Some(GroupChange::Initialize)
                && account == (User::Account { uid, gid, supplementary_gids: supplementary_gids.clone() }) =>
        {
            next.process.view.user = User::Account { uid, gid, supplementary_gids };
        }
        // The groups of the process are not modeled.
        Ok((User::Account { uid, .. } | User::Uid(uid), _)) => next.process.view.user = User::Uid(uid),
        Err(SetupError::Refused(SetupRefusal::UnknownAccount { kind, name, .. })) => {
            return match is_certainly_missing(view, &name) {
                Ok(true) => Some(next.exiting(ExitReason::UnknownAccount(kind), name, None)),
                Ok(false) => None,
                Err(reason) => Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next }),
            };
        }
        Err(SetupError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
            return Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next });
        }
        Ok(_) | Err(SetupError::Refused(_) | SetupError::Unknown(_)) => return None,
    }
    Some(next)
}

/// Returns whether the C library certainly does not find a name that is not in the files in `/etc`.
fn is_certainly_missing(view: &FilesystemView<'_>, name: &[u8]) -> Result<bool, UnknownReason> {
    for file in OTHER_ACCOUNT_FILES {
        if view.files.get(file)?.is_some() {
            return Ok(false);
        }
    }
    Ok(!SYNTHETIC_NAMES.contains(&name) && !is_number(name))
}

/// Returns whether setpriv takes this text for a number if no account has the name: `get_user` and `get_group` in
/// setpriv.c read it with `strtol_or_err`. Measured with util-linux 2.38.1: it accepts ` 5`, `+5`, `-5` and 4294967294,
/// which container runtimes do not, and refuses `5x`, `0x5` and `1.0`.
fn is_number(text: &[u8]) -> bool {
    read_number(text).is_some_and(|(_, rest)| rest.is_empty())
}

/// Returns whether su-exec may take this text for a number, as `main` in su-exec.c does with strtol(3). Debian does not
/// have su-exec, so this was not measured, and whatever begins with a number is not followed.
fn may_be_number(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text).first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use crate::launch::sample::{app_user, launch_as, rootfs};
    use crate::rootfs::{Node, User};

    #[test]
    fn setpriv_exits_if_certainly_nothing_defines_the_account() {
        let (plain, mut extra) = (rootfs(), rootfs());
        extra.insert(b"usr".to_vec(), Node::directory(0o755));
        extra.insert(b"usr/lib".to_vec(), Node::directory(0o755));
        extra.insert(b"usr/lib/passwd".to_vec(), Node::file(0o644, b"ghost:x:5:5::/:/bin/sh\n"));
        let root = User::default();
        for (files, user, arguments, expected) in [
            (&plain, &root, "--reuid=ghost,--clear-groups", "Exits { reason: UnknownAccount(User)"),
            (&plain, &root, "--reuid=app,--regid=ghosts,--clear-groups", "Exits { reason: UnknownAccount(Group)"),
            (&plain, &root, "--reuid=app,--clear-groups", "Starts"),
            (&plain, &root, "--reuid=5", "Starts"),
            (&plain, &root, "--reuid=5,--init-groups", "Exits { reason: UnknownAccount(User)"),
            (&plain, &root, "--reuid=7,--regid=5,--init-groups", "Starts"),
            (&plain, &root, "--reuid=65534,--init-groups", "not followed"),
            (&extra, &root, "--reuid=5,--init-groups", "not followed"),
            (&plain, &root, "--reuid=3000000000,--clear-groups", "not followed"),
            (&plain, &root, "--reuid=-5,--clear-groups", "not followed"),
            (&plain, &root, "--reuid=5,--regid=4294967294,--clear-groups", "not followed"),
            (&plain, &root, "--reuid=+5,--clear-groups", "Starts"),
            (&plain, &root, "--reuid= 5,--clear-groups", "not followed"),
            (&plain, &root, "--reuid=5x,--clear-groups", "Exits { reason: UnknownAccount(User)"),
            (&plain, &root, "--reuid=0x5,--clear-groups", "Exits { reason: UnknownAccount(User)"),
            (&plain, &root, "--reuid=5,--regid=1.0,--clear-groups", "Exits { reason: UnknownAccount(Group)"),
            (&plain, &root, "--reuid=nobody", "not followed"),
            (&extra, &root, "--reuid=ghost", "not followed"),
            (&plain, &app_user(), "--reuid=ghost", "not followed"),
        ] {
            let launches = launch_as(files, user, &format!("setpriv,{arguments},own"));
            let found = match launches.as_slice() {
                [_, last] => format!("{:?}", last.start.outcome),
                _ => "not followed".to_owned(),
            };
            assert!(found.starts_with(expected), "{arguments}: {found}");
        }
    }
    #[test]
    fn su_exec_accepts_numbers_that_container_runtimes_refuse() {
        for (line, is_followed) in [
            ("su-exec,3000000000,own", false),
            ("su-exec,-5,own", false),
            ("su-exec,5:4294967294,own", false),
            ("su-exec,ghost,own", true),
            ("gosu,3000000000,own", true),
        ] {
            assert_eq!(launch_as(&rootfs(), &User::default(), line).len() == 2, is_followed, "{line}");
        }
    }
}
