//! Reads images from an OCI image layout: a directory or, in `archive`, a tar file.

use std::io;
use std::path::{Path, PathBuf};

use super::layout_index::LayoutIndex;
use super::{
    BlobReader, Lookup, MAX_MANIFEST, Manifest, Registry, RegistryError, file_error, open_regular_file, read_at_most,
};
use crate::name::{Digest, Selector};

/// The file that marks a layout.
pub(super) const LAYOUT_FILE: &str = "oci-layout";
/// The file that lists the images of a layout.
const INDEX_FILE: &str = "index.json";

/// The files of a layout: OCI image specification, "Image Layout".
pub trait LayoutFiles {
    /// Opens a file; `None` if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened.
    fn open(&self, name: &str) -> io::Result<Option<BlobReader>>;

    /// Adds the path of the file, or the archive and the member, to an error.
    fn error(&self, name: &str, error: io::Error) -> RegistryError;
}

/// The images of a layout.
#[derive(Debug, Clone)]
pub struct LayoutRegistry<F> {
    pub(super) files: F,
    pub(super) index: LayoutIndex,
    pub(super) resource_tag: Option<String>,
}

/// A layout in a directory.
pub type OciLayout = LayoutRegistry<LayoutDirectory>;

/// The files of a layout in a directory.
#[derive(Debug, Clone)]
pub struct LayoutDirectory(PathBuf);

impl LayoutFiles for LayoutDirectory {
    fn open(&self, name: &str) -> io::Result<Option<BlobReader>> {
        match open_regular_file(&self.0.join(name)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn error(&self, name: &str, error: io::Error) -> RegistryError {
        file_error(&self.0.join(name), error)
    }
}

impl OciLayout {
    /// Opens a layout. `resource_tag` is the value of the repository's resource tag, which a layout cannot contain.
    ///
    /// # Errors
    /// Returns [`RegistryError::File`] if the directory is not a layout or its index cannot be read.
    pub fn open(directory: &Path, resource_tag: Option<String>) -> Result<Self, RegistryError> {
        if let Err(error) = open_regular_file(&directory.join(LAYOUT_FILE)) {
            directory.metadata().map_err(|error| file_error(directory, error))?;
            let problem = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "is missing".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            let message = format!("not an OCI image layout: `{LAYOUT_FILE}` {problem}");
            return Err(file_error(directory, io::Error::new(error.kind(), message)));
        }
        let files = LayoutDirectory(directory.to_owned());
        Ok(Self { index: read_index(&files)?, files, resource_tag })
    }
}

/// Reads the index of a layout.
pub(super) fn read_index(files: &impl LayoutFiles) -> Result<LayoutIndex, RegistryError> {
    let read = || {
        let file = files.open(INDEX_FILE)?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "not found"))?;
        Ok(LayoutIndex::parse(&read_at_most(file, MAX_MANIFEST)?)?)
    };
    read().map_err(|error| files.error(INDEX_FILE, error))
}

/// Returns the name of a blob's file: OCI image specification, "Image Layout", "Blobs".
pub(super) fn blob_file(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl<F: LayoutFiles> LayoutRegistry<F> {
    /// Returns the images that the layout lists.
    pub fn index(&self) -> &LayoutIndex {
        &self.index
    }

    async fn fetch_manifest(&self, selector: &Selector) -> Result<Lookup<Manifest>, RegistryError> {
        let resolved = self.index.resolve(selector);
        let resolved = resolved.map_err(|error| self.files.error(INDEX_FILE, io::Error::other(error)))?;
        let (digest, media_type) = match resolved.found() {
            Ok(found) => found,
            Err(missing) => return Ok(missing),
        };
        Ok(match self.fetch_blob(&digest, MAX_MANIFEST).await? {
            Lookup::Unavailable(_) => Lookup::Unavailable(format!("its manifest is larger than {MAX_MANIFEST} bytes")),
            other => other.map(|bytes| Manifest { digest, media_type, bytes }),
        })
    }
}

impl<F: LayoutFiles> Registry for LayoutRegistry<F> {
    async fn fetch_manifests(&self, selectors: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let mut replies = Vec::with_capacity(selectors.len());
        for selector in selectors {
            replies.push(self.fetch_manifest(selector).await?);
        }
        Ok(replies)
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        let file = match self.open_blob(digest).await?.found() {
            Ok(file) => file,
            Err(missing) => return Ok(missing),
        };
        match read_at_most(file, limit) {
            Ok(bytes) => Ok(Lookup::Found(bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Lookup::Unavailable(error.to_string())),
            Err(error) => Err(self.files.error(&blob_file(digest), error)),
        }
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let name = blob_file(digest);
        let file = self.files.open(&name).map_err(|error| self.files.error(&name, error))?;
        Ok(file.map_or(Lookup::NotFound, Lookup::Found))
    }

    fn is_blob_file_missing(&self, digest: &Digest) -> bool {
        matches!(self.files.open(&blob_file(digest)), Ok(None))
    }

    async fn fetch_resource_tags(&self, declaration_key: &str) -> Result<Vec<(String, String)>, RegistryError> {
        Ok(self.resource_tag.iter().map(|value| (declaration_key.to_owned(), value.clone())).collect())
    }
}
