//! Reading an index: nested ones are laid flat, and those children are read that the verdict depends on.
//!
//! Does not judge. Siblings are read for comparison only, and never fail what matters.

use futures_util::future::try_join_all;

use super::manifest::{Descriptor, Document, MAX_CHILDREN};
use super::read::{Want, single, with_config};
use super::{Child, Entry};
use crate::name::{Digest, Selector};
use crate::registry::{self, Answer, Manifest, Registry, RegistryError};
use crate::runtime::{Fit, Runtime};
use crate::settings::Depth;

/// How deep indexes may be nested: containerd follows them, builders make none; each level is a round trip.
const MAX_NESTING: usize = 3;

/// How many children are read, in one request: the manifests come back together, at most 4 MiB each.
const MAX_READ: usize = 16;

/// The children of nested indexes in the place of these, depth first, as containerd walks them.
pub(super) async fn flatten(
    registry: &impl Registry,
    mut descriptors: Vec<Descriptor>,
) -> Result<Result<Vec<Descriptor>, String>, RegistryError> {
    for _ in 0..MAX_NESTING {
        let nested: Vec<usize> = (0..descriptors.len()).filter(|at| descriptors[*at].is_index).collect();
        if nested.is_empty() {
            return Ok(Ok(descriptors));
        }
        if nested.len() > MAX_READ {
            return Ok(Err(format!("its index nests {} others, more than the {MAX_READ} that are read", nested.len())));
        }
        let selectors: Vec<Selector> =
            nested.iter().map(|at| Selector::Digest(descriptors[*at].digest.clone())).collect();
        let answers = registry::manifests(registry, &selectors).await?;
        for (at, answer) in nested.into_iter().zip(answers).rev() {
            let inner = match answer {
                Answer::Found(manifest) => Document::parse(&manifest.media_type, &manifest.bytes),
                _ => Err("a nested index is not in the repository".to_owned()),
            };
            let inner = match inner {
                Ok(Document::Index(inner)) => inner,
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
pub(super) async fn children(
    registry: &impl Registry,
    descriptors: Vec<Descriptor>,
    want: Want<'_>,
    label: &mut Option<String>,
) -> Result<Vec<Entry>, RegistryError> {
    let mut entries: Vec<Entry> = descriptors
        .into_iter()
        .map(|Descriptor { digest, platform, .. }| Entry { digest, platform, child: Child::Unread })
        .collect();
    let mut matters: Vec<usize> = (0..entries.len()).filter(|at| want.needs(&entries, *at)).collect();
    for at in matters.split_off(matters.len().min(MAX_READ)) {
        entries[at].child = Child::Missing(format!("only {MAX_READ} children of its index are read"));
    }
    // The siblings come with the same request: two platforms with the same layers are seen by comparing them.
    let mut asked = matters.clone();
    if want.depth > Depth::Labels && !matters.is_empty() {
        asked.extend((0..entries.len()).filter(|at| !matters.contains(at)));
        asked.truncate(MAX_READ);
    }
    if asked.is_empty() {
        return Ok(entries);
    }
    let select = |asked: &[usize]| -> Vec<Selector> {
        asked.iter().map(|at| Selector::Digest(entries[*at].digest.clone())).collect()
    };
    let answers = match registry::manifests(registry, &select(&asked)).await {
        // One that is only compared must not fail those that matter; if one of these fails, it says so itself.
        Err(RegistryError::Unclear { .. } | RegistryError::Corrupt { .. }) if asked.len() > matters.len() => {
            asked.clone_from(&matters);
            registry::manifests(registry, &select(&matters)).await?
        }
        answers => answers?,
    };
    let read = asked.iter().zip(answers).map(async |(at, answer)| {
        let (child, found) = child(registry, &entries[*at].digest, answer, matters.contains(at), want.label).await?;
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
        if let (false, Child::Read(single)) = (entry.platform.is_known(), &entry.child) {
            entry.platform = single.platform.clone();
        }
        *label = label.take().or(found);
    }
    // A descriptor may stand for an artifact or an attestation, which only its manifest tells.
    let images = entries.into_iter().enumerate().filter(|(at, _)| !others.contains(at));
    Ok(images.map(|(_, entry)| entry).collect())
}

/// One child, its config read where it matters; `None` where it is no image.
async fn child(
    registry: &impl Registry,
    digest: &Digest,
    answer: Answer<Manifest>,
    matters: bool,
    label: &str,
) -> Result<(Option<Child>, Option<String>), RegistryError> {
    let missing = |reason: String| Ok((Some(Child::Missing(reason)), None));
    let manifest = match answer {
        Answer::Found(manifest) => manifest,
        Answer::Refused(reason) => return missing(reason),
        Answer::Absent | Answer::Moved => return missing(format!("{digest} is not in the repository")),
    };
    match Document::parse(&manifest.media_type, &manifest.bytes).map(|document| single(digest.clone(), document)) {
        Err(reason) => missing(reason),
        Ok(None) if is_index(&manifest) => missing("a nested index that is not described as one".to_owned()),
        Ok(None) => Ok((None, None)),
        Ok(Some((single, config))) => {
            let config = config.filter(|_| matters);
            let read = with_config(registry, single, config, label).await?;
            Ok((Some(Child::Read(read.single)), read.label))
        }
    }
}

fn is_index(manifest: &Manifest) -> bool {
    matches!(Document::parse(&manifest.media_type, &manifest.bytes), Ok(Document::Index(_)))
}

impl Want<'_> {
    /// Whether the verdict depends on what this child itself says.
    fn needs(&self, entries: &[Entry], at: usize) -> bool {
        let Entry { digest, platform, .. } = &entries[at];
        let is_repeated = entries.iter().any(|other| other.digest == *digest && other.platform != *platform);
        // A service that takes no index refuses it whatever a child says.
        let selected =
            |runtime: &Runtime| runtime.profile().service.takes_an_index() && runtime.fit(platform) == Fit::Suits;
        let settled = |runtime: &Runtime| {
            let suits = |entry: &Entry| runtime.fit(&entry.platform) == Fit::Suits;
            !runtime.profile().service.takes_an_index() || entries.iter().any(suits)
        };
        match (self.depth, platform.is_known(), self.runtimes) {
            // One image for two platforms: its config says which it is.
            _ if is_repeated => true,
            // No one has declared a runtime yet: one config may hold the label that does.
            (Depth::Labels, true, []) => at == 0,
            (_, _, []) => true,
            (_, false, runtimes) => !runtimes.iter().all(settled),
            (Depth::Labels, true, _) => false,
            (Depth::Configs | Depth::Binaries, true, runtimes) => runtimes.iter().any(selected),
        }
    }
}
