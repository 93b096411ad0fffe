//! How a program is looked up by another program: by execvp(3) of glibc and musl, or by a shell.
//!
//! Does not tell these apart: where they would come to different ends, it is not certain. Go has a way of its own, which
//! [`crate::exec::start`] knows.

use crate::errno::Errno;
use crate::exec::Host;
use crate::exec::{ExecOutcome, predict_execve};
use crate::rootfs::FileContents;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SearchResult {
    pub(super) outcome: ExecOutcome,
    /// Whether every place that was passed over just did not have it, so that all would say the same.
    pub(super) is_unambiguous: bool,
}

/// What comes of starting a name; nothing, where that is not certain. Without a `PATH`, each libc has its own.
///
/// glibc's `__execvpe_common` in `posix/execvpe.c` and musl's `src/process/execvp.c` pass over what answers ENOENT,
/// ENOTDIR or EACCES; `shellexec` of dash passes over everything; bash and busybox take the first file that may be
/// executed.
pub(super) fn search_program(
    view: &FilesystemView<'_>,
    host: Host,
    name: &[u8],
    search: Option<&[u8]>,
) -> Option<SearchResult> {
    if name.is_empty() {
        return None;
    }
    if name.contains(&b'/') {
        let answer = predict_execve(view, host, name);
        return is_final(view, &answer).then_some(SearchResult { outcome: answer, is_unambiguous: true });
    }
    let directories: Vec<&[u8]> = search?.split(|byte| *byte == b':').collect();
    // An empty one stands for the working directory, in most programs.
    if directories.iter().any(|directory| !directory.starts_with(b"/")) {
        return None;
    }
    let (mut failed, mut passed) = (None, Vec::new());
    for directory in directories {
        let answer = predict_execve(view, host, &[directory, b"/", name].concat());
        match &answer {
            ExecOutcome::Fails {
                errno: errno @ (Errno::NoEntry | Errno::NotDirectory | Errno::Access), chain, ..
            } if chain.is_empty() => {
                passed.push(*errno);
            }
            ExecOutcome::Fails { .. } if is_final(view, &answer) => drop(failed.get_or_insert(answer)),
            ExecOutcome::Fails { .. } => return None,
            // Some would have stopped at the one that fails, others come as far as this one.
            ExecOutcome::Starts { .. } if failed.is_some() => return None,
            ExecOutcome::Starts { .. } | ExecOutcome::Unknown { .. } => {
                return Some(SearchResult { outcome: answer, is_unambiguous: true });
            }
        }
    }
    let is_plain = passed.iter().all(|errno| *errno == Errno::NoEntry);
    let errno = if passed.contains(&Errno::Access) { Errno::Access } else { Errno::NoEntry };
    let answer = failed.unwrap_or_else(|| ExecOutcome::Fails { errno, path: name.to_vec(), chain: Vec::new() });
    Some(SearchResult { outcome: answer, is_unambiguous: is_plain })
}

/// Shells, and glibc's execvp, hand what the kernel does not know to a shell. That can read anything but a program: one
/// for another machine is the one thing that stays a failure.
fn is_final(view: &FilesystemView<'_>, answer: &ExecOutcome) -> bool {
    let ExecOutcome::Fails { errno: Errno::ExecFormat, path, chain } = answer else { return true };
    let is_program = |contents: &FileContents| contents.head().starts_with(b"\x7fELF");
    chain.is_empty()
        && view.resolve(path).is_ok_and(|found| matches!(found.node, Node::File(_, contents) if is_program(contents)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Processor;
    use crate::rootfs::ContentsCollector;
    use crate::rootfs::User;
    use crate::rootfs::{Permissions, Rootfs};

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let open = Permissions { mode: 0o755, ..Permissions::default() };
        let mut header = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57 + 56]].concat();
        for (at, value) in [(16, 2), (18, 62), (32, 64), (54, 56), (56, 1), (64, 1)] {
            header[at] = value;
        }
        let own = header.clone();
        header[18] = 183;
        for (path, mode, bytes) in [
            ("a/foreign", 0o755, header.as_slice()),
            ("a/twice", 0o755, &header),
            ("b/twice", 0o755, &own),
            ("a/both", 0o755, &header),
            ("b/both", 0o755, &header),
            ("a/lost", 0o755, b"#!/none\n"),
            ("a/text", 0o755, b"echo\n"),
            ("a/closed", 0o644, &own),
            ("a/late", 0o644, &own),
            ("b/late", 0o755, &own),
            ("b/own", 0o755, &own),
        ] {
            let mut collector = ContentsCollector::default();
            collector.push(bytes);
            rootfs.insert(path.into(), Node::File(Permissions { mode, ..open }, collector.finish()));
        }
        rootfs.insert(b"a".to_vec(), Node::Directory(open));
        rootfs.insert(b"b".to_vec(), Node::Directory(open));
        rootfs
    }

    #[test]
    fn only_what_every_search_comes_to_is_told() {
        let rootfs = rootfs();
        let mounts = vec![b"mnt".to_vec()];
        let view =
            FilesystemView { files: &rootfs, working_directory: Some(Vec::new()), user: User::default(), mounts };
        let host = Host { processor: Processor::Amd64, runs_32_bit: None };
        for (name, search, expected) in [
            ("own", Some("/a:/b"), "starts"),
            ("late", Some("/a:/b"), "starts"),
            ("foreign", Some("/none:/a:/b"), "ENOEXEC"),
            ("both", Some("/a:/b"), "ENOEXEC"),
            ("twice", Some("/a:/b"), "not certain"),
            ("lost", Some("/a:/b"), "ENOENT"),
            ("text", Some("/a:/b"), "not certain"),
            ("none", Some("/a:/b"), "ENOENT"),
            ("none", Some("/a:/b/own"), "ENOENT, not plain"),
            ("closed", Some("/b:/a"), "EACCES, not plain"),
            ("own", Some("/mnt:/b"), "unknown"),
            ("own", Some("/b:/mnt"), "starts"),
            ("own", Some("/b:"), "not certain"),
            ("own", Some("b"), "not certain"),
            ("own", None, "not certain"),
            ("", Some("/b"), "not certain"),
            ("/b/own", None, "starts"),
            ("b/own", None, "starts"),
            ("/a/text", None, "not certain"),
            ("/a/foreign", None, "ENOEXEC"),
            ("/a/closed", None, "EACCES"),
        ] {
            let found = search_program(&view, host, name.as_bytes(), search.map(str::as_bytes)).map_or_else(
                || "not certain".to_owned(),
                |SearchResult { outcome: answer, is_unambiguous: is_plain }| match answer {
                    ExecOutcome::Starts { .. } => "starts".to_owned(),
                    ExecOutcome::Unknown { .. } => "unknown".to_owned(),
                    ExecOutcome::Fails { errno, .. } => format!("{errno}{}", if is_plain { "" } else { ", not plain" }),
                },
            );
            assert_eq!(found, expected, "{name} in {search:?}");
        }
    }
}
