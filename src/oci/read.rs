//! Reading an image: the manifest is at hand, and only what the verdict depends on is fetched behind it.
//!
//! Does not judge. What cannot be had is written down as such; only a registry that fails makes it fail.

use super::config::Config;
use super::index::{children, flatten};
use super::json::{Text, object};
use super::manifest::{Blob, Document};
use super::process::Process;
use super::{Content, Image, Single};
use crate::name::Digest;
use crate::platform::Platform;
use crate::registry::{self, Answer, Manifest, Registry, RegistryError};
use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::text::printable;

/// What the verdict will depend on.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// How far to look.
    pub depth: Depth,
    /// The runtimes in question; none where no one has declared any yet.
    pub runtimes: &'a [Runtime],
    /// The label that may declare them.
    pub label: &'a str,
}

/// The largest config that is read, in bytes. Most hold some kilobytes; what makes a large one is its history, and a
/// hundred times the largest seen leaves room.
const MAX_CONFIG: usize = 1024 * 1024;

/// Reads what lies behind a manifest, as far as it is wanted.
///
/// # Errors
/// Where the registry fails; what is wrong with the image itself is part of what is read.
pub async fn read(registry: &impl Registry, manifest: &Manifest, want: Want<'_>) -> Result<Image, RegistryError> {
    let mut label = None;
    let content = match Document::parse(&manifest.media_type, &manifest.bytes) {
        Err(reason) => Content::Unreadable(reason),
        Ok(Document::Artifact(kind)) => Content::Artifact(kind),
        Ok(Document::Attestation) => Content::Attestation,
        Ok(Document::Index(descriptors)) => match flatten(registry, descriptors).await? {
            Ok(entries) => Content::Index(children(registry, entries, want, &mut label).await?),
            Err(reason) => Content::Unreadable(reason),
        },
        Ok(document) => {
            let (single, config) = single(manifest.digest.clone(), document).expect("the others are matched above");
            let read = with_config(registry, single, config, want.label).await?;
            label = read.label;
            if read.is_blank { Content::Artifact(OCI_CONFIG.to_owned()) } else { Content::Single(read.single) }
        }
    };
    let media_type = media_type(manifest, &content);
    Ok(Image { digest: manifest.digest.clone(), media_type, content, label })
}

/// The type of the blank configs that bundles of files are pushed with.
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The image of a manifest, its config not yet read, and where that lies.
pub(super) fn single(digest: Digest, document: Document) -> Option<(Single, Option<Blob>)> {
    let image = |family, layers, gap| Single {
        digest,
        platform: Platform::default(),
        unread: None,
        family,
        layers,
        gap,
        command: Vec::new(),
        process: Process::default(),
    };
    match document {
        Document::Manifest { family, config, layers, gap } => Some((image(family, layers, gap), Some(config))),
        Document::Schema1 { layers, gap, config } => {
            let mut single = image(crate::oci::media_type::Family::Docker, layers, gap);
            single.take(*config);
            Some((single, None))
        }
        Document::Index(_) | Document::Artifact(_) | Document::Attestation => None,
    }
}

impl Single {
    fn take(&mut self, config: Config) {
        self.platform = config.platform;
        self.command = config.command;
        self.process = config.process;
    }
}

/// An image completed by its config.
pub(super) struct Completed {
    pub(super) single: Single,
    pub(super) label: Option<String>,
    /// Whether its config was read and says nothing.
    is_blank: bool,
}

/// Completes an image by its config, and finds the label in it.
pub(super) async fn with_config(
    registry: &impl Registry,
    mut single: Single,
    config: Option<Blob>,
    label: &str,
) -> Result<Completed, RegistryError> {
    let Some(blob) = config else { return Ok(Completed { single, label: None, is_blank: false }) };
    let read = if blob.size > MAX_CONFIG as u64 {
        Err(format!("its config holds {} bytes, more than the {MAX_CONFIG} that are read", blob.size))
    } else {
        match registry::blob(registry, &blob.digest, MAX_CONFIG).await? {
            Answer::Found(bytes) => Config::parse(&bytes),
            Answer::Refused(reason) => Err(format!("its config cannot be had: {reason}")),
            Answer::Absent | Answer::Moved => Err("its config is not in the repository".to_owned()),
        }
    };
    match read {
        Ok(config) => {
            let (label, is_blank) = (config.label(label).map(str::to_owned), config.is_blank());
            single.take(config);
            Ok(Completed { single, label, is_blank })
        }
        Err(reason) => {
            single.unread = Some(reason);
            Ok(Completed { single, label: None, is_blank: false })
        }
    }
}

/// The longest media type that is shown, in characters: RFC 6838 allows two names of 127.
const MAX_MEDIA_TYPE: usize = 255;

fn media_type(manifest: &Manifest, content: &Content) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "mediaType", default)]
        media_type: Text,
    }
    let named = object::<Named>(&manifest.bytes).map(|named| named.media_type.0).unwrap_or_default();
    let inferred = match content {
        Content::Index(_) => "application/vnd.oci.image.index.v1+json",
        _ => "application/vnd.oci.image.manifest.v1+json",
    };
    // A layout's index may call it anything, of any length.
    [&named, &manifest.media_type]
        .map(|text| printable(text, MAX_MEDIA_TYPE))
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| inferred.to_owned())
}
