//! An image as one text: its blobs and, at the end, its manifest, between lines that hold nothing but `%%`.
//!
//! Does not read images. A blob is named by the blobs after it as `@N`, which its digest takes the place of; no fuzzer
//! would guess one.

use std::collections::HashMap;
use std::io::Cursor;

use ecr_preflight::name::{Digest, Selector};
use ecr_preflight::registry::{BlobReader, Lookup, Manifest, Registry, RegistryError};

/// What stands between two blobs.
const BETWEEN: &[u8] = b"\n%%\n";

/// The blobs of an image, in memory.
#[derive(Debug)]
pub(crate) struct Parts {
    blobs: HashMap<Digest, Vec<u8>>,
    pub(crate) manifest: Manifest,
}

impl Parts {
    /// Of an input whose first line names the media type by which the registry calls the manifest.
    pub(crate) fn read(input: &[u8]) -> Self {
        let (media_type, mut rest) = cut(input, b"\n");
        let mut digests: Vec<String> = Vec::new();
        let mut blobs = HashMap::new();
        loop {
            let (part, behind) = cut(rest, BETWEEN);
            let bytes = named(part, &digests);
            let digest = Digest::of(&bytes);
            digests.push(digest.to_string());
            blobs.insert(digest.clone(), bytes.clone());
            if behind.is_empty() {
                let media_type = String::from_utf8_lossy(media_type).into_owned();
                return Self { blobs, manifest: Manifest { digest, media_type, bytes } };
            }
            rest = behind;
        }
    }

    pub(crate) fn selector(&self) -> Selector {
        Selector::DigestAndTag(self.manifest.digest.clone(), "v1".parse().expect("it is a tag"))
    }
}

/// What stands before a text, and what behind; where it is not there, nothing is.
fn cut<'a>(bytes: &'a [u8], text: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes.windows(text.len()).position(|window| window == text);
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + text.len()..]))
}

/// A part with the digests of those before it.
fn named(part: &[u8], digests: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = part;
    while let Some((first, behind)) = rest.split_first() {
        let digit = behind.first().filter(|_| *first == b'@').map(|digit| usize::from(digit.wrapping_sub(b'0')));
        if let Some(digest) = digit.and_then(|digit| digests.get(digit)) {
            bytes.extend(digest.bytes());
            rest = &behind[1..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    bytes
}

impl Registry for Parts {
    async fn fetch_manifests(&self, which: &[Selector]) -> Result<Vec<Lookup<Manifest>>, RegistryError> {
        let manifest = |selector: &Selector| {
            let digest = selector.digest()?;
            if *digest == self.manifest.digest {
                return Some(self.manifest.clone());
            }
            let bytes = self.blobs.get(digest)?.clone();
            Some(Manifest { digest: digest.clone(), media_type: String::new(), bytes })
        };
        Ok(which.iter().map(|selector| manifest(selector).map_or(Lookup::NotFound, Lookup::Found)).collect())
    }

    async fn fetch_blob(&self, digest: &Digest, limit: usize) -> Result<Lookup<Vec<u8>>, RegistryError> {
        Ok(match self.blobs.get(digest) {
            Some(bytes) if bytes.len() > limit => Lookup::Unavailable(format!("it holds more than {limit} bytes")),
            Some(bytes) => Lookup::Found(bytes.clone()),
            None => Lookup::NotFound,
        })
    }

    async fn open_blob(&self, digest: &Digest) -> Result<Lookup<BlobReader>, RegistryError> {
        let found = self.blobs.get(digest).cloned();
        Ok(found.map_or(Lookup::NotFound, |bytes| Lookup::Found(Box::new(Cursor::new(bytes)) as BlobReader)))
    }

    async fn fetch_resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, RegistryError> {
        Ok(Vec::new())
    }
}
