//! Plans which images are inspected on which targets.

use super::inspection::InspectionTarget;
use crate::exec::Processor;
use crate::oci::{Image, ImageContent, IndexEntry, PlatformImage};
use crate::runtime::{Compatibility, Runtime};

/// Returns the images that a verdict on these runtimes depends on, each once with its targets. Without runtimes, each
/// image is inspected on its declared platform.
pub(super) fn plan_inspections<'a>(
    runtimes: &[Runtime],
    image: &'a Image,
) -> Vec<(&'a PlatformImage, Vec<InspectionTarget>)> {
    let mut plan: Vec<(&PlatformImage, Vec<InspectionTarget>)> = Vec::new();
    let mut add = |single: &'a PlatformImage, target: Option<InspectionTarget>| {
        let Some(target) = target else { return };
        match plan.iter_mut().find(|(known, _)| known.digest == single.digest) {
            Some((_, targets)) if targets.contains(&target) => {}
            Some((_, targets)) => targets.push(target),
            None => plan.push((single, vec![target])),
        }
    };
    match &image.content {
        ImageContent::Single(single) if runtimes.is_empty() => {
            add(single, InspectionTarget::for_platform(&single.platform));
        }
        ImageContent::Single(single) => {
            // An image for another platform is inspected too, because its declared platform may be wrong; except that
            // Windows images have gigabytes of layers, and are not declared by mistake.
            for runtime in runtimes.iter().filter(|_| single.platform.os() != "windows") {
                add(single, InspectionTarget::for_runtime(*runtime));
            }
        }
        ImageContent::Index(entries) if runtimes.is_empty() => {
            let children = entries.iter().filter_map(|entry| Some((entry.image()?, &entry.platform)));
            children.for_each(|(single, platform)| add(single, InspectionTarget::for_platform(platform)));
        }
        ImageContent::Index(entries) => {
            for runtime in runtimes.iter().filter(|runtime| runtime.profile().service.accepts_index()) {
                let is_compatible =
                    |entry: &&IndexEntry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible;
                if let Some(single) = entries.iter().find(is_compatible).and_then(IndexEntry::image) {
                    add(single, InspectionTarget::for_runtime(*runtime));
                }
            }
        }
        ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => {}
    }
    plan
}

/// Returns every Linux image, each once, with a processor of its declared architecture's family. For other
/// architectures the processor does not matter: the ELF header of the program names its architecture.
pub(super) fn plan_program_inspections(image: &Image) -> Vec<(&PlatformImage, InspectionTarget)> {
    let images: Vec<&PlatformImage> = match &image.content {
        ImageContent::Single(single) => vec![single],
        ImageContent::Index(entries) => entries.iter().filter_map(IndexEntry::image).collect(),
        ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => Vec::new(),
    };
    let mut plan: Vec<(&PlatformImage, InspectionTarget)> = Vec::new();
    for single in images.into_iter().filter(|single| matches!(single.platform.os(), "" | "linux")) {
        let processor = match single.platform.architecture() {
            "arm64" | "arm" => Processor::Arm64,
            _ => Processor::Amd64,
        };
        if plan.iter().all(|(known, _)| known.digest != single.digest) {
            plan.push((single, InspectionTarget { processor, is_lambda: false }));
        }
    }
    plan
}
