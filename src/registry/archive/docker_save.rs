//! What `docker save` writes: `manifest.json`, and since Docker 25 an OCI image layout around it.
//!
//! Does not read the archives of Docker before 1.10, which list layers only.
//!
//! The layout is believed first, since only it may hold indexes, and the registry's own manifests. But Docker 25.0 wrote
//! manifests without layers (moby/moby#47065) and did not list what has no name (moby/moby#47210, #51389): images that
//! stand in `manifest.json` alone, or with more layers, are read from there.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::docker::{self, MANIFEST_MEDIA_TYPE, MANIFEST_MEMBER, MAX_IMAGES, ManifestBuilder};
use super::members::ArchiveMembers;
use super::{ImageArchive, LAYOUT_MEMBER, blob_member_name, read_layout_index};
use crate::name::Digest;
use crate::registry::layout_index::{LayoutEntry, LayoutIndex, split_reference};
use crate::registry::{MAX_MANIFEST, RegistryError, file_error};

impl ImageArchive {
    /// Opens what `docker save` wrote, in the layout of any Docker since 1.10.
    ///
    /// The digest of an image is the registry's only where the archive keeps the registry's manifest, as Docker with its
    /// containerd image store does; otherwise it is that of a manifest that Docker, or this program, made.
    ///
    /// # Errors
    /// Where the file is no such archive, or cannot be read.
    pub fn open_docker(path: &Path) -> Result<Self, RegistryError> {
        let members = ArchiveMembers::read(path).map_err(|error| file_error(path, error))?;
        let is_layout = members.find(LAYOUT_MEMBER).is_some();
        if members.find(MANIFEST_MEMBER).is_none() && !is_layout {
            let why = format!("it is nothing that `docker save` writes, for want of a file `{MANIFEST_MEMBER}`");
            return Err(file_error(path, io::Error::new(io::ErrorKind::NotFound, why)));
        }
        let layout = if is_layout { read_layout_index(&members)? } else { LayoutIndex::default() };
        let items = if members.find(MANIFEST_MEMBER).is_some() { docker::read_items(&members)? } else { Vec::new() };
        let mut documents = SavedDocuments { members: &members, visited: HashSet::new() };
        let images = documents.collect_images(&layout);
        let mut maker = ManifestBuilder::new(&members);
        let (mut lacking, mut made) = (Vec::new(), Vec::new());
        for item in &items {
            // A layout may list what is in it in part only, such as one platform of several.
            if is_layout && members.find(&item.config).is_none() {
                continue;
            }
            let config = docker::read_config(&members, item)?;
            match images.iter().find(|image| image.config == config.digest) {
                Some(image) if image.layers >= item.layers().len() => continue,
                Some(image) => lacking.push(image.digest.clone()),
                None => {}
            }
            let digest = maker.build_manifest(item, &config)?;
            match item.names() {
                [] => made.push(layout_entry(&digest, None)),
                names => made.extend(names.iter().map(|name| layout_entry(&digest, Some(name)))),
            }
        }
        let ManifestBuilder { manifests, blobs, .. } = maker;
        let is_whole = |listing: &LayoutEntry| !lacking.iter().any(|digest| digest.as_str() == listing.digest);
        let listed = LayoutIndex(layout.0.into_iter().filter(is_whole).chain(made).collect());
        Ok(Self { members, index: listed, generated_manifests: manifests, blob_members: blobs })
    }
}

/// A made image as a layout would list it.
fn layout_entry(digest: &Digest, name: Option<&str>) -> LayoutEntry {
    let (repository, tag) = name.map(split_reference).map_or((None, None), |(repository, tag)| (repository, Some(tag)));
    let [repository, tag] = [repository, tag].map(|part| part.map(str::to_owned));
    LayoutEntry { digest: digest.to_string(), media_type: MANIFEST_MEDIA_TYPE.to_owned(), repository, tag }
}

/// An image of a layout, as far as it matters here.
#[derive(Debug)]
struct SavedImage {
    digest: Digest,
    config: Digest,
    layers: usize,
}

/// A manifest or an index, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct SavedDocument {
    config: Option<SavedDescriptor>,
    layers: Option<Vec<IgnoredAny>>,
    manifests: Option<Vec<SavedDescriptor>>,
}

#[derive(Debug, Deserialize)]
struct SavedDescriptor {
    digest: String,
}

/// The documents of a layout; each is read once, and not more than there may be images.
struct SavedDocuments<'a> {
    members: &'a ArchiveMembers,
    visited: HashSet<Digest>,
}

impl SavedDocuments<'_> {
    /// The images that are listed, and those of the indexes that are.
    fn collect_images(&mut self, listed: &LayoutIndex) -> Vec<SavedImage> {
        let mut images = Vec::new();
        for listing in &listed.0 {
            let children = self.visit(&listing.digest, &mut images);
            for child in children {
                self.visit(&child.digest, &mut images);
            }
        }
        images
    }

    /// Adds what is an image, and gives the children of what is an index, unless it was here before. What cannot be
    /// read adds nothing: it is complained of where it is asked for.
    fn visit(&mut self, digest: &str, images: &mut Vec<SavedImage>) -> Vec<SavedDescriptor> {
        let Ok(digest) = digest.parse::<Digest>() else { return Vec::new() };
        if self.visited.len() == MAX_IMAGES || !self.visited.insert(digest.clone()) {
            return Vec::new();
        }
        let bytes = self.members.read_document(&blob_member_name(&digest), MAX_MANIFEST).unwrap_or_default();
        let document: SavedDocument = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(config) = document.config.and_then(|config| config.digest.parse().ok()) {
            images.push(SavedImage { digest, config, layers: document.layers.map_or(0, |layers| layers.len()) });
        }
        document.manifests.unwrap_or_default()
    }
}
