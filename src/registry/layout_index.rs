//! The images and names in the `index.json` of an OCI image layout.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Lookup;
use crate::exact_json::parse_exact;
use crate::name::{Digest, DigestError, Selector, Tag};

/// The listed images, with an entry for each name, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct LayoutIndex(pub(super) Vec<LayoutEntry>);

/// An image with one name or no name.
#[derive(Debug, Clone)]
pub(super) struct LayoutEntry {
    /// Not parsed until the image is requested.
    pub(super) digest: String,
    pub(super) media_type: String,
    pub(super) repository: Option<String>,
    pub(super) tag: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireLayoutIndex {
    /// `null` if Docker saved no image with a name.
    manifests: Option<Vec<WireLayoutEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLayoutEntry {
    digest: String,
    #[serde(default)]
    media_type: String,
    annotations: Option<BTreeMap<String, String>>,
}

/// The annotation with the tag or the full reference, depending on the tool.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation with the full reference, which containerd, `BuildKit` and Docker write in addition to the tag.
const IMAGE_NAME: &str = "io.containerd.image.name";

impl LayoutIndex {
    /// Parses an `index.json`.
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let index: WireLayoutIndex = parse_exact(bytes)?;
        let entries = index.manifests.unwrap_or_default().into_iter();
        Ok(Self(entries.map(LayoutEntry::from_wire).collect()))
    }

    /// Returns whether no image is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|entry| entry.tag.as_deref())
    }

    /// Returns the names as Docker shows them: `REPOSITORY:TAG`, or the tag if the repository is unknown.
    pub fn display_names(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|entry| {
            let tag = entry.tag.as_deref()?;
            let full_name = |repository| format!("{}:{tag}", familiar_name(repository));
            Some(entry.repository.as_deref().map_or_else(|| tag.to_owned(), full_name))
        })
    }

    /// Returns the image if the layout lists exactly one.
    pub fn sole_image(&self) -> Option<Selector> {
        let [only] = self.0.as_slice() else { return None };
        Selector::new(only.digest.parse().ok(), only.tag.as_ref().and_then(|tag| tag.parse().ok()))
    }

    /// Finds the images with this tag, each once, in any repository or in the given one (with or without `docker.io/`).
    pub fn find_by_tag(&self, repository: Option<&str>, tag: &Tag) -> Vec<Selector> {
        let mut digests: Vec<Digest> = Vec::new();
        for entry in self.entries_with_tag(tag).filter(|entry| repository.is_none_or(|name| entry.is_in(name))) {
            let Ok(digest) = entry.digest.parse() else { continue };
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        digests.into_iter().map(|digest| Selector::DigestAndTag(digest, tag.clone())).collect()
    }

    fn entries_with_tag<'a>(&'a self, tag: &'a Tag) -> impl Iterator<Item = &'a LayoutEntry> {
        self.0.iter().filter(|entry| entry.tag.as_deref() == Some(tag.as_str()))
    }

    /// Resolves a selector to a digest and its listed media type, which is empty if the digest is not listed. Returns
    /// an error if the digest that is listed for the tag is invalid.
    pub(super) fn resolve(&self, selector: &Selector) -> Result<Lookup<(Digest, String)>, DigestError> {
        let digest = match selector {
            Selector::Digest(digest) => digest.clone(),
            Selector::Tag(tag) => match self.entries_with_tag(tag).next() {
                Some(entry) => entry.digest.parse()?,
                None => return Ok(Lookup::NotFound),
            },
            Selector::DigestAndTag(digest, tag) => {
                let mut digests = self.entries_with_tag(tag).map(|entry| entry.digest.as_str()).peekable();
                if digests.peek().is_none() {
                    return Ok(Lookup::NotFound);
                }
                if digests.all(|listed| listed != digest.as_str()) {
                    return Ok(Lookup::TagMoved);
                }
                digest.clone()
            }
        };
        let entry = self.0.iter().find(|entry| entry.digest == digest.as_str());
        let media_type = entry.map(|entry| entry.media_type.clone()).unwrap_or_default();
        Ok(Lookup::Found((digest, media_type)))
    }
}

impl LayoutEntry {
    /// Creates an entry. The name is a reference or only a tag.
    pub(super) fn new(digest: String, media_type: String, name: Option<&str>) -> Self {
        let (repository, tag) = name.map(split_reference).unwrap_or_default();
        let [repository, tag] = [repository, tag].map(|part| part.map(str::to_owned));
        Self { digest, media_type, repository, tag }
    }

    /// Returns whether it is in a repository, whose name may omit `docker.io/` and `library/`.
    fn is_in(&self, repository: &str) -> bool {
        self.repository.as_deref().map(familiar_name) == Some(familiar_name(repository))
    }

    fn from_wire(wire: WireLayoutEntry) -> Self {
        let annotations = wire.annotations.unwrap_or_default();
        let annotation = |key| annotations.get(key).map(String::as_str);
        let mut entry = Self::new(wire.digest, wire.media_type, annotation(REF_NAME));
        if let (Some(_), None, Some(name)) = (&entry.tag, &entry.repository, annotation(IMAGE_NAME)) {
            entry.repository = split_reference(name).0.map(str::to_owned);
        }
        entry
    }
}

/// Splits a reference `REPOSITORY[:TAG][@DIGEST]` or `TAG` into its repository and its tag. A colon before a slash belongs
/// to the host's port.
fn split_reference(name: &str) -> (Option<&str>, Option<&str>) {
    let (name, is_reference) = name.split_once('@').map_or((name, false), |(name, _)| (name, true));
    match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (Some(repository), Some(tag)),
        None if is_reference || name.contains('/') => (Some(name), None),
        None => (None, Some(name)),
    }
}

/// Returns a repository as Docker shows it: without `docker.io/` and `library/`.
fn familiar_name(repository: &str) -> &str {
    let repository = repository.strip_prefix("docker.io/").unwrap_or(repository);
    repository.strip_prefix("library/").unwrap_or(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tags_or_references() {
        for (name, repository, tag) in [
            ("v1", None, Some("v1")),
            ("app:v1", Some("app"), Some("v1")),
            ("docker.io/library/app:v1", Some("docker.io/library/app"), Some("v1")),
            ("localhost:5000/app", Some("localhost:5000/app"), None),
            ("localhost:5000/app:v1", Some("localhost:5000/app"), Some("v1")),
            ("docker.io/library/app@sha256:00", Some("docker.io/library/app"), None),
            ("app:v1@sha256:00", Some("app"), Some("v1")),
        ] {
            assert_eq!(split_reference(name), (repository, tag), "{name}");
        }
    }
}
