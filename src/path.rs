//! The names of an archive, brought into the form that a root filesystem keeps.
//!
//! Does not follow links.

use crate::settings::{Bound, Limits};

/// An archive's name as a path from the root: no leading, doubled or closing slashes, no dots, and `..` undone by the
/// letters, which never leads above the root. That is `filepath.Clean` of the name behind a slash, as containerd
/// (`applyNaive` in `pkg/archive/tar.go`) and umoci (`UnpackEntry`) have it.
///
/// # Errors
/// Where it is longer or deeper than the limits; it is not looked at then.
pub(crate) fn clean(name: &[u8], limits: &Limits) -> Result<Vec<u8>, Bound> {
    if name.len() > limits.path {
        return Err(Bound::Path(limits.path));
    }
    let mut path = Vec::with_capacity(name.len());
    let mut depth = 0;
    for component in components(name) {
        if component == b".." {
            up(&mut path);
            depth = usize::saturating_sub(depth, 1);
        } else {
            down(&mut path, component);
            depth += 1;
        }
        if depth > limits.depth {
            return Err(Bound::Depth(limits.depth));
        }
    }
    Ok(path)
}

/// The components of a path or a link's target: what stands between slashes and is no single dot.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !component.is_empty() && *component != b".")
}

/// Goes one component up; the root is its own parent.
pub(crate) fn up(path: &mut Vec<u8>) {
    path.truncate(split(path).0.len());
}

/// Goes one component down.
pub(crate) fn down(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// The directory that a clean path lies in, and its name there.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter().rposition(|byte| *byte == b'/').map_or((&[], path), |slash| (&path[..slash], &path[slash + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_below_the_root() {
        for (name, path) in [
            ("a", "a"),
            ("./a/b/", "a/b"),
            ("/a//b", "a/b"),
            ("a/./b/../c", "a/c"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../..", ""),
            ("./", ""),
            ("", ""),
            ("...", "..."),
        ] {
            assert_eq!(clean(name.as_bytes(), &Limits::default()), Ok(path.into()), "{name}");
        }
    }

    #[test]
    fn what_is_no_text_is_kept() {
        assert_eq!(clean(b"./\xff\xfe/x", &Limits::default()), Ok(b"\xff\xfe/x".to_vec()));
    }

    #[test]
    fn paths_too_long_or_too_deep_are_refused_at_once() {
        let limits = Limits::default();
        assert_eq!(clean(&b"a/".repeat(100_000), &limits), Err(Bound::Path(limits.path)));
        assert_eq!(clean(&b"a/".repeat(limits.depth), &limits).map(|path| path.len()), Ok(2 * limits.depth - 1));
        assert_eq!(clean(&b"a/".repeat(limits.depth + 1), &limits), Err(Bound::Depth(limits.depth)));
        assert_eq!(clean(&b"a/../".repeat(limits.depth + 1), &limits), Ok(Vec::new()));
    }
}
