//! `check --platforms`: every platform of an image is read, as far as bounds allow, and the program that each starts.
//!
//! Does not ask for a runtime, and does not word what it finds.

use std::time::{Duration, Instant};

use super::super::image_source::ImageSource;
use crate::cli::error::CliError;
use crate::inspect::Inspector;
use crate::oci as image;
use crate::oci::ImageReadOptions;
use crate::registry::{self, Lookup, Registry};
use crate::report::PlatformOverview;
use crate::settings::CheckSettings;
use crate::settings::Depth;

/// What there is in an image.
///
/// # Errors
/// Where its registry fails, or it is not there.
pub(super) async fn read_platforms(
    registry: &impl Registry,
    source: &ImageSource,
    inspector: &Inspector,
    rules: &CheckSettings,
) -> Result<PlatformOverview, CliError> {
    let deadline = Instant::now().checked_add(Duration::from_secs(rules.limits.timeout_seconds));
    let mut answers = registry::fetch_verified_manifests(registry, std::slice::from_ref(&source.selector)).await?;
    let manifest = match answers.pop() {
        Some(Lookup::Found(manifest)) => manifest,
        Some(Lookup::Unavailable(reason)) => {
            return Err(CliError::ImageUnavailable { reference: source.reference.clone(), reason });
        }
        Some(Lookup::NotFound | Lookup::TagMoved) | None => return Err(source.not_found_error()),
    };
    // Without runtimes, every child of an index matters.
    let options = ImageReadOptions { compare_children: true, platforms: None, label_key: &rules.declaration_key };
    let image = image::read_image(registry, &manifest, options).await?;
    let inspections = if rules.depth == Depth::Program {
        Some(inspector.inspect_programs(registry, &image, deadline).await?)
    } else {
        None
    };
    Ok(PlatformOverview::new(&source.reference, &image, inspections.as_deref()))
}
