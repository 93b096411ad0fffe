//! Finds the file that a path that does not exist may mean.

use crate::path::{push_component, split_parent, to_absolute};
use crate::rootfs::{FilesystemView, Node};

/// The maximum number of names that are searched, of names in a directory whose subdirectories are searched, and of
/// directories above a file. Programs are seldom deeper.
const MAX_NAMES: usize = 10_000;
const MAX_NAMES_IN_DIRECTORY: usize = 1_000;
const MAX_DEPTH: usize = 5;

/// The directories that container runtimes mount over.
const SKIPPED: [&[u8]; 3] = [b"dev", b"proc", b"sys"];

/// Returns the absolute path of a file whose name differs from that of a missing file only in case or suffix and is in
/// the same directory, or of the first file with the same name, searched breadth first. A program of the same name must
/// look like one: completions of shells and documents have the names of programs, too. Returns `None` if there is none, or
/// not all layers were read.
pub(super) fn find_similar_file(view: &FilesystemView<'_>, path: &[u8], is_program: bool) -> Option<Vec<u8>> {
    let (parent, name) = split_parent(path);
    if name.is_empty() || name == b"." || name == b".." {
        return None;
    }
    let in_same_directory = || {
        let parent = if parent.is_empty() { b"/" } else { parent };
        let directory = view.resolve(parent).ok()?.path;
        let names = view.files.list(&directory, MAX_NAMES).ok()?;
        let similar = names.into_iter().filter(|other| is_similar(name, other)).map(|other| join(&directory, &other));
        similar.into_iter().find(|file| is_file(view, file))
    };
    let found = if path.contains(&b'/') { in_same_directory() } else { None };
    found.or_else(|| find_name(view, name, is_program)).map(|file| to_absolute(&file))
}

/// Returns the absolute path of the program that the first word of a path with blanks names: neither the exec form of
/// ENTRYPOINT and CMD nor `env` without `-S` splits a word. Returns `None` if it is not in the image.
pub(super) fn find_first_word(view: &FilesystemView<'_>, path: &[u8]) -> Option<Vec<u8>> {
    let word = &path[..path.iter().position(|byte| *byte == b' ')?];
    match word {
        [b'/', ..] => is_file(view, word).then(|| word.to_vec()),
        _ if word.contains(&b'/') => None,
        _ => find_similar_file(view, word, true),
    }
}

/// Returns whether two names differ only in case or in the suffix.
fn is_similar(name: &[u8], other: &[u8]) -> bool {
    let stem = |name: &[u8]| {
        let end = name.iter().rposition(|byte| *byte == b'.').filter(|end| *end > 0).unwrap_or(name.len());
        name[..end].to_ascii_lowercase()
    };
    stem(name) == stem(other)
}

/// Finds a file of this name, in the directories from the root down.
fn find_name(view: &FilesystemView<'_>, name: &[u8], is_program: bool) -> Option<Vec<u8>> {
    let mut level: Vec<Vec<u8>> = vec![Vec::new()];
    let mut remaining = MAX_NAMES;
    for _ in 0..=MAX_DEPTH {
        let mut files = level.iter().map(|directory| join(directory, name));
        if let Some(file) =
            files.find(|file| if is_program { is_program_file(view, file) } else { is_file(view, file) })
        {
            return Some(file);
        }
        let mut next = Vec::new();
        for directory in level {
            let limit = remaining.min(MAX_NAMES_IN_DIRECTORY);
            let listed = view.files.list(&directory, limit);
            remaining -= listed.as_ref().map_or(limit, |names| names.len().min(limit));
            let Ok(names) = listed else { continue };
            let paths = names.into_iter().map(|name| join(&directory, &name));
            next.extend(paths.filter(|path| {
                !SKIPPED.contains(&path.as_slice()) && matches!(view.files.get(path), Ok(Some(Node::Directory(_))))
            }));
        }
        level = next;
    }
    None
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    push_component(&mut path, name);
    path
}

fn is_file(view: &FilesystemView<'_>, path: &[u8]) -> bool {
    view.resolve(&to_absolute(path)).is_ok_and(|found| matches!(found.node, Node::File(..)))
}

fn is_program_file(view: &FilesystemView<'_>, path: &[u8]) -> bool {
    view.resolve(&to_absolute(path)).is_ok_and(|found| match found.node {
        Node::File(permissions, contents) => permissions.mode & 0o111 != 0 || contents.is_elf(),
        Node::Directory(_) | Node::Symlink(_) | Node::Special(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Rootfs;

    #[test]
    fn nearest_file_is_found() {
        let mut rootfs = Rootfs::default();
        for directory in ["app", "app/bin", "usr", "usr/local", "usr/local/bin", "proc", "a", "a/b", "a/b/c", "a/b/c/d"]
        {
            rootfs.insert(directory.into(), Node::directory(0o755));
        }
        for file in
            ["app/Server", "app/run.sh", "app/bin/tool", "usr/local/bin/tool", "proc/deep", "a/b/c/d/deep", "root"]
        {
            rootfs.insert(file.into(), Node::file(0o755, b""));
        }
        rootfs.insert(b"app/data.py".to_vec(), Node::file(0o644, b""));
        rootfs.insert(b"usr/local/bin/link".to_vec(), Node::Symlink(b"tool".to_vec()));
        rootfs.insert(b"app/dangling".to_vec(), Node::Symlink(b"none".to_vec()));
        let view = FilesystemView { working_directory: Some(b"app".to_vec()), ..FilesystemView::new(&rootfs) };
        for (path, expected) in [
            ("/app/server", Some("/app/Server")),
            ("/app/run", Some("/app/run.sh")),
            ("./run.py", Some("/app/run.sh")),
            ("tool", Some("/app/bin/tool")),
            ("/tool", Some("/app/bin/tool")),
            ("/none/link", Some("/usr/local/bin/link")),
            ("/bin/root", Some("/root")),
            ("/ROOT.sh", Some("/root")),
            ("deep", Some("/a/b/c/d/deep")),
            ("/app/bin", None),
            ("/bin/dangling", None),
            ("/none", None),
            ("", None),
            ("/app/..", None),
        ] {
            assert_eq!(
                find_similar_file(&view, path.as_bytes(), true).as_deref(),
                expected.map(str::as_bytes),
                "{path}"
            );
        }
        assert_eq!(find_similar_file(&view, b"/data.py", true), None);
        assert_eq!(find_similar_file(&view, b"/data.py", false).as_deref(), Some(b"/app/data.py".as_slice()));
    }
}
