//! What an image has in place of a file that does not exist.

use crate::path::{push_component, split_parent, to_absolute};
use crate::rootfs::{FilesystemView, Node};

/// The loaders of musl and glibc, by the paths that programs for amd64, arm64 and their 32-bit variants request.
const MUSL_LOADERS: (&[u8], &[&str]) = (
    b"ld-musl-",
    &["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1", "/lib/ld-musl-i386.so.1", "/lib/ld-musl-armhf.so.1"],
);
const GLIBC_LOADERS: (&[u8], &[&str]) = (
    b"ld-linux",
    &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux.so.2", "/lib/ld-linux-armhf.so.3"],
);

/// Returns whether the image has a loader of the other C library than the one that a path belongs to.
pub(super) fn has_other_libc_loader(view: &FilesystemView<'_>, loader: &[u8]) -> bool {
    let name = split_parent(loader).1;
    let exists =
        |path: &&str| matches!(view.resolve(path.as_bytes()), Ok(found) if matches!(found.node, Node::File(..)));
    [(MUSL_LOADERS, GLIBC_LOADERS), (GLIBC_LOADERS, MUSL_LOADERS)]
        .iter()
        .any(|((prefix, _), (_, others))| name.starts_with(prefix) && others.iter().any(exists))
}

/// Returns the dangling link in a path, if there is one, and its target as written.
pub(super) fn find_dangling_link(view: &FilesystemView<'_>, path: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let is_end = |at: &usize| path[*at - 1] != b'/' && path.get(*at).is_none_or(|byte| *byte == b'/');
    let ends: Vec<usize> = (1..=path.len()).filter(is_end).collect();
    // Everything below a missing path is missing too, so a binary search finds the first one.
    let end = *ends.get(ends.partition_point(|end| view.resolve(&path[..*end]).is_ok()))?;
    let name = split_parent(&path[..end]).1;
    let mut link = view.resolve(&path[..end - name.len()]).ok()?.path;
    push_component(&mut link, name);
    match view.files.get(&link).ok()? {
        Some(Node::Symlink(target)) => Some((to_absolute(&link), target.clone())),
        _ => None,
    }
}
