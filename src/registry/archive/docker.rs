//! The images that `manifest.json` lists, as Docker has saved them since 1.10: configs and layers by their names in the
//! archive, and no manifests. Those are made here, so that such an image is read as any other.
//!
//! Does not make the registry's manifest: `docker push` compresses layers, so that this one's digest is its own.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::compression::{CompressedArchiveError, MAGIC_LENGTH};
use super::members::{ArchiveMembers, MemberLocation};
use crate::name::Digest;
use crate::registry::{MAX_MANIFEST, RegistryError};
use crate::text::sanitize_quoted;

/// The member that lists the images.
pub(super) const MANIFEST_MEMBER: &str = "manifest.json";

/// More images than anyone saves into one archive, so that a short list does not name a long config over and over.
pub(super) const MAX_IMAGES: usize = 500;

/// Docker's image manifest, version 2, schema 2.
pub(super) const MANIFEST_MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_MEDIA_TYPE: &str = "application/vnd.docker.container.image.v1+json";
/// What `docker push` makes of a layer, compressed or not in the archive. skopeo has it so as well
/// (`docker/internal/tarfile/src.go` of containers/image); a service that refuses plain layers never meets this one's.
const LAYER_MEDIA_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// How much is read of a layer at once where it must be hashed.
const HASH_BUFFER_SIZE: usize = 128 * 1024;

/// One image of `manifest.json`: type `manifestItem` in moby's `image/tarexport`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerManifestItem {
    pub(super) config: String,
    /// `null` where it was saved by its id.
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

/// The images that an archive lists.
pub(super) fn read_items(members: &ArchiveMembers) -> Result<Vec<DockerManifestItem>, RegistryError> {
    let read = || -> io::Result<Vec<DockerManifestItem>> {
        let items: Vec<DockerManifestItem> =
            serde_json::from_slice(&members.read_document(MANIFEST_MEMBER, MAX_MANIFEST)?)?;
        if items.len() > MAX_IMAGES {
            return Err(io::Error::other(format!("it lists more than {MAX_IMAGES} images")));
        }
        Ok(items)
    };
    read().map_err(|error| members.member_error(MANIFEST_MEMBER, error))
}

/// A config of an archive.
#[derive(Debug)]
pub(super) struct ArchivedConfig {
    pub(super) digest: Digest,
    member: MemberLocation,
    bytes: Vec<u8>,
}

/// The config of an image.
pub(super) fn read_config(
    members: &ArchiveMembers,
    item: &DockerManifestItem,
) -> Result<ArchivedConfig, RegistryError> {
    let absent = || {
        let why = format!("it names the config `{}`, which is not in the archive", sanitize_quoted(&item.config));
        members.member_error(MANIFEST_MEMBER, io::Error::new(io::ErrorKind::NotFound, why))
    };
    let member = members.find(&item.config).ok_or_else(absent)?;
    let bytes = members.read_bytes(member, MAX_MANIFEST);
    let bytes = bytes.map_err(|error| members.member_error(&item.config, error))?;
    Ok(ArchivedConfig { digest: Digest::of(&bytes), member, bytes })
}

/// Makes the manifests of images, and keeps where their blobs lie.
#[derive(Debug)]
pub(super) struct ManifestBuilder<'a> {
    members: &'a ArchiveMembers,
    /// Layers whose digest had to be found out, so that each is read once.
    layer_digests: HashMap<MemberLocation, Digest>,
    pub(super) manifests: HashMap<Digest, Vec<u8>>,
    pub(super) blobs: HashMap<Digest, MemberLocation>,
}

impl<'a> ManifestBuilder<'a> {
    pub(super) fn new(members: &'a ArchiveMembers) -> Self {
        Self { members, layer_digests: HashMap::new(), manifests: HashMap::new(), blobs: HashMap::new() }
    }

    /// The digest of the manifest that is made of an image.
    pub(super) fn build_manifest(
        &mut self,
        item: &DockerManifestItem,
        config: &ArchivedConfig,
    ) -> Result<Digest, RegistryError> {
        let members = self.members;
        let at = |error| members.member_error(&item.config, error);
        let read: WireDockerConfig = serde_json::from_slice(&config.bytes).map_err(|error| at(error.into()))?;
        let diff_ids = read.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.len() != item.layers().len() {
            // Docker refuses these too: "invalid manifest, layers length mismatch".
            let why = format!("it has {} layers, and {MANIFEST_MEMBER} lists {}", diff_ids.len(), item.layers().len());
            return Err(at(io::Error::other(why)));
        }
        let mut layers: Vec<Value> = Vec::with_capacity(diff_ids.len());
        for (name, diff_id) in item.layers().iter().zip(diff_ids) {
            let diff_id = diff_id.parse().map_err(|error| at(io::Error::other(error)))?;
            layers.push(self.describe_layer(name, diff_id)?);
        }
        self.blobs.insert(config.digest.clone(), config.member);
        let config = json!({"mediaType": CONFIG_MEDIA_TYPE, "size": config.bytes.len(), "digest": config.digest});
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE, "config": config, "layers": layers});
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        self.manifests.insert(digest.clone(), bytes);
        Ok(digest)
    }

    /// Describes a layer. A plain one is called by the config, and whoever reads it verifies that; others are hashed.
    /// One that is not in the archive is described all the same: that it is not there is said where it is needed.
    fn describe_layer(&mut self, name: &str, diff_id: Digest) -> Result<Value, RegistryError> {
        let Some(member) = self.members.find(name) else {
            return Ok(json!({"mediaType": LAYER_MEDIA_TYPE, "size": 0, "digest": diff_id}));
        };
        let digest = match self.layer_digests.get(&member) {
            Some(known) => Some(known.clone()),
            None => self.hash_compressed_layer(member).map_err(|error| self.members.member_error(name, error))?,
        };
        if let Some(digest) = &digest {
            self.layer_digests.insert(member, digest.clone());
        }
        let digest = digest.unwrap_or(diff_id);
        self.blobs.insert(digest.clone(), member);
        Ok(json!({"mediaType": LAYER_MEDIA_TYPE, "size": member.length, "digest": digest}))
    }

    /// The digest of a compressed layer, as crane, kaniko and Bazel save them; `None` of a plain one.
    fn hash_compressed_layer(&self, member: MemberLocation) -> io::Result<Option<Digest>> {
        let mut from = self.members.open_member(member)?;
        let mut buffer = Vec::new();
        from.by_ref().take(MAGIC_LENGTH as u64).read_to_end(&mut buffer)?;
        if CompressedArchiveError::detect(&buffer).is_none() {
            return Ok(None);
        }
        let mut hasher = Sha256::new_with_prefix(&buffer);
        buffer.resize(HASH_BUFFER_SIZE, 0);
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(Some(Digest::from_hasher(hasher))),
                count => hasher.update(&buffer[..count]),
            }
        }
    }
}
