//! Reading an index: nested ones are laid flat, and those children are read that the verdict depends on.
//!
//! Does not judge. Siblings are read for comparison only, and never fail what matters.

use futures_util::future::try_join_all;

use super::manifest::{Descriptor, MAX_CHILDREN, ManifestDocument};
use super::reader::{ImageReadOptions, read_config, to_platform_image};
use super::{IndexChild, IndexEntry};
use crate::name::{Digest, Selector};
use crate::registry::{self, Lookup, Manifest, Registry, RegistryError};
use crate::runtime::{Compatibility, Runtime};
use crate::settings::InspectionDepth;

/// How deep indexes may be nested: containerd follows them, builders make none; each level is a round trip.
const MAX_NESTING: usize = 3;

/// How many children are read, in one request: the manifests come back together, at most 4 MiB each.
const MAX_CHILDREN_READ: usize = 16;

/// The children of nested indexes in the place of these, depth first, as containerd walks them.
pub(super) async fn flatten_indexes(
    registry: &impl Registry,
    mut descriptors: Vec<Descriptor>,
) -> Result<Result<Vec<Descriptor>, String>, RegistryError> {
    for _ in 0..MAX_NESTING {
        let nested: Vec<usize> = (0..descriptors.len()).filter(|at| descriptors[*at].is_index).collect();
        if nested.is_empty() {
            return Ok(Ok(descriptors));
        }
        if nested.len() > MAX_CHILDREN_READ {
            return Ok(Err(format!(
                "its index nests {} others, more than the {MAX_CHILDREN_READ} that are read",
                nested.len()
            )));
        }
        let selectors: Vec<Selector> =
            nested.iter().map(|at| Selector::Digest(descriptors[*at].digest.clone())).collect();
        let answers = registry::fetch_verified_manifests(registry, &selectors).await?;
        for (at, answer) in nested.into_iter().zip(answers).rev() {
            let inner = match answer {
                Lookup::Found(manifest) => ManifestDocument::parse(&manifest.media_type, &manifest.bytes),
                _ => Err("a nested index is not in the repository".to_owned()),
            };
            let inner = match inner {
                Ok(ManifestDocument::Index(inner)) => inner,
                Ok(_) => Vec::new(),
                Err(reason) => return Ok(Err(reason)),
            };
            descriptors.splice(at..=at, inner);
        }
        if descriptors.len() > MAX_CHILDREN {
            return Ok(Err("its nested indexes have more children than are read".to_owned()));
        }
    }
    if descriptors.iter().any(|descriptor| descriptor.is_index) {
        return Ok(Err(format!("its indexes are nested more than {MAX_NESTING} deep")));
    }
    Ok(Ok(descriptors))
}

/// Reads the children that the verdict depends on.
pub(super) async fn read_children(
    registry: &impl Registry,
    descriptors: Vec<Descriptor>,
    want: ImageReadOptions<'_>,
    label: &mut Option<String>,
) -> Result<Vec<IndexEntry>, RegistryError> {
    let mut entries: Vec<IndexEntry> = descriptors
        .into_iter()
        .map(|Descriptor { digest, platform, .. }| IndexEntry { digest, platform, child: IndexChild::NotRead })
        .collect();
    let mut matters: Vec<usize> = (0..entries.len()).filter(|at| want.needs_child(&entries, *at)).collect();
    for at in matters.split_off(matters.len().min(MAX_CHILDREN_READ)) {
        entries[at].child = IndexChild::Unavailable(format!("only {MAX_CHILDREN_READ} children of its index are read"));
    }
    // The siblings come with the same request: two platforms with the same layers are seen by comparing them.
    let mut asked = matters.clone();
    if want.depth > InspectionDepth::Manifest && !matters.is_empty() {
        asked.extend((0..entries.len()).filter(|at| !matters.contains(at)));
        asked.truncate(MAX_CHILDREN_READ);
    }
    if asked.is_empty() {
        return Ok(entries);
    }
    let select = |asked: &[usize]| -> Vec<Selector> {
        asked.iter().map(|at| Selector::Digest(entries[*at].digest.clone())).collect()
    };
    let answers = match registry::fetch_verified_manifests(registry, &select(&asked)).await {
        // One that is only compared must not fail those that matter; if one of these fails, it says so itself.
        Err(RegistryError::UnexpectedReply { .. } | RegistryError::DigestMismatch { .. })
            if asked.len() > matters.len() =>
        {
            asked.clone_from(&matters);
            registry::fetch_verified_manifests(registry, &select(&matters)).await?
        }
        answers => answers?,
    };
    let read = asked.iter().zip(answers).map(async |(at, answer)| {
        let (child, found) =
            read_child(registry, &entries[*at].digest, answer, matters.contains(at), want.label_key).await?;
        Ok((*at, child, found))
    });
    let mut others = Vec::new();
    for (at, child, found) in try_join_all(read).await? {
        let Some(child) = child else {
            others.push(at);
            continue;
        };
        let entry = &mut entries[at];
        entry.child = child;
        if let (false, IndexChild::Read(single)) = (entry.platform.is_known(), &entry.child) {
            entry.platform = single.platform.clone();
        }
        *label = label.take().or(found);
    }
    // A descriptor may stand for an artifact or an attestation, which only its manifest tells.
    let images = entries.into_iter().enumerate().filter(|(at, _)| !others.contains(at));
    Ok(images.map(|(_, entry)| entry).collect())
}

/// One child, its config read where it matters; `None` where it is no image.
async fn read_child(
    registry: &impl Registry,
    digest: &Digest,
    answer: Lookup<Manifest>,
    matters: bool,
    label: &str,
) -> Result<(Option<IndexChild>, Option<String>), RegistryError> {
    let missing = |reason: String| Ok((Some(IndexChild::Unavailable(reason)), None));
    let manifest = match answer {
        Lookup::Found(manifest) => manifest,
        Lookup::Unavailable(reason) => return missing(reason),
        Lookup::NotFound | Lookup::TagMoved => return missing(format!("{digest} is not in the repository")),
    };
    match ManifestDocument::parse(&manifest.media_type, &manifest.bytes)
        .map(|document| to_platform_image(digest.clone(), document))
    {
        Err(reason) => missing(reason),
        Ok(None) if is_index(&manifest) => missing("a nested index that is not described as one".to_owned()),
        Ok(None) => Ok((None, None)),
        Ok(Some((single, config))) => {
            let config = config.filter(|_| matters);
            let read = read_config(registry, single, config, label).await?;
            Ok((Some(IndexChild::Read(read.image)), read.label))
        }
    }
}

fn is_index(manifest: &Manifest) -> bool {
    matches!(ManifestDocument::parse(&manifest.media_type, &manifest.bytes), Ok(ManifestDocument::Index(_)))
}

impl ImageReadOptions<'_> {
    /// Whether the verdict depends on what this child itself says.
    fn needs_child(&self, entries: &[IndexEntry], at: usize) -> bool {
        let IndexEntry { digest, platform, .. } = &entries[at];
        let is_repeated = entries.iter().any(|other| other.digest == *digest && other.platform != *platform);
        // A service that takes no index refuses it whatever a child says.
        let selected = |runtime: &Runtime| {
            runtime.profile().service.accepts_index()
                && runtime.compatibility_with(platform) == Compatibility::Compatible
        };
        let settled = |runtime: &Runtime| {
            let suits = |entry: &IndexEntry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible;
            !runtime.profile().service.accepts_index() || entries.iter().any(suits)
        };
        match (self.depth, platform.is_known(), self.platforms) {
            // One image for two platforms: its config says which it is.
            _ if is_repeated => true,
            // No one has declared a runtime yet: one config may hold the label that does.
            (InspectionDepth::Manifest, true, []) => at == 0,
            (_, _, []) => true,
            (_, false, runtimes) => !runtimes.iter().all(settled),
            (InspectionDepth::Manifest, true, _) => false,
            (InspectionDepth::Config | InspectionDepth::Program, true, runtimes) => runtimes.iter().any(selected),
        }
    }
}
