//! Predicts which program a wrapper, `env`, a shell or a script that executes its arguments certainly launches next.

use super::env_arguments::{EnvCommand, parse_env_arguments};
use super::file_argument::{check_file_argument, follow_interpreter};
use super::interpreter::Interpreter;
use super::message::{MessageSource, format_option_message};
use super::next_launch::{LaunchedProcess, Launcher, NextLaunch};
use super::program_kind::{LauncherKind, ProgramFamily, Wrapper, identify_program};
use super::switch_user::{follow_gosu, follow_setpriv};
use super::wrapper::{InitAction, parse_init_arguments};
use crate::errno::Errno;
use crate::exec::{ExitReason, StartPrediction, parse_shebang};
use crate::path::split_parent;
use crate::rootfs::{ExecError, FilesystemView, Node, UnknownReason};
use crate::shell::{
    BashFeature, ScriptEnding, ShellInvocation, names_bash, parse_first_command, parse_shell_arguments,
};

/// Predicts the next launch of a process. `chain` lists the paths that were opened to start the process.
pub(super) fn predict_next<'a>(process: &LaunchedProcess<'a>, chain: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    let (program, argv) = resolve_interpreters(&process.view, chain.first()?, &process.argv)?;
    let found = process.view.resolve(&program).ok()?;
    let Node::File(permissions, contents) = found.node else { return None };
    if contents.is_elf()
        && let Some(interpreter) = Interpreter::identify(argv.first()?, &found.path)
    {
        return follow_interpreter(process, interpreter, &argv);
    }
    let (kind, family) = identify_program(argv.first()?, &program, &found.path, contents.size)?;
    let is_musl = split_parent(chain.last()?).1.starts_with(b"ld-musl-");
    let source = MessageSource { kind, family, is_musl, is_exec: false, is_visible: true };
    let next = match kind {
        LauncherKind::Wrapper(wrapper) => {
            return follow_wrapper(process, source, wrapper, &argv, permissions.is_privileged());
        }
        LauncherKind::Shell => follow_shell(process, source, &argv)?,
        LauncherKind::Env => {
            let search = process.search_path.as_deref();
            let EnvCommand { argv, search_path } =
                parse_env_arguments(&argv, search, family == ProgramFamily::Coreutils)?;
            let process = LaunchedProcess { search_path, argv, ..process.clone() };
            NextLaunch::new(Launcher::Wrapper("env"), source, process)
        }
    };
    if next.start.is_some() {
        return Some(next);
    }
    let name = next.process.argv.first()?;
    (name.contains(&b'/') || family.always_runs_file(name)).then_some(next)
}

/// Resolves scripts as `load_script` does. Returns the program that starts and its arguments, including `argv[0]`.
pub(super) fn resolve_interpreters(
    view: &FilesystemView<'_>,
    path: &[u8],
    argv: &[Vec<u8>],
) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (mut path, mut argv) = (path.to_vec(), argv.to_vec());
    loop {
        let Node::File(_, contents) = view.resolve(&path).ok()?.node else { return None };
        let Some(script) = parse_shebang(contents.head()) else { return Some((path, argv)) };
        let first = [Some(script.interpreter.clone()), script.argument, Some(path)];
        argv = first.into_iter().flatten().chain(argv.into_iter().skip(1)).collect();
        path = script.interpreter;
    }
}

fn follow_wrapper<'a>(
    process: &LaunchedProcess<'a>,
    source: MessageSource,
    wrapper: Wrapper,
    argv: &[Vec<u8>],
    is_privileged: bool,
) -> Option<NextLaunch<'a>> {
    match wrapper {
        Wrapper::Gosu | Wrapper::SuExec => follow_gosu(process, source, wrapper, argv, is_privileged),
        Wrapper::Setpriv => follow_setpriv(process, source, argv, is_privileged),
        Wrapper::Tini | Wrapper::DumbInit | Wrapper::Catatonit => {
            let launcher = Launcher::Wrapper(wrapper.name());
            Some(match parse_init_arguments(wrapper, argv)? {
                InitAction::Start(command) => {
                    let next_process = LaunchedProcess { argv: command.to_vec(), ..process.clone() };
                    NextLaunch::new(launcher, source, next_process)
                }
                InitAction::RefuseOption(letter, value) => {
                    let message = format_option_message(wrapper, letter, value);
                    let next = NextLaunch::new(launcher, source, process.clone());
                    next.exiting(ExitReason::RefusedOption(letter), value.to_vec(), message)
                }
            })
        }
    }
}

fn follow_shell<'a>(process: &LaunchedProcess<'a>, source: MessageSource, argv: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    if let [_, option, script, ..] = argv
        && option.starts_with(b"-")
        && option.ends_with(b"\r")
        && source.family != ProgramFamily::Unknown
    {
        // The shells refuse the carriage return as an option: "invalid option" (bash), "Illegal option" (dash).
        let next = NextLaunch::new(Launcher::Shell, source, process.clone());
        return Some(next.exiting(ExitReason::CarriageReturn, script.clone(), None));
    }
    match parse_shell_arguments(argv, source.family == ProgramFamily::Bash)? {
        ShellInvocation::CommandString(string, arguments, is_strict) => {
            let command = parse_first_command(string, arguments, is_strict)?;
            if may_be_expanded(&process.view, &command.argv[0]) {
                return None;
            }
            let process = LaunchedProcess { argv: command.argv, ..process.clone() };
            let source = MessageSource { is_exec: command.is_exec, is_visible: !command.is_redirected, ..source };
            let (is_complete, has_more_commands) = (command.is_complete, command.has_more_commands);
            let mut next =
                NextLaunch { is_complete, has_more_commands, ..NextLaunch::new(Launcher::Shell, source, process) };
            let Some(directory) = command.directory else { return Some(next) };
            let entered = resolve_cd(&next.process.view, &directory);
            if let Err(ExecError::Errno(_)) = entered {
                return Some(next.exiting(ExitReason::MissingFile, directory, None));
            }
            if let Ok(Some(path)) = &entered {
                next.process.view.working_directory = Some(path.clone());
            }
            next.provided_that(entered.map(|path| path.is_some()))
        }
        ShellInvocation::Script(path, arguments, has_nounset) => {
            if let Some(next) = check_file_argument(process, source, &Launcher::Shell, argv.first()?, path) {
                return Some(next);
            }
            // Shells look up a script without a slash in different places.
            if !path.contains(&b'/') {
                return None;
            }
            let (ending, is_for_bash) = match process.view.resolve(path) {
                Ok(found) => match found.node {
                    Node::File(_, contents) => (contents.script_ending()?, names_bash(contents.head())),
                    _ => return None,
                },
                Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
                    let next = NextLaunch::new(Launcher::Script(path.to_vec()), source, process.clone());
                    return Some(NextLaunch { start: Some(StartPrediction::unknown(reason)), ..next });
                }
                Err(_) => return None,
            };
            if let ScriptEnding::StopsInDash(feature) = ending {
                return follow_bash_script(process, source, *feature, path);
            }
            // Another shell may not have the options that the script sets.
            if is_for_bash && source.family != ProgramFamily::Bash {
                return None;
            }
            let command = ending.find_command(arguments, has_nounset)?;
            let process = LaunchedProcess { argv: command.argv, ..process.clone() };
            let source = MessageSource { is_exec: command.is_exec, is_visible: !command.is_redirected, ..source };
            let next = NextLaunch::new(Launcher::Script(path.to_vec()), source, process);
            Some(NextLaunch { is_complete: command.is_complete, ..next })
        }
    }
}

/// Returns the exit of a script with a feature of bash, or `None` if it is not certain that dash runs the script, and that
/// the image does not have a program with the name of the command.
fn follow_bash_script<'a>(
    process: &LaunchedProcess<'a>,
    source: MessageSource,
    feature: BashFeature,
    path: &[u8],
) -> Option<NextLaunch<'a>> {
    if source.family != ProgramFamily::Dash {
        return None;
    }
    let next = NextLaunch::new(Launcher::Shell, source, process.clone());
    let name = feature.name();
    let (reason, message) = match feature {
        BashFeature::Parenthesis => (ExitReason::BashSyntax, "Syntax error: \"(\" unexpected".to_owned()),
        BashFeature::Command(_) => (ExitReason::BashCommand(name), format!("{name}: not found")),
    };
    let mut directories = process.search_path.as_deref()?.split(|byte| *byte == b':');
    let is_missing = |directory: &[u8]| {
        let file = [directory, b"/", name.as_bytes()].concat();
        match process.view.resolve(&file) {
            Err(ExecError::Errno(Errno::NoEntry | Errno::NotDirectory)) => Ok(directory.starts_with(b"/")),
            Ok(_) | Err(ExecError::Errno(_)) => Ok(false),
            Err(unknown) => Err(unknown),
        }
    };
    let is_certain = match feature {
        BashFeature::Parenthesis => Ok(true),
        BashFeature::Command(_) => directories.try_fold(true, |all, directory| Ok(all && is_missing(directory)?)),
    };
    next.exiting(reason, path.to_vec(), Some(message)).provided_that(is_certain)
}

/// Returns whether a name may be a pattern that matches a file: a list in brackets matches each of its characters.
fn may_be_expanded(view: &FilesystemView<'_>, name: &[u8]) -> bool {
    let Some(list) = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else { return false };
    let may_match = |byte: &u8| *byte == b'-' || view.resolve(&[*byte]) != Err(Errno::NoEntry.into());
    !list.contains(&b'/') && list.iter().any(may_match)
}

/// Returns the directory that `cd` enters, if that is certain. It is not if the container runtime creates the working
/// directory, which the view contains only while it is the working directory.
fn resolve_cd(view: &FilesystemView<'_>, path: &[u8]) -> Result<Option<Vec<u8>>, ExecError> {
    let Some(directory) = &view.working_directory else { return Ok(None) };
    if view.files.get(directory)?.is_none() {
        return Ok(None);
    }
    let found = view.resolve(path)?;
    Ok(match found.node {
        Node::Directory(permissions) if view.user.may_search(*permissions) == Some(true) => Some(found.path),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::exec::{ExecOutcome, ExitReason};
    use crate::launch::sample::{chain, file, rootfs};

    #[test]
    fn script_is_followed_to_the_program_that_it_execs() {
        let mut rootfs = rootfs();
        for (path, text) in [
            ("own.sh", "#!/bin/sh\nset -e\nexec own -x $PORT\n"),
            ("none.sh", "#!/bin/sh\nexec /none 'a b'\n"),
            ("none-bash.sh", "#!/bin/bash\nexec none\n"),
            ("none-ash.sh", "#!/bin/ash\nexec none\n"),
            ("gunicorn-ash.sh", "#!/bin/ash\nexec gunicorn\n"),
            ("nounset.sh", "#!/bin/sh -u\nexec /none $PORT\n"),
            ("tini.sh", "#!/bin/sh\nexec tini -- /srv/app\n"),
            ("tini-more.sh", "#!/bin/sh\nexec tini -- \"$@\"\n"),
            ("twice.sh", "#!/bin/sh\nexec /none.sh\n"),
            ("if.sh", "#!/bin/sh\nif true; then exec own; fi\nexec /none\n"),
            ("copy.sh", "#!/bin/sh\ncp own /none\nexec /none\n"),
        ] {
            rootfs.insert(path.into(), file(text.as_bytes()));
        }
        for (line, count, expected) in [
            ("/own.sh", 2, "starts"),
            ("/none.sh", 2, "exec: /none: not found"),
            ("sh,/none.sh", 2, "exec: /none: not found"),
            ("/none-bash.sh,x", 2, "exec: none: not found"),
            ("/none-ash.sh", 1, "it is unknown what the script /none-ash.sh starts"),
            ("/gunicorn-ash.sh", 2, "gunicorn: not found"),
            ("/nounset.sh", 1, "it is unknown what the script /nounset.sh starts"),
            ("sh,-u,/own.sh", 1, "it is unknown what the script /own.sh starts"),
            ("/tini.sh", 3, "fails"),
            ("/tini-more.sh,own", 2, "it is unknown what tini starts"),
            ("/twice.sh", 3, "exec: /none: not found"),
            ("/if.sh", 1, "it is unknown what the script /if.sh starts"),
            ("/copy.sh", 1, "it is unknown what the script /copy.sh starts"),
        ] {
            let launches = chain(&rootfs, &line.split(',').collect::<Vec<_>>());
            let last = launches.last().unwrap();
            let found = match (&last.start.outcome, &last.start.message, &last.not_followed) {
                (ExecOutcome::Starts { .. }, _, None) => "starts",
                (ExecOutcome::Starts { .. }, _, Some(reason)) => reason,
                (_, Some(message), _) => message,
                _ => "fails",
            };
            assert_eq!((launches.len(), found), (count, expected), "{line}");
        }
    }

    #[test]
    fn scripts_for_bash_exit_in_dash() {
        let mut plain = rootfs();
        for (path, text) in [
            ("array", "#!/bin/sh\nA=(1 2)\n"),
            ("source", "#!/bin/sh\nset -e\nsource /env\n"),
            ("bash-array", "#!/bin/bash\nA=(1 2)\n"),
            ("ash-array", "#!/bin/ash\nA=(1 2)\n"),
        ] {
            plain.insert(path.into(), file(text.as_bytes()));
        }
        let mut with_program = plain.clone();
        with_program.insert(b"bin/source".to_vec(), file(b"#!/bin/sh\n"));
        let (syntax, command) = (ExitReason::BashSyntax, ExitReason::BashCommand("source"));
        for (files, line, expected) in [
            (&plain, "/array", Some(syntax)),
            (&plain, "sh,/bash-array", Some(syntax)),
            (&plain, "/source", Some(command)),
            (&plain, "/bash-array", None),
            (&plain, "/ash-array", None),
            (&plain, "bash,/array", None),
            (&with_program, "/source", None),
            (&with_program, "/array", Some(syntax)),
        ] {
            let launches = chain(files, &line.split(',').collect::<Vec<_>>());
            let found = match &launches.last().unwrap().start.outcome {
                ExecOutcome::Exits { reason, .. } => Some(*reason),
                _ => None,
            };
            assert_eq!(found, expected, "{line}");
        }
    }
}
