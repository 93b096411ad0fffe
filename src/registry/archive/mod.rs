//! Reads images from a tar archive of an OCI image layout or of `docker save`, without unpacking it.
//!
//! Archives of `docker save` contain a `manifest.json`, and since Docker 25 also an OCI image layout. Archives of Docker
//! before 1.10, which only list layers, are not supported. The layout is preferred, because only it may contain indexes
//! and the manifests of the registry. But Docker 25.0 wrote manifests without layers (moby/moby#47065) and did not list
//! images without a name (moby/moby#47210, #51389). So `manifest.json` is used for an image that is only there, or has
//! more layers there.

mod compression;
mod members;
mod docker;

pub use compression::CompressedArchiveError;
pub use members::ArchiveMembers;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use self::docker::{MANIFEST_MEMBER, MAX_IMAGES, ManifestBuilder};
use super::layout_index::{LayoutEntry, LayoutIndex};
use super::media_types::DOCKER_MANIFEST;
use super::oci_layout::{LAYOUT_FILE, LayoutRegistry, blob_file, read_index};
use super::{MAX_MANIFEST, RegistryError, file_error};
use crate::exact_json::parse_exact;
use crate::name::Digest;

/// The images of an archive.
pub type ImageArchive = LayoutRegistry<ArchiveMembers>;

impl ImageArchive {
    /// Opens an archive of an OCI image layout, which `skopeo copy … oci-archive:` and buildx's `type=oci` write.
    ///
    /// # Errors
    /// Returns [`RegistryError::File`] if the file is not such an archive or cannot be read.
    pub fn open_oci(path: &Path) -> Result<Self, RegistryError> {
        let files = ArchiveMembers::read(path).map_err(|error| file_error(path, error))?;
        if files.find(LAYOUT_FILE).is_none() {
            let is_docker_archive = files.find(MANIFEST_MEMBER).is_some();
            let hint = if is_docker_archive { "; `docker save` wrote it, use `docker-archive:`" } else { "" };
            let message = format!("not an archive of an OCI image layout: `{LAYOUT_FILE}` is missing{hint}");
            return Err(file_error(path, io::Error::new(io::ErrorKind::NotFound, message)));
        }
        Ok(Self { index: read_index(&files)?, files, resource_tag: None })
    }

    /// Opens an archive of `docker save`. The digest of an image is that in the registry only if Docker used the
    /// containerd image store; otherwise, Docker or this program generated the manifest.
    ///
    /// # Errors
    /// Returns [`RegistryError::File`] if the file is not such an archive or cannot be read.
    pub fn open_docker(path: &Path) -> Result<Self, RegistryError> {
        let mut members = ArchiveMembers::read(path).map_err(|error| file_error(path, error))?;
        let (is_layout, has_items) = (members.find(LAYOUT_FILE).is_some(), members.find(MANIFEST_MEMBER).is_some());
        if !has_items && !is_layout {
            let message = format!("not an archive of `docker save`: `{MANIFEST_MEMBER}` is missing");
            return Err(file_error(path, io::Error::new(io::ErrorKind::NotFound, message)));
        }
        let mut layout = if is_layout { read_index(&members)? } else { LayoutIndex::default() };
        layout.0.iter_mut().for_each(|entry| replace_incomplete_index(&members, entry));
        let items = if has_items { docker::read_items(&members)? } else { Vec::new() };
        let images = SavedDocuments { members: &members, visited: HashSet::new() }.collect_images(&layout);
        let mut builder = ManifestBuilder::new(&members);
        let (mut incomplete, mut generated) = (Vec::new(), Vec::new());
        for item in &items {
            // A layout may not contain all images that it lists, for example only one of several platforms.
            if is_layout && members.find(&item.config).is_none() {
                continue;
            }
            let config = docker::read_config(&members, item)?;
            match images.iter().find(|image| image.config == config.digest) {
                Some(image) if image.layers >= item.layers().len() => continue,
                Some(image) => incomplete.push(image.digest.to_string()),
                None => {}
            }
            let digest = builder.build_manifest(item, &config)?;
            let entry = |name| LayoutEntry::new(digest.to_string(), DOCKER_MANIFEST.to_owned(), name);
            match item.names() {
                [] => generated.push(entry(None)),
                names => generated.extend(names.iter().map(|name| entry(Some(name)))),
            }
        }
        for (name, member) in builder.blobs {
            members.insert(name, member);
        }
        let complete = layout.0.into_iter().filter(|entry| !incomplete.contains(&entry.digest));
        let index = LayoutIndex(complete.chain(generated).collect());
        Ok(Self { files: members, index, resource_tag: None })
    }
}

/// Replaces an index of which the archive has only one image by this image. `docker save` writes such an index if Docker's
/// containerd image store has only one of its platforms, and then `docker push` and `skopeo copy` send that image alone
/// (`daemon/containerd/image_push.go` of moby).
fn replace_incomplete_index(members: &ArchiveMembers, entry: &mut LayoutEntry) {
    let Some(children) = entry.digest.parse().ok().map(|digest| read_document(members, &digest)) else { return };
    let children: Vec<SavedDescriptor> = children.manifests.unwrap_or_default();
    let is_present = |child: &&SavedDescriptor| {
        child.digest.parse().is_ok_and(|digest: Digest| members.find(&blob_file(&digest)).is_some())
    };
    let images: Vec<&SavedDescriptor> = children.iter().filter(|child| !child.is_attestation()).collect();
    let present: Vec<&&SavedDescriptor> = images.iter().filter(|child| is_present(child)).collect();
    if let ([only], true) = (present.as_slice(), images.len() > 1) {
        entry.digest.clone_from(&only.digest);
        entry.media_type.clone_from(&only.media_type);
    }
}

/// Reads a manifest or an index; an unreadable one has no fields, because it is reported when it is requested.
fn read_document(members: &ArchiveMembers, digest: &Digest) -> SavedDocument {
    let bytes = members.read_document(&blob_file(digest), MAX_MANIFEST).unwrap_or_default();
    parse_exact(&bytes).unwrap_or_default()
}

/// The properties of an image in a layout that are compared.
#[derive(Debug)]
struct SavedImage {
    digest: Digest,
    config: Digest,
    layers: usize,
}

/// The compared fields of a manifest or an index.
#[derive(Debug, Default, Deserialize)]
struct SavedDocument {
    config: Option<SavedDescriptor>,
    layers: Option<Vec<IgnoredAny>>,
    manifests: Option<Vec<SavedDescriptor>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedDescriptor {
    digest: String,
    #[serde(default)]
    media_type: String,
    annotations: Option<HashMap<String, String>>,
}

impl SavedDescriptor {
    /// Returns whether `BuildKit` marked it as an attestation.
    fn is_attestation(&self) -> bool {
        let annotations = self.annotations.as_ref();
        annotations.is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"))
    }
}

/// The documents of a layout. Each is read once, and at most [`MAX_IMAGES`] in total.
struct SavedDocuments<'a> {
    members: &'a ArchiveMembers,
    visited: HashSet<Digest>,
}

impl SavedDocuments<'_> {
    /// Returns the listed images and the images of the listed indexes.
    fn collect_images(&mut self, index: &LayoutIndex) -> Vec<SavedImage> {
        let mut images = Vec::new();
        for entry in &index.0 {
            for child in self.visit(&entry.digest, &mut images) {
                self.visit(&child.digest, &mut images);
            }
        }
        images
    }

    /// Adds an image or returns the children of an index, unless it was visited before. An unreadable document is
    /// ignored: it is reported when it is requested.
    fn visit(&mut self, digest: &str, images: &mut Vec<SavedImage>) -> Vec<SavedDescriptor> {
        let Ok(digest) = digest.parse::<Digest>() else { return Vec::new() };
        if self.visited.len() == MAX_IMAGES || !self.visited.insert(digest.clone()) {
            return Vec::new();
        }
        let document = read_document(self.members, &digest);
        if let Some(config) = document.config.and_then(|config| config.digest.parse().ok()) {
            images.push(SavedImage { digest, config, layers: document.layers.map_or(0, |layers| layers.len()) });
        }
        document.manifests.unwrap_or_default()
    }
}
