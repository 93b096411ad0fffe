//! Lexical operations on byte paths. Symbolic links are never followed.

use std::borrow::Cow;

use crate::settings::{LayerLimits, LimitExceeded};

/// The maximum length of a path including its final NUL: `PATH_MAX` in `include/uapi/linux/limits.h`.
pub(crate) const PATH_MAX: usize = 4096;

/// Converts the name of an archive entry to a path relative to the root: without leading, doubled or trailing slashes,
/// `.` removed, and `..` resolved lexically, never above the root. This is `filepath.Clean("/" + name)`, as in
/// containerd (`applyNaive` in `pkg/archive/tar.go`) and umoci (`UnpackEntry`). Fails if the name is longer or deeper
/// than the limits.
pub(crate) fn clean_archive_path(name: &[u8], limits: &LayerLimits) -> Result<Vec<u8>, LimitExceeded> {
    if name.len() > limits.path {
        return Err(LimitExceeded::Path(limits.path));
    }
    let mut path = Vec::with_capacity(name.len());
    let mut depth = 0;
    for component in components(name) {
        if component == b".." {
            pop_component(&mut path);
            depth = usize::saturating_sub(depth, 1);
        } else {
            push_component(&mut path, component);
            depth += 1;
        }
        if depth > limits.depth {
            return Err(LimitExceeded::Depth(limits.depth));
        }
    }
    Ok(path)
}

/// Returns the components of a path or link target, without empty ones and `.`.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !component.is_empty() && *component != b".")
}

/// Removes the last component. The root is its own parent.
pub(crate) fn pop_component(path: &mut Vec<u8>) {
    path.truncate(split_parent(path).0.len());
}

pub(crate) fn push_component(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// Splits a path at its last slash into the parent directory and the name.
pub(crate) fn split_parent(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter().rposition(|byte| *byte == b'/').map_or((&[], path), |slash| (&path[..slash], &path[slash + 1..]))
}

/// Adds the leading slash that paths in a [`Rootfs`](crate::rootfs::Rootfs) lack.
pub(crate) fn to_absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

/// Returns a path as text for a message.
pub(crate) fn display_path(path: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_names_become_clean_paths() {
        for (name, path) in [
            (b"a".as_slice(), b"a".as_slice()),
            (b"./a/b/", b"a/b"),
            (b"/a//b", b"a/b"),
            (b"a/./b/../c", b"a/c"),
            (b"../../etc/passwd", b"etc/passwd"),
            (b"a/../..", b""),
            (b"./", b""),
            (b"", b""),
            (b"...", b"..."),
            (b"./\xff\xfe/x", b"\xff\xfe/x"),
        ] {
            assert_eq!(clean_archive_path(name, &LayerLimits::default()), Ok(path.into()), "{}", display_path(name));
        }
    }

    #[test]
    fn long_and_deep_paths_are_refused() {
        let limits = LayerLimits::default();
        let clean = |name: &[u8], count| clean_archive_path(&name.repeat(count), &limits).map(|path| path.len());
        assert_eq!(clean(b"a/", 100_000), Err(LimitExceeded::Path(limits.path)));
        assert_eq!(clean(b"a/", limits.depth), Ok(2 * limits.depth - 1));
        assert_eq!(clean(b"a/", limits.depth + 1), Err(LimitExceeded::Depth(limits.depth)));
        assert_eq!(clean(b"a/../", limits.depth + 1), Ok(0));
    }
}
