//! An OCI image layout directory as a registry.
//!
//! Does not know repositories: a layout holds the images of one, and stands in for any. Nothing is written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::layout_index::LayoutIndex;
use super::{BlobReader, Lookup, MAX_MANIFEST, Manifest, Registry, RegistryError, file_error};
use crate::name::{Digest, Selector};

/// A directory with `oci-layout`, `index.json` and `blobs/`: OCI image specification, "Image Layout".
#[derive(Debug)]
pub struct OciLayout {
    directory: PathBuf,
    index: LayoutIndex,
    resource_tag: Option<String>,
}

impl OciLayout {
    /// Opens a layout. `resource_tag` stands in for the repository's resource tag, which a layout does not have.
    ///
    /// # Errors
    /// Where the directory is no layout or its index cannot be read.
    pub fn open(directory: &Path, resource_tag: Option<String>) -> Result<Self, RegistryError> {
        let read = || -> io::Result<LayoutIndex> {
            let not_a_layout = |error: io::Error| {
                io::Error::new(error.kind(), "it is no OCI image layout, for want of a file `oci-layout`")
            };
            File::open(directory.join("oci-layout")).map_err(not_a_layout)?;
            let bytes = read_file_at_most(&directory.join("index.json"), MAX_MANIFEST)?;
            Ok(LayoutIndex::parse(&bytes)?)
        };
        let listed = read().map_err(|error| file_error(directory, error))?;
        Ok(Self { directory: directory.to_owned(), index: listed, resource_tag })
    }

    /// The images that `index.json` lists.
    #[must_use]
    pub fn index(&self) -> &LayoutIndex {
        &self.index
    }

    fn read_manifest(&self, selector: &Selector) -> Result<Lookup<Manifest>, RegistryError> {
        let unusable = |error| file_error(&self.directory.join("index.json"), io::Error::other(error));
        self.index.read_manifest(selector, |digest| self.read_blob(digest, MAX_MANIFEST), unusable)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs").join("sha256").join(digest.hex())
    }

    fn read_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let path = self.blob_path(digest);
        match read_file_at_most(&path, limit) {
            Ok(bytes) => Ok(Lookup::Found(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lookup::NotFound),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Lookup::Unavailable(error.to_string())),
            Err(error) => Err(file_error(&path, error)),
        }
    }
}

impl Registry for OciLayout {
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
        let path = self.blob_path(digest);
        match File::open(&path) {
            Ok(file) => Ok(Lookup::Found(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lookup::NotFound),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    async fn fetch_resource_tag(&self, _: &str) -> Result<Option<String>, RegistryError> {
        Ok(self.resource_tag.clone())
    }
}

/// A file's bytes, where it holds at most `limit`.
fn read_file_at_most(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    crate::registry::read_at_most(File::open(path)?, limit)
}
