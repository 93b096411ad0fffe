//! Reads an index: flattens nested indexes, and reads the children that the verdict depends on. Other children are only
//! compared, so they never fail the image if they are missing or invalid.

use futures_util::future::try_join_all;

use super::ambiguity::detect_ambiguity;
use super::image::{ImageContent, IndexChild, IndexEntry};
use super::manifest::{Descriptor, MAX_CHILDREN, ManifestDocument};
use super::platform_image::{describe_size, read_config};
use super::read_options::ImageReadOptions;
use super::refusal::{ImageRefusal, RefusedBy};
use crate::name::Selector;
use crate::registry::{self, Lookup, Manifest, Registry, RegistryError};

/// How deep indexes may be nested. containerd follows nested indexes, but builders do not create them.
const MAX_NESTING: usize = 3;

/// How many children are read. All manifests, of at most 4 MiB each, are in one reply.
const MAX_CHILDREN_READ: usize = 16;

/// An index, with the children that were read.
pub(super) struct ReadIndex {
    pub(super) content: ImageContent,
    /// The value of the label that declares the intended runtimes, from the first config that has it.
    pub(super) label: Option<String>,
}

/// Reads the index with these children.
pub(super) async fn read_index(
    registry: &impl Registry,
    descriptors: Vec<Descriptor>,
    options: ImageReadOptions<'_>,
) -> Result<ReadIndex, RegistryError> {
    match flatten(registry, descriptors).await? {
        FlattenedIndex::Children(descriptors) => read_children(registry, descriptors, options).await,
        FlattenedIndex::Unreadable(reason) => Ok(ReadIndex { content: ImageContent::Unreadable(reason), label: None }),
    }
}

/// The children of an index and of its nested indexes, or the reason why they cannot be read.
enum FlattenedIndex {
    Children(Vec<Descriptor>),
    Unreadable(String),
}

/// Replaces nested indexes by their children, depth first as in containerd.
async fn flatten(registry: &impl Registry, mut descriptors: Vec<Descriptor>) -> Result<FlattenedIndex, RegistryError> {
    let unreadable = |reason| Ok(FlattenedIndex::Unreadable(reason));
    for _ in 0..MAX_NESTING {
        let nested: Vec<usize> = (0..descriptors.len()).filter(|at| descriptors[*at].is_index).collect();
        if nested.is_empty() {
            return Ok(FlattenedIndex::Children(descriptors));
        }
        let count = nested.len();
        if count > MAX_CHILDREN_READ {
            let reason = format!("its index contains {count} indexes, more than the {MAX_CHILDREN_READ} that are read");
            return unreadable(reason);
        }
        let selectors: Vec<Selector> =
            nested.iter().map(|at| Selector::Digest(descriptors[*at].digest.clone())).collect();
        let replies = registry::fetch_verified_manifests(registry, &selectors).await?;
        for (at, reply) in nested.into_iter().zip(replies).rev() {
            let Lookup::Found(manifest) = reply else {
                return unreadable("a nested index is not in the repository".to_owned());
            };
            let children = match ManifestDocument::parse(&manifest.media_type, &manifest.bytes) {
                Ok(ManifestDocument::Index(children)) => children,
                // containerd refuses it: "expected index but found manifest". Docker Engine does not.
                Ok(ManifestDocument::Image(_)) => {
                    return unreadable("a child of its index is marked as an index, but is a manifest".to_owned());
                }
                Ok(_) => Vec::new(),
                Err(reason) => return unreadable(reason),
            };
            descriptors.splice(at..=at, children);
        }
        if descriptors.len() > MAX_CHILDREN {
            return unreadable(format!("its nested indexes have more than the {MAX_CHILDREN} children that are read"));
        }
    }
    if descriptors.iter().any(|descriptor| descriptor.is_index) {
        return unreadable(format!("its indexes are nested more than {MAX_NESTING} deep"));
    }
    Ok(FlattenedIndex::Children(descriptors))
}

/// Reads the children that the verdict depends on.
async fn read_children(
    registry: &impl Registry,
    descriptors: Vec<Descriptor>,
    options: ImageReadOptions<'_>,
) -> Result<ReadIndex, RegistryError> {
    let new_entry = |Descriptor { digest, platform, .. }: &Descriptor| IndexEntry {
        digest: digest.clone(),
        platform: platform.clone(),
        child: IndexChild::NotRead,
    };
    let mut entries: Vec<IndexEntry> = descriptors.iter().map(new_entry).collect();
    let mut needed: Vec<usize> = (0..entries.len()).filter(|at| options.needs_child(&entries, *at)).collect();
    for at in needed.split_off(needed.len().min(MAX_CHILDREN_READ)) {
        entries[at].child = IndexChild::Unavailable(format!("only {MAX_CHILDREN_READ} children of its index are read"));
    }
    // The same request fetches the other children, to find platforms with identical layers.
    let mut requested = needed.clone();
    if options.compare_children && !needed.is_empty() {
        requested.extend((0..entries.len()).filter(|at| !needed.contains(at)));
        requested.truncate(MAX_CHILDREN_READ);
    }
    if requested.is_empty() {
        return Ok(ReadIndex { content: ImageContent::Index(entries), label: None });
    }
    let select = |children: &[usize]| -> Vec<Selector> {
        children.iter().map(|at| Selector::Digest(entries[*at].digest.clone())).collect()
    };
    let replies = match registry::fetch_verified_manifests(registry, &select(&requested)).await {
        // Another child must not fail those that are needed. If one of these fails, the second request reports it.
        Err(RegistryError::UnexpectedReply { .. } | RegistryError::DigestMismatch { .. })
            if requested.len() > needed.len() =>
        {
            requested.clone_from(&needed);
            registry::fetch_verified_manifests(registry, &select(&needed)).await?
        }
        replies => replies?,
    };
    let reads = requested.iter().zip(replies).map(async |(at, reply)| {
        let child = read_child(registry, &descriptors[*at], reply, needed.contains(at), options.label_key);
        Ok((*at, child.await?))
    });
    let (mut others, mut first_label) = (Vec::new(), None);
    for (at, read) in try_join_all(reads).await? {
        let (child, label) = match read {
            ChildRead::Image(child, label) => (child, label),
            ChildRead::Other(content) => {
                others.push((at, content));
                continue;
            }
        };
        let entry = &mut entries[at];
        if let (false, IndexChild::Read(image)) = (entry.platform.is_known(), &child) {
            entry.platform = image.platform.clone();
        }
        entry.child = child;
        first_label = first_label.or(label);
    }
    let is_other = |at: usize| others.iter().any(|(other, _)| *other == at);
    let images = entries.into_iter().enumerate().filter(|(at, _)| !is_other(*at));
    let images: Vec<IndexEntry> = images.map(|(_, entry)| entry).collect();
    // An index of artifacts is itself one.
    let first_other = others.into_iter().map(|(_, content)| content).next().filter(|_| images.is_empty());
    let content = first_other.unwrap_or(ImageContent::Index(images));
    Ok(ReadIndex { content, label: first_label })
}

/// A child that was read.
#[allow(clippy::large_enum_variant, reason = "there are few, and most are images")]
enum ChildRead {
    /// An image, with the value of its label.
    Image(IndexChild, Option<String>),
    /// An artifact or an attestation.
    Other(ImageContent),
}

/// Reads a child and, if it `is_needed`, its config with the label.
async fn read_child(
    registry: &impl Registry,
    descriptor: &Descriptor,
    reply: Lookup<Manifest>,
    is_needed: bool,
    label_key: &str,
) -> Result<ChildRead, RegistryError> {
    let digest = &descriptor.digest;
    let unavailable = |reason: String| Ok(ChildRead::Image(IndexChild::Unavailable(reason), None));
    let manifest = match reply {
        Lookup::Found(manifest) => manifest,
        Lookup::Unavailable(reason) => return unavailable(reason),
        Lookup::NotFound | Lookup::TagMoved => return unavailable(format!("{digest} is not in the repository")),
    };
    match ManifestDocument::parse(&manifest.media_type, &manifest.bytes) {
        Err(reason) => unavailable(reason),
        Ok(ManifestDocument::Index(_)) => {
            unavailable("a child of its index is itself an index, but its descriptor does not say so".to_owned())
        }
        Ok(ManifestDocument::Artifact(kind)) => Ok(ChildRead::Other(ImageContent::Artifact(kind))),
        Ok(ManifestDocument::Attestation) => Ok(ChildRead::Other(ImageContent::Attestation)),
        Ok(ManifestDocument::Image(document)) => {
            let unknown_layer_type = document.unknown_layer_type.clone();
            let (mut image, config) = document.into_image(digest.clone());
            image.refusal =
                ImageRefusal::stronger(detect_ambiguity(&manifest.media_type, &manifest.bytes), image.refusal);
            let (size, actual) = (descriptor.size, manifest.bytes.len() as u64);
            if size != actual {
                image.refuse(RefusedBy::Containerd, describe_size("its manifest", size, actual));
            }
            if !descriptor.has_known_type {
                image.refuse(RefusedBy::Containerd, "the index does not mark it as an image".to_owned());
            }
            let read = read_config(registry, image, config.filter(|_| is_needed), label_key).await?;
            Ok(match unknown_layer_type.filter(|_| read.is_blank) {
                Some(kind) => ChildRead::Other(ImageContent::Artifact(kind)),
                None => ChildRead::Image(IndexChild::Read(read.image), read.label),
            })
        }
    }
}
