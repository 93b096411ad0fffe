//! Files in places where container runtimes mount something, so that no container starts, or only with some runtimes.
//! Measured with runc 1.1.5, containerd 1.6.20 and Docker Engine 20.10.24.

use super::error::{ExecError, UnknownReason};
use super::files::{FileTree, Node};
use super::view::FilesystemView;
use crate::errno::Errno;
use crate::path::to_absolute;

/// A directory of the image at a path where every container runtime mounts a file of the host. Docker Engine replaces
/// files and links there, but not directories: `Setup` in moby's `daemon/initlayer/setup_unix.go`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountFailure {
    /// The path.
    pub path: &'static str,
}

/// The mount points that must be directories and not links to one: `mountToRootfs` in runc's
/// `libcontainer/rootfs_linux.go`.
const STRICT_MOUNTS: [&str; 2] = ["/proc", "/sys"];

/// The directory of the mounted files, in which container engines also look up groups.
const ETC: &str = "/etc";

/// The files of the host that Docker, Kubernetes and Amazon ECS mount. Missing files are created.
const MOUNTED_FILES: [&str; 3] = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

impl MountFailure {
    /// Returns what is wrong with the image, as a part of a sentence.
    pub fn describe(self) -> String {
        format!("{} is a directory, and container runtimes mount a file there", self.path)
    }
}

/// Finds the first mount that certainly fails in a container of this image. Not for Lambda, which mounts otherwise.
///
/// # Errors
/// No mount is known to fail, and whether one does is not known yet, or depends on the container runtime or its release.
pub fn find_mount_failure(files: &dyn FileTree) -> Result<Option<MountFailure>, UnknownReason> {
    let mut unknown = None;
    let mut note = |reason| match reason {
        // An unread layer is the weakest reason: it seldom has something there.
        UnknownReason::LayerNotRead(_) => drop(unknown.get_or_insert(reason)),
        _ if matches!(unknown, Some(UnknownReason::MountRefusedByContainerd { .. })) => {}
        _ => unknown = Some(reason),
    };
    for path in MOUNTED_FILES {
        match files.get(&path.as_bytes()[1..]) {
            Ok(Some(Node::Directory(_))) => return Ok(Some(MountFailure { path })),
            Ok(_) => {}
            Err(reason) => note(reason),
        }
    }
    let checks = STRICT_MOUNTS.map(|path| check_strict_mount(files, path));
    let checks = checks.into_iter().chain([check_dev(files), check_etc(files)]);
    let checks = checks.chain(MOUNTED_FILES.map(|path| check_kind(files, path, Kind::Directory)));
    checks.filter_map(Result::err).for_each(note);
    unknown.map_or(Ok(None), Err)
}

/// Checks a mount point that containerd refuses unless it is a directory. Docker Engine replaces it.
fn check_strict_mount(files: &dyn FileTree, path: &'static str) -> Result<(), UnknownReason> {
    match files.get(&path.as_bytes()[1..])? {
        None | Some(Node::Directory(_)) => Ok(()),
        Some(_) => Err(UnknownReason::MountRefusedByContainerd { path, found: "is not a directory" }),
    }
}

/// Checks `/dev`. A link is followed, but what its target hides and lacks is not modeled: without a target, runc 1.1.5
/// ends with "error setting up ptmx".
fn check_dev(files: &dyn FileTree) -> Result<(), UnknownReason> {
    let checked = check_kind(files, "/dev", Kind::Other);
    match files.get(b"dev")? {
        // The link matters even if a layer with its target was not read.
        Some(Node::Symlink(_)) if !matches!(checked, Err(UnknownReason::MountRefusedByContainerd { .. })) => {
            Err(UnknownReason::MountPoint(b"/dev".to_vec()))
        }
        _ => checked,
    }
}

/// Checks `/etc`. containerd follows a link, and Docker Engine replaces it with a directory without the image's files.
fn check_etc(files: &dyn FileTree) -> Result<(), UnknownReason> {
    let checked = check_kind(files, ETC, Kind::Other);
    match files.get(&ETC.as_bytes()[1..])? {
        Some(Node::Symlink(_)) if !matches!(checked, Err(UnknownReason::MountRefusedByContainerd { .. })) => {
            Err(UnknownReason::LinkReplacedByDocker(ETC))
        }
        _ => checked,
    }
}

/// Checks that a path does not lead to a node of a kind that containerd refuses. Docker Engine replaces files and links.
fn check_kind(files: &dyn FileTree, path: &'static str, refused: Kind) -> Result<(), UnknownReason> {
    if resolve_kind(files, path)? != Some(refused) {
        return Ok(());
    }
    let found = if refused == Kind::Directory { "leads to a directory" } else { "is not a directory" };
    Err(UnknownReason::MountRefusedByContainerd { path, found })
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::rootfs::files::Rootfs;

    /// Returns the path at which no runtime mounts, the path and `?` if the answer depends on the runtime, and `-` if all
    /// mount everything. A node without a target is a file, or a directory if its path ends with a slash.
    fn find(nodes: &[(&str, &str)]) -> String {
        let mut rootfs = Rootfs::default();
        for (path, target) in nodes {
            let node = match (path.strip_suffix('/'), *target) {
                (Some(_), _) => Node::directory(0o755),
                (None, "") => Node::file(0o755, b""),
                (None, target) => Node::Symlink(target.into()),
            };
            rootfs.insert(path.trim_end_matches('/').into(), node);
        }
        match find_mount_failure(&rootfs) {
            Ok(failure) => failure.map_or("-", |failure| failure.path).to_owned(),
            Err(UnknownReason::MountRefusedByContainerd { path, .. }) => format!("{path} containerd"),
            Err(UnknownReason::LinkReplacedByDocker(path)) => format!("{path} link"),
            Err(_) => "?".to_owned(),
        }
    }

    /// A file tree in which one file is unknown.
    #[derive(Debug)]
    struct Partial(Rootfs, &'static [u8]);

    impl FileTree for Partial {
        fn get(&self, path: &[u8]) -> Result<Option<&Node>, UnknownReason> {
            if path == self.1 { Err(UnknownReason::LayerNotRead(path.to_vec())) } else { Ok(self.0.get(path)) }
        }

        fn list(&self, directory: &[u8], limit: usize) -> Result<BTreeSet<Vec<u8>>, UnknownReason> {
            self.0.list(directory, limit)
        }
    }

    #[test]
    fn link_matters_if_its_target_is_unread() {
        for (path, expected) in [
            ("dev", UnknownReason::MountPoint(b"/dev".to_vec())),
            ("etc", UnknownReason::LinkReplacedByDocker("/etc")),
            ("etc/hosts", UnknownReason::LayerNotRead(b"none".to_vec())),
        ] {
            let mut rootfs = Rootfs::default();
            rootfs.insert(b"etc".to_vec(), Node::directory(0o755));
            rootfs.insert(path.into(), Node::Symlink(b"/none".to_vec()));
            assert_eq!(find_mount_failure(&Partial(rootfs, b"none")), Err(expected), "{path}");
        }
    }

    #[test]
    fn mounts_fail_as_in_runc_and_docker() {
        for (nodes, path) in [
            ([("app", ""), ("tmp/", "")], "-"),
            ([("proc/", ""), ("dev/", "")], "-"),
            ([("proc", ""), ("dev", "")], "/proc containerd"),
            ([("proc", "tmp"), ("tmp/", "")], "/proc containerd"),
            ([("sys", "none"), ("etc", "")], "/sys containerd"),
            ([("dev", ""), ("etc", "")], "/dev containerd"),
            ([("dev", "app"), ("app", "")], "/dev containerd"),
            ([("dev", "app/x"), ("app", "")], "/dev containerd"),
            ([("dev", "tmp"), ("tmp/", "")], "?"),
            ([("dev", "dev"), ("tmp/", "")], "?"),
            ([("dev", "tmp"), ("sys", "")], "/sys containerd"),
            ([("etc", ""), ("tmp", "")], "/etc containerd"),
            ([("etc", "app"), ("app", "")], "/etc containerd"),
            ([("etc", "none"), ("run", "")], "/etc link"),
            ([("etc/", ""), ("etc/hosts/", "")], "/etc/hosts"),
            ([("proc", ""), ("etc/hosts/", "")], "/etc/hosts"),
            ([("etc/", ""), ("etc/resolv.conf", "../run/resolv.conf")], "-"),
            ([("etc/", ""), ("etc/hostname", "..")], "/etc/hostname containerd"),
        ] {
            assert_eq!(find(&nodes), path, "{nodes:?}");
        }
    }
}
