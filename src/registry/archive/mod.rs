//! A tar archive of images as a registry: one of an OCI image layout, or what `docker save` writes.
//!
//! Does not unpack it: members are found by name once, and read where they lie.

mod compressed;
mod docker;
mod members;
mod saved;

pub use compressed::Compressed;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use self::members::{Member, Members};
use super::listed::Listed;
use super::{Answer, MAX_MANIFEST, Manifest, Registry, RegistryError, Stream, unreadable};
use crate::name::{Digest, Selector};

/// An archive whose members have been found.
#[derive(Debug)]
pub struct Archive {
    members: Members,
    listed: Listed,
    /// Manifests that the archive does not keep.
    made: HashMap<Digest, Vec<u8>>,
    /// Blobs that lie under other names than their digests.
    elsewhere: HashMap<Digest, Member>,
}

/// The member that says that an archive is an OCI image layout.
const LAYOUT: &str = "oci-layout";
/// The member that lists the images of a layout.
const INDEX: &str = "index.json";

impl Archive {
    /// Opens the archive of an OCI image layout, as `skopeo copy … oci-archive:` and buildx's `type=oci` write it.
    ///
    /// # Errors
    /// Where the file is no such archive, or cannot be read.
    pub fn oci(path: &Path) -> Result<Self, RegistryError> {
        let members = Members::read(path).map_err(|error| unreadable(path, error))?;
        if members.find(LAYOUT).is_none() {
            let saved = members.find(docker::MANIFEST).is_some();
            let saved =
                if saved { "; as what `docker save` writes, it is to be read by `docker-archive:`" } else { "" };
            let why = format!("it is no archive of an OCI image layout, for want of a file `{LAYOUT}`{saved}");
            return Err(unreadable(path, io::Error::new(io::ErrorKind::NotFound, why)));
        }
        let listed = listed(&members)?;
        Ok(Self { members, listed, made: HashMap::new(), elsewhere: HashMap::new() })
    }

    /// The images that the archive lists.
    #[must_use]
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    fn manifest(&self, selector: &Selector) -> Result<Answer<Manifest>, RegistryError> {
        let read = |digest: &Digest| match self.made.get(digest) {
            Some(made) => Ok(Answer::Found(made.clone())),
            None => self.read(digest, MAX_MANIFEST),
        };
        self.listed.manifest(selector, read, |error| self.members.unreadable(INDEX, io::Error::other(error)))
    }

    /// Where a blob lies.
    fn find(&self, digest: &Digest) -> Option<Member> {
        self.elsewhere.get(digest).copied().or_else(|| self.members.find(&blob(digest)))
    }

    fn read(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        let Some(member) = self.find(digest) else { return Ok(Answer::Absent) };
        match self.members.bytes(member, limit) {
            Ok(bytes) => Ok(Answer::Found(bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Answer::Refused(error.to_string())),
            Err(error) => Err(self.members.unreadable(&blob(digest), error)),
        }
    }
}

impl Registry for Archive {
    async fn manifests(&self, which: &[Selector]) -> Result<Vec<Answer<Manifest>>, RegistryError> {
        which.iter().map(|selector| self.manifest(selector)).collect()
    }

    async fn blob(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        self.read(digest, limit).map(|answer| match answer {
            Answer::Refused(reason) => Answer::Refused(format!("it {reason}")),
            other => other,
        })
    }

    async fn stream(&self, digest: &Digest) -> Result<Answer<Stream>, RegistryError> {
        let Some(member) = self.find(digest) else { return Ok(Answer::Absent) };
        let stream = self.members.open(member).map_err(|error| self.members.unreadable(&blob(digest), error))?;
        Ok(Answer::Found(Box::new(stream)))
    }

    /// An archive has no repository that could be tagged.
    async fn resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(None)
    }
}

/// The images that the layout in an archive lists.
fn listed(members: &Members) -> Result<Listed, RegistryError> {
    let index = members.document(INDEX, MAX_MANIFEST).and_then(|bytes| Ok(Listed::parse(&bytes)?));
    index.map_err(|error| members.unreadable(INDEX, error))
}

/// The member that holds a blob: OCI image specification, "Image Layout", "Blobs".
fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
