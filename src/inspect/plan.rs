//! Which images are to be inspected, and for which sites: only those that a verdict depends on.
//!
//! Does not read anything.

use super::InspectionTarget;
use crate::exec::Processor;
use crate::oci::{Image, ImageContent, PlatformImage};
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};

/// The images, each once, with the sites that they are to start on.
pub(super) fn plan_inspections<'a>(
    runtimes: &[Runtime],
    image: &'a Image,
) -> Vec<(&'a PlatformImage, Vec<InspectionTarget>)> {
    let mut wanted: Vec<(&PlatformImage, Vec<InspectionTarget>)> = Vec::new();
    let mut add = |single: &'a PlatformImage, site: Option<InspectionTarget>| {
        let Some(site) = site else { return };
        match wanted.iter().position(|(known, _)| known.digest == single.digest) {
            Some(at) if wanted[at].1.contains(&site) => {}
            Some(at) => wanted[at].1.push(site),
            None => wanted.push((single, vec![site])),
        }
    };
    match &image.content {
        ImageContent::Single(single) if runtimes.is_empty() => {
            plan_declared_platform(single, &single.platform, &mut add)
        }
        ImageContent::Single(single) => {
            // A platform that does not suit is looked at all the same: the label may be what is wrong.
            for runtime in
                runtimes.iter().filter(|runtime| runtime.compatibility_with(&single.platform) != Compatibility::WrongOs)
            {
                add(single, InspectionTarget::for_runtime(*runtime));
            }
        }
        ImageContent::Index(entries) if runtimes.is_empty() => {
            let children = entries.iter().filter_map(|entry| Some((entry.image()?, &entry.platform)));
            children.for_each(|(single, platform)| plan_declared_platform(single, platform, &mut add));
        }
        ImageContent::Index(entries) => {
            for runtime in runtimes.iter().filter(|runtime| runtime.profile().service.accepts_index()) {
                let selected = entries
                    .iter()
                    .find(|entry| runtime.compatibility_with(&entry.platform) == Compatibility::Compatible);
                if let Some(single) = selected.and_then(|entry| entry.image()) {
                    add(single, InspectionTarget::for_runtime(*runtime));
                }
            }
        }
        ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => {}
    }
    wanted
}

/// Without a runtime, an image is held against its own label.
fn plan_declared_platform<'a>(
    single: &'a PlatformImage,
    platform: &Platform,
    add: &mut impl FnMut(&'a PlatformImage, Option<InspectionTarget>),
) {
    if platform.os() == "linux" {
        let processor = Processor::from_architecture(platform.architecture());
        add(single, processor.map(|processor| InspectionTarget { processor, is_lambda: false }));
    }
}

/// Every image for Linux, each once, with the processor of the family that its label claims; where the label names
/// another, any will do, since the header of its first program tells.
pub(super) fn plan_program_inspections(image: &Image) -> Vec<(&PlatformImage, InspectionTarget)> {
    let singles: Vec<&PlatformImage> = match &image.content {
        ImageContent::Single(single) => vec![single],
        ImageContent::Index(entries) => entries.iter().filter_map(|entry| entry.image()).collect(),
        ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => Vec::new(),
    };
    let mut labelled: Vec<(&PlatformImage, InspectionTarget)> = Vec::new();
    for single in singles.into_iter().filter(|single| matches!(single.platform.os(), "" | "linux")) {
        let processor = match single.platform.architecture() {
            "arm64" | "arm" => Processor::Arm64,
            _ => Processor::Amd64,
        };
        if labelled.iter().all(|(known, _)| known.digest != single.digest) {
            labelled.push((single, InspectionTarget { processor, is_lambda: false }));
        }
    }
    labelled
}
