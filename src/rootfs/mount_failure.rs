//! Files in places where container runtimes mount something, so that no container starts. Measured with runc 1.1.5 and
//! containerd 1.6.

use super::error::{ExecError, UnknownReason};
use super::files::{FileTree, Node};
use super::view::FilesystemView;
use crate::errno::Errno;
use crate::path::to_absolute;

/// A mount that fails when the container is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("error mounting {source_name:?} to rootfs at {path:?}: {reason}")]
pub struct MountFailure {
    /// The mount point in the image.
    pub path: &'static str,
    /// What is mounted: a filesystem type, or a file of the host.
    pub source_name: &'static str,
    /// The error of the container runtime.
    pub reason: &'static str,
}

/// Filesystems that runc mounts only on a directory, not on a link to one (`mountToRootfs` in runc's
/// `libcontainer/rootfs_linux.go`).
const STRICT_MOUNTS: [(&str, &str, &str); 2] = [
    ("/proc", "proc", "filesystem \"proc\" must be mounted on ordinary directory"),
    ("/sys", "sysfs", "filesystem \"sysfs\" must be mounted on ordinary directory"),
];

/// The files of the host that Docker, Kubernetes and Amazon ECS mount, and their directory, in which containerd also looks
/// up groups. Missing files are created.
const ETC: &str = "/etc";
const MOUNTED_FILES: [&str; 3] = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

const NOT_A_DIRECTORY: &str = "not a directory";

/// Finds the first mount that certainly fails in a container of this image. Not for Lambda, which mounts otherwise.
///
/// # Errors
/// Whether a mount fails is not known yet, or depends on the release of the container runtime.
pub fn find_mount_failure(files: &dyn FileTree) -> Result<Option<MountFailure>, UnknownReason> {
    for (path, source_name, reason) in STRICT_MOUNTS {
        if files.get(&path.as_bytes()[1..])?.is_some_and(|node| !matches!(node, Node::Directory(_))) {
            return Ok(Some(MountFailure { path, source_name, reason }));
        }
    }
    let failure = |path, source_name| Ok(Some(MountFailure { path, source_name, reason: NOT_A_DIRECTORY }));
    // A link at /dev is followed, but what its target hides and lacks is not modeled.
    let dev = resolve_kind(files, "/dev")?;
    if dev == Some(Kind::Other) {
        return failure("/dev", "tmpfs");
    }
    if matches!(files.get(b"dev")?, Some(Node::Symlink(_))) {
        return Err(UnknownReason::MountPoint(b"/dev".to_vec()));
    }
    if resolve_kind(files, ETC)? == Some(Kind::Other) {
        return failure(ETC, MOUNTED_FILES[0]);
    }
    for path in MOUNTED_FILES {
        if resolve_kind(files, path)? == Some(Kind::Directory) {
            return failure(path, path);
        }
    }
    Ok(None)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Other,
}

/// Returns what is at a path with its links followed, `None` if it is missing. A file above it counts as a file.
fn resolve_kind(files: &dyn FileTree, path: &str) -> Result<Option<Kind>, UnknownReason> {
    match FilesystemView::new(files).resolve(path.as_bytes()) {
        Ok(found) if matches!(found.node, Node::Directory(_)) => Ok(Some(Kind::Directory)),
        Ok(_) | Err(ExecError::Errno(Errno::NotDirectory)) => Ok(Some(Kind::Other)),
        // runc follows more links than the kernel.
        Err(ExecError::Errno(Errno::Loop)) => Err(UnknownReason::TooManyLookups(to_absolute(&path.as_bytes()[1..]))),
        Err(ExecError::Errno(_)) => Ok(None),
        Err(ExecError::Unknown(reason)) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::files::Rootfs;

    /// Returns the path that cannot be mounted, `-` if all can, and `?` if that is unknown. A node without a target is a
    /// file, or a directory if its path ends with a slash.
    fn find(nodes: &[(&str, &str)]) -> &'static str {
        let mut rootfs = Rootfs::default();
        for (path, target) in nodes {
            let node = match (path.strip_suffix('/'), *target) {
                (Some(_), _) => Node::directory(0o755),
                (None, "") => Node::file(0o755, b""),
                (None, target) => Node::Symlink(target.into()),
            };
            rootfs.insert(path.trim_end_matches('/').into(), node);
        }
        find_mount_failure(&rootfs).map_or("?", |failure| failure.map_or("-", |failure| failure.path))
    }

    #[test]
    fn mounts_fail_as_in_runc() {
        for (nodes, path) in [
            ([("app", ""), ("tmp/", "")], "-"),
            ([("proc/", ""), ("dev/", "")], "-"),
            ([("proc", ""), ("dev", "")], "/proc"),
            ([("proc", "tmp"), ("tmp/", "")], "/proc"),
            ([("sys", "none"), ("etc", "")], "/sys"),
            ([("dev", ""), ("etc", "")], "/dev"),
            ([("dev", "app"), ("app", "")], "/dev"),
            ([("dev", "app/x"), ("app", "")], "/dev"),
            ([("dev", "tmp"), ("tmp/", "")], "?"),
            ([("dev", "dev"), ("tmp/", "")], "?"),
            ([("etc", ""), ("tmp", "")], "/etc"),
            ([("etc", "app"), ("app", "")], "/etc"),
            ([("etc", "none"), ("run", "")], "-"),
            ([("etc/", ""), ("etc/hosts/", "")], "/etc/hosts"),
            ([("etc/", ""), ("etc/resolv.conf", "../run/resolv.conf")], "-"),
            ([("etc/", ""), ("etc/hostname", "..")], "/etc/hostname"),
        ] {
            assert_eq!(find(&nodes), path, "{nodes:?}");
        }
    }
}
