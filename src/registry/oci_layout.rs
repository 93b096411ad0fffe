//! An OCI image layout directory as a registry.
//!
//! Does not know repositories: a layout holds the images of one, and stands in for any. Nothing is written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::listed::Listed;
use super::{Answer, MAX_MANIFEST, Manifest, Registry, RegistryError, Stream, unreadable};
use crate::name::{Digest, Selector};

/// A directory with `oci-layout`, `index.json` and `blobs/`: OCI image specification, "Image Layout".
#[derive(Debug)]
pub struct Layout {
    directory: PathBuf,
    listed: Listed,
    resource_tag: Option<String>,
}

impl Layout {
    /// Opens a layout. `resource_tag` stands in for the repository's resource tag, which a layout does not have.
    ///
    /// # Errors
    /// Where the directory is no layout or its index cannot be read.
    pub fn open(directory: &Path, resource_tag: Option<String>) -> Result<Self, RegistryError> {
        let read = || -> io::Result<Listed> {
            let not_a_layout = |error: io::Error| {
                io::Error::new(error.kind(), "it is no OCI image layout, for want of a file `oci-layout`")
            };
            File::open(directory.join("oci-layout")).map_err(not_a_layout)?;
            let bytes = read_at_most(&directory.join("index.json"), MAX_MANIFEST)?;
            Ok(Listed::parse(&bytes)?)
        };
        let listed = read().map_err(|error| unreadable(directory, error))?;
        Ok(Self { directory: directory.to_owned(), listed, resource_tag })
    }

    /// The images that `index.json` lists.
    #[must_use]
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    fn manifest(&self, selector: &Selector) -> Result<Answer<Manifest>, RegistryError> {
        let unusable = |error| unreadable(&self.directory.join("index.json"), io::Error::other(error));
        self.listed.manifest(selector, |digest| self.read(digest, MAX_MANIFEST), unusable)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs").join("sha256").join(digest.hex())
    }

    fn read(&self, digest: &Digest, limit: usize) -> Result<Answer<Vec<u8>>, RegistryError> {
        let path = self.path(digest);
        match read_at_most(&path, limit) {
            Ok(bytes) => Ok(Answer::Found(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Answer::Absent),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Answer::Refused(error.to_string())),
            Err(error) => Err(unreadable(&path, error)),
        }
    }
}

impl Registry for Layout {
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
        let path = self.path(digest);
        match File::open(&path) {
            Ok(file) => Ok(Answer::Found(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Answer::Absent),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    async fn resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(self.resource_tag.clone())
    }
}

/// A file's bytes, where it holds at most `limit`.
fn read_at_most(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    crate::registry::read_at_most(File::open(path)?, limit)
}
