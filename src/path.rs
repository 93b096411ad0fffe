//! The names of an archive, brought into the form that a root filesystem keeps.
//!
//! Does not follow links.

use crate::settings::{LayerLimits, LimitExceeded};

/// An archive's name as a path from the root: no leading, doubled or closing slashes, no dots, and `..` undone by the
/// letters, which never leads above the root. That is `filepath.Clean` of the name behind a slash, as containerd
/// (`applyNaive` in `pkg/archive/tar.go`) and umoci (`UnpackEntry`) have it.
///
/// # Errors
/// Where it is longer or deeper than the limits; it is not looked at then.
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

/// The components of a path or a link's target: what stands between slashes and is no single dot.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !component.is_empty() && *component != b".")
}

/// Goes one component up; the root is its own parent.
pub(crate) fn pop_component(path: &mut Vec<u8>) {
    path.truncate(split_parent(path).0.len());
}

/// Goes one component down.
pub(crate) fn push_component(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// The directory that a clean path lies in, and its name there.
pub(crate) fn split_parent(path: &[u8]) -> (&[u8], &[u8]) {
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
            assert_eq!(clean_archive_path(name.as_bytes(), &LayerLimits::default()), Ok(path.into()), "{name}");
        }
    }

    #[test]
    fn what_is_no_text_is_kept() {
        assert_eq!(clean_archive_path(b"./\xff\xfe/x", &LayerLimits::default()), Ok(b"\xff\xfe/x".to_vec()));
    }

    #[test]
    fn paths_too_long_or_too_deep_are_refused_at_once() {
        let limits = LayerLimits::default();
        assert_eq!(clean_archive_path(&b"a/".repeat(100_000), &limits), Err(LimitExceeded::Path(limits.path)));
        assert_eq!(
            clean_archive_path(&b"a/".repeat(limits.depth), &limits).map(|path| path.len()),
            Ok(2 * limits.depth - 1)
        );
        assert_eq!(
            clean_archive_path(&b"a/".repeat(limits.depth + 1), &limits),
            Err(LimitExceeded::Depth(limits.depth))
        );
        assert_eq!(clean_archive_path(&b"a/../".repeat(limits.depth + 1), &limits), Ok(Vec::new()));
    }
}
