//! `check --platforms`: every platform of an image is read, as far as bounds allow, and the program that each starts.
//!
//! Does not ask for a runtime, and does not word what it finds.

use std::time::{Duration, Instant};

use super::super::Error;
use super::super::source::Source;
use crate::inspect::Inspector;
use crate::oci as image;
use crate::oci::Want;
use crate::registry::{self, Answer, Registry};
use crate::report::Platforms;
use crate::settings::Depth;
use crate::settings::Rules;

/// What there is in an image.
///
/// # Errors
/// Where its registry fails, or it is not there.
pub(super) async fn of(
    registry: &impl Registry,
    source: &Source,
    inspector: &Inspector,
    rules: &Rules,
) -> Result<Platforms, Error> {
    let deadline = Instant::now().checked_add(Duration::from_secs(rules.bounds.seconds));
    let mut answers = registry::manifests(registry, std::slice::from_ref(&source.selector)).await?;
    let manifest = match answers.pop() {
        Some(Answer::Found(manifest)) => manifest,
        Some(Answer::Refused(reason)) => return Err(Error::Refused { reference: source.reference.clone(), reason }),
        Some(Answer::Absent | Answer::Moved) | None => return Err(source.absent()),
    };
    // Without runtimes, every child of an index matters.
    let want = Want { depth: Depth::Configs, runtimes: &[], label: &rules.key };
    let image = image::read(registry, &manifest, want).await?;
    let inspections =
        if rules.depth == Depth::Binaries { Some(inspector.programs(registry, &image, deadline).await?) } else { None };
    Ok(Platforms::new(&source.reference, &image, inspections.as_deref()))
}
