//! Predicts which program a wrapper, `env`, a shell or a script that executes its arguments certainly launches next.

use super::message::MessageSource;
use super::program_kind::{LauncherKind, ProgramFamily, Wrapper, identify_program};
use super::wrapper::{EnvCommand, TargetUser, parse_env_arguments, parse_wrapper_arguments};
use crate::exec::parse_shebang;
use crate::path::split_parent;
use crate::rootfs::{ExecError, FilesystemView, Node, UnknownReason};
use crate::shell::{ShellInvocation, parse_first_command, parse_shell_arguments};

/// What starts a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launcher {
    /// The container runtime.
    ContainerRuntime,
    /// A program that starts another one, by the name of its project.
    Wrapper(&'static str),
    /// A shell with a command string.
    Shell,
    /// AWS Lambda, which starts the image's extensions.
    LambdaExtensions,
    /// A shell that runs this script.
    Script(Vec<u8>),
}

/// A process that may launch another program.
#[derive(Debug, Clone)]
pub(super) struct LaunchedProcess<'a> {
    pub(super) view: FilesystemView<'a>,
    /// The `PATH`.
    pub(super) search_path: Option<Vec<u8>>,
    pub(super) argv: Vec<Vec<u8>>,
}

/// The next launch.
#[derive(Debug)]
pub(super) struct NextLaunch<'a> {
    pub(super) launcher: Launcher,
    pub(super) message_source: MessageSource,
    pub(super) process: LaunchedProcess<'a>,
    /// Whether the user changes. Root may do everything that the new user may; nothing else is known about it.
    pub(super) is_other_user: bool,
    /// Whether all arguments are known, so that the program can be followed too.
    pub(super) is_complete: bool,
    /// The unread layer on which the launch depends, if any.
    pub(super) unknown: Option<UnknownReason>,
}

impl<'a> NextLaunch<'a> {
    fn new(launcher: Launcher, message_source: MessageSource, process: LaunchedProcess<'a>) -> Self {
        Self { launcher, message_source, process, is_other_user: false, is_complete: true, unknown: None }
    }

    /// Returns the launch if a condition holds, and marks it unknown if the condition depends on an unread layer.
    fn provided_that(self, condition: Result<bool, ExecError>) -> Option<Self> {
        match condition {
            Ok(holds) => holds.then_some(self),
            Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
                Some(Self { unknown: Some(reason), ..self })
            }
            Err(_) => None,
        }
    }
}

/// Predicts the next launch of a process. `chain` lists the paths that were opened to start the process.
pub(super) fn predict_next<'a>(process: &LaunchedProcess<'a>, chain: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    let (program, argv) = resolve_interpreters(&process.view, chain.first()?, &process.argv)?;
    let found = process.view.resolve(&program).ok()?;
    let Node::File(_, contents) = found.node else { return None };
    let (kind, family) = identify_program(argv.first()?, &program, &found.path, contents.size)?;
    let is_musl = split_parent(chain.last()?).1.starts_with(b"ld-musl-");
    let source = MessageSource { kind, family, is_musl, is_exec: false, is_visible: true };
    let next = match kind {
        LauncherKind::Wrapper(wrapper) => return follow_wrapper(process, source, wrapper, &argv),
        LauncherKind::Shell => follow_shell(process, source, &argv)?,
        LauncherKind::Env => {
            let search = process.search_path.as_deref();
            let EnvCommand { argv, search_path } =
                parse_env_arguments(&argv, search, family == ProgramFamily::Coreutils)?;
            let process = LaunchedProcess { search_path, argv, ..process.clone() };
            NextLaunch::new(Launcher::Wrapper("env"), source, process)
        }
    };
    let name = next.process.argv.first()?;
    (name.contains(&b'/') || family.always_runs_file(name)).then_some(next)
}

/// Resolves scripts as `load_script` does. Returns the program that starts and its arguments, including `argv[0]`.
fn resolve_interpreters(view: &FilesystemView<'_>, path: &[u8], argv: &[Vec<u8>]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
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
) -> Option<NextLaunch<'a>> {
    let (argv, user) = parse_wrapper_arguments(wrapper, argv)?;
    // Only root may change the user.
    if matches!(wrapper, Wrapper::Gosu | Wrapper::SuExec) && !process.view.user.is_root() {
        return None;
    }
    let user_is_known = match user {
        TargetUser::Root => process.view.resolve(b"/etc/passwd").map(|found| matches!(found.node, Node::File(..))),
        TargetUser::Same | TargetUser::Other => Ok(true),
    };
    let process = LaunchedProcess { argv: argv.to_vec(), ..process.clone() };
    let next = NextLaunch::new(Launcher::Wrapper(wrapper.name()), source, process);
    NextLaunch { is_other_user: user == TargetUser::Other, ..next }.provided_that(user_is_known)
}

fn follow_shell<'a>(process: &LaunchedProcess<'a>, source: MessageSource, argv: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    match parse_shell_arguments(argv, source.family == ProgramFamily::Bash)? {
        ShellInvocation::CommandString(string, arguments, is_strict) => {
            let command = parse_first_command(string, arguments, is_strict)?;
            let process = LaunchedProcess { argv: command.argv, ..process.clone() };
            let source = MessageSource { is_exec: command.is_exec, is_visible: !command.is_redirected, ..source };
            let mut next =
                NextLaunch { is_complete: command.is_complete, ..NextLaunch::new(Launcher::Shell, source, process) };
            let Some(directory) = command.directory else { return Some(next) };
            let entered = resolve_cd(&next.process.view, &directory);
            if let Ok(Some(path)) = &entered {
                next.process.view.working_directory = Some(path.clone());
            }
            next.provided_that(entered.map(|path| path.is_some()))
        }
        // Shells look up a script without a slash in different places.
        ShellInvocation::Script(path, arguments) if path.contains(&b'/') => {
            arguments.first().filter(|name| !name.starts_with(b"-"))?;
            let execs_arguments = process
                .view
                .resolve(path)
                .map(|found| matches!(found.node, Node::File(_, contents) if contents.execs_arguments()));
            let process = LaunchedProcess { argv: arguments.to_vec(), ..process.clone() };
            let source = MessageSource { is_exec: true, ..source };
            NextLaunch::new(Launcher::Script(path.to_vec()), source, process).provided_that(execs_arguments)
        }
        ShellInvocation::Script(..) => None,
    }
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
