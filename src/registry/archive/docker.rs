//! Generates manifests for the images in a `manifest.json`, which Docker writes since 1.10 and which only lists the
//! names of configs and layers. The digests differ from those in a registry, because `docker push` compresses the
//! layers.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::compression::{CompressedArchiveError, MAGIC_LENGTH};
use super::members::{ArchiveMembers, Member};
use crate::exact_json::parse_exact;
use crate::name::Digest;
use crate::registry::media_types::{DOCKER_CONFIG, DOCKER_MANIFEST};
use crate::registry::oci_layout::{LayoutFiles, blob_file};
use crate::registry::{MAX_MANIFEST, RegistryError};
use crate::text::sanitize_quoted;

/// The member that lists the images.
pub(super) const MANIFEST_MEMBER: &str = "manifest.json";

/// How many images are read: more than in any real archive. A short list could name a long config over and over.
pub(super) const MAX_IMAGES: usize = 500;

/// The media type that `docker push` and skopeo (`docker/internal/tarfile/src.go` of containers/image) give a layer,
/// even if the archive does not compress it.
const LAYER_MEDIA_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// The buffer for hashing a layer, in bytes.
const HASH_BUFFER_SIZE: usize = 128 * 1024;

/// An image in `manifest.json`: type `manifestItem` in moby's `image/tarexport`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerManifestItem {
    pub(super) config: String,
    /// `null` if the image was saved by its ID.
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct WireDockerConfig {
    rootfs: WireDockerRootfs,
}

#[derive(Debug, Deserialize)]
struct WireDockerRootfs {
    diff_ids: Option<Vec<String>>,
}

impl DockerManifestItem {
    pub(super) fn names(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }

    pub(super) fn layers(&self) -> &[String] {
        self.layers.as_deref().unwrap_or_default()
    }
}

/// Reads the list of images.
pub(super) fn read_items(members: &ArchiveMembers) -> Result<Vec<DockerManifestItem>, RegistryError> {
    let read = || -> io::Result<Vec<DockerManifestItem>> {
        let items: Vec<_> = parse_exact(&members.read_document(MANIFEST_MEMBER, MAX_MANIFEST)?)?;
        if items.len() > MAX_IMAGES {
            return Err(io::Error::other(format!("it lists more than {MAX_IMAGES} images")));
        }
        Ok(items)
    };
    read().map_err(|error| members.error(MANIFEST_MEMBER, error))
}

/// A config in an archive.
#[derive(Debug)]
pub(super) struct ArchivedConfig {
    pub(super) digest: Digest,
    member: Member,
    bytes: Vec<u8>,
}

/// Reads the config of an image.
pub(super) fn read_config(
    members: &ArchiveMembers,
    item: &DockerManifestItem,
) -> Result<ArchivedConfig, RegistryError> {
    let Some(member) = members.find(&item.config) else {
        let message = format!("its config `{}` is not in the archive", sanitize_quoted(&item.config));
        return Err(members.error(MANIFEST_MEMBER, io::Error::new(io::ErrorKind::NotFound, message)));
    };
    let bytes = members.read_document(&item.config, MAX_MANIFEST);
    let bytes = bytes.map_err(|error| members.error(&item.config, error))?;
    Ok(ArchivedConfig { digest: Digest::of(&bytes), member, bytes })
}

/// Generates manifests.
#[derive(Debug)]
pub(super) struct ManifestBuilder<'a> {
    members: &'a ArchiveMembers,
    /// The digests of compressed layers, so that each is hashed once.
    layer_digests: HashMap<Member, Digest>,
    /// The generated manifests and the blobs that they refer to, by the names that a layout gives them.
    pub(super) blobs: Vec<(String, Member)>,
}

impl<'a> ManifestBuilder<'a> {
    pub(super) fn new(members: &'a ArchiveMembers) -> Self {
        Self { members, layer_digests: HashMap::new(), blobs: Vec::new() }
    }

    /// Generates the manifest of an image and returns its digest.
    pub(super) fn build_manifest(
        &mut self,
        item: &DockerManifestItem,
        config: &ArchivedConfig,
    ) -> Result<Digest, RegistryError> {
        let members = self.members;
        let config_error = |error| members.error(&item.config, error);
        let wire: WireDockerConfig = parse_exact(&config.bytes).map_err(|error| config_error(error.into()))?;
        let diff_ids = wire.rootfs.diff_ids.unwrap_or_default();
        let (known, listed) = (diff_ids.len(), item.layers().len());
        if known != listed {
            // Docker refuses these too: "invalid manifest, layers length mismatch".
            let message = format!("it has {known} layers, and {MANIFEST_MEMBER} lists {listed}");
            return Err(config_error(io::Error::other(message)));
        }
        let mut layers: Vec<Value> = Vec::with_capacity(diff_ids.len());
        for (name, diff_id) in item.layers().iter().zip(diff_ids) {
            let diff_id = diff_id.parse().map_err(|error| config_error(io::Error::other(error)))?;
            layers.push(self.describe_layer(name, diff_id)?);
        }
        self.blobs.push((blob_file(&config.digest), config.member.clone()));
        let config = json!({"mediaType": DOCKER_CONFIG, "size": config.bytes.len(), "digest": config.digest});
        let manifest = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers});
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        self.blobs.push((blob_file(&digest), Member::Generated(bytes.into())));
        Ok(digest)
    }

    /// Returns the descriptor of a layer. The config contains the digest of an uncompressed layer; a compressed layer
    /// is hashed. A layer that is not in the archive is only reported as missing when it is needed.
    fn describe_layer(&mut self, name: &str, diff_id: Digest) -> Result<Value, RegistryError> {
        let Some(member) = self.members.find(name) else {
            return Ok(json!({"mediaType": LAYER_MEDIA_TYPE, "size": 0, "digest": diff_id}));
        };
        let compressed = match self.layer_digests.get(&member) {
            Some(known) => Some(known.clone()),
            None => self.hash_compressed_layer(&member).map_err(|error| self.members.error(name, error))?,
        };
        if let Some(digest) = &compressed {
            self.layer_digests.insert(member.clone(), digest.clone());
        }
        let digest = compressed.unwrap_or(diff_id);
        let descriptor = json!({"mediaType": LAYER_MEDIA_TYPE, "size": member.length(), "digest": digest});
        self.blobs.push((blob_file(&digest), member));
        Ok(descriptor)
    }

    /// Hashes a compressed layer, which crane, kaniko and Bazel write; `None` if it is uncompressed.
    fn hash_compressed_layer(&self, member: &Member) -> io::Result<Option<Digest>> {
        let mut layer = self.members.open_member(member)?;
        let mut buffer = Vec::new();
        layer.by_ref().take(MAGIC_LENGTH as u64).read_to_end(&mut buffer)?;
        if CompressedArchiveError::detect(&buffer).is_none() {
            return Ok(None);
        }
        let mut hasher = Sha256::new_with_prefix(&buffer);
        buffer.resize(HASH_BUFFER_SIZE, 0);
        loop {
            match layer.read(&mut buffer)? {
                0 => return Ok(Some(Digest::from_hasher(hasher))),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}
