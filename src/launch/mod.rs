//! Predicts the chain of launches: the program that the container runtime starts, and those that it certainly starts
//! next.
//!
//! `PATH` is the only environment variable that is considered. If an image sets variables that make shells or loaders
//! run other code first (`BASH_ENV`, `ENV`, `LD_PRELOAD`), only the first launch is reliable.

mod program_kind;
mod wrapper;
mod search;
mod message;
mod follow;
mod host_programs;

pub use follow::Launcher;
pub use host_programs::may_be_added_by_host;

use self::follow::{LaunchedProcess, NextLaunch, predict_next};
use self::message::{format_message, to_gosu_message};
use self::program_kind::{LauncherKind, Wrapper};
use self::search::search_program;
use crate::exec::{DEFAULT_PATH, DetectedProgram, ExecOutcome, Host, StartPrediction, detect_program, predict_start};
use crate::rootfs::FilesystemView;

/// The maximum number of launches that are followed. Wrappers may start themselves endlessly.
pub const MAX_LAUNCHES: usize = 8;

/// A program that is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// What starts the program.
    pub launcher: Launcher,
    /// The program and its known arguments.
    pub argv: Vec<Vec<u8>>,
    /// The result.
    pub start: StartPrediction,
    /// The program that was found, whether it starts or not.
    pub program: Option<DetectedProgram>,
}

/// Predicts the start of `argv`, with the image's `PATH` in `search`, and everything that is certainly started next:
/// between 1 and [`MAX_LAUNCHES`] launches. The last one fails, is unknown, or starts a program that is not followed.
pub fn predict_launches(view: &FilesystemView<'_>, host: Host, argv: &[Vec<u8>], search: Option<&[u8]>) -> Vec<Launch> {
    let start = predict_start(view, host, argv, search);
    let program = detect_program(view, &start.outcome);
    let mut launches = vec![Launch { launcher: Launcher::ContainerRuntime, argv: argv.to_vec(), start, program }];
    let search_path = Some(search.unwrap_or(DEFAULT_PATH).to_vec());
    let mut process = LaunchedProcess { view: view.clone(), search_path, argv: argv.to_vec() };
    while launches.len() < MAX_LAUNCHES {
        let Some(ExecOutcome::Starts { chain }) = launches.last().map(|launch| &launch.start.outcome) else {
            break;
        };
        let Some(next) = predict_next(&process, chain) else { break };
        let Some(start) = predict_next_start(host, &next) else { break };
        let program = detect_program(&next.process.view, &start.outcome);
        launches.push(Launch { launcher: next.launcher, argv: next.process.argv.clone(), start, program });
        if !next.is_complete {
            break;
        }
        process = next.process;
    }
    launches
}

/// Predicts the result of a launch, or returns `None` if it is not certain.
fn predict_next_start(host: Host, next: &NextLaunch<'_>) -> Option<StartPrediction> {
    let LaunchedProcess { view, search_path, argv } = &next.process;
    let name = argv.first()?;
    if let Some(reason) = next.unknown.clone() {
        return Some(StartPrediction::unknown(reason));
    }
    let start = if next.message_source.kind == LauncherKind::Wrapper(Wrapper::Gosu) && !next.is_other_user {
        // If `PATH` contains the working directory, older releases of Go start what newer ones refuse.
        let search = search_path.as_deref().unwrap_or_default();
        let is_relative = search.split(|byte| *byte == b':').any(|directory| !directory.starts_with(b"/"));
        if !name.contains(&b'/') && is_relative {
            return None;
        }
        to_gosu_message(predict_start(view, host, argv, Some(search)))
    } else {
        let found = search_program(view, host, name, search_path.as_deref())?;
        let message =
            if found.is_unambiguous { format_message(next.message_source, name, &found.outcome) } else { None };
        StartPrediction { outcome: found.outcome, message }
    };
    match (next.is_other_user, &start.outcome) {
        (false, _) | (true, ExecOutcome::Unknown { .. }) => Some(start),
        // What root cannot start, no user can, although perhaps for another reason.
        (true, ExecOutcome::Fails { .. }) => Some(StartPrediction { message: None, ..start }),
        (true, ExecOutcome::Starts { .. }) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::program;
    use crate::elf::{EM_AARCH64, EM_X86_64};
    use crate::exec::Processor;
    use crate::rootfs::{FileTree, Node, Rootfs, UnknownReason};

    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: None };

    fn file(bytes: &[u8]) -> Node {
        Node::file(0o755, bytes)
    }

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        for path in ["bin", "etc", "lib", "srv"] {
            rootfs.insert(path.into(), Node::directory(0o755));
        }
        let (own, foreign) = (program(EM_X86_64, ""), program(EM_AARCH64, ""));
        for name in ["tini", "dumb-init", "catatonit", "gosu", "env", "bash", "dash", "busybox", "own", "private"] {
            rootfs.insert(format!("bin/{name}").into(), file(&own));
        }
        rootfs.insert(b"bin/sh".to_vec(), Node::Symlink(b"dash".to_vec()));
        rootfs.insert(b"bin/ash".to_vec(), Node::Symlink(b"busybox".to_vec()));
        rootfs.insert(b"bin/su-exec".to_vec(), file(&program(EM_X86_64, "/lib/ld-musl-x86_64.so.1")));
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
        let view = FilesystemView { mounts: vec![b"mnt".to_vec()], ..FilesystemView::new(files) };
        let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        predict_launches(&view, HOST, &argv, Some(b"/none:/bin"))
    }

    #[test]
    fn failure_has_its_launcher_and_message() {
        let mut rootfs = rootfs();
        rootfs.insert(b"usr".to_vec(), Node::directory(0o755));
        let wrapper = Launcher::Wrapper;
        let cases: [(&[&str], _, _, _); 16] = [
            (&["tini", "--", "/none"], 2, wrapper("tini"), Some("exec /none failed: No such file or directory")),
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
        ];
        for (line, count, launcher, message) in cases {
            let chain = chain(&rootfs, line);
            let last = chain.last().unwrap();
            assert!(matches!(last.start.outcome, ExecOutcome::Fails { .. }), "{line:?}: {last:?}");
            let found = (chain.len(), &last.launcher, last.start.message.as_deref());
            assert_eq!(found, (count, &launcher, message), "{line:?}");
        }
    }

    #[test]
    fn chain_ends_at_an_uncertain_launch() {
        let rootfs = rootfs();
        for (count, lines) in [
            (
                1,
                ["own,/srv/app", "tini,-x,/srv/app", "tini,/entry,sh,-c,/srv/app", "tini,text", "tini,broken"]
                    .as_slice(),
            ),
            (1, &["gosu,app,own", "env,-i,foreign", "env,PATH=bin,foreign", "ash,-c,none", "sh,-c,foreign || own"]),
            (1, &["sh,-c,cd /none && ./app", "/entry", "/entry,-x", "/other,foreign", "sh,entry,foreign"]),
            (2, &["tini,own", "sh,-c,tini $A foreign"]),
            (MAX_LAUNCHES, &["/loop"]),
        ] {
            for line in lines {
                let chain = chain(&rootfs, &line.split(',').collect::<Vec<_>>());
                let starts = |launch: &Launch| matches!(launch.start.outcome, ExecOutcome::Starts { .. });
                assert!(chain.len() == count && chain.iter().all(starts), "{line}: {chain:?}");
            }
        }
    }

    /// A file tree in which one directory is unknown.
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
    fn unread_layer_makes_a_launch_unknown() {
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
