//! Why a program does not start, as far as the files tell.
//!
//! Does not decide whether it starts, and does not say what to do.

use super::execve::ExecOutcome;
use super::file_format::FileFormat;
use super::host::Host;
use crate::errno::Errno;
use crate::rootfs::ExecError;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;

/// What keeps a program from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// What the file that is at fault was opened as.
    pub role: FileRole,
    /// Its path, as written.
    pub path: Vec<u8>,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What the kernel opens a file as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileRole {
    /// What was to be started.
    Program,
    /// What a script names behind `#!`.
    Interpreter,
    /// What a program names as its loader.
    Loader,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// It is nothing that this machine starts or, of a loader, nothing that it loads; a loader is no text or script either.
    Format(FileFormat),
    /// It is not there; a name without a slash is in no directory of `PATH`.
    Missing,
    /// A link on the way to it leads nowhere.
    DanglingLink {
        /// The link.
        link: Vec<u8>,
        /// Where it leads, as written.
        target: Vec<u8>,
    },
    /// A script's first line ends as on Windows, and so does the interpreter's name in it.
    CarriageReturn,
    /// It is not there, but the loader of the other C library is: a program made for glibc meets musl, or the reverse.
    OtherLibc,
    /// Something on the way to it is no directory, or its path ends in a slash.
    NotADirectory,
    /// Links lead in a circle, or there are too many.
    TooManyLinks,
    /// Its name is too long.
    NameTooLong,
    /// The user has no right to execute it.
    NotExecutable {
        /// Its permission bits.
        mode: u32,
    },
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    SpecialFile,
    /// The user may not search a directory on the way to it.
    NotSearchable,
    /// It is one script too many of those that name one another as interpreters.
    TooManyInterpreters,
}

/// Why an answer is a failure; none where it is not one.
#[must_use]
pub fn diagnose_failure(view: &FilesystemView<'_>, host: Host, answer: &ExecOutcome) -> Option<StartFailure> {
    let ExecOutcome::Fails { errno, path, chain } = answer else { return None };
    let role = chain.last().map_or(Some(FileRole::Program), |opener| detect_role(view, opener))?;
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
            Node::File(owner, _) => Defect::NotExecutable { mode: owner.mode },
            Node::Special(_) | Node::Symlink(_) => Defect::SpecialFile,
        },
        (Errno::ExecFormat | Errno::Invalid | Errno::InputOutput | Errno::LibraryBad, found) => {
            let Node::File(_, contents) = found.ok()?.node else { return None };
            Defect::Format(FileFormat::detect(host, contents))
        }
    };
    Some(StartFailure { role, path: path.clone(), defect })
}

/// What a file was opened as, by the file that asked for it.
fn detect_role(view: &FilesystemView<'_>, opener: &[u8]) -> Option<FileRole> {
    let Node::File(_, contents) = view.resolve(opener).ok()?.node else { return None };
    Some(if contents.head().starts_with(b"#!") { FileRole::Interpreter } else { FileRole::Loader })
}

fn classify_missing(view: &FilesystemView<'_>, role: FileRole, path: &[u8]) -> Defect {
    match role {
        // It was looked for in `PATH`, not here.
        FileRole::Program if !path.contains(&b'/') => return Defect::Missing,
        FileRole::Interpreter if path.ends_with(b"\r") => return Defect::CarriageReturn,
        FileRole::Loader if has_other_libc_loader(view, path) => return Defect::OtherLibc,
        _ => {}
    }
    find_dangling_link(view, path).unwrap_or(Defect::Missing)
}

/// Where musl and glibc have their loaders, by the names that programs for amd64, arm64 and their 32 bits ask for.
const MUSL_LOADERS: (&[u8], &[&str]) = (
    b"ld-musl-",
    &["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1", "/lib/ld-musl-i386.so.1", "/lib/ld-musl-armhf.so.1"],
);
const GLIBC_LOADERS: (&[u8], &[&str]) = (
    b"ld-linux",
    &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux.so.2", "/lib/ld-linux-armhf.so.3"],
);

fn has_other_libc_loader(view: &FilesystemView<'_>, loader: &[u8]) -> bool {
    let name = loader.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_there =
        |path: &&str| matches!(view.resolve(path.as_bytes()), Ok(found) if matches!(found.node, Node::File(..)));
    [(MUSL_LOADERS, GLIBC_LOADERS), (GLIBC_LOADERS, MUSL_LOADERS)]
        .iter()
        .any(|((asked, _), (_, others))| name.starts_with(asked) && others.iter().any(is_there))
}

/// The link on the way that leads nowhere, if one does.
fn find_dangling_link(view: &FilesystemView<'_>, path: &[u8]) -> Option<Defect> {
    let is_end = |at: &usize| path[*at - 1] != b'/' && path.get(*at).is_none_or(|byte| *byte == b'/');
    let ends: Vec<usize> = (1..=path.len()).filter(is_end).collect();
    // What is missing is missing for all that lies below, so that few of the ways need to be gone.
    let end = *ends.get(ends.partition_point(|end| view.resolve(&path[..*end]).is_ok()))?;
    let begins = path[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let above = view.resolve(&path[..begins]).ok()?.path;
    let separator = if above.is_empty() { b"".as_slice() } else { b"/" };
    let link = [&above, separator, &path[begins..end]].concat();
    match view.files.get(&link).map_err(ExecError::from).ok()? {
        Some(Node::Symlink(target)) => {
            Some(Defect::DanglingLink { link: [b"/", link.as_slice()].concat(), target: target.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::execve::predict_execve;
    use super::super::host::Processor;
    use super::*;
    use crate::rootfs::ContentsCollector;
    use crate::rootfs::User;
    use crate::rootfs::{Permissions, Rootfs};

    const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: Some(false) };

    /// A program for a machine, with a loader if that is named.
    fn program(machine: u8, loader: &str) -> Vec<u8> {
        let mut bytes = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57 + 56], loader.as_bytes(), b"\0"].concat();
        let kind = if loader.is_empty() { 1 } else { 3 };
        let length = u8::try_from(loader.len() + 1).unwrap();
        for (at, value) in [(16, 2), (18, machine), (32, 64), (54, 56), (56, 1), (64, kind), (72, 120), (96, length)] {
            bytes[at] = value;
        }
        bytes
    }

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let open = Permissions { mode: 0o755, ..Permissions::default() };
        let mut put = |path: &str, mode: u32, bytes: &[u8]| {
            let mut collector = ContentsCollector::default();
            collector.push(bytes);
            rootfs.insert(path.into(), Node::File(Permissions { mode, ..open }, collector.finish()));
        };
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
            ("text", b"echo and more than sixty-four bytes of it, so that it is no short file\n".to_vec()),
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
            put(path, 0o755, &bytes);
        }
        put("closed", 0o644, b"#!/sh\n");
        put("locked/sh", 0o755, &program(62, ""));
        rootfs.insert(b"lib".to_vec(), Node::Directory(open));
        rootfs.insert(b"locked".to_vec(), Node::Directory(Permissions { mode: 0o700, ..open }));
        rootfs.insert(b"pipe".to_vec(), Node::Special(open));
        rootfs.insert(b"loop".to_vec(), Node::Symlink(b"loop".to_vec()));
        rootfs.insert(b"bin".to_vec(), Node::Symlink(b"usr/bin".to_vec()));
        rootfs.insert(b"lib/python".to_vec(), Node::Symlink(b"../opt/python3".to_vec()));
        rootfs
    }

    #[test]
    fn every_failure_has_its_cause() {
        use FileRole::{Interpreter, Loader, Program};
        let rootfs = rootfs();
        let dangling =
            |link: &str, target: &str| Defect::DanglingLink { link: link.into(), target: target.as_bytes().to_vec() };
        let long = format!("/{}", "a".repeat(256));
        for (path, role, of, fault) in [
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
            let number = if path.starts_with("/locked") { 7 } else { 0 };
            let user = User::Exact { uid: number, gid: 7, supplementary_gids: Vec::new() };
            let view = FilesystemView { files: &rootfs, working_directory: Some(Vec::new()), user, mounts: Vec::new() };
            let answer = predict_execve(&view, HOST, path.as_bytes());
            let expected = StartFailure { role, path: of.into(), defect: fault };
            assert_eq!(diagnose_failure(&view, HOST, &answer), Some(expected), "{path}: {answer:?}");
        }
    }

    #[test]
    fn what_starts_or_cannot_be_told_has_no_cause_and_what_is_in_no_directory_of_path_is_missing() {
        let rootfs = rootfs();
        let mounts = vec![b"proc".to_vec()];
        let view =
            FilesystemView { files: &rootfs, working_directory: Some(Vec::new()), user: User::default(), mounts };
        for path in ["/sh", "/loaded", "/proc/x"] {
            assert_eq!(diagnose_failure(&view, HOST, &predict_execve(&view, HOST, path.as_bytes())), None, "{path}");
        }
        let fails = ExecOutcome::Fails { errno: Errno::NoEntry, path: b"closed".to_vec(), chain: Vec::new() };
        assert_eq!(diagnose_failure(&view, HOST, &fails).map(|cause| cause.defect), Some(Defect::Missing));
    }
}
