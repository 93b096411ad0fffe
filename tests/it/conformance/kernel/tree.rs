//! A small root filesystem, as real files and as a `Rootfs`.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::{ffi::OsStr, fs, process::Command};

use ecr_preflight::rootfs::{ContentsCollector, Node, Permissions, Rootfs};

#[derive(Clone, Debug)]
pub enum Entry {
    Directory,
    File(Vec<u8>),
    Link(Vec<u8>),
    Pipe,
}

/// Entries in the order of their creation: path, owner and contents.
#[derive(Clone, Debug, Default)]
pub struct Tree(pub Vec<(Vec<u8>, Permissions, Entry)>);

pub const OPEN: Permissions = Permissions { mode: 0o755, uid: 0, gid: 0 };

/// Swaps the machine of a program for its counterpart.
pub fn swap_machine(bytes: &mut [u8]) {
    let Some(machine) = bytes.get(18..20).map(|two| u16::from_le_bytes([two[0], two[1]])) else { return };
    let pairs = [(62, 183), (183, 62), (3, 40), (40, 3)];
    let Some((_, other)) = pairs.into_iter().find(|(one, _)| *one == machine) else { return };
    if bytes.starts_with(b"\x7fELF") {
        bytes[18..20].copy_from_slice(&u16::to_le_bytes(other));
    }
}

impl Tree {
    pub fn with(mut self, path: impl AsRef<[u8]>, owner: Permissions, entry: Entry) -> Self {
        self.0.push((path.as_ref().to_vec(), owner, entry));
        self
    }

    pub fn file(self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Self {
        self.with(path, OPEN, Entry::File(bytes.as_ref().to_vec()))
    }

    pub fn directory(self, path: impl AsRef<[u8]>) -> Self {
        self.with(path, OPEN, Entry::Directory)
    }

    pub fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.with(path, OPEN, Entry::Link(target.as_ref().to_vec()))
    }

    /// The same tree for the other architecture: the machine of every program is swapped.
    pub fn mirrored(&self) -> Self {
        let mut tree = self.clone();
        for (_, _, entry) in &mut tree.0 {
            if let Entry::File(bytes) = entry {
                swap_machine(bytes);
            }
        }
        tree
    }

    pub fn rootfs(&self) -> Rootfs {
        let mut rootfs = Rootfs::default();
        for (path, owner, entry) in &self.0 {
            let node = match entry {
                Entry::Directory => Node::Directory(*owner),
                Entry::Link(target) => Node::Symlink(target.clone()),
                Entry::Pipe => Node::Special(*owner),
                Entry::File(bytes) => {
                    let mut collector = ContentsCollector::default();
                    bytes.chunks(1000).for_each(|chunk| collector.push(chunk));
                    Node::File(*owner, collector.finish())
                }
            };
            rootfs.insert(path.clone(), node);
        }
        rootfs
    }

    pub fn write_to(&self, root: &Path) {
        fs::create_dir_all(root).unwrap();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for (path, owner, entry) in &self.0 {
            let path = root.join(OsStr::from_bytes(path));
            match entry {
                Entry::Directory => fs::create_dir(&path).unwrap(),
                Entry::File(bytes) => fs::write(&path, bytes).unwrap(),
                Entry::Pipe => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                Entry::Link(target) => {
                    symlink(OsStr::from_bytes(target), &path).unwrap();
                    continue;
                }
            }
            chown(&path, Some(owner.uid), Some(owner.gid)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(owner.mode)).unwrap();
        }
    }
}
