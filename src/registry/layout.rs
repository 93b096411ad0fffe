//! An OCI image layout directory as a registry.
//!
//! Does not know repositories: a layout holds the images of one, and stands in for any. Nothing is written.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Answer, MAX_MANIFEST, Manifest, Registry, RegistryError, Stream};
use crate::reference::{Digest, Selector};

/// A directory with `oci-layout`, `index.json` and `blobs/`: OCI image specification, "Image Layout".
#[derive(Debug)]
pub struct Layout {
    directory: PathBuf,
    tagged: Vec<Tagged>,
    resource_tag: Option<String>,
}

/// One entry of `index.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tagged {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Tagged>,
}

impl Layout {
    /// Opens a layout. `resource_tag` stands in for the repository's resource tag, which a layout does not have.
    ///
    /// # Errors
    /// Where the directory is no layout or its index cannot be read.
    pub fn open(directory: &Path, resource_tag: Option<String>) -> Result<Self, RegistryError> {
        let read = || -> io::Result<Index> {
            let not_a_layout = |error: io::Error| {
                io::Error::new(error.kind(), "it is no OCI image layout, for want of a file `oci-layout`")
            };
            File::open(directory.join("oci-layout")).map_err(not_a_layout)?;
            let bytes = read_at_most(&directory.join("index.json"), MAX_MANIFEST)?;
            Ok(serde_json::from_slice(&bytes)?)
        };
        let index = read().map_err(|error| unreadable(directory, error))?;
        Ok(Self { directory: directory.to_owned(), tagged: index.manifests, resource_tag })
    }

    /// The names that `index.json` gives to images, in its order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tagged.iter().filter_map(Tagged::name)
    }

    /// The layout's image, where it holds exactly one.
    #[must_use]
    pub fn only(&self) -> Option<Selector> {
        let [only] = self.tagged.as_slice() else { return None };
        Selector::new(only.digest.parse().ok(), only.name().and_then(|name| name.parse().ok()))
    }

    fn manifest(&self, selector: &Selector) -> Result<Answer<Manifest>, RegistryError> {
        let tagged = selector.tag().map(|tag| self.tagged.iter().find(|tagged| tagged.name() == Some(tag.as_str())));
        let digest = match (selector.digest(), tagged) {
            (_, Some(None)) => return Ok(Answer::Absent),
            (Some(digest), Some(Some(tagged))) if tagged.digest != digest.as_str() => return Ok(Answer::Moved),
            (Some(digest), _) => digest.clone(),
            (None, Some(Some(tagged))) => {
                let unusable = |error| unreadable(&self.directory.join("index.json"), io::Error::other(error));
                tagged.digest.parse().map_err(unusable)?
            }
            (None, None) => unreachable!("a selector has a digest or a tag"),
        };
        let listed = self.tagged.iter().find(|tagged| tagged.digest == digest.as_str());
        let media_type = listed.map(|tagged| tagged.media_type.clone()).unwrap_or_default();
        Ok(match self.read(&digest, MAX_MANIFEST)? {
            Answer::Found(bytes) => Answer::Found(Manifest { digest, media_type, bytes }),
            Answer::Refused(reason) => Answer::Refused(format!("its manifest {reason}")),
            Answer::Absent | Answer::Moved => Answer::Absent,
        })
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

impl Tagged {
    /// The tag: the annotation's value, or what follows its last colon where a tool wrote the whole reference.
    fn name(&self) -> Option<&str> {
        let name = self.annotations.as_ref()?.name.as_deref()?;
        Some(name.rsplit_once(':').map_or(name, |(_, tag)| tag))
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
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("holds more than {limit} bytes")));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, source: io::Error) -> RegistryError {
    RegistryError::File { path: path.display().to_string(), source }
}
