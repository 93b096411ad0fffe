//! What a program that starts is certain to start next: wrappers, shells, and scripts that hand over.
//!
//! Does not look that up, and says nothing where a guess would be needed.

use super::env;
use super::recognise::{Family, Kind, recognised};
use super::words::Voice;
use super::wrapper::{Became, wrapped};
use crate::exec::shebang;
use crate::path::split;
use crate::rootfs::Node;
use crate::rootfs::View;
use crate::rootfs::{Stop, Unknown};
use crate::shell::command;
use crate::shell::{Told, told};

/// Who starts a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The container's runtime.
    Runtime,
    /// A program that starts another, by the name that its project gives it.
    Wrapper(&'static str),
    /// A shell, told so by a string.
    Shell,
    /// A shell, at the end of this script.
    Script(Vec<u8>),
}

/// A process of which it is known what it will do.
#[derive(Debug, Clone)]
pub(super) struct Process<'a> {
    /// Where it looks paths up.
    pub(super) view: View<'a>,
    /// Its `PATH`.
    pub(super) search: Option<Vec<u8>>,
    /// What it was started as.
    pub(super) argv: Vec<Vec<u8>>,
}

/// What is started next.
#[derive(Debug)]
pub(super) struct Next<'a> {
    pub(super) by: By,
    pub(super) voice: Voice,
    pub(super) process: Process<'a>,
    /// Whether it is another user, of whom it is only known that root may do all that they may.
    pub(super) is_other_user: bool,
    /// Whether all its arguments are known, so that it can be followed in its turn.
    pub(super) is_whole: bool,
    /// What must be read before it is certain.
    pub(super) unread: Option<Unknown>,
}

impl<'a> Next<'a> {
    fn new(by: By, voice: Voice, process: Process<'a>) -> Self {
        Self { by, voice, process, is_other_user: false, is_whole: true, unread: None }
    }

    /// The same, if something is so; or once it is known whether it is so.
    fn provided(self, so: Result<bool, Stop>) -> Option<Self> {
        match so {
            Ok(so) => so.then_some(self),
            Err(Stop::Unknown(reason @ Unknown::Unread(_))) => Some(Self { unread: Some(reason), ..self }),
            Err(_) => None,
        }
    }
}

/// What a process, for which this chain was opened, starts next.
pub(super) fn next<'a>(process: &Process<'a>, chain: &[Vec<u8>]) -> Option<Next<'a>> {
    let (program, argv) = interpreted(&process.view, chain.first()?, &process.argv)?;
    let found = process.view.find(&program).ok()?;
    let Node::File(_, contents) = found.node else { return None };
    let (kind, family) = recognised(argv.first()?, &program, &found.place, contents.size)?;
    let musl = split(chain.last()?).1.starts_with(b"ld-musl-");
    let voice = Voice { kind, family, musl, is_exec: false, is_heard: true };
    let next = match kind {
        Kind::Shell => by_shell(process, voice, &argv)?,
        Kind::Env => {
            let env::Run { argv, search } = env::run(&argv, process.search.as_deref(), family == Family::Coreutils)?;
            let process = Process { search, argv, ..process.clone() };
            Next::new(By::Wrapper("env"), voice, process)
        }
        _ => by_wrapper(process, voice, &argv)?,
    };
    let name = next.process.argv.first()?;
    let is_file = name.contains(&b'/') || !matches!(kind, Kind::Env | Kind::Shell) || family.runs_files_for(name);
    is_file.then_some(next)
}

/// The program that the kernel really starts, and the arguments that it gets, its own name first: `load_script`.
fn interpreted(view: &View<'_>, path: &[u8], argv: &[Vec<u8>]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (mut path, mut argv) = (path.to_vec(), argv.to_vec());
    loop {
        let Node::File(_, contents) = view.find(&path).ok()?.node else { return None };
        let Some(script) = shebang(contents.head()) else { return Some((path, argv)) };
        let first = [Some(script.interpreter.clone()), script.argument, Some(path)];
        argv = first.into_iter().flatten().chain(argv.into_iter().skip(1)).collect();
        path = script.interpreter;
    }
}

fn by_wrapper<'a>(process: &Process<'a>, voice: Voice, argv: &[Vec<u8>]) -> Option<Next<'a>> {
    let name = match voice.kind {
        Kind::Tini => "tini",
        Kind::DumbInit => "dumb-init",
        Kind::Catatonit => "catatonit",
        Kind::Gosu => "gosu",
        Kind::SuExec => "su-exec",
        Kind::Env | Kind::Shell => return None,
    };
    let wrapped = wrapped(voice.kind, argv)?;
    let changes_user = matches!(voice.kind, Kind::Gosu | Kind::SuExec);
    // Nobody else may become another user, and the name is looked for in this file.
    if changes_user && !process.view.user.is_root() {
        return None;
    }
    let user_is_known = match wrapped.user {
        Became::Root => process.view.find(b"/etc/passwd").map(|found| matches!(found.node, Node::File(..))),
        Became::Same | Became::Other => Ok(true),
    };
    let is_other_user = wrapped.user == Became::Other;
    let process = Process { argv: wrapped.argv.to_vec(), ..process.clone() };
    Next { is_other_user, ..Next::new(By::Wrapper(name), voice, process) }.provided(user_is_known)
}

fn by_shell<'a>(process: &Process<'a>, voice: Voice, argv: &[Vec<u8>]) -> Option<Next<'a>> {
    match told(argv, voice.family == Family::Bash)? {
        Told::String(string, arguments, strict) => {
            let command = command(string, arguments, strict)?;
            let process = Process { argv: command.argv, ..process.clone() };
            let voice = Voice { is_exec: command.is_exec, is_heard: !command.is_redirected, ..voice };
            let mut next = Next { is_whole: command.is_whole, ..Next::new(By::Shell, voice, process) };
            let Some(directory) = command.directory else { return Some(next) };
            let entered = entered(&next.process.view, &directory);
            if let Ok(Some(place)) = &entered {
                next.process.view.directory = Some(place.clone());
            }
            next.provided(entered.map(|place| place.is_some()))
        }
        // Without a slash, shells differ in where they look for it.
        Told::Script(path, arguments) if path.contains(&b'/') => {
            arguments.first().filter(|name| !name.starts_with(b"-"))?;
            let found = process.view.find(path);
            let hands_over = |node: &Node| matches!(node, Node::File(_, contents) if contents.hands_over());
            let process = Process { argv: arguments.to_vec(), ..process.clone() };
            let voice = Voice { is_exec: true, ..voice };
            let next = Next::new(By::Script(path.to_vec()), voice, process);
            next.provided(found.map(|found| hands_over(found.node)))
        }
        Told::Script(..) => None,
    }
}

/// Where `cd` leads, if it surely leads there. A working directory that the runtime made is only known from within.
fn entered(view: &View<'_>, path: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
    let Some(directory) = &view.directory else { return Ok(None) };
    if view.files.at(directory)?.is_none() {
        return Ok(None);
    }
    let found = view.find(path)?;
    Ok(match found.node {
        Node::Directory(owner) if view.user.may_search(*owner) == Some(true) => Some(found.place),
        _ => None,
    })
}
