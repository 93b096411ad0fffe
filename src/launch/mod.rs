//! The chain of starts: the runtime's own, and what each program that starts is certain to start in its turn.
//!
//! Does not know the environment but for `PATH`: where an image sets what shells or loaders run or read first
//! (`BASH_ENV`, `ENV`, `LD_PRELOAD`), only the first start is to be believed.

mod program_kind;
mod wrapper;
mod env;
mod search;
mod message;
mod follow;

pub use follow::Launcher;

use self::follow::{LaunchedProcess, NextLaunch, predict_next};
use self::message::format_message;
use self::program_kind::LauncherKind;
use self::search::search_program;
use crate::errno::Errno;
use crate::exec::ExecOutcome;
use crate::exec::Host;
use crate::exec::{DEFAULT_PATH, StartPrediction, predict_start};
use crate::exec::{DetectedProgram, detect_program};
use crate::rootfs::FilesystemView;

/// So many starts are followed; wrappers may wrap themselves without an end.
pub const MAX_LAUNCHES: usize = 8;

/// One start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Who starts it.
    pub launcher: Launcher,
    /// What is started, as far as its arguments are known.
    pub argv: Vec<Vec<u8>>,
    /// What comes of it.
    pub start: StartPrediction,
    /// What the program is made for, where one was found; whether it starts is another question.
    pub program: Option<DetectedProgram>,
}

/// What comes of starting these arguments, and of all that is certain to be started next; `search` is the image's
/// `PATH`. At least one, and never more than [`MOST_LAUNCHES`].
///
/// The last is where it ends: it fails, cannot be told, or starts something that is not followed. A start that follows
/// another is told only if no guess is needed: where it cannot start, the container surely does not do what it is for.
#[must_use]
pub fn predict_launches(view: &FilesystemView<'_>, host: Host, argv: &[Vec<u8>], search: Option<&[u8]>) -> Vec<Launch> {
    let first = predict_start(view, host, argv, search);
    let first = Launch {
        launcher: Launcher::ContainerRuntime,
        argv: argv.to_vec(),
        program: detect_program(view, &first.outcome),
        start: first,
    };
    let search = Some(search.unwrap_or(DEFAULT_PATH).to_vec());
    let mut process = LaunchedProcess { view: view.clone(), search_path: search, argv: argv.to_vec() };
    let mut launches = vec![first];
    while launches.len() < MAX_LAUNCHES {
        let Some(ExecOutcome::Starts { chain }) = launches.last().map(|launch| &launch.start.outcome) else {
            break;
        };
        let Some(next) = predict_next(&process, chain) else { break };
        let Some(start) = predict_next_start(host, &next) else { break };
        let made = detect_program(&next.process.view, &start.outcome);
        launches.push(Launch { launcher: next.launcher, argv: next.process.argv.clone(), start, program: made });
        if !next.is_complete {
            break;
        }
        process = next.process;
    }
    launches
}

/// What comes of it, if that is certain.
fn predict_next_start(host: Host, next: &NextLaunch<'_>) -> Option<StartPrediction> {
    let LaunchedProcess { view, search_path: search, argv } = &next.process;
    let name = argv.first()?;
    if let Some(reason) = next.unknown.clone() {
        return Some(StartPrediction { outcome: ExecOutcome::Unknown { reason, chain: Vec::new() }, message: None });
    }
    let start = if next.message_source.kind == LauncherKind::Gosu && !next.is_other_user {
        // Where PATH leads to the working directory, older releases of Go start what newer ones refuse.
        let search = search.as_deref().unwrap_or_default();
        let is_relative = search.split(|byte| *byte == b':').any(|directory| !directory.starts_with(b"/"));
        if !name.contains(&b'/') && is_relative {
            return None;
        }
        to_gosu_message(predict_start(view, host, argv, Some(search)))
    } else {
        let looked = search_program(view, host, name, search.as_deref())?;
        let words =
            if looked.is_unambiguous { format_message(next.message_source, name, &looked.outcome) } else { None };
        StartPrediction { outcome: looked.outcome, message: words }
    };
    match (next.is_other_user, &start.outcome) {
        (false, _) | (true, ExecOutcome::Unknown { .. }) => Some(start),
        // What root cannot start nobody can, if perhaps for another reason.
        (true, ExecOutcome::Fails { .. }) => Some(StartPrediction { message: None, ..start }),
        (true, ExecOutcome::Starts { .. }) => None,
    }
}

/// gosu looks programs up with the same part of Go as runtimes do, and prints it in its own way: `main.go`.
fn to_gosu_message(StartPrediction { outcome: answer, message: words }: StartPrediction) -> StartPrediction {
    let said = |errno: &Errno, words: String| {
        let asked = !words.starts_with("exec: \"");
        if asked { format!("error: exec failed: {}", errno.message()) } else { format!("error: {words}") }
    };
    let words = match &answer {
        ExecOutcome::Fails { errno, .. } => words.map(|words| said(errno, words)),
        _ => None,
    };
    StartPrediction { outcome: answer, message: words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Processor;
    use crate::rootfs::ContentsCollector;
    use crate::rootfs::UnknownReason;
    use crate::rootfs::User;
    use crate::rootfs::{FileTree, Node, Permissions, Rootfs};

    const OPEN: Permissions = Permissions { mode: 0o755, uid: 0, gid: 0 };
    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: None };

    /// A program, loaded by what has this name, if any.
    fn program(machine: u8, loader: &[u8]) -> Vec<u8> {
        let mut bytes = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57 + 56], loader].concat();
        let name = u8::try_from(loader.len()).unwrap();
        let kind = if loader.is_empty() { 1 } else { 3 };
        for (at, value) in [(16, 2), (18, machine), (32, 64), (54, 56), (56, 1), (64, kind), (72, 120), (96, name)] {
            bytes[at] = value;
        }
        bytes
    }

    fn file(bytes: &[u8]) -> Node {
        let mut collector = ContentsCollector::default();
        collector.push(bytes);
        Node::File(OPEN, collector.finish())
    }

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        for path in ["bin", "etc", "lib", "srv"] {
            rootfs.insert(path.into(), Node::Directory(OPEN));
        }
        let (own, foreign) = (program(62, b""), program(183, b""));
        for name in ["tini", "dumb-init", "catatonit", "gosu", "env", "bash", "dash", "busybox", "own", "private"] {
            rootfs.insert(format!("bin/{name}").into(), file(&own));
        }
        rootfs.insert(b"bin/sh".to_vec(), Node::Symlink(b"dash".to_vec()));
        rootfs.insert(b"bin/ash".to_vec(), Node::Symlink(b"busybox".to_vec()));
        rootfs.insert(b"bin/su-exec".to_vec(), file(&program(62, b"/lib/ld-musl-x86_64.so.1\0")));
        rootfs.insert(b"lib/ld-musl-x86_64.so.1".to_vec(), file(&own));
        rootfs.insert(b"bin/foreign".to_vec(), file(&foreign));
        rootfs.insert(b"srv/app".to_vec(), file(&foreign));
        rootfs.insert(b"bin/text".to_vec(), file(b"exit 0\n"));
        rootfs.insert(b"bin/broken".to_vec(), file(b"#!/bin/foreign\n"));
        rootfs.insert(b"etc/passwd".to_vec(), file(b""));
        rootfs.insert(b"entry".to_vec(), file(b"#!/bin/sh\nset -e\nexec \"$@\"\n"));
        rootfs.insert(b"other".to_vec(), file(b"#!/bin/sh\n. /env\nexec \"$@\"\n"));
        rootfs.insert(b"script".to_vec(), file(b"#!/usr/../bin/env python3\n"));
        rootfs.insert(b"loop".to_vec(), file(b"#!/bin/env A=1\n"));
        rootfs
    }

    fn chain(files: &dyn FileTree, words: &[&str]) -> Vec<Launch> {
        let view = FilesystemView {
            files,
            working_directory: Some(Vec::new()),
            user: User::default(),
            mounts: vec![b"mnt".to_vec()],
        };
        let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        predict_launches(&view, HOST, &argv, Some(b"/none:/bin"))
    }

    #[test]
    fn a_failure_is_told_by_whom_and_in_whose_words() {
        let mut rootfs = rootfs();
        rootfs.insert(b"usr".to_vec(), Node::Directory(OPEN));
        let wrapper = Launcher::Wrapper;
        for (line, count, by, words) in [
            (
                ["tini", "--", "/none"].as_slice(),
                2,
                wrapper("tini"),
                Some("exec /none failed: No such file or directory"),
            ),
            (&["tini", "--", "foreign"], 2, wrapper("tini"), None),
            (&["dumb-init", "none"], 2, wrapper("dumb-init"), Some("[dumb-init] none: No such file or directory")),
            (&["catatonit", "/srv"], 2, wrapper("catatonit"), Some("failed to exec pid1: Permission denied")),
            (&["gosu", "root", "foreign"], 2, wrapper("gosu"), Some("error: exec failed: exec format error")),
            (&["gosu", "app", "foreign"], 2, wrapper("gosu"), None),
            (&["su-exec", "root", "/srv/app"], 2, wrapper("su-exec"), Some("su-exec: /srv/app: Exec format error")),
            (&["tini", "env", "A=1", "none"], 3, wrapper("env"), Some("env: 'none': No such file or directory")),
            (&["sh", "-c", "none x"], 2, Launcher::Shell, Some("none: not found")),
            (&["sh", "-c", "exec none"], 2, Launcher::Shell, Some("exec: none: not found")),
            (&["sh", "-c", "none 2>/dev/null"], 2, Launcher::Shell, None),
            (&["bash", "-c", "none"], 2, Launcher::Shell, Some("none: command not found")),
            (
                &["bash", "-c", "cd /srv && ./app"],
                2,
                Launcher::Shell,
                Some("./app: cannot execute binary file: Exec format error"),
            ),
            (&["/entry", "none"], 2, Launcher::Script(b"/entry".to_vec()), Some("exec: none: not found")),
            (&["tini", "--", "/entry", "sh", "-c", "/srv/app"], 4, Launcher::Shell, None),
            (&["/script"], 2, wrapper("env"), Some("env: 'python3': No such file or directory")),
        ] {
            let chain = chain(&rootfs, line);
            let last = chain.last().unwrap();
            assert!(matches!(last.start.outcome, ExecOutcome::Fails { .. }), "{line:?}: {last:?}");
            assert_eq!((chain.len(), &last.launcher, last.start.message.as_deref()), (count, &by, words), "{line:?}");
        }
    }

    #[test]
    fn what_is_not_certain_ends_the_following_without_a_word() {
        let rootfs = rootfs();
        for (line, count) in [
            (["own", "/srv/app"].as_slice(), 1),
            (&["tini", "-x", "/srv/app"], 1),
            (&["tini", "/entry", "sh", "-c", "/srv/app"], 1),
            (&["tini", "text"], 1),
            (&["tini", "broken"], 1),
            (&["tini", "own"], 2),
            (&["gosu", "app", "own"], 1),
            (&["env", "-i", "foreign"], 1),
            (&["env", "PATH=bin", "foreign"], 1),
            (&["ash", "-c", "none"], 1),
            (&["sh", "-c", "foreign || own"], 1),
            (&["sh", "-c", "cd /none && ./app"], 1),
            (&["sh", "-c", "tini $A foreign"], 2),
            (&["/entry"], 1),
            (&["/entry", "-x"], 1),
            (&["/other", "foreign"], 1),
            (&["sh", "entry", "foreign"], 1),
            (&["/loop"], MAX_LAUNCHES),
        ] {
            let chain = chain(&rootfs, line);
            assert!(chain.iter().all(|launch| matches!(launch.start.outcome, ExecOutcome::Starts { .. })), "{line:?}");
            assert_eq!(chain.len(), count, "{line:?}: {chain:?}");
        }
    }

    /// Knows nothing of one directory.
    #[derive(Debug)]
    struct Partial(Rootfs, &'static [u8]);

    impl FileTree for Partial {
        fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
            if path.starts_with(self.1) {
                Err(UnknownReason::LayerNotRead(path.to_vec()))
            } else {
                Ok(self.0.get(path))
            }
        }
    }

    #[test]
    fn what_must_be_read_first_is_said() {
        for (unread, line) in [
            (b"srv".as_slice(), ["tini", "--", "/srv/app"].as_slice()),
            (b"srv", &["sh", "-c", "cd /srv && ./app"]),
            (b"entry", &["sh", "/entry", "foreign"]),
            (b"etc", &["gosu", "root", "foreign"]),
            (b"srv", &["gosu", "app", "/srv/app"]),
            (b"srv", &["env", "PATH=/srv:/bin", "app"]),
        ] {
            let files = Partial(rootfs(), unread);
            let chain = chain(&files, line);
            let last = &chain.last().unwrap().start.outcome;
            let is_unread = matches!(last, ExecOutcome::Unknown { reason: UnknownReason::LayerNotRead(_), .. });
            assert!(chain.len() == 2 && is_unread, "{line:?}: {chain:?}");
        }
        let mounted = chain(&rootfs(), &["tini", "/mnt/app"]);
        assert!(matches!(mounted[1].start.outcome, ExecOutcome::Unknown { reason: UnknownReason::MountPoint(_), .. }));
    }
}
