//! Reading an image: the manifest is at hand, and only what the verdict depends on is fetched behind it.
//!
//! Does not judge. What cannot be had is written down as such; only a registry that fails makes it fail.

use super::config::ImageConfig;
use super::index::{flatten_indexes, read_children};
use super::lenient_json::{LenientString, parse_object};
use super::manifest::{ConfigBlob, ManifestDocument};
use super::process_config::ProcessConfig;
use super::{Image, ImageContent, PlatformImage};
use crate::name::Digest;
use crate::platform::Platform;
use crate::registry::{self, Lookup, Manifest, Registry, RegistryError};
use crate::runtime::Runtime;
use crate::settings::InspectionDepth;
use crate::text::sanitize;

/// What the verdict will depend on.
#[derive(Debug, Clone, Copy)]
pub struct ImageReadOptions<'a> {
    /// How far to look.
    pub depth: InspectionDepth,
    /// The runtimes in question; none where no one has declared any yet.
    pub platforms: &'a [Runtime],
    /// The label that may declare them.
    pub label_key: &'a str,
}

/// The largest config that is read, in bytes. Most hold some kilobytes; what makes a large one is its history, and a
/// hundred times the largest seen leaves room.
const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// Reads what lies behind a manifest, as far as it is wanted.
///
/// # Errors
/// Where the registry fails; what is wrong with the image itself is part of what is read.
pub async fn read_image(
    registry: &impl Registry,
    manifest: &Manifest,
    want: ImageReadOptions<'_>,
) -> Result<Image, RegistryError> {
    let mut label = None;
    let content = match ManifestDocument::parse(&manifest.media_type, &manifest.bytes) {
        Err(reason) => ImageContent::Unreadable(reason),
        Ok(ManifestDocument::Artifact(kind)) => ImageContent::Artifact(kind),
        Ok(ManifestDocument::Attestation) => ImageContent::Attestation,
        Ok(ManifestDocument::Index(descriptors)) => match flatten_indexes(registry, descriptors).await? {
            Ok(entries) => ImageContent::Index(read_children(registry, entries, want, &mut label).await?),
            Err(reason) => ImageContent::Unreadable(reason),
        },
        Ok(document) => {
            let (single, config) =
                to_platform_image(manifest.digest.clone(), document).expect("the others are matched above");
            let read = read_config(registry, single, config, want.label_key).await?;
            label = read.label;
            if read.is_blank {
                ImageContent::Artifact(OCI_CONFIG_MEDIA_TYPE.to_owned())
            } else {
                ImageContent::Single(read.image)
            }
        }
    };
    let media_type = choose_media_type(manifest, &content);
    Ok(Image { digest: manifest.digest.clone(), media_type, content, runtime_label: label })
}

/// The type of the blank configs that bundles of files are pushed with.
const OCI_CONFIG_MEDIA_TYPE: &str = "application/vnd.oci.image.config.v1+json";

/// The image of a manifest, its config not yet read, and where that lies.
pub(super) fn to_platform_image(
    digest: Digest,
    document: ManifestDocument,
) -> Option<(PlatformImage, Option<ConfigBlob>)> {
    let image = |family, layers, gap| PlatformImage {
        digest,
        platform: Platform::default(),
        config_error: None,
        family,
        layers,
        layers_error: gap,
        shown_command: Vec::new(),
        process: ProcessConfig::default(),
    };
    match document {
        ManifestDocument::Manifest { family, config, layers, layers_error: gap } => {
            Some((image(family, layers, gap), Some(config)))
        }
        ManifestDocument::Schema1 { layers, layers_error: gap, config } => {
            let mut single = image(crate::oci::media_type::MediaTypeFamily::Docker, layers, gap);
            single.apply_config(*config);
            Some((single, None))
        }
        ManifestDocument::Index(_) | ManifestDocument::Artifact(_) | ManifestDocument::Attestation => None,
    }
}

impl PlatformImage {
    fn apply_config(&mut self, config: ImageConfig) {
        self.platform = config.platform;
        self.shown_command = config.shown_command;
        self.process = config.process;
    }
}

/// An image completed by its config.
pub(super) struct ConfiguredImage {
    pub(super) image: PlatformImage,
    pub(super) label: Option<String>,
    /// Whether its config was read and says nothing.
    is_blank: bool,
}

/// Completes an image by its config, and finds the label in it.
pub(super) async fn read_config(
    registry: &impl Registry,
    mut single: PlatformImage,
    config: Option<ConfigBlob>,
    label: &str,
) -> Result<ConfiguredImage, RegistryError> {
    let Some(blob) = config else { return Ok(ConfiguredImage { image: single, label: None, is_blank: false }) };
    let read = if blob.size > MAX_CONFIG_BYTES as u64 {
        Err(format!("its config holds {} bytes, more than the {MAX_CONFIG_BYTES} that are read", blob.size))
    } else {
        match registry::fetch_verified_blob(registry, &blob.digest, MAX_CONFIG_BYTES).await? {
            Lookup::Found(bytes) => ImageConfig::parse(&bytes),
            Lookup::Unavailable(reason) => Err(format!("its config cannot be had: {reason}")),
            Lookup::NotFound | Lookup::TagMoved => Err("its config is not in the repository".to_owned()),
        }
    };
    match read {
        Ok(config) => {
            let (label, is_blank) = (config.label(label).map(str::to_owned), config.is_blank());
            single.apply_config(config);
            Ok(ConfiguredImage { image: single, label, is_blank })
        }
        Err(reason) => {
            single.config_error = Some(reason);
            Ok(ConfiguredImage { image: single, label: None, is_blank: false })
        }
    }
}

/// The longest media type that is shown, in characters: RFC 6838 allows two names of 127.
const MAX_MEDIA_TYPE: usize = 255;

fn choose_media_type(manifest: &Manifest, content: &ImageContent) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "mediaType", default)]
        media_type: LenientString,
    }
    let named = parse_object::<Named>(&manifest.bytes).map(|named| named.media_type.0).unwrap_or_default();
    let inferred = match content {
        ImageContent::Index(_) => "application/vnd.oci.image.index.v1+json",
        _ => "application/vnd.oci.image.manifest.v1+json",
    };
    // A layout's index may call it anything, of any length.
    [&named, &manifest.media_type]
        .map(|text| sanitize(text, MAX_MEDIA_TYPE))
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| inferred.to_owned())
}
