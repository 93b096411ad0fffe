//! The images that an OCI image layout lists in its `index.json`, with the names that they go by there.
//!
//! Does not read the images, nor know what the layout lies in.

use serde::Deserialize;

use super::{Answer, Manifest, RegistryError};
use crate::name::{Digest, DigestError, Selector, Tag};

/// What is listed, in its order: one entry for each name, as container tools write it.
#[derive(Debug, Default)]
pub struct Listed(pub(super) Vec<Listing>);

/// One image under one name, or under none.
#[derive(Debug)]
pub(super) struct Listing {
    /// As it stands there: what is never asked for may be wrong.
    pub(super) digest: String,
    pub(super) media_type: String,
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Index {
    /// `null` where Docker saved nothing that has a name.
    manifests: Option<Vec<Wire>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    /// The tag, or the whole reference, as the tool has it.
    #[serde(rename = "org.opencontainers.image.ref.name")]
    name: Option<String>,
    /// The whole reference, as containerd, `BuildKit` and Docker write it beside the tag.
    #[serde(rename = "io.containerd.image.name")]
    whole: Option<String>,
}

impl Listed {
    /// Reads an `index.json`.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let index: Index = serde_json::from_slice(bytes)?;
        Ok(Self(index.manifests.unwrap_or_default().into_iter().map(Listing::new).collect()))
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
    pub fn names(&self) -> impl Iterator<Item = String> {
        let name = |listing: &Listing| {
            let tag = listing.tag.as_deref()?;
            let whole = |repository| format!("{}:{tag}", familiar(repository));
            Some(listing.repository.as_deref().map_or_else(|| tag.to_owned(), whole))
        };
        self.0.iter().filter_map(name)
    }

    /// The image, where exactly one is listed.
    #[must_use]
    pub fn only(&self) -> Option<Selector> {
        let [only] = self.0.as_slice() else { return None };
        Selector::new(only.digest.parse().ok(), only.tag.as_ref().and_then(|tag| tag.parse().ok()))
    }

    /// The images of this tag, each once; of any repository, or of this one, with or without Docker's own host.
    #[must_use]
    pub fn named(&self, repository: Option<&str>, tag: &Tag) -> Vec<Selector> {
        let mut digests: Vec<Digest> = Vec::new();
        for listing in self.tagged(tag) {
            let is_of = |wanted| listing.repository.as_deref().is_some_and(|found| familiar(found) == familiar(wanted));
            let Ok(digest) = listing.digest.parse() else { continue };
            if repository.is_none_or(is_of) && !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        digests.into_iter().map(|digest| Selector::Both(digest, tag.clone())).collect()
    }

    fn tagged<'a>(&'a self, tag: &'a Tag) -> impl Iterator<Item = &'a Listing> {
        self.0.iter().filter(|listing| listing.tag.as_deref() == Some(tag.as_str()))
    }

    /// The manifest that a selector means, with what is listed of it. `read` gives a blob or says why it refuses;
    /// `unusable` is the error where what is listed is no digest.
    pub(super) fn manifest(
        &self,
        selector: &Selector,
        read: impl FnOnce(&Digest) -> Result<Answer<Vec<u8>>, RegistryError>,
        unusable: impl FnOnce(DigestError) -> RegistryError,
    ) -> Result<Answer<Manifest>, RegistryError> {
        let digest = match selector {
            Selector::Digest(digest) => digest.clone(),
            Selector::Tag(tag) => match self.tagged(tag).next() {
                Some(listing) => listing.digest.parse().map_err(unusable)?,
                None => return Ok(Answer::Absent),
            },
            Selector::Both(digest, tag) => match self.tagged(tag).find(|listing| listing.digest == digest.as_str()) {
                Some(_) => digest.clone(),
                None if self.tagged(tag).next().is_some() => return Ok(Answer::Moved),
                None => return Ok(Answer::Absent),
            },
        };
        let listed = self.0.iter().find(|listing| listing.digest == digest.as_str());
        let media_type = listed.map(|listing| listing.media_type.clone()).unwrap_or_default();
        Ok(match read(&digest)? {
            Answer::Found(bytes) => Answer::Found(Manifest { digest, media_type, bytes }),
            Answer::Refused(reason) => Answer::Refused(format!("its manifest {reason}")),
            Answer::Absent | Answer::Moved => Answer::Absent,
        })
    }
}

impl Listing {
    fn new(wire: Wire) -> Self {
        let Annotations { name, whole } = wire.annotations.unwrap_or_default();
        let (repository, tag) = match name.as_deref().map(parted) {
            Some((None, tag)) => (whole.as_deref().and_then(|whole| parted(whole).0), Some(tag)),
            Some((repository, tag)) => (repository, Some(tag)),
            None => (None, None),
        };
        let [repository, tag] = [repository, tag].map(|part| part.map(str::to_owned));
        Self { digest: wire.digest, media_type: wire.media_type, repository, tag }
    }
}

/// A reference's repository, where it has one, and its tag, which is what follows the last colon.
pub(super) fn parted(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once(':').map_or((None, name), |(repository, tag)| (Some(repository), tag))
}

/// A repository as Docker shows it: without its own host, and without the place where it keeps the official images.
fn familiar(repository: &str) -> &str {
    let repository = repository.strip_prefix("docker.io/").unwrap_or(repository);
    repository.strip_prefix("library/").unwrap_or(repository)
}
