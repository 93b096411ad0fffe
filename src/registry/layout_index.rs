//! The images that an OCI image layout lists in its `index.json`, with the names that they go by there.
//!
//! Does not read the images, nor know what the layout lies in.

use serde::Deserialize;

use super::{Lookup, Manifest, RegistryError};
use crate::name::{Digest, DigestError, Selector, Tag};

/// What is listed, in its order: one entry for each name, as container tools write it.
#[derive(Debug, Default)]
pub struct LayoutIndex(pub(super) Vec<LayoutEntry>);

/// One image under one name, or under none.
#[derive(Debug)]
pub(super) struct LayoutEntry {
    /// As it stands there: what is never asked for may be wrong.
    pub(super) digest: String,
    pub(super) media_type: String,
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireLayoutIndex {
    /// `null` where Docker saved nothing that has a name.
    manifests: Option<Vec<WireLayoutEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLayoutEntry {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: Option<WireLayoutAnnotations>,
}

#[derive(Debug, Default, Deserialize)]
struct WireLayoutAnnotations {
    /// The tag, or the whole reference, as the tool has it.
    #[serde(rename = "org.opencontainers.image.ref.name")]
    ref_name: Option<String>,
    /// The whole reference, as containerd, `BuildKit` and Docker write it beside the tag.
    #[serde(rename = "io.containerd.image.name")]
    image_name: Option<String>,
}

impl LayoutIndex {
    /// Reads an `index.json`.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let index: WireLayoutIndex = serde_json::from_slice(bytes)?;
        Ok(Self(index.manifests.unwrap_or_default().into_iter().map(LayoutEntry::from_wire).collect()))
    }

    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags, in their order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|listing| listing.tag.as_deref())
    }

    /// The names as Docker shows them, in their order: the tag behind its repository, where that is known.
    pub fn display_names(&self) -> impl Iterator<Item = String> {
        let name = |listing: &LayoutEntry| {
            let tag = listing.tag.as_deref()?;
            let whole = |repository| format!("{}:{tag}", familiar_name(repository));
            Some(listing.repository.as_deref().map_or_else(|| tag.to_owned(), whole))
        };
        self.0.iter().filter_map(name)
    }

    /// The image, where exactly one is listed.
    #[must_use]
    pub fn sole_image(&self) -> Option<Selector> {
        let [only] = self.0.as_slice() else { return None };
        Selector::new(only.digest.parse().ok(), only.tag.as_ref().and_then(|tag| tag.parse().ok()))
    }

    /// The images of this tag, each once; of any repository, or of this one, with or without Docker's own host.
    #[must_use]
    pub fn find_by_tag(&self, repository: Option<&str>, tag: &Tag) -> Vec<Selector> {
        let mut digests: Vec<Digest> = Vec::new();
        for listing in self.entries_with_tag(tag) {
            let is_of = |wanted| {
                listing.repository.as_deref().is_some_and(|found| familiar_name(found) == familiar_name(wanted))
            };
            let Ok(digest) = listing.digest.parse() else { continue };
            if repository.is_none_or(is_of) && !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        digests.into_iter().map(|digest| Selector::DigestAndTag(digest, tag.clone())).collect()
    }

    fn entries_with_tag<'a>(&'a self, tag: &'a Tag) -> impl Iterator<Item = &'a LayoutEntry> {
        self.0.iter().filter(|listing| listing.tag.as_deref() == Some(tag.as_str()))
    }

    /// The manifest that a selector means, with what is listed of it. `read` gives a blob or says why it refuses;
    /// `unusable` is the error where what is listed is no digest.
    pub(super) fn read_manifest(
        &self,
        selector: &Selector,
        read: impl FnOnce(&Digest) -> Result<Lookup<Vec<u8>>, RegistryError>,
        unusable: impl FnOnce(DigestError) -> RegistryError,
    ) -> Result<Lookup<Manifest>, RegistryError> {
        let digest = match selector {
            Selector::Digest(digest) => digest.clone(),
            Selector::Tag(tag) => match self.entries_with_tag(tag).next() {
                Some(listing) => listing.digest.parse().map_err(unusable)?,
                None => return Ok(Lookup::NotFound),
            },
            Selector::DigestAndTag(digest, tag) => {
                match self.entries_with_tag(tag).find(|listing| listing.digest == digest.as_str()) {
                    Some(_) => digest.clone(),
                    None if self.entries_with_tag(tag).next().is_some() => return Ok(Lookup::TagMoved),
                    None => return Ok(Lookup::NotFound),
                }
            }
        };
        let listed = self.0.iter().find(|listing| listing.digest == digest.as_str());
        let media_type = listed.map(|listing| listing.media_type.clone()).unwrap_or_default();
        Ok(match read(&digest)? {
            Lookup::Found(bytes) => Lookup::Found(Manifest { digest, media_type, bytes }),
            Lookup::Unavailable(reason) => Lookup::Unavailable(format!("its manifest {reason}")),
            Lookup::NotFound | Lookup::TagMoved => Lookup::NotFound,
        })
    }
}

impl LayoutEntry {
    fn from_wire(wire: WireLayoutEntry) -> Self {
        let WireLayoutAnnotations { ref_name: name, image_name: whole } = wire.annotations.unwrap_or_default();
        let (repository, tag) = match name.as_deref().map(split_reference) {
            Some((None, tag)) => (whole.as_deref().and_then(|whole| split_reference(whole).0), Some(tag)),
            Some((repository, tag)) => (repository, Some(tag)),
            None => (None, None),
        };
        let [repository, tag] = [repository, tag].map(|part| part.map(str::to_owned));
        Self { digest: wire.digest, media_type: wire.media_type, repository, tag }
    }
}

/// A reference's repository, where it has one, and its tag, which is what follows the last colon.
pub(super) fn split_reference(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once(':').map_or((None, name), |(repository, tag)| (Some(repository), tag))
}

/// A repository as Docker shows it: without its own host, and without the place where it keeps the official images.
fn familiar_name(repository: &str) -> &str {
    let repository = repository.strip_prefix("docker.io/").unwrap_or(repository);
    repository.strip_prefix("library/").unwrap_or(repository)
}
