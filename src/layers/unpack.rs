//! Unpacks the entries of one layer as containerd does into the upper directory of an overlay: `applyNaive` in
//! containerd's `archive/tar.go` with `OverlayConvertWhiteout` of `archive/tar_opts_linux.go`. Lower layers are not
//! seen: links in them are not followed, and hard links to their files fail. Docker's overlay2 driver does the same.
//!
//! The lowest layer is different: containerd has no overlay for it yet, so whiteouts remove earlier entries of the
//! layer itself, while Docker unpacks it like any other layer. [`UnpackedLayer::is_uncertain_as_lowest`] tells whether
//! that matters.

use super::error::{ApplyError, show};
use super::root_path::PathResolver;
use super::tree::{Inode, InodeId, LayerTree, ROOT, TreeLookup};
use crate::path::{clean_archive_path, components, display_path, push_component, split_parent};
use crate::rootfs::{Node, Permissions};
use crate::settings::LayerLimits;

/// The names of whiteouts: OCI image specification, "Representing Changes".
const WHITEOUT_PREFIX: &[u8] = b".wh.";
const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";

/// The maximum length of a name in bytes: `NAME_MAX` in `include/uapi/linux/limits.h`.
const NAME_MAX: usize = 255;

/// The execute bits. Without any of them, not even root may execute a program or its loader (`do_open_execat` in
/// `fs/exec.c`), so only the size of such a file is kept.
pub(super) const EXECUTE_BITS: u32 = 0o111;

/// The bytes that a directory without an entry takes in addition to its path: in the layer, and in a complete stack.
const IMPLIED_OVERHEAD: usize = size_of::<(Box<[u8]>, InodeId)>() + size_of::<((usize, InodeId), Node)>();

/// What an entry creates, unless its name is that of a whiteout.
pub(super) enum EntryContent<'a> {
    Node(Node),
    /// A character device 0/0.
    NullDevice,
    HardLink {
        target: &'a [u8],
        permissions: Permissions,
    },
}

/// A layer that was unpacked as far as container runtimes unpack it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnpackedLayer {
    pub(super) tree: LayerTree,
    /// The paths of directories without entries of their own, in the order in which they were created, and their
    /// inodes. Some may have been removed again.
    pub(super) implied: Vec<(Box<[u8]>, InodeId)>,
    /// Why runtimes cannot unpack the layer, or why it is unknown whether they do.
    pub(super) error: Option<ApplyError>,
    /// Whether runtimes differ in unpacking it as the lowest layer of an image.
    pub(super) is_uncertain_as_lowest: bool,
    /// The first name that certainly belongs to two entries.
    pub(super) duplicate: Option<Box<[u8]>>,
}

/// Unpacker of one layer.
#[allow(clippy::struct_excessive_bools, reason = "each is an independent fact about the entries")]
pub(super) struct Unpacker<'a> {
    limits: &'a LayerLimits,
    tree: LayerTree,
    resolver: PathResolver,
    implied: Vec<(Box<[u8]>, InodeId)>,
    /// The names of directory entries, whose times are set at the end, and whether a directory or link was removed.
    directories: Vec<Box<[u8]>>,
    has_removed_path: bool,
    duplicate: Option<Box<[u8]>>,
    has_root_entry: bool,
    /// Whether an entry may have the path of another one, but not its name.
    has_alias: bool,
    is_uncertain_as_lowest: bool,
    /// The parent directory of the last entry, as written and as resolved. The next entry usually has the same.
    last_directory: Option<(Vec<u8>, Vec<u8>, InodeId)>,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(limits: &'a LayerLimits) -> Self {
        Self {
            limits,
            tree: LayerTree::default(),
            resolver: PathResolver::new(limits),
            implied: Vec::new(),
            directories: Vec::new(),
            has_removed_path: false,
            duplicate: None,
            has_root_entry: false,
            has_alias: false,
            is_uncertain_as_lowest: false,
            last_directory: None,
        }
    }

    /// Returns the memory that is in use, as [`LayerTree::resident_size`].
    pub(super) fn resident_size(&self) -> usize {
        self.tree.resident_size()
    }

    /// Notes the name of an entry as it is in the archive. `filepath.Clean` of Go, with which Docker Engine compares
    /// names, keeps a leading slash and `..` at the beginning.
    pub(super) fn note_name(&mut self, name: &[u8]) {
        self.has_alias |= name.starts_with(b"/") || components(name).any(|part| part == b"..");
    }

    /// Notes an entry for a path that another entry created.
    fn note_duplicate(&mut self, written: &[u8]) {
        if !self.has_alias {
            self.duplicate.get_or_insert_with(|| written.into());
        }
    }

    /// Unpacks an entry. `written` is its normalized name.
    pub(super) fn apply_entry(&mut self, written: &[u8], content: EntryContent<'_>) -> Result<(), ApplyError> {
        let (parent, name) = split_parent(written);
        if name.is_empty() && std::mem::replace(&mut self.has_root_entry, true) {
            self.note_duplicate(written);
        }
        // containerd ignores an entry for the root itself ("file ignored: resolved to root").
        if name.is_empty() {
            return Ok(());
        }
        let (mut path, directory) = self.prepare_directory(parent)?;
        self.has_alias |= path != parent;
        if name == OPAQUE_WHITEOUT {
            // In the lowest layer, this removes directories without entries.
            self.is_uncertain_as_lowest |= !self.implied.is_empty();
            return Ok(self.tree.set_opaque(directory, self.limits)?);
        }
        let whited_out = name.strip_prefix(WHITEOUT_PREFIX);
        if whited_out.is_some_and(|name| matches!(name, b"" | b"." | b"..")) {
            let name = String::from_utf8_lossy(name);
            return Err(ApplyError::refused(format!("invalid whiteout name: {name}: invalid archive")));
        }
        push_component(&mut path, whited_out.unwrap_or(name));
        if whited_out.unwrap_or(name).len() > NAME_MAX {
            return Err(ApplyError::refused(format!("open {}: file name too long", show(&path))));
        }
        if let Some(name) = whited_out {
            if self.tree.child(directory, name).is_some() {
                self.is_uncertain_as_lowest = true;
                let written = display_path(written);
                return Err(ApplyError::refused(format!("failed to convert whiteout file {written:?}: file exists")));
            }
            self.tree.insert(directory, name, Inode::Whiteout, self.limits)?;
            return Ok(());
        }
        if matches!(content, EntryContent::Node(Node::Directory(_))) {
            self.tree.charge_memory(size_of::<Box<[u8]>>() + written.len(), self.limits)?;
            self.directories.push(written.into());
        }
        if let Some(existing) = self.tree.child(directory, name) {
            // The name of a whiteout is another one.
            if !matches!(self.tree.inode(existing), Inode::Whiteout | Inode::ImpliedDirectory) {
                self.note_duplicate(written);
            }
            match content {
                // The directories are merged.
                EntryContent::Node(node @ Node::Directory(_)) if self.tree.inode(existing).is_directory() => {
                    *self.tree.inode_mut(existing) = Inode::Node(node);
                    return Ok(());
                }
                _ => {}
            }
            self.remove(directory, name, existing);
        }
        let inode = match content {
            EntryContent::HardLink { target, permissions } => {
                return self.link(directory, name, &path, target, permissions);
            }
            EntryContent::NullDevice => Inode::Whiteout,
            EntryContent::Node(Node::Symlink(target)) if target.is_empty() => {
                return Err(ApplyError::refused(format!("symlink  {}: no such file or directory", show(&path))));
            }
            EntryContent::Node(node) => Inode::Node(node),
        };
        self.tree.insert(directory, name, inode, self.limits)?;
        Ok(())
    }

    fn remove(&mut self, directory: InodeId, name: &[u8], existing: InodeId) {
        let changes_paths =
            !matches!(self.tree.inode(existing), Inode::Whiteout | Inode::Node(Node::File(..) | Node::Special(_)));
        if changes_paths {
            self.last_directory = None;
            self.has_removed_path = true;
        }
        self.tree.remove(directory, name);
    }

    /// Adds a hard link. Owner and mode of the entry are set on the common inode.
    fn link(
        &mut self,
        directory: InodeId,
        name: &[u8],
        path: &[u8],
        target: &[u8],
        permissions: Permissions,
    ) -> Result<(), ApplyError> {
        let (parent, last) = split_parent(target);
        let resolved = self.resolver.resolve(&self.tree, parent)?;
        let target = clean_archive_path(&[&resolved, b"/".as_slice(), last].concat(), self.limits)?;
        let refused =
            |reason: &str| Err(ApplyError::refused(format!("link {} {}: {reason}", show(&target), show(path))));
        let id = match self.resolver.find(&self.tree, &target)? {
            TreeLookup::Found(id) => id,
            TreeLookup::Missing => return refused("no such file or directory"),
            TreeLookup::BehindFile(_) => return refused("not a directory"),
            TreeLookup::BehindLink => {
                return Err(ApplyError::Uncertain(format!("{} leads through several links", show(&target))));
            }
        };
        match self.tree.inode_mut(id) {
            inode if inode.is_directory() => return refused("operation not permitted"),
            Inode::Node(Node::File(before, contents)) => {
                let becomes_executable = before.mode & EXECUTE_BITS == 0 && permissions.mode & EXECUTE_BITS != 0;
                if becomes_executable && contents.size > 0 {
                    return Err(ApplyError::Uncertain(format!("the hard link {} changes the mode", show(path))));
                }
                *before = permissions;
            }
            Inode::Node(Node::Special(before)) => *before = permissions,
            _ => {}
        }
        Ok(self.tree.link(directory, name, id, self.limits)?)
    }

    /// Returns the resolved path and the inode of an entry's parent directory. Missing directories are created
    /// (`mkparent` in containerd's `archive/tar.go`).
    fn prepare_directory(&mut self, written: &[u8]) -> Result<(Vec<u8>, InodeId), ApplyError> {
        if let Some((_, resolved, id)) = self.last_directory.as_ref().filter(|(known, ..)| known == written) {
            return Ok((resolved.clone(), *id));
        }
        let resolved = self.resolver.resolve(&self.tree, written).map_err(|error| match error {
            ApplyError::Refused(cause) => ApplyError::refused(format!("failed to get root path: {}", cause.message)),
            error => error,
        })?;
        let (mut path, mut at) = (Vec::new(), ROOT);
        for name in components(&resolved) {
            push_component(&mut path, name);
            at = match self.tree.child(at, name) {
                Some(id) if self.tree.inode(id).is_directory() => id,
                Some(id) => {
                    self.is_uncertain_as_lowest |= matches!(self.tree.inode(id), Inode::Whiteout);
                    return Err(ApplyError::refused(format!("mkparent {}: not a directory", show(&path))));
                }
                None if name.len() > NAME_MAX => {
                    return Err(ApplyError::refused(format!("lstat {}: file name too long", show(&resolved))));
                }
                None => {
                    let id = self.tree.insert(at, name, Inode::ImpliedDirectory, self.limits)?;
                    self.tree.charge_memory(IMPLIED_OVERHEAD + path.len(), self.limits)?;
                    self.implied.push((path.as_slice().into(), id));
                    id
                }
            };
        }
        self.last_directory = Some((written.to_vec(), resolved.clone(), at));
        Ok((resolved, at))
    }

    /// Sets the times of directories, which fails if an entry replaced one by something without its path.
    fn check_directories(&mut self) -> Result<(), ApplyError> {
        for written in std::mem::take(&mut self.directories) {
            let path = self.resolver.resolve(&self.tree, &written)?;
            if !matches!(self.resolver.find(&self.tree, &path)?, TreeLookup::Found(_)) {
                let message = "no such file or directory";
                return Err(ApplyError::refused(format!("failed call to UtimesNanoAt for {}: {message}", show(&path))));
            }
        }
        Ok(())
    }

    /// Ends the layer. `result` is that of its entries: none follows an error.
    pub(super) fn finish(mut self, result: Result<(), ApplyError>) -> UnpackedLayer {
        let result = if self.has_removed_path { result.and_then(|()| self.check_directories()) } else { result };
        self.tree.shrink_to_fit();
        self.implied.shrink_to_fit();
        UnpackedLayer {
            is_uncertain_as_lowest: self.is_uncertain_as_lowest || self.resolver.met_whiteout,
            tree: self.tree,
            implied: self.implied,
            duplicate: self.duplicate,
            error: result.err(),
        }
    }
}
