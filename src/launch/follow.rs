//! What a program that starts is certain to start next: wrappers, shells, and scripts that hand over.
//!
//! Does not look that up, and says nothing where a guess would be needed.

use super::env;
use super::message::MessageSource;
use super::program_kind::{LauncherKind, ProgramFamily, identify_program};
use super::wrapper::{TargetUser, parse_wrapper_arguments};
use crate::exec::parse_shebang;
use crate::path::split_parent;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;
use crate::rootfs::{ExecError, UnknownReason};
use crate::shell::parse_first_command;
use crate::shell::{ShellInvocation, parse_shell_arguments};

/// Who starts a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launcher {
    /// The container's runtime.
    ContainerRuntime,
    /// A program that starts another, by the name that its project gives it.
    Wrapper(&'static str),
    /// A shell, told so by a string.
    Shell,
    /// A shell, at the end of this script.
    Script(Vec<u8>),
}

/// A process of which it is known what it will do.
#[derive(Debug, Clone)]
pub(super) struct LaunchedProcess<'a> {
    /// Where it looks paths up.
    pub(super) view: FilesystemView<'a>,
    /// Its `PATH`.
    pub(super) search_path: Option<Vec<u8>>,
    /// What it was started as.
    pub(super) argv: Vec<Vec<u8>>,
}

/// What is started next.
#[derive(Debug)]
pub(super) struct NextLaunch<'a> {
    pub(super) launcher: Launcher,
    pub(super) message_source: MessageSource,
    pub(super) process: LaunchedProcess<'a>,
    /// Whether it is another user, of whom it is only known that root may do all that they may.
    pub(super) is_other_user: bool,
    /// Whether all its arguments are known, so that it can be followed in its turn.
    pub(super) is_complete: bool,
    /// What must be read before it is certain.
    pub(super) unknown: Option<UnknownReason>,
}

impl<'a> NextLaunch<'a> {
    fn new(by: Launcher, voice: MessageSource, process: LaunchedProcess<'a>) -> Self {
        Self { launcher: by, message_source: voice, process, is_other_user: false, is_complete: true, unknown: None }
    }

    /// The same, if something is so; or once it is known whether it is so.
    fn provided_that(self, so: Result<bool, ExecError>) -> Option<Self> {
        match so {
            Ok(so) => so.then_some(self),
            Err(ExecError::Unknown(reason @ UnknownReason::LayerNotRead(_))) => {
                Some(Self { unknown: Some(reason), ..self })
            }
            Err(_) => None,
        }
    }
}

/// What a process, for which this chain was opened, starts next.
pub(super) fn predict_next<'a>(process: &LaunchedProcess<'a>, chain: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    let (program, argv) = resolve_interpreters(&process.view, chain.first()?, &process.argv)?;
    let found = process.view.resolve(&program).ok()?;
    let Node::File(_, contents) = found.node else { return None };
    let (kind, family) = identify_program(argv.first()?, &program, &found.path, contents.size)?;
    let musl = split_parent(chain.last()?).1.starts_with(b"ld-musl-");
    let voice = MessageSource { kind, family, is_musl: musl, is_exec: false, is_visible: true };
    let next = match kind {
        LauncherKind::Shell => follow_shell(process, voice, &argv)?,
        LauncherKind::Env => {
            let env::EnvCommand { argv, search_path: search } =
                env::parse_env_arguments(&argv, process.search_path.as_deref(), family == ProgramFamily::Coreutils)?;
            let process = LaunchedProcess { search_path: search, argv, ..process.clone() };
            NextLaunch::new(Launcher::Wrapper("env"), voice, process)
        }
        _ => follow_wrapper(process, voice, &argv)?,
    };
    let name = next.process.argv.first()?;
    let is_file = name.contains(&b'/')
        || !matches!(kind, LauncherKind::Env | LauncherKind::Shell)
        || family.always_runs_file(name);
    is_file.then_some(next)
}

/// The program that the kernel really starts, and the arguments that it gets, its own name first: `load_script`.
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

fn follow_wrapper<'a>(process: &LaunchedProcess<'a>, voice: MessageSource, argv: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    let name = match voice.kind {
        LauncherKind::Tini => "tini",
        LauncherKind::DumbInit => "dumb-init",
        LauncherKind::Catatonit => "catatonit",
        LauncherKind::Gosu => "gosu",
        LauncherKind::SuExec => "su-exec",
        LauncherKind::Env | LauncherKind::Shell => return None,
    };
    let wrapped = parse_wrapper_arguments(voice.kind, argv)?;
    let changes_user = matches!(voice.kind, LauncherKind::Gosu | LauncherKind::SuExec);
    // Nobody else may become another user, and the name is looked for in this file.
    if changes_user && !process.view.user.is_root() {
        return None;
    }
    let user_is_known = match wrapped.user {
        TargetUser::Root => process.view.resolve(b"/etc/passwd").map(|found| matches!(found.node, Node::File(..))),
        TargetUser::Same | TargetUser::Other => Ok(true),
    };
    let is_other_user = wrapped.user == TargetUser::Other;
    let process = LaunchedProcess { argv: wrapped.argv.to_vec(), ..process.clone() };
    NextLaunch { is_other_user, ..NextLaunch::new(Launcher::Wrapper(name), voice, process) }
        .provided_that(user_is_known)
}

fn follow_shell<'a>(process: &LaunchedProcess<'a>, voice: MessageSource, argv: &[Vec<u8>]) -> Option<NextLaunch<'a>> {
    match parse_shell_arguments(argv, voice.family == ProgramFamily::Bash)? {
        ShellInvocation::CommandString(string, arguments, strict) => {
            let command = parse_first_command(string, arguments, strict)?;
            let process = LaunchedProcess { argv: command.argv, ..process.clone() };
            let voice = MessageSource { is_exec: command.is_exec, is_visible: !command.is_redirected, ..voice };
            let mut next =
                NextLaunch { is_complete: command.is_complete, ..NextLaunch::new(Launcher::Shell, voice, process) };
            let Some(directory) = command.directory else { return Some(next) };
            let entered = resolve_cd(&next.process.view, &directory);
            if let Ok(Some(place)) = &entered {
                next.process.view.working_directory = Some(place.clone());
            }
            next.provided_that(entered.map(|place| place.is_some()))
        }
        // Without a slash, shells differ in where they look for it.
        ShellInvocation::Script(path, arguments) if path.contains(&b'/') => {
            arguments.first().filter(|name| !name.starts_with(b"-"))?;
            let found = process.view.resolve(path);
            let hands_over = |node: &Node| matches!(node, Node::File(_, contents) if contents.execs_arguments());
            let process = LaunchedProcess { argv: arguments.to_vec(), ..process.clone() };
            let voice = MessageSource { is_exec: true, ..voice };
            let next = NextLaunch::new(Launcher::Script(path.to_vec()), voice, process);
            next.provided_that(found.map(|found| hands_over(found.node)))
        }
        ShellInvocation::Script(..) => None,
    }
}

/// Where `cd` leads, if it surely leads there. A working directory that the runtime made is only known from within.
fn resolve_cd(view: &FilesystemView<'_>, path: &[u8]) -> Result<Option<Vec<u8>>, ExecError> {
    let Some(directory) = &view.working_directory else { return Ok(None) };
    if view.files.get(directory)?.is_none() {
        return Ok(None);
    }
    let found = view.resolve(path)?;
    Ok(match found.node {
        Node::Directory(owner) if view.user.may_search(*owner) == Some(true) => Some(found.path),
        _ => None,
    })
}
