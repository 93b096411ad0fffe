//! The start of a container's first process, as runc makes it: `argv[0]` is looked up, then the kernel is asked.
//!
//! Does not know what the started program starts in its turn.

use super::execve::{ExecOutcome, predict_execve};
use super::host::Host;
use crate::errno::Errno;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;
use crate::rootfs::{ExecError, UnknownReason};

/// Container engines set this where an image sets no `PATH`: `defaultUnixEnv` in containerd's `oci/spec.go`.
pub(crate) const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What comes of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPrediction {
    /// What the kernel says; for a program that is in no directory of `PATH`, ENOENT.
    pub outcome: ExecOutcome,
    /// What the runtime prints, if nothing starts.
    pub message: Option<String>,
}

/// What comes of starting these arguments, the entrypoint's and the command's; `search` is the image's `PATH`.
#[must_use]
pub fn predict_start(
    view: &FilesystemView<'_>,
    host: Host,
    argv: &[Vec<u8>],
    search: Option<&[u8]>,
) -> StartPrediction {
    let Some(name) = argv.first() else { return unknown_start(UnknownReason::NoCommand) };
    let path =
        match if name.contains(&b'/') { look_path_with_slash(view, name) } else { search_path(view, name, search) } {
            Ok(path) => path,
            Err(LookPathError::Unknown(reason)) => return unknown_start(reason),
            Err(LookPathError::Failed(errno, words)) => {
                let answer = ExecOutcome::Fails { errno, path: name.clone(), chain: Vec::new() };
                let words = Some(format!("exec: \"{}\": {words}", String::from_utf8_lossy(name)));
                return StartPrediction { outcome: answer, message: words };
            }
        };
    let answer = predict_execve(view, host, &path);
    let words = match &answer {
        ExecOutcome::Fails { errno, .. } => {
            Some(format!("exec {}: {}", String::from_utf8_lossy(&path), errno.message()))
        }
        _ => None,
    };
    StartPrediction { outcome: answer, message: words }
}

fn unknown_start(reason: UnknownReason) -> StartPrediction {
    StartPrediction { outcome: ExecOutcome::Unknown { reason, chain: Vec::new() }, message: None }
}

/// Why the runtime does not even ask the kernel, and its words.
enum LookPathError {
    Failed(Errno, String),
    Unknown(UnknownReason),
}

/// `LookPath` of Go's `os/exec` for a name with a slash.
fn look_path_with_slash(view: &FilesystemView<'_>, name: &[u8]) -> Result<Vec<u8>, LookPathError> {
    match is_executable(view, name) {
        Ok(true) => Ok(name.to_vec()),
        // Since Go 1.20 a directory is told apart, as "is a directory"; the kernel does not.
        Ok(false) => Err(LookPathError::Failed(Errno::Access, Errno::Access.message().to_owned())),
        Err(ExecError::Unknown(reason)) => Err(LookPathError::Unknown(reason)),
        Err(ExecError::Errno(errno)) => {
            Err(LookPathError::Failed(errno, format!("stat {}: {}", String::from_utf8_lossy(name), errno.message())))
        }
    }
}

/// `LookPath` for a name without: the first directory of `PATH` that holds it as something executable.
fn search_path(view: &FilesystemView<'_>, name: &[u8], search: Option<&[u8]>) -> Result<Vec<u8>, LookPathError> {
    let search = search.unwrap_or(DEFAULT_PATH);
    for directory in search.split(|byte| *byte == b':').filter(|_| !search.is_empty()) {
        let path = join_path(directory, name);
        match is_executable(view, &path) {
            Ok(true) if path.starts_with(b"/") => return Ok(path),
            Ok(true) => {
                let words = "cannot run executable found relative to current directory";
                return Err(LookPathError::Failed(Errno::NoEntry, words.to_owned()));
            }
            Ok(false) | Err(ExecError::Errno(_)) => {}
            // What is mounted there may hold the program, and no later directory would be asked.
            Err(ExecError::Unknown(reason)) => return Err(LookPathError::Unknown(reason)),
        }
    }
    Err(LookPathError::Failed(Errno::NoEntry, "executable file not found in $PATH".to_owned()))
}

/// Anything but a directory, with an execute bit for the user: a pipe passes here, and the kernel refuses it.
fn is_executable(view: &FilesystemView<'_>, path: &[u8]) -> Result<bool, ExecError> {
    let found = view.resolve(path)?;
    match found.node {
        Node::File(owner, _) | Node::Special(owner) => view.may_execute(&found.path, *owner),
        Node::Directory(_) | Node::Symlink(_) => Ok(false),
    }
}

/// `filepath.Join`: dots are taken away by the words alone, whatever links there are.
fn join_path(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let rooted = directory.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in directory.split(|byte| *byte == b'/').chain([name]) {
        match (part, kept.last().copied()) {
            (b"" | b".", _) => {}
            (b"..", None) if rooted => {}
            (b"..", Some(last)) if last != b".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    let path = kept.join(b"/".as_slice());
    match (rooted, path.is_empty()) {
        (true, _) => [b"/", path.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Processor;
    use super::*;
    use crate::rootfs::ContentsCollector;
    use crate::rootfs::User;
    use crate::rootfs::{Permissions, Rootfs};

    /// A header with one program header behind it, for this machine.
    fn program(machine: u8) -> Vec<u8> {
        let mut bytes = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57 + 56]].concat();
        for (at, value) in [(16, 2), (18, machine), (32, 64), (54, 56), (56, 1), (64, 1)] {
            bytes[at] = value;
        }
        bytes
    }

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let open = Permissions { mode: 0o755, ..Permissions::default() };
        let mut put = |path: &str, owner: Permissions, bytes: &[u8]| {
            let mut collector = ContentsCollector::default();
            collector.push(bytes);
            rootfs.insert(path.into(), Node::File(owner, collector.finish()));
        };
        let closed = Permissions { mode: 0o644, ..open };
        put("bin/sh", open, &program(62));
        put("bin/foreign", open, &program(183));
        put("bin/closed", closed, &program(62));
        put("closed", closed, &program(62));
        put("foreign", open, &program(183));
        put("text", open, b"echo\n");
        put("crlf", open, b"#!/bin/sh\r\n");
        put("loopy", open, b"#!/loopy\n");
        put("dir/run", open, &program(62));
        rootfs.insert(b"bin".to_vec(), Node::Directory(open));
        rootfs.insert(b"dir".to_vec(), Node::Directory(open));
        rootfs.insert(b"bin/pipe".to_vec(), Node::Special(open));
        rootfs.insert(b"loop".to_vec(), Node::Symlink(b"loop".to_vec()));
        rootfs
    }

    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: None };

    fn started(name: &str, directory: &str, search: Option<&str>) -> StartPrediction {
        let rootfs = rootfs();
        let mounts = vec![b"tmp".to_vec()];
        let view =
            FilesystemView { files: &rootfs, working_directory: Some(directory.into()), user: User::default(), mounts };
        predict_start(&view, HOST, &[name.into()], search.map(str::as_bytes))
    }

    #[test]
    fn what_does_not_start_is_told_in_the_words_of_runc() {
        for (name, directory, search, errno, words) in [
            ("none", "", "/none:/bin", "ENOENT", "exec: \"none\": executable file not found in $PATH"),
            ("closed", "", "/none:/bin", "ENOENT", "exec: \"closed\": executable file not found in $PATH"),
            ("", "", "/none:/bin", "ENOENT", "exec: \"\": executable file not found in $PATH"),
            ("sh", "", "", "ENOENT", "exec: \"sh\": executable file not found in $PATH"),
            ("/none", "", "", "ENOENT", "exec: \"/none\": stat /none: no such file or directory"),
            ("./none", "", "", "ENOENT", "exec: \"./none\": stat ./none: no such file or directory"),
            ("/loop", "", "", "ELOOP", "exec: \"/loop\": stat /loop: too many levels of symbolic links"),
            ("/bin/sh/x", "", "", "ENOTDIR", "exec: \"/bin/sh/x\": stat /bin/sh/x: not a directory"),
            ("/closed", "", "", "EACCES", "exec: \"/closed\": permission denied"),
            ("/dir", "", "", "EACCES", "exec: \"/dir\": permission denied"),
            ("/foreign", "", "", "ENOEXEC", "exec /foreign: exec format error"),
            ("foreign", "", "/none:/bin", "ENOEXEC", "exec /bin/foreign: exec format error"),
            ("/text", "", "", "ENOEXEC", "exec /text: exec format error"),
            ("/crlf", "", "", "ENOENT", "exec /crlf: no such file or directory"),
            ("/loopy", "", "", "ELOOP", "exec /loopy: too many levels of symbolic links"),
            ("pipe", "", "/bin", "EACCES", "exec /bin/pipe: permission denied"),
            (
                "run",
                "dir",
                ":/bin",
                "ENOENT",
                "exec: \"run\": cannot run executable found relative to current directory",
            ),
            ("run", "dir", ".", "ENOENT", "exec: \"run\": cannot run executable found relative to current directory"),
        ] {
            let start = started(name, directory, Some(search));
            let ExecOutcome::Fails { errno: said, .. } = start.outcome else { panic!("{name}: {start:?}") };
            assert_eq!((said.name(), start.message.as_deref()), (errno, Some(words)), "{name}");
        }
    }

    #[test]
    fn what_starts_has_nothing_to_say() {
        for (name, directory, search) in [
            ("/bin/sh", "", None),
            ("sh", "", None),
            ("sh", "made/here", Some("/none:/bin")),
            ("bin/sh", "", Some("")),
            ("./run", "dir", Some("")),
            ("../bin/sh", "dir", Some("")),
            ("sh", "", Some("/dir/../bin")),
            ("sh", "", Some("/none/..//bin/.")),
        ] {
            let start = started(name, directory, search);
            assert!(matches!(start.outcome, ExecOutcome::Starts { .. }), "{name}: {start:?}");
            assert_eq!(start.message, None);
        }
    }

    #[test]
    fn whether_a_user_may_is_told_only_where_it_does_not_hang_on_who_that_is() {
        let mut rootfs = rootfs();
        let file = rootfs.get(b"bin/sh").unwrap().clone();
        let Node::File(open, contents) = file else { panic!("{file:?}") };
        rootfs.insert(b"bin/own".to_vec(), Node::File(Permissions { mode: 0o700, uid: 7, gid: 7 }, contents));
        assert_eq!(open.mode, 0o755);
        for (user, path, answer) in [
            ("", "/bin/own", "starts"),
            ("7", "/bin/own", "starts"),
            (
                "8:8",
                "/bin/own",
                "whether the user may use /bin/own hangs on who that is, on its groups, and on the host",
            ),
            ("8:8", "/bin/closed", "EACCES"),
            (
                "app",
                "/bin/own",
                "whether the user may use /bin/own hangs on who that is, on its groups, and on the host",
            ),
            ("app", "own", "whether the user may use /bin/own hangs on who that is, on its groups, and on the host"),
            ("app", "/bin/sh", "starts"),
            ("app", "/bin/closed", "EACCES"),
        ] {
            let user = User::from_config(user);
            let view = FilesystemView { files: &rootfs, working_directory: Some(Vec::new()), user, mounts: Vec::new() };
            let said = match predict_start(&view, HOST, &[path.into()], None).outcome {
                ExecOutcome::Starts { .. } => "starts".to_owned(),
                ExecOutcome::Fails { errno, .. } => errno.to_string(),
                ExecOutcome::Unknown { reason, .. } => reason.to_string(),
            };
            assert_eq!(said, answer, "{path}");
        }
    }

    #[test]
    fn what_may_be_mounted_over_is_unknown_and_so_is_no_command() {
        let unknown = |start: StartPrediction| {
            if let ExecOutcome::Unknown { reason, .. } = start.outcome { Some(reason) } else { None }
        };
        assert_eq!(unknown(started("sh", "", Some("/tmp:/bin"))), Some(UnknownReason::MountPoint(b"/tmp".to_vec())));
        assert_eq!(unknown(started("sh", "", Some("/bin:/tmp"))), None);
        let rootfs = Rootfs::default();
        let view = FilesystemView {
            files: &rootfs,
            working_directory: Some(Vec::new()),
            user: User::default(),
            mounts: Vec::new(),
        };
        assert_eq!(unknown(predict_start(&view, HOST, &[], None)), Some(UnknownReason::NoCommand));
    }
}
