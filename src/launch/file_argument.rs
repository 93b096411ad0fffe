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
