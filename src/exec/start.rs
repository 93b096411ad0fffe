//! Predicts how runc starts a container's first process: it looks up `argv[0]`, then calls execve(2).

use super::execve::{ExecOutcome, predict_execve};
use super::host::Host;
use crate::errno::Errno;
use crate::path::{display_path, to_absolute};
use crate::rootfs::{ExecError, FilesystemView, Node, UnknownReason};

/// The `PATH` that container engines set if the image does not: `defaultUnixEnv` in containerd's `oci/spec.go`.
pub(crate) const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The result of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPrediction {
    /// The kernel's answer, or ENOENT for a name that is not found in `PATH`.
    pub outcome: ExecOutcome,
    /// The error message of the container runtime, if nothing starts.
    pub message: Option<String>,
}

/// Predicts the start of `argv`, the entrypoint and command. `search` is the image's `PATH`.
pub fn predict_start(
    view: &FilesystemView<'_>,
    host: Host,
    argv: &[Vec<u8>],
    search: Option<&[u8]>,
) -> StartPrediction {
    let Some(name) = argv.first() else { return StartPrediction::unknown(UnknownReason::NoCommand) };
    let found = if name.contains(&b'/') { look_path_with_slash(view, name) } else { search_path(view, name, search) };
    let path = match found {
        Ok(path) => path,
        Err(failure) => return failure,
    };
    let outcome = predict_execve(view, host, &path);
    let message = match &outcome {
        ExecOutcome::Fails { errno, .. } => Some(format!("exec {}: {}", display_path(&path), errno.message())),
        _ => None,
    };
    StartPrediction { outcome, message }
}

impl StartPrediction {
    pub(crate) fn unknown(reason: UnknownReason) -> Self {
        Self { outcome: ExecOutcome::Unknown { reason, chain: Vec::new() }, message: None }
    }

    /// Creates the result of a failed lookup, after which the container runtime does not call execve(2).
    fn lookup_failed(name: &[u8], errno: Errno, message: &str) -> Self {
        let outcome = ExecOutcome::Fails { errno, path: name.to_vec(), chain: Vec::new() };
        Self { outcome, message: Some(format!("exec: \"{}\": {message}", display_path(name))) }
    }
}

/// Looks up a name with a slash: `LookPath` of Go's `os/exec`.
fn look_path_with_slash(view: &FilesystemView<'_>, name: &[u8]) -> Result<Vec<u8>, StartPrediction> {
    let (errno, message) = match is_executable(view, name) {
        Ok(true) => return Ok(name.to_vec()),
        // Since Go 1.20 the message for a directory is "is a directory". The kernel's is "permission denied".
        Ok(false) => (Errno::Access, Errno::Access.message().to_owned()),
        Err(ExecError::Unknown(reason)) => return Err(StartPrediction::unknown(reason)),
        Err(ExecError::Errno(errno)) => (errno, format!("stat {}: {}", display_path(name), errno.message())),
    };
    Err(StartPrediction::lookup_failed(name, errno, &message))
}

/// Looks up a name without a slash: `LookPath` takes the first executable of that name in the directories of `PATH`.
fn search_path(view: &FilesystemView<'_>, name: &[u8], search: Option<&[u8]>) -> Result<Vec<u8>, StartPrediction> {
    let search = search.unwrap_or(DEFAULT_PATH);
    for directory in search.split(|byte| *byte == b':').filter(|_| !search.is_empty()) {
        let path = join_path(directory, name);
        match is_executable(view, &path) {
            Ok(true) if path.starts_with(b"/") => return Ok(path),
            Ok(true) => {
                let message = "cannot run executable found relative to current directory";
                return Err(StartPrediction::lookup_failed(name, Errno::NoEntry, message));
            }
            Ok(false) | Err(ExecError::Errno(_)) => {}
            // The program may be in the mount, so later directories do not matter.
            Err(ExecError::Unknown(reason)) => return Err(StartPrediction::unknown(reason)),
        }
    }
    Err(StartPrediction::lookup_failed(name, Errno::NoEntry, "executable file not found in $PATH"))
}

/// Returns whether the user may execute a path that is not a directory. Pipes pass, but the kernel refuses them.
fn is_executable(view: &FilesystemView<'_>, path: &[u8]) -> Result<bool, ExecError> {
    let found = view.resolve(path)?;
    match found.node {
        Node::File(permissions, _) | Node::Special(permissions) => view.may_execute(&found.path, *permissions),
        Node::Directory(_) | Node::Symlink(_) => Ok(false),
    }
}

/// Joins paths like `filepath.Join`: `..` is resolved lexically, regardless of links.
fn join_path(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let is_absolute = directory.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in directory.split(|byte| *byte == b'/').chain([name]) {
        match (part, kept.last().copied()) {
            (b"" | b".", _) => {}
            (b"..", None) if is_absolute => {}
            (b"..", Some(last)) if last != b".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    let path = kept.join(b"/".as_slice());
    match (is_absolute, path.is_empty()) {
        (true, _) => to_absolute(&path),
        (false, true) => b".".to_vec(),
        (false, false) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::program;
    use crate::elf::{EM_AARCH64, EM_X86_64};
    use crate::exec::Processor;
    use crate::rootfs::{FileContents, Permissions, Rootfs, User};

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let (own, foreign) = (program(EM_X86_64, ""), program(EM_AARCH64, ""));
        for (path, mode, bytes) in [
            ("bin/sh", 0o755, own.as_slice()),
            ("bin/foreign", 0o755, &foreign),
            ("bin/closed", 0o644, &own),
            ("closed", 0o644, &own),
            ("foreign", 0o755, &foreign),
            ("text", 0o755, b"echo\n"),
            ("crlf", 0o755, b"#!/bin/sh\r\n"),
            ("loopy", 0o755, b"#!/loopy\n"),
            ("dir/run", 0o755, &own),
        ] {
            rootfs.insert(path.into(), Node::file(mode, bytes));
        }
        rootfs.insert(b"bin".to_vec(), Node::directory(0o755));
        rootfs.insert(b"dir".to_vec(), Node::directory(0o755));
        rootfs.insert(b"bin/pipe".to_vec(), Node::Special(Permissions::owned_by_root(0o755)));
        rootfs.insert(b"loop".to_vec(), Node::Symlink(b"loop".to_vec()));
        rootfs
    }

    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: None };

    fn start(name: &str, directory: &str, search: Option<&str>) -> StartPrediction {
        let rootfs = rootfs();
        let (working_directory, mounts) = (Some(directory.into()), vec![b"tmp".to_vec()]);
        let view = FilesystemView { working_directory, mounts, ..FilesystemView::new(&rootfs) };
        predict_start(&view, HOST, &[name.into()], search.map(str::as_bytes))
    }

    #[test]
    fn failed_start_has_the_message_of_runc() {
        const RELATIVE: &str = "exec: \"run\": cannot run executable found relative to current directory";
        for (name, directory, search, errno, message) in [
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
            ("run", "dir", ":/bin", "ENOENT", RELATIVE),
            ("run", "dir", ".", "ENOENT", RELATIVE),
        ] {
            let start = start(name, directory, Some(search));
            let ExecOutcome::Fails { errno: actual, .. } = start.outcome else { panic!("{name}: {start:?}") };
            assert_eq!((actual.name(), start.message.as_deref()), (errno, Some(message)), "{name}");
        }
    }

    #[test]
    fn successful_start_has_no_message() {
        for (name, directory, search) in [
            ("/bin/sh", "", None),
            ("sh", "", None),
            ("sh", "created/here", Some("/none:/bin")),
            ("bin/sh", "", Some("")),
            ("./run", "dir", Some("")),
            ("../bin/sh", "dir", Some("")),
            ("sh", "", Some("/dir/../bin")),
            ("sh", "", Some("/none/..//bin/.")),
        ] {
            let start = start(name, directory, search);
            assert!(matches!(start.outcome, ExecOutcome::Starts { .. }), "{name}: {start:?}");
            assert_eq!(start.message, None);
        }
    }

    #[test]
    fn start_depends_on_the_user() {
        const UNKNOWN: &str = "access to /bin/own depends on the user's identity, its groups and the host";
        let mut rootfs = rootfs();
        let contents = FileContents::from_bytes(&program(EM_X86_64, ""));
        rootfs.insert(b"bin/own".to_vec(), Node::File(Permissions { mode: 0o700, uid: 7, gid: 7 }, contents));
        for (user, path, expected) in [
            ("", "/bin/own", "starts"),
            ("7", "/bin/own", "starts"),
            ("8:8", "/bin/own", UNKNOWN),
            ("8:8", "/bin/closed", "EACCES"),
            ("app", "/bin/own", UNKNOWN),
            ("app", "own", UNKNOWN),
            ("app", "/bin/sh", "starts"),
            ("app", "/bin/closed", "EACCES"),
        ] {
            let view = FilesystemView { user: User::from_config(user), ..FilesystemView::new(&rootfs) };
            let answer = match predict_start(&view, HOST, &[path.into()], None).outcome {
                ExecOutcome::Starts { .. } => "starts".to_owned(),
                ExecOutcome::Fails { errno, .. } => errno.to_string(),
                ExecOutcome::Unknown { reason, .. } => reason.to_string(),
                other @ ExecOutcome::Exits { .. } => format!("{other:?}"),
            };
            assert_eq!(answer, expected, "{path}");
        }
    }

    #[test]
    fn mounts_and_missing_commands_are_unknown() {
        let unknown = |start: StartPrediction| {
            if let ExecOutcome::Unknown { reason, .. } = start.outcome { Some(reason) } else { None }
        };
        assert_eq!(unknown(start("sh", "", Some("/tmp:/bin"))), Some(UnknownReason::MountPoint(b"/tmp".to_vec())));
        assert_eq!(unknown(start("sh", "", Some("/bin:/tmp"))), None);
        let no_command = predict_start(&FilesystemView::new(&Rootfs::default()), HOST, &[], None);
        assert_eq!(unknown(no_command), Some(UnknownReason::NoCommand));
    }
}
