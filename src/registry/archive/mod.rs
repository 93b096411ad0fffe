//! Reads images from a tar archive of an OCI image layout or of `docker save`, without unpacking it.

mod compression;
mod members;
mod docker;
mod docker_save;

pub use compression::CompressedArchiveError;
pub use members::ArchiveMembers;

use std::io;
use std::path::Path;

use super::oci_layout::{LAYOUT_FILE, LayoutFiles, LayoutRegistry, read_index};
use super::{BlobReader, RegistryError, file_error};

/// The images of an archive.
pub type ImageArchive = LayoutRegistry<ArchiveMembers>;

impl LayoutFiles for ArchiveMembers {
    fn open(&self, name: &str) -> io::Result<Option<BlobReader>> {
        self.find(name).map(|member| self.open_member(&member)).transpose()
    }

    fn error(&self, name: &str, error: io::Error) -> RegistryError {
        self.member_error(name, error)
    }
}

impl ImageArchive {
    /// Opens an archive of an OCI image layout, which `skopeo copy … oci-archive:` and buildx's `type=oci` write.
    ///
    /// # Errors
    /// Returns [`RegistryError::File`] if the file is not such an archive or cannot be read.
    pub fn open_oci(path: &Path) -> Result<Self, RegistryError> {
        let files = ArchiveMembers::read(path).map_err(|error| file_error(path, error))?;
        if files.find(LAYOUT_FILE).is_none() {
            let is_docker_archive = files.find(docker::MANIFEST_MEMBER).is_some();
            let hint = if is_docker_archive { "; `docker save` wrote it, use `docker-archive:`" } else { "" };
            let message = format!("not an archive of an OCI image layout: `{LAYOUT_FILE}` is missing{hint}");
            return Err(file_error(path, io::Error::new(io::ErrorKind::NotFound, message)));
        }
        Ok(Self { index: read_index(&files)?, files, resource_tag: None })
    }
}
