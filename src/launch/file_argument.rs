//! Predicts whether shells and interpreters can read the file that their arguments name.

use super::interpreter::Interpreter;
use super::message::{MessageSource, format_file_message};
use super::next_launch::{LaunchedProcess, Launcher, NextLaunch};
use crate::errno::Errno;
use crate::exec::{ExecOutcome, ExitReason, StartPrediction};
use crate::rootfs::{ExecError, Node};

/// Returns the exit of an interpreter that cannot read its file, or `None` if that is not certain.
pub(super) fn follow_interpreter<'a>(
    process: &LaunchedProcess<'a>,
    interpreter: Interpreter,
    argv: &[Vec<u8>],
) -> Option<NextLaunch<'a>> {
    let (argv0, arguments) = argv.split_first()?;
    let launcher = Launcher::Wrapper(interpreter.name());
    if let [option, script, ..] = arguments
        && interpreter.refuses_carriage_return(option)
    {
        let next = NextLaunch::new(launcher, MessageSource::SILENT, process.clone());
        return Some(next.exiting(ExitReason::CarriageReturn, script.clone(), None));
    }
    let file = interpreter.find_file(arguments)?;
    // Unlike shells, interpreters do not look up a file in `PATH`.
    let path = if file.contains(&b'/') { file.to_vec() } else { [b"./", file].concat() };
    let mut next = check_file_argument(process, MessageSource::SILENT, &launcher, argv0, &path)?;
    if let Some(StartPrediction { outcome: ExecOutcome::Exits { reason: ExitReason::MissingFile, .. }, message }) =
        &mut next.start
    {
        *message = interpreter.missing_message(argv0, file);
    }
    Some(next)
}

/// Returns the exit of a program that cannot read the file that it is to run, or `None` if it can, or if that is not
/// certain. The file is looked up in the working directory, and by shells also in `PATH`.
pub(super) fn check_file_argument<'a>(
    process: &LaunchedProcess<'a>,
    source: MessageSource,
    launcher: &Launcher,
    argv0: &[u8],
    path: &[u8],
) -> Option<NextLaunch<'a>> {
    let view = &process.view;
    let next = |path: &[u8]| {
        NextLaunch::new(launcher.clone(), source, LaunchedProcess { argv: vec![path.to_vec()], ..process.clone() })
    };
    match view.resolve(path) {
        Ok(found) => match found.node {
            Node::File(permissions, _) if view.user.may_read(*permissions) == Some(false) => {
                let message = format_file_message(source.family, argv0, path, "Permission denied", "Permission denied");
                let reason = ExitReason::UnreadableFile { mode: permissions.mode };
                Some(next(path).exiting(reason, path.to_vec(), message))
            }
            _ => None,
        },
        Err(ExecError::Errno(Errno::NoEntry)) => {
            let is_elsewhere = |directory: &[u8]| {
                let file = [directory, b"/", path].concat();
                !directory.starts_with(b"/") || view.resolve(&file) != Err(Errno::NoEntry.into())
            };
            if !path.contains(&b'/') && process.search_path.as_ref()?.split(|byte| *byte == b':').any(is_elsewhere) {
                return None;
            }
            let message = format_file_message(source.family, argv0, path, "No such file", "No such file or directory");
            Some(next(path).exiting(ExitReason::MissingFile, path.to_vec(), message))
        }
        Err(ExecError::Errno(_)) => None,
        // A file without a slash is opened in the working directory first.
        Err(ExecError::Unknown(reason)) => {
            Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next(path) })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::exec::{AccountKind, ExecOutcome, ExitReason, StartPrediction};
    use crate::launch::Launch;
    use crate::launch::sample::{app_user, launch_as, rootfs_with_scripts};
    use crate::rootfs::User;

    #[test]
    fn programs_exit_without_what_their_arguments_name() {
        let rootfs = rootfs_with_scripts();
        let (missing, closed) = (ExitReason::MissingFile, |mode| ExitReason::UnreadableFile { mode });
        let (user, group) =
            (ExitReason::UnknownAccount(AccountKind::User), ExitReason::UnknownAccount(AccountKind::Group));
        let root = User::default();
        let app = app_user();
        let cases: [(&User, &str, ExitReason, &str, Option<&str>); 21] = [
            (&root, "sh,/none.sh", missing, "/none.sh", Some("sh: 0: cannot open /none.sh: No such file")),
            (&root, "bash,/none.sh", missing, "/none.sh", Some("bash: /none.sh: No such file or directory")),
            (&root, "ash,/none.sh", missing, "/none.sh", Some("ash: can't open '/none.sh': No such file or directory")),
            (&root, "sh,none.sh", missing, "none.sh", Some("sh: 0: cannot open none.sh: No such file")),
            (&root, "tini,--,sh,/none.sh", missing, "/none.sh", Some("sh: 0: cannot open /none.sh: No such file")),
            (&root, "sh,-c,cd /none && ./app", missing, "/none", None),
            (&root, "sh,-c,exec python3 none.py", missing, "./none.py", None),
            (
                &root,
                "python3,-u,/none.py",
                missing,
                "/none.py",
                Some("python3: can't open file '/none.py': [Errno 2] No such file or directory"),
            ),
            (&root, "node,none.js", missing, "./none.js", None),
            (&root, "java,-jar,none.jar", missing, "./none.jar", Some("Error: Unable to access jarfile none.jar")),
            (&root, "/crlf", ExitReason::CarriageReturn, "/crlf", None),
            (&root, "/crlf-python", ExitReason::CarriageReturn, "/crlf-python", None),
            (&app, "/closed", closed(0o711), "/closed", Some("/bin/sh: 0: cannot open /closed: Permission denied")),
            (&app, "bash,/closed", closed(0o711), "/closed", Some("bash: /closed: Permission denied")),
            (&app, "python3,/private.py", closed(0o700), "/private.py", None),
            (
                &root,
                "gosu,ghost,own",
                user,
                "ghost",
                Some(
                    "error: failed switching to \"ghost\": unable to find user ghost: no matching entries in passwd file",
                ),
            ),
            (
                &root,
                "gosu,app:ghosts,own",
                group,
                "ghosts",
                Some(
                    "error: failed switching to \"app:ghosts\": unable to find group ghosts: no matching entries in \
                     group file",
                ),
            ),
            (&root, "su-exec,ghost,own", user, "ghost", None),
            (
                &app,
                "gosu,app,own",
                ExitReason::NotRoot,
                "app",
                Some("error: failed switching to \"app\": operation not permitted"),
            ),
            (&app, "su-exec,root,own", ExitReason::NotRoot, "root", None),
            (
                &root,
                "gosu,app,/closed",
                closed(0o711),
                "/closed",
                Some("/bin/sh: 0: cannot open /closed: Permission denied"),
            ),
        ];
        for (user, line, reason, path, message) in cases {
            let launches = launch_as(&rootfs, user, line);
            let StartPrediction { outcome, message: found } = &launches.last().unwrap().start;
            let expected = ExecOutcome::Exits { reason, path: path.into(), chain: Vec::new() };
            assert_eq!((outcome, found.as_deref()), (&expected, message), "{line}");
        }
    }

    #[test]
    fn programs_that_find_their_files_start() {
        let rootfs = rootfs_with_scripts();
        let root = User::default();
        for (user, line, count) in [
            (&root, "python3,app.py", 1),
            (&root, "python3,-m,app", 1),
            (&root, "/closed", 1),
            (&root, "sh,app.py", 1),
            (&root, "gosu,app,own", 2),
            (&root, "sh,-c,python3 app.py", 2),
            (&root, "sh,-c,['x']", 1),
        ] {
            let launches = launch_as(&rootfs, user, line);
            let starts = |launch: &Launch| matches!(launch.start.outcome, ExecOutcome::Starts { .. });
            assert!(launches.len() == count && launches.iter().all(starts), "{line}: {launches:?}");
        }
    }
}
