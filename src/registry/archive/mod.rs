//! A tar archive of images as a registry: one of an OCI image layout, or what `docker save` writes.
//!
//! Does not unpack it: members are found by name once, and read where they lie.

mod compression;
mod docker;
mod members;
mod docker_save;

pub use compression::CompressedArchiveError;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use self::members::{ArchiveMembers, MemberLocation};
use super::layout_index::LayoutIndex;
use super::{BlobReader, Lookup, MAX_MANIFEST, Manifest, Registry, RegistryError, file_error};
use crate::name::{Digest, Selector};

/// An archive whose members have been found.
#[derive(Debug)]
pub struct ImageArchive {
    members: ArchiveMembers,
    index: LayoutIndex,
    /// Manifests that the archive does not keep.
    generated_manifests: HashMap<Digest, Vec<u8>>,
    /// Blobs that lie under other names than their digests.
    blob_members: HashMap<Digest, MemberLocation>,
}

/// The member that says that an archive is an OCI image layout.
const LAYOUT_MEMBER: &str = "oci-layout";
/// The member that lists the images of a layout.
const INDEX_MEMBER: &str = "index.json";

impl ImageArchive {
    /// Opens the archive of an OCI image layout, as `skopeo copy … oci-archive:` and buildx's `type=oci` write it.
    ///
    /// # Errors
    /// Where the file is no such archive, or cannot be read.
    pub fn open_oci(path: &Path) -> Result<Self, RegistryError> {
        let members = ArchiveMembers::read(path).map_err(|error| file_error(path, error))?;
        if members.find(LAYOUT_MEMBER).is_none() {
            let saved = members.find(docker::MANIFEST_MEMBER).is_some();
            let saved =
                if saved { "; as what `docker save` writes, it is to be read by `docker-archive:`" } else { "" };
            let why = format!("it is no archive of an OCI image layout, for want of a file `{LAYOUT_MEMBER}`{saved}");
            return Err(file_error(path, io::Error::new(io::ErrorKind::NotFound, why)));
        }
        let listed = read_layout_index(&members)?;
        Ok(Self { members, index: listed, generated_manifests: HashMap::new(), blob_members: HashMap::new() })
    }

    /// The images that the archive lists.
    #[must_use]
    pub fn index(&self) -> &LayoutIndex {
        &self.index
    }

    fn read_manifest(&self, selector: &Selector) -> Result<Lookup<Manifest>, RegistryError> {
        let read = |digest: &Digest| match self.generated_manifests.get(digest) {
            Some(made) => Ok(Lookup::Found(made.clone())),
            None => self.read_blob(digest, MAX_MANIFEST),
        };
        self.index
            .read_manifest(selector, read, |error| self.members.member_error(INDEX_MEMBER, io::Error::other(error)))
    }

    /// Where a blob lies.
    fn find_blob(&self, digest: &Digest) -> Option<MemberLocation> {
        self.blob_members.get(digest).copied().or_else(|| self.members.find(&blob_member_name(digest)))
    }

    fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let Some(member) = self.find_blob(digest) else { return Ok(Lookup::NotFound) };
        match self.members.read_bytes(member, limit) {
            Ok(bytes) => Ok(Lookup::Found(bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Lookup::Unavailable(error.to_string())),
            Err(error) => Err(self.members.member_error(&blob_member_name(digest), error)),
        }
    }
}

impl Registry for ImageArchive {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        which.iter().map(|selector| self.read_manifest(selector)).collect()
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        self.read_blob(digest, limit).map(|answer| match answer {
            Lookup::Unavailable(reason) => Lookup::Unavailable(format!("it {reason}")),
            other => other,
        })
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let Some(member) = self.find_blob(digest) else { return Ok(Lookup::NotFound) };
        let stream = self
            .members
            .open_member(member)
            .map_err(|error| self.members.member_error(&blob_member_name(digest), error))?;
        Ok(Lookup::Found(Box::new(stream)))
    }

    /// An archive has no repository that could be tagged.
    async fn fetch_resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(None)
    }
}

/// The images that the layout in an archive lists.
fn read_layout_index(members: &ArchiveMembers) -> Result<LayoutIndex, RegistryError> {
    let index = members.read_document(INDEX_MEMBER, MAX_MANIFEST).and_then(|bytes| Ok(LayoutIndex::parse(&bytes)?));
    index.map_err(|error| members.member_error(INDEX_MEMBER, error))
}

/// The member that holds a blob: OCI image specification, "Image Layout", "Blobs".
fn blob_member_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
