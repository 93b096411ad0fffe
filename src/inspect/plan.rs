//! Which images are inspected, and on which targets: only those that a verdict depends on.

use super::inspection::InspectionTarget;
use crate::exec::Processor;
use crate::oci::{Image, ImageContent, IndexEntry, PlatformImage};
use crate::runtime::{Compatibility, Runtime};

/// The images that decide whether these runtimes start the image, each once, with its targets. Without runtimes, each
/// image is inspected on the platform that it declares.
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
            // An image for another architecture is inspected too: its declared platform may be what is wrong.
            let is_possible =
                |runtime: &&Runtime| runtime.compatibility_with(&single.platform) != Compatibility::WrongOs;
            runtimes
                .iter()
                .filter(is_possible)
                .for_each(|runtime| add(single, InspectionTarget::for_runtime(*runtime)));
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

/// Every image for Linux, each once, with a processor of its declared architecture's family. For any other architecture
/// the processor does not matter: the header of the first program names what it is built for.
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
