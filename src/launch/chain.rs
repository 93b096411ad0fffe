//! Follows launches, one after the other.

use super::follow::predict_next;
use super::message::{format_message, to_gosu_message};
use super::next_launch::{LaunchedProcess, Launcher, NextLaunch};
use super::not_followed::describe_not_followed;
use super::program_kind::{LauncherKind, Wrapper};
use super::search::search_program;
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
    /// Why it is unknown what the program starts next, if it may start other programs.
    pub not_followed: Option<String>,
}

/// Predicts the start of `argv`, with the image's `PATH` in `search`, and everything that is certainly started next:
/// between 1 and [`MAX_LAUNCHES`] launches. The last one fails, is unknown, or starts a program that is not followed.
pub fn predict_launches(view: &FilesystemView<'_>, host: Host, argv: &[Vec<u8>], search: Option<&[u8]>) -> Vec<Launch> {
    let start = predict_start(view, host, argv, search);
    let mut launches = vec![new_launch(Launcher::ContainerRuntime, view, argv, start)];
    let search_path = Some(search.unwrap_or(DEFAULT_PATH).to_vec());
    let mut process = LaunchedProcess { view: view.clone(), search_path, argv: argv.to_vec() };
    let mut is_complete = true;
    while let Some(last) = launches.last_mut()
        && let ExecOutcome::Starts { chain } = last.start.outcome.clone()
    {
        // Both may give capabilities to a user other than root, which end with execve(2).
        let may_have_capabilities =
            last.launcher == Launcher::ContainerRuntime || last.launcher == Launcher::Wrapper(Wrapper::Setpriv.name());
        if may_have_capabilities && !is_privileged(&process.view, &chain) {
            process.view.user = std::mem::take(&mut process.view.user).after_execve();
        }
        let next = if is_complete { predict_next(&process, &chain) } else { None };
        let Some((next, start)) = next.and_then(|next| predict_next_start(host, &next).map(|start| (next, start)))
        else {
            last.not_followed = describe_not_followed(&process, &chain, is_complete);
            break;
        };
        if next.has_more_commands {
            last.not_followed = Some("only the first command of the shell was followed".to_owned());
        }
        if launches.len() == MAX_LAUNCHES {
            if let Some(last) = launches.last_mut() {
                last.not_followed = Some(format!("more than {MAX_LAUNCHES} programs start one another"));
            }
            break;
        }
        launches.push(new_launch(next.launcher, &next.process.view, &next.process.argv, start));
        (process, is_complete) = (next.process, next.is_complete);
    }
    launches
}

fn new_launch(launcher: Launcher, view: &FilesystemView<'_>, argv: &[Vec<u8>], start: StartPrediction) -> Launch {
    let program = detect_program(view, &start.outcome);
    Launch { launcher, argv: argv.to_vec(), start, program, not_followed: None }
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
    use crate::elf::EM_X86_64;
    use crate::elf::sample::program;
    use crate::launch::sample::{HOST, chain, rootfs};
    use crate::rootfs::{FileContents, FileTree, Permissions, Rootfs, UnknownReason, User};

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
