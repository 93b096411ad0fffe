//! Predicts the chain of launches: the program that the container runtime starts, and those that it certainly starts
//! next.
//!
//! `PATH` is the only environment variable that is considered. If an image sets variables that make shells or loaders
//! run other code first (`BASH_ENV`, `ENV`, `LD_PRELOAD`), only the first launch is reliable.

mod program_kind;
mod wrapper;
mod search;
mod message;
mod interpreter;
mod next_launch;
mod file_argument;
mod follow;
mod host_programs;

pub use host_programs::may_be_added_by_host;
pub use next_launch::Launcher;

use self::follow::predict_next;
use self::message::{format_message, to_gosu_message};
use self::next_launch::{LaunchedProcess, NextLaunch};
use self::program_kind::{LauncherKind, Wrapper};
use self::search::search_program;
use crate::errno::Errno;
use crate::exec::{DEFAULT_PATH, DetectedProgram, ExecOutcome, Host, StartPrediction, detect_program, predict_start};
use crate::rootfs::{FilesystemView, Node};

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
        if launches.len() == 1 && !is_privileged(&process.view, chain) {
            process.view.user = std::mem::take(&mut process.view.user).after_execve();
        }
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

/// Returns whether a program may give its process other rights than its user has.
fn is_privileged(view: &FilesystemView<'_>, chain: &[Vec<u8>]) -> bool {
    let is_set = |node: &Node| matches!(node, Node::File(file, _) if file.is_privileged());
    chain.iter().any(|path| view.resolve(path).map_or(true, |found| is_set(found.node)))
}

/// Predicts the result of a launch, or returns `None` if it is not certain.
fn predict_next_start(host: Host, next: &NextLaunch<'_>) -> Option<StartPrediction> {
    let LaunchedProcess { view, search_path, argv } = &next.process;
    let name = argv.first()?;
    if let Some(start) = next.start.clone() {
        return Some(start);
    }
    let start = if next.message_source.kind == LauncherKind::Wrapper(Wrapper::Gosu) && !next.is_other_user {
        // If `PATH` contains the working directory, older releases of Go start what newer ones refuse.
        let search = search_path.as_deref().unwrap_or_default();
        let is_relative = search.split(|byte| *byte == b':').any(|directory| !directory.starts_with(b"/"));
        if !name.contains(&b'/') && is_relative {
            return None;
        }
        let start = to_gosu_message(predict_start(view, host, argv, Some(search)));
        // Newer releases of Go also check permissions when they look up the program.
        let depends_on_release =
            !view.user.is_root() && matches!(start.outcome, ExecOutcome::Fails { errno: Errno::Access, .. });
        StartPrediction { message: start.message.filter(|_| !depends_on_release), ..start }
    } else {
        let found = search_program(view, host, name, search_path.as_deref())?;
        let message =
            if found.is_unambiguous { format_message(next.message_source, name, &found.outcome) } else { None };
        StartPrediction { outcome: found.outcome, message }
    };
    match (next.is_other_user, &start.outcome) {
        (false, _) | (true, ExecOutcome::Unknown { .. }) => Some(start),
        // What root cannot start, no user can, although perhaps for another reason.
        (true, ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. }) => {
            Some(StartPrediction { message: None, ..start })
        }
        (true, ExecOutcome::Starts { .. }) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::elf::sample::program;
    use crate::elf::{EM_AARCH64, EM_X86_64};
    use crate::exec::{AccountKind, ExitReason, Processor};
    use crate::rootfs::{FileContents, FileTree, Permissions, Rootfs, UnknownReason, User};

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
        rootfs.insert(b"etc/passwd".to_vec(), Node::file(0o644, b"root:x:0:0::/:/bin/sh\napp:x:7:7::/:/bin/sh\n"));
        rootfs.insert(b"entry".to_vec(), file(b"#!/bin/sh\nset -e\nexec \"$@\"\n"));
        rootfs.insert(b"other".to_vec(), file(b"#!/bin/sh\n. /env\nexec \"$@\"\n"));
        rootfs.insert(b"script".to_vec(), file(b"#!/usr/../bin/env python3\n"));
        rootfs.insert(b"words".to_vec(), file(b"#!/bin/env python3 -u\n"));
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
        let cases: [(&[&str], _, _, _); 19] = [
            (&["tini", "--", "/none"], 2, wrapper("tini"), Some("exec /none failed: No such file or directory")),
            (&["tini", "--", "foreign"], 2, wrapper("tini"), None),
            (&["dumb-init", "none"], 2, wrapper("dumb-init"), Some("[dumb-init] none: No such file or directory")),
            (&["catatonit", "/srv"], 2, wrapper("catatonit"), Some("failed to exec pid1: Permission denied")),
            (&["gosu", "root", "foreign"], 2, wrapper("gosu"), Some("error: exec failed: exec format error")),
            (&["gosu", "app", "foreign"], 2, wrapper("gosu"), Some("error: exec failed: exec format error")),
            (&["su-exec", "root", "/srv/app"], 2, wrapper("su-exec"), Some("su-exec: /srv/app: Exec format error")),
            (&["tini", "env", "A=1", "none"], 3, wrapper("env"), Some("env: 'none': No such file or directory")),
            (&["sh", "-c", "none x"], 2, Launcher::Shell, Some("none: not found")),
            (&["sh", "-c", "exec none"], 2, Launcher::Shell, Some("exec: none: not found")),
            (&["sh", "-c", "none 2>/dev/null"], 2, Launcher::Shell, None),
            (&["sh", "-c", "['app']"], 2, Launcher::Shell, Some("[app]: not found")),
            (&["ash", "-c", "['node', 'x']"], 2, Launcher::Shell, Some("[node,: not found")),
            (&["bash", "-c", "none"], 2, Launcher::Shell, Some("none: command not found")),
            (
                &["bash", "-c", "cd /srv && ./app"],
                2,
                Launcher::Shell,
                Some("./app: cannot execute binary file: Exec format error"),
            ),
            (&["/entry", "none"], 2, Launcher::Script(b"/entry".to_vec()), Some("exec: none: not found")),
            (&["tini", "--", "/entry", "sh", "-c", "/srv/app"], 4, Launcher::Shell, None),
            (&["/words"], 2, wrapper("env"), Some("env: 'python3 -u': No such file or directory")),
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
            (1, &["env,-i,foreign", "env,PATH=bin,foreign", "ash,-c,none", "sh,-c,foreign || own"]),
            (1, &["/entry", "/entry,-x", "/other,foreign", "sh,entry,foreign"]),
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

    /// The same with interpreters, and files that they cannot run.
    fn rootfs_with_scripts() -> Rootfs {
        let mut rootfs = rootfs();
        let own = program(EM_X86_64, "");
        for name in ["python3", "node", "java"] {
            rootfs.insert(format!("bin/{name}").into(), file(&own));
        }
        for (path, mode, text) in [
            ("crlf", 0o755, "#!/bin/bash -e\r\n"),
            ("crlf-python", 0o755, "#!/bin/python3 -u\r\n"),
            ("closed", 0o711, "#!/bin/sh\n"),
            ("private.py", 0o700, ""),
            ("app.py", 0o644, ""),
            ("x", 0o644, ""),
        ] {
            rootfs.insert(path.into(), Node::file(mode, text.as_bytes()));
        }
        rootfs
    }

    fn launch_as(rootfs: &Rootfs, user: &User, line: &str) -> Vec<Launch> {
        let view = FilesystemView { user: user.clone(), ..FilesystemView::new(rootfs) };
        let argv: Vec<Vec<u8>> = line.split(',').map(Vec::from).collect();
        predict_launches(&view, HOST, &argv, Some(b"/none:/bin"))
    }

    fn app_user() -> User {
        User::Account { uid: 7, gid: 7, supplementary_gids: Vec::new() }
    }

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

    #[test]
    fn capabilities_end_with_the_first_launch() {
        let mut rootfs = rootfs();
        let closed = Permissions { mode: 0o700, uid: 0, gid: 0 };
        let program = program(EM_X86_64, "");
        rootfs.insert(b"closed".to_vec(), Node::File(closed, FileContents::from_bytes(&program)));
        let setuid = Permissions { mode: 0o4755, uid: 0, gid: 0 };
        rootfs.insert(b"sbin/tini".to_vec(), Node::File(setuid, FileContents::from_bytes(&program)));
        rootfs.insert(b"sbin".to_vec(), Node::directory(0o755));
        for (line, outcome) in [("/closed", "Unknown"), ("tini,/closed", "Fails"), ("/sbin/tini,/closed", "Unknown")] {
            let view = FilesystemView { user: User::Uid(7), ..FilesystemView::new(&rootfs) };
            let argv: Vec<Vec<u8>> = line.split(',').map(Vec::from).collect();
            let launches = predict_launches(&view, HOST, &argv, Some(b"/bin"));
            let last = format!("{:?}", launches.last().unwrap().start.outcome);
            assert!(last.starts_with(outcome), "{line}: {last}");
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

        fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
            self.0.list(directory, limit)
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
