//! Reads the parts of an image that the verdict depends on. A missing or invalid part becomes part of the result.

use super::ambiguity::detect_ambiguity;
use super::image::{Image, ImageContent};
use super::index::{ReadIndex, read_index};
use super::lenient_json::{LenientString, parse_object};
use super::manifest::ManifestDocument;
use super::platform_image::read_config;
use super::read_options::ImageReadOptions;
use crate::registry::media_types::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use crate::registry::{Manifest, Registry, RegistryError};
use crate::text::sanitize;

/// Reads the image of a manifest, with the parts that the options select.
///
/// # Errors
/// Returns the registry's error.
pub async fn read_image(
    registry: &impl Registry,
    manifest: &Manifest,
    options: ImageReadOptions<'_>,
) -> Result<Image, RegistryError> {
    let mut runtime_label = None;
    let content = match ManifestDocument::parse(&manifest.media_type, &manifest.bytes) {
        Err(reason) => ImageContent::Unreadable(reason),
        Ok(ManifestDocument::Artifact(media_type)) => ImageContent::Artifact(media_type),
        Ok(ManifestDocument::Attestation) => ImageContent::Attestation,
        Ok(ManifestDocument::Index(descriptors)) => {
            let ReadIndex { content, label } = read_index(registry, descriptors, options).await?;
            runtime_label = label;
            content
        }
        Ok(ManifestDocument::Image(document)) => {
            let unknown_layer_type = document.unknown_layer_type.clone();
            let (image, config) = document.into_image(manifest.digest.clone());
            let read = read_config(registry, image, config, options.label_key).await?;
            runtime_label = read.label;
            // Tools store bundles of files with a blank config.
            if read.is_blank {
                ImageContent::Artifact(unknown_layer_type.unwrap_or_else(|| OCI_CONFIG.to_owned()))
            } else {
                ImageContent::Single(read.image)
            }
        }
    };
    let media_type = choose_media_type(manifest, &content);
    let refusal = detect_ambiguity(&manifest.media_type, &manifest.bytes);
    Ok(Image { digest: manifest.digest.clone(), media_type, content, runtime_label, refusal })
}

/// The longest media type that is shown, in characters: RFC 6838 allows two names of 127 characters.
const MAX_MEDIA_TYPE: usize = 255;

/// Returns the media type in the document, otherwise that of the registry, otherwise the standard type of the content.
fn choose_media_type(manifest: &Manifest, content: &ImageContent) -> String {
    #[derive(serde::Deserialize)]
    struct WireMediaType {
        #[serde(rename = "mediaType", default)]
        media_type: LenientString,
    }
    let own = parse_object::<WireMediaType>(&manifest.bytes).map(|wire| wire.media_type.0).unwrap_or_default();
    let implied = if matches!(content, ImageContent::Index(_)) { OCI_INDEX } else { OCI_MANIFEST };
    // The index of a layout may contain a type of any length.
    let mut candidates = [own.as_str(), &manifest.media_type, implied].into_iter();
    candidates.find(|text| !text.is_empty()).map(|text| sanitize(text, MAX_MEDIA_TYPE)).unwrap_or_default()
}
