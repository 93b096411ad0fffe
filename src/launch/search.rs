//! Looks up a program as execvp(3) of glibc and musl and as shells do. If they find different programs, the result is
//! not certain. Go's lookup is in `exec/start.rs`.

use crate::errno::Errno;
use crate::exec::{ExecOutcome, Host, predict_execve};
use crate::rootfs::{FilesystemView, Node};

/// The result of a lookup and start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SearchResult {
    pub(super) outcome: ExecOutcome,
    /// Whether the skipped directories merely lack the program, so that every caller gets the same error.
    pub(super) is_unambiguous: bool,
}

/// Predicts the start of a name, or returns `None` if it is not certain. Without a `PATH`, each libc has its own
/// default.
///
/// glibc's `__execvpe_common` in `posix/execvpe.c` and musl's `src/process/execvp.c` try the next directory after
/// ENOENT, ENOTDIR and EACCES; `shellexec` of dash after any error; bash and busybox take the first executable file.
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
        let outcome = predict_execve(view, host, name);
        return is_final(view, &outcome).then_some(SearchResult { outcome, is_unambiguous: true });
    }
    let directories: Vec<&[u8]> = search?.split(|byte| *byte == b':').collect();
    // Most programs take an empty directory for the working directory.
    if directories.iter().any(|directory| !directory.starts_with(b"/")) {
        return None;
    }
    let (mut failed, mut denied, mut skipped) = (None, None, Vec::new());
    for directory in directories {
        let outcome = predict_execve(view, host, &[directory, b"/", name].concat());
        match &outcome {
            ExecOutcome::Fails {
                errno: errno @ (Errno::NoEntry | Errno::NotDirectory | Errno::Access),
                path,
                chain,
            } if chain.is_empty() => {
                skipped.push(*errno);
                // A file that exists explains the failure better than a directory that may not be entered.
                let exists = |path: &Vec<u8>| view.resolve(path).is_ok();
                if *errno == Errno::Access && !denied.as_ref().is_some_and(exists) {
                    denied = Some(path.clone());
                }
            }
            ExecOutcome::Fails { .. } if is_final(view, &outcome) => drop(failed.get_or_insert(outcome)),
            ExecOutcome::Fails { .. } => return None,
            // Some callers stop at the failed program, others continue to this one.
            ExecOutcome::Starts { .. } if failed.is_some() => return None,
            ExecOutcome::Starts { .. } | ExecOutcome::Exits { .. } | ExecOutcome::Unknown { .. } => {
                return Some(SearchResult { outcome, is_unambiguous: true });
            }
        }
    }
    let is_unambiguous = skipped.iter().all(|errno| *errno == Errno::NoEntry);
    let (errno, path) = denied.map_or_else(|| (Errno::NoEntry, name.to_vec()), |path| (Errno::Access, path));
    let outcome = failed.unwrap_or(ExecOutcome::Fails { errno, path, chain: Vec::new() });
    Some(SearchResult { outcome, is_unambiguous })
}

/// Returns whether an outcome is the same for every caller. After ENOEXEC, shells and glibc's execvp let a shell
/// interpret the file, which certainly fails only for an ELF file.
fn is_final(view: &FilesystemView<'_>, outcome: &ExecOutcome) -> bool {
    let ExecOutcome::Fails { errno: Errno::ExecFormat, path, chain } = outcome else { return true };
    let is_elf = |node: &Node| matches!(node, Node::File(_, contents) if contents.is_elf());
    chain.is_empty() && view.resolve(path).is_ok_and(|found| is_elf(found.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::program;
    use crate::elf::{EM_AARCH64, EM_X86_64};
    use crate::exec::Processor;
    use crate::rootfs::{Rootfs, User};

    fn rootfs() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let (own, foreign) = (program(EM_X86_64, ""), program(EM_AARCH64, ""));
        for (path, mode, bytes) in [
            ("a/foreign", 0o755, foreign.as_slice()),
            ("a/twice", 0o755, &foreign),
            ("b/twice", 0o755, &own),
            ("a/both", 0o755, &foreign),
            ("b/both", 0o755, &foreign),
            ("a/lost", 0o755, b"#!/none\n"),
            ("a/text", 0o755, b"echo\n"),
            ("a/closed", 0o644, &own),
            ("a/late", 0o644, &own),
            ("b/late", 0o755, &own),
            ("b/own", 0o755, &own),
        ] {
            rootfs.insert(path.into(), Node::file(mode, bytes));
        }
        rootfs.insert(b"a".to_vec(), Node::directory(0o755));
        rootfs.insert(b"b".to_vec(), Node::directory(0o755));
        rootfs
    }

    #[test]
    fn denied_file_is_named_by_its_path() {
        let mut rootfs = rootfs();
        rootfs.insert(b"b/dir".to_vec(), Node::directory(0o755));
        rootfs.insert(b"locked".to_vec(), Node::directory(0o700));
        let user = User::Exact { uid: 7, gid: 7, supplementary_gids: Vec::new() };
        let view = FilesystemView { user, ..FilesystemView::new(&rootfs) };
        let host = Host { processor: Processor::Amd64, runs_32_bit: None };
        for (name, path) in [("closed", "/a/closed"), ("dir", "/b/dir"), ("none", "/locked/none")] {
            let found = search_program(&view, host, name.as_bytes(), Some(b"/locked:/b:/a"));
            let expected = ExecOutcome::Fails { errno: Errno::Access, path: path.into(), chain: Vec::new() };
            assert_eq!(found.map(|found| found.outcome), Some(expected));
        }
    }

    #[test]
    fn search_is_certain_if_all_callers_agree() {
        let rootfs = rootfs();
        let view = FilesystemView { mounts: vec![b"mnt".to_vec()], ..FilesystemView::new(&rootfs) };
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
            ("none", Some("/a:/b/own"), "ENOENT, ambiguous"),
            ("closed", Some("/b:/a"), "EACCES, ambiguous"),
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
                |SearchResult { outcome, is_unambiguous }| match outcome {
                    ExecOutcome::Starts { .. } => "starts".to_owned(),
                    ExecOutcome::Exits { .. } => "exits".to_owned(),
                    ExecOutcome::Unknown { .. } => "unknown".to_owned(),
                    ExecOutcome::Fails { errno, .. } if is_unambiguous => errno.to_string(),
                    ExecOutcome::Fails { errno, .. } => format!("{errno}, ambiguous"),
                },
            );
            assert_eq!(found, expected, "{name} in {search:?}");
        }
    }
}
