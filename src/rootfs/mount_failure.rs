//! Files in places where container runtimes mount something, so that no container starts. Measured with runc 1.1.5 and
//! containerd 1.6.

use super::error::{ExecError, UnknownReason};
use super::files::{FileTree, Node};
use super::view::FilesystemView;
use crate::errno::Errno;
use crate::path::to_absolute;

/// A mount that fails when the container is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountFailure {
    /// The mount point in the image.
    pub path: &'static str,
    /// What the container runtime mounts there.
    pub mount: Mount,
}

/// What container runtimes mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// A filesystem of this type, on a directory but not on a link to one: `mountToRootfs` in runc's
    /// `libcontainer/rootfs_linux.go`.
    OrdinaryDirectory(&'static str),
    /// A filesystem of this type, on a directory or a link to one.
    Directory(&'static str),
    /// Files of the host, in this directory.
    FilesIn,
    /// A file of the host.
    File,
}

const STRICT_MOUNTS: [(&str, &str); 2] = [("/proc", "proc"), ("/sys", "sysfs")];

/// The files of the host that Docker, Kubernetes and Amazon ECS mount, and their directory, in which containerd also looks
/// up groups. Missing files are created.
const ETC: &str = "/etc";
const MOUNTED_FILES: [&str; 3] = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

impl MountFailure {
    /// Returns what is wrong with the image, as a part of a sentence.
    pub fn describe(self) -> String {
        let path = self.path;
        match self.mount {
            Mount::OrdinaryDirectory(filesystem) | Mount::Directory(filesystem) => {
                format!("{path} is not a directory, and container runtimes mount {filesystem} there")
            }
            Mount::FilesIn => format!("{path} is not a directory, and container runtimes mount files in it"),
            Mount::File => format!("{path} is a directory, and container runtimes mount a file there"),
        }
    }

    /// Returns the beginning of runc's message, or `None` if it contains paths of the host.
    pub fn message(self) -> Option<String> {
        let path = self.path;
        match self.mount {
            Mount::OrdinaryDirectory(filesystem) => Some(format!(
                "error mounting {filesystem:?} to rootfs at {path:?}: filesystem {filesystem:?} must be mounted on \
                 ordinary directory"
            )),
            Mount::Directory(filesystem) => Some(format!("error mounting {filesystem:?} to rootfs at {path:?}")),
            Mount::FilesIn | Mount::File => None,
        }
    }
}

/// Finds the first mount that certainly fails in a container of this image. Not for Lambda, which mounts otherwise.
///
/// # Errors
/// No mount is known to fail, and whether one does is not known yet, or depends on the release of the container runtime.
pub fn find_mount_failure(files: &dyn FileTree) -> Result<Option<MountFailure>, UnknownReason> {
    let checks = STRICT_MOUNTS
        .map(|(path, filesystem)| check_strict_mount(files, path, filesystem))
        .into_iter()
        .chain([check_dev(files)])
        .chain([check_kind(files, ETC, Kind::Other, Mount::FilesIn)])
        .chain(MOUNTED_FILES.map(|path| check_kind(files, path, Kind::Directory, Mount::File)));
    let mut unknown = None;
    for check in checks {
        match check {
            Ok(None) => {}
            Ok(failure) => return Ok(failure),
            // An unread layer is the weakest reason: it seldom has something there.
            Err(reason @ UnknownReason::LayerNotRead(_)) => drop(unknown.get_or_insert(reason)),
            Err(reason) => unknown = Some(reason),
        }
    }
    unknown.map_or(Ok(None), Err)
}

fn check_strict_mount(
    files: &dyn FileTree,
    path: &'static str,
    filesystem: &'static str,
) -> Result<Option<MountFailure>, UnknownReason> {
    let is_other = files.get(&path.as_bytes()[1..])?.is_some_and(|node| !matches!(node, Node::Directory(_)));
    Ok(is_other.then_some(MountFailure { path, mount: Mount::OrdinaryDirectory(filesystem) }))
}

/// Checks `/dev`. A link is followed, but what its target hides and lacks is not modeled.
fn check_dev(files: &dyn FileTree) -> Result<Option<MountFailure>, UnknownReason> {
    let failure = check_kind(files, "/dev", Kind::Other, Mount::Directory("tmpfs"))?;
    if failure.is_none() && matches!(files.get(b"dev")?, Some(Node::Symlink(_))) {
        return Err(UnknownReason::MountPoint(b"/dev".to_vec()));
    }
    Ok(failure)
}

/// Returns the failure of a mount if a path leads to a node of this kind.
fn check_kind(
    files: &dyn FileTree,
    path: &'static str,
    refused: Kind,
    mount: Mount,
) -> Result<Option<MountFailure>, UnknownReason> {
    Ok((resolve_kind(files, path)? == Some(refused)).then_some(MountFailure { path, mount }))
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
