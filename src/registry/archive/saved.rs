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

use super::docker::{self, MANIFEST, MAX_IMAGES, MEDIA_TYPE, Maker};
use super::members::Members;
use super::{Archive, LAYOUT, blob, listed};
use crate::name::Digest;
use crate::registry::listed::{Listed, Listing, parted};
use crate::registry::{MAX_MANIFEST, RegistryError, unreadable};

impl Archive {
    /// Opens what `docker save` wrote, in the layout of any Docker since 1.10.
    ///
    /// The digest of an image is the registry's only where the archive keeps the registry's manifest, as Docker with its
    /// containerd image store does; otherwise it is that of a manifest that Docker, or this program, made.
    ///
    /// # Errors
    /// Where the file is no such archive, or cannot be read.
    pub fn docker(path: &Path) -> Result<Self, RegistryError> {
        let members = Members::read(path).map_err(|error| unreadable(path, error))?;
        let is_layout = members.find(LAYOUT).is_some();
        if members.find(MANIFEST).is_none() && !is_layout {
            let why = format!("it is nothing that `docker save` writes, for want of a file `{MANIFEST}`");
            return Err(unreadable(path, io::Error::new(io::ErrorKind::NotFound, why)));
        }
        let layout = if is_layout { listed(&members)? } else { Listed::default() };
        let items = if members.find(MANIFEST).is_some() { docker::items(&members)? } else { Vec::new() };
        let mut documents = Documents { members: &members, seen: HashSet::new() };
        let images = documents.images(&layout);
        let mut maker = Maker::new(&members);
        let (mut lacking, mut made) = (Vec::new(), Vec::new());
        for item in &items {
            // A layout may list what is in it in part only, such as one platform of several.
            if is_layout && members.find(&item.config).is_none() {
                continue;
            }
            let config = docker::config(&members, item)?;
            match images.iter().find(|image| image.config == config.digest) {
                Some(image) if image.layers >= item.layers().len() => continue,
                Some(image) => lacking.push(image.digest.clone()),
                None => {}
            }
            let digest = maker.make(item, &config)?;
            match item.names() {
                [] => made.push(listing(&digest, None)),
                names => made.extend(names.iter().map(|name| listing(&digest, Some(name)))),
            }
        }
        let Maker { made: manifests, blobs, .. } = maker;
        let is_whole = |listing: &Listing| !lacking.iter().any(|digest| digest.as_str() == listing.digest);
        let listed = Listed(layout.0.into_iter().filter(is_whole).chain(made).collect());
        Ok(Self { members, listed, made: manifests, elsewhere: blobs })
    }
}

/// A made image as a layout would list it.
fn listing(digest: &Digest, name: Option<&str>) -> Listing {
    let (repository, tag) = name.map(parted).map_or((None, None), |(repository, tag)| (repository, Some(tag)));
    let [repository, tag] = [repository, tag].map(|part| part.map(str::to_owned));
    Listing { digest: digest.to_string(), media_type: MEDIA_TYPE.to_owned(), repository, tag }
}

/// An image of a layout, as far as it matters here.
#[derive(Debug)]
struct Image {
    digest: Digest,
    config: Digest,
    layers: usize,
}

/// A manifest or an index, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct Document {
    config: Option<Descriptor>,
    layers: Option<Vec<IgnoredAny>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

/// The documents of a layout; each is read once, and not more than there may be images.
struct Documents<'a> {
    members: &'a Members,
    seen: HashSet<Digest>,
}

impl Documents<'_> {
    /// The images that are listed, and those of the indexes that are.
    fn images(&mut self, listed: &Listed) -> Vec<Image> {
        let mut images = Vec::new();
        for listing in &listed.0 {
            let children = self.image(&listing.digest, &mut images);
            for child in children {
                self.image(&child.digest, &mut images);
            }
        }
        images
    }

    /// Adds what is an image, and gives the children of what is an index, unless it was here before. What cannot be
    /// read adds nothing: it is complained of where it is asked for.
    fn image(&mut self, digest: &str, images: &mut Vec<Image>) -> Vec<Descriptor> {
        let Ok(digest) = digest.parse::<Digest>() else { return Vec::new() };
        if self.seen.len() == MAX_IMAGES || !self.seen.insert(digest.clone()) {
            return Vec::new();
        }
        let bytes = self.members.document(&blob(&digest), MAX_MANIFEST).unwrap_or_default();
        let document: Document = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(config) = document.config.and_then(|config| config.digest.parse().ok()) {
            images.push(Image { digest, config, layers: document.layers.map_or(0, |layers| layers.len()) });
        }
        document.manifests.unwrap_or_default()
    }
}
