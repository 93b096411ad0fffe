//! Diagnoses why a program does not start.

use super::execve::{ExecOutcome, ExitReason};
use super::file_format::FileFormat;
use super::host::Host;
use super::missing_file::{find_dangling_link, has_other_libc_loader};
use super::setup_refusal::AccountKind;
use super::similar_file::{find_first_word, find_similar_file};
use crate::errno::Errno;
use crate::rootfs::{FilesystemView, Node};

/// The file that prevents a start, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// The role in which the file was opened.
    pub role: FileRole,
    /// The file's path, as written.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub defect: Defect,
    /// A file that the path may mean instead, if the file is missing.
    pub similar: Option<Box<[u8]>>,
}

impl StartFailure {
    fn new(view: &FilesystemView<'_>, role: FileRole, path: &[u8], defect: Defect) -> Self {
        let similar = match (&defect, role) {
            // The loader of another C library is not a substitute.
            (Defect::Missing, FileRole::Program | FileRole::Interpreter | FileRole::Argument) => {
                let first_word = if role == FileRole::Program { find_first_word(view, path) } else { None };
                let similar = || find_similar_file(view, path, role != FileRole::Argument);
                first_word.or_else(similar).map(Vec::into_boxed_slice)
            }
            _ => None,
        };
        Self { role, path: path.to_vec(), defect, similar }
    }
}

/// The role in which the kernel opens a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileRole {
    /// The program to start.
    Program,
    /// The interpreter in the `#!` line of a script.
    Interpreter,
    /// The loader that a program requests.
    Loader,
    /// What a started program opens or looks up because of its arguments.
    Argument,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum Defect {
    /// The file is not a program for this machine, or not a loader for it.
    Format(FileFormat),
    /// The file does not exist, or no directory of `PATH` has it.
    Missing,
    /// The path contains a dangling link, with its target as written.
    DanglingLink { link: Vec<u8>, target: Vec<u8> },
    /// The `#!` line has a Windows line ending, so the interpreter's name ends with a carriage return.
    CarriageReturn,
    /// The loader does not exist, but that of the other C library, glibc or musl, does.
    OtherLibc,
    /// A parent is not a directory, or the path of a file ends with a slash.
    NotADirectory,
    /// The links of the path form a cycle, or there are too many.
    TooManyLinks,
    /// The path or a component is too long.
    NameTooLong,
    /// The user may not execute the file.
    NotExecutable { mode: u32 },
    /// The path is a directory.
    Directory,
    /// The path is a device, a pipe or a socket.
    SpecialFile,
    /// The user may not search a directory of the path.
    NotSearchable,
    /// The user may not read the file.
    NotReadable { mode: u32 },
    /// The program does not accept this as the value of the option with this letter.
    RefusedOption(u8),
    /// The image does not define the user or group.
    UnknownAccount(AccountKind),
    /// Only root may change the user.
    NotRoot,
    /// The script has syntax of bash, but its shell is dash.
    BashSyntax,
    /// The script runs this command of bash, but its shell is dash.
    BashCommand(&'static str),
    /// Too many scripts are nested as interpreters.
    TooManyInterpreters,
}

/// Returns the reason of a failure, or `None` for other outcomes.
pub fn diagnose_failure(view: &FilesystemView<'_>, host: Host, outcome: &ExecOutcome) -> Option<StartFailure> {
    let (errno, path, chain) = match outcome {
        ExecOutcome::Fails { errno, path, chain } => (errno, path, chain),
        ExecOutcome::Exits { reason, path, chain } => {
            let role = match reason {
                ExitReason::Truncated => detect_role(view, chain)?,
                _ => FileRole::Argument,
            };
            let defect = match reason {
                ExitReason::MissingFile => find_dangling_defect(view, path).unwrap_or(Defect::Missing),
                ExitReason::UnreadableFile { mode } => Defect::NotReadable { mode: *mode },
                ExitReason::CarriageReturn => Defect::CarriageReturn,
                ExitReason::RefusedOption(letter) => Defect::RefusedOption(*letter),
                ExitReason::UnknownAccount(kind) => Defect::UnknownAccount(*kind),
                ExitReason::NotRoot => Defect::NotRoot,
                ExitReason::Truncated => Defect::Format(FileFormat::TruncatedElf),
                ExitReason::BashSyntax => Defect::BashSyntax,
                ExitReason::BashCommand(command) => Defect::BashCommand(command),
            };
            return Some(StartFailure::new(view, role, path, defect));
        }
        ExecOutcome::Starts { .. } | ExecOutcome::Unknown { .. } => return None,
    };
    let role = detect_role(view, chain)?;
    let found = view.resolve(path);
    let defect = match (errno, found) {
        (Errno::NameTooLong, _) => Defect::NameTooLong,
        (Errno::NotDirectory, _) => Defect::NotADirectory,
        (Errno::Loop, Ok(_)) => Defect::TooManyInterpreters,
        (Errno::Loop, Err(_)) => Defect::TooManyLinks,
        (Errno::NoEntry, _) => classify_missing(view, role, path),
        (Errno::Access, Err(_)) => Defect::NotSearchable,
        (Errno::Access, Ok(found)) => match found.node {
            Node::Directory(_) => Defect::Directory,
            Node::File(permissions, _) => Defect::NotExecutable { mode: permissions.mode },
            Node::Special(_) | Node::Symlink(_) => Defect::SpecialFile,
        },
        (Errno::ExecFormat | Errno::Invalid | Errno::InputOutput | Errno::LibraryBad, found) => {
            let Node::File(_, contents) = found.ok()?.node else { return None };
            Defect::Format(FileFormat::detect(host, contents))
        }
    };
    Some(StartFailure::new(view, role, path, defect))
}

/// Returns the role of a file that is opened after the files of a chain. The last of them names it.
fn detect_role(view: &FilesystemView<'_>, chain: &[Vec<u8>]) -> Option<FileRole> {
    let Some(opener) = chain.last() else { return Some(FileRole::Program) };
    let Node::File(_, contents) = view.resolve(opener).ok()?.node else { return None };
    Some(if contents.is_script() { FileRole::Interpreter } else { FileRole::Loader })
}

fn classify_missing(view: &FilesystemView<'_>, role: FileRole, path: &[u8]) -> Defect {
    match role {
        // The name was looked up in `PATH`, not in the working directory.
        FileRole::Program if !path.contains(&b'/') => return Defect::Missing,
        FileRole::Interpreter if path.ends_with(b"\r") => return Defect::CarriageReturn,
        FileRole::Loader if has_other_libc_loader(view, path) => return Defect::OtherLibc,
        _ => {}
    }
    find_dangling_defect(view, path).unwrap_or(Defect::Missing)
}

fn find_dangling_defect(view: &FilesystemView<'_>, path: &[u8]) -> Option<Defect> {
    find_dangling_link(view, path).map(|(link, target)| Defect::DanglingLink { link, target })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::program;
    use crate::exec::{Processor, predict_execve};
    use crate::rootfs::{Permissions, Rootfs, User};

    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: Some(false) };

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let mut put = |path: &str, node: Node| rootfs.insert(path.into(), node);
        for (path, bytes) in [
            ("sh", program(62, "")),
            ("arm", program(183, "")),
            ("loaded", program(62, "/lib/ld.so")),
            ("no-loader", program(62, "/lib/none.so")),
            ("arm-loader", program(62, "/arm")),
            ("text-loader", program(62, "/text")),
            ("short-loader", program(62, "/empty")),
            ("gnu", program(62, "/lib64/ld-linux-x86-64.so.2")),
            ("damaged", program(62, "/lib/ld.so")[..80].to_vec()),
            ("text", b"echo and more than sixty-four bytes of it, so that it is not a short file\n".to_vec()),
            ("empty", Vec::new()),
            ("crlf", b"#!/sh\r\n".to_vec()),
            ("no-interpreter", b"#!/none\n".to_vec()),
            ("arm-interpreter", b"#!/arm\n".to_vec()),
            ("dir-interpreter", b"#!/lib\n".to_vec()),
            ("through-link", b"#!/bin/sh\n".to_vec()),
            ("nested", b"#!/nested\n".to_vec()),
            ("lib/ld-musl-x86_64.so.1", program(62, "")),
            ("lib/ld.so", program(62, "")),
        ] {
            put(path, Node::file(0o755, &bytes));
        }
        put("closed", Node::file(0o644, b"#!/sh\n"));
        put("locked/sh", Node::file(0o755, &program(62, "")));
        put("lib", Node::directory(0o755));
        put("locked", Node::directory(0o700));
        put("pipe", Node::Special(Permissions::owned_by_root(0o755)));
        put("loop", Node::Symlink(b"loop".to_vec()));
        put("bin", Node::Symlink(b"usr/bin".to_vec()));
        put("lib/python", Node::Symlink(b"../opt/python3".to_vec()));
        rootfs
    }

    #[test]
    fn failures_have_their_cause() {
        use FileRole::{Interpreter, Loader, Program};
        let rootfs = rootfs();
        let dangling =
            |link: &str, target: &str| Defect::DanglingLink { link: link.into(), target: target.as_bytes().to_vec() };
        let long = format!("/{}", "a".repeat(256));
        for (path, role, file, defect) in [
            ("/arm", Program, "/arm", Defect::Format(FileFormat::OtherArchitecture("arm64"))),
            ("/arm-interpreter", Interpreter, "/arm", Defect::Format(FileFormat::OtherArchitecture("arm64"))),
            ("/arm-loader", Loader, "/arm", Defect::Format(FileFormat::OtherArchitecture("arm64"))),
            ("/text", Program, "/text", Defect::Format(FileFormat::NoShebang)),
            ("/text-loader", Loader, "/text", Defect::Format(FileFormat::NoShebang)),
            ("/empty", Program, "/empty", Defect::Format(FileFormat::Empty)),
            ("/short-loader", Loader, "/empty", Defect::Format(FileFormat::Empty)),
            ("/damaged", Program, "/damaged", Defect::Format(FileFormat::DamagedElf)),
            ("/none", Program, "/none", Defect::Missing),
            ("/none/sh", Program, "/none/sh", Defect::Missing),
            ("sh/", Program, "sh/", Defect::NotADirectory),
            ("/no-interpreter", Interpreter, "/none", Defect::Missing),
            ("/no-loader", Loader, "/lib/none.so", Defect::Missing),
            ("/gnu", Loader, "/lib64/ld-linux-x86-64.so.2", Defect::OtherLibc),
            ("/crlf", Interpreter, "/sh\r", Defect::CarriageReturn),
            ("/bin/sh", Program, "/bin/sh", dangling("/bin", "usr/bin")),
            ("./bin", Program, "./bin", dangling("/bin", "usr/bin")),
            ("/through-link", Interpreter, "/bin/sh", dangling("/bin", "usr/bin")),
            ("/lib/python", Program, "/lib/python", dangling("/lib/python", "../opt/python3")),
            ("/sh/x", Program, "/sh/x", Defect::NotADirectory),
            ("/loop", Program, "/loop", Defect::TooManyLinks),
            ("/nested", Interpreter, "/nested", Defect::TooManyInterpreters),
            (&long, Program, &long, Defect::NameTooLong),
            ("/closed", Program, "/closed", Defect::NotExecutable { mode: 0o644 }),
            ("/lib", Program, "/lib", Defect::Directory),
            ("/dir-interpreter", Interpreter, "/lib", Defect::Directory),
            ("/pipe", Program, "/pipe", Defect::SpecialFile),
            ("/locked/sh", Program, "/locked/sh", Defect::NotSearchable),
            ("", Program, "", Defect::Missing),
        ] {
            let uid = if path.starts_with("/locked") { 7 } else { 0 };
            let user = User::Exact { uid, gid: 7, supplementary_gids: Vec::new() };
            let view = FilesystemView { user, ..FilesystemView::new(&rootfs) };
            let outcome = predict_execve(&view, HOST, path.as_bytes());
            let found = diagnose_failure(&view, HOST, &outcome).map(|cause| (cause.role, cause.path, cause.defect));
            assert_eq!(found, Some((role, file.into(), defect)), "{path}: {outcome:?}");
        }
    }

    #[test]
    fn other_outcomes_have_no_cause() {
        let rootfs = rootfs();
        let view = FilesystemView { mounts: vec![b"proc".to_vec()], ..FilesystemView::new(&rootfs) };
        for path in ["/sh", "/loaded", "/proc/x"] {
            assert_eq!(diagnose_failure(&view, HOST, &predict_execve(&view, HOST, path.as_bytes())), None, "{path}");
        }
        // The name exists in the working directory, but no directory of `PATH` has it.
        let fails = ExecOutcome::Fails { errno: Errno::NoEntry, path: b"closed".to_vec(), chain: Vec::new() };
        assert_eq!(diagnose_failure(&view, HOST, &fails).map(|cause| cause.defect), Some(Defect::Missing));
    }
}
