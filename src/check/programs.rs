//! Inspects the programs of an image for the runtimes that it is intended for.

use std::time::{Duration, Instant};

use crate::inspect::{Inspection, Inspector};
use crate::intent::Intent;
use crate::oci::Image;
use crate::registry::{Registry, RegistryError};
use crate::settings::InspectionDepth;
use crate::text::error_chain;
use crate::verdict::{self, Verdict};

/// How programs are inspected.
#[derive(Debug, Clone, Copy)]
pub struct InspectContext<'a> {
    /// Reads layers, and caches them for other images.
    pub inspector: &'a Inspector,
    /// The time limit, unless `seconds` in `PREFLIGHT_LIMITS` is shorter.
    pub time_left: Duration,
    /// Whether an earlier check of the image did not end, maybe because its process was killed.
    pub is_repeated: bool,
}

/// Why an image that fails by its declared platform is not inspected again.
const NOT_INSPECTED_AGAIN: &str = "an earlier check of the image did not end";

/// Inspects the programs that the verdict depends on.
pub(super) async fn inspect_programs(
    registry: &impl Registry,
    image: &Image,
    intent: &Intent,
    depth: InspectionDepth,
    InspectContext { inspector, is_repeated, .. }: InspectContext<'_>,
    deadline: Option<Instant>,
) -> Result<Vec<Inspection>, RegistryError> {
    let candidates = intent.candidates();
    // If no declaration is valid, the verdict does not depend on the program.
    if depth < InspectionDepth::Program || candidates.is_empty() && intent.is_declared() {
        return Ok(Vec::new());
    }
    // Known before layers are read, so that it is reported however the inspection ends.
    let fails_by_platform = verdict::judge(intent, image, &[]).verdict == Verdict::Fails;
    if is_repeated && fails_by_platform {
        return Ok(Inspector::undetermined_inspections(image, &candidates, NOT_INSPECTED_AGAIN));
    }
    match inspector.inspect(registry, image, &candidates, deadline).await {
        // An image that already fails by its declared platform is reported now: a retry may not find out more.
        Err(error) if fails_by_platform && !matches!(error, RegistryError::RepositoryNotFound { .. }) => {
            Ok(Inspector::undetermined_inspections(image, &candidates, &error_chain(&error)))
        }
        inspected => inspected,
    }
}
